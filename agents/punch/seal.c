/* SPDX-License-Identifier: MIT */
#include "agents/punch/seal.h"

#include <stdio.h>
#include <string.h>

#include "agents/stun/integrity.h"

static const uint8_t
	no_tie_breaker[8]; /* RFC 8445 16.1 has one; here the rendezvous gives the roles */

static uint16_t role_attribute(enum peer_role role)
{
	return role == ROLE_CONTROLLING ? STUN_ICE_CONTROLLING : STUN_ICE_CONTROLLED;
}

void seal_begin(const struct seal *seal, struct stun_builder *builder, void *buffer,
		size_t capacity, enum stun_class class, uint16_t method,
		const uint8_t id[STUN_ID_SIZE])
{
	stun_begin(builder, buffer, capacity, class, method, id);
	stun_put(builder, role_attribute(seal->role), no_tie_breaker, sizeof(no_tie_breaker));
	if (class == STUN_REQUEST && seal->sight != 0)
		stun_put_u32(builder, ATTRIBUTE_SIGHT, seal->sight);
	if (class == STUN_REQUEST && seal->round != 0)
		stun_put_u32(builder, ATTRIBUTE_ROUND, seal->round);
}

size_t seal_end(const struct seal *seal, struct stun_builder *builder)
{
	stun_put_integrity(builder, seal->token, sizeof(seal->token));
	stun_put_fingerprint(builder);
	return stun_end(builder);
}

static void begin(const struct seal *seal, struct stun_builder *builder, void *buffer,
		  enum stun_class class, uint16_t method, const uint8_t id[STUN_ID_SIZE])
{
	seal_begin(seal, builder, buffer, SEALED_MAX, class, method, id);
}

size_t seal_blind(const struct seal *seal, const uint8_t id[STUN_ID_SIZE], void *buffer)
{
	struct stun_builder builder;

	begin(seal, &builder, buffer, STUN_INDICATION, STUN_BINDING, id);
	stun_put(&builder, ATTRIBUTE_BLIND, "", 0);
	return seal_end(seal, &builder);
}

size_t seal_check(const struct seal *seal, const uint8_t id[STUN_ID_SIZE], bool nominate,
		  void *buffer)
{
	struct stun_builder builder;

	begin(seal, &builder, buffer, STUN_REQUEST, STUN_BINDING, id);
	if (nominate)
		stun_put(&builder, STUN_USE_CANDIDATE, "", 0);
	return seal_end(seal, &builder);
}

size_t seal_message(const struct seal *seal, const uint8_t id[STUN_ID_SIZE], uint32_t sequence,
		    void *buffer)
{
	struct stun_builder builder;
	char text[PAYLOAD_MAX];
	int length = snprintf(text, sizeof(text), "message %u", sequence);

	begin(seal, &builder, buffer, STUN_REQUEST, METHOD_MESSAGE, id);
	stun_put_u32(&builder, ATTRIBUTE_SEQUENCE, sequence);
	stun_put(&builder, STUN_DATA, text, (size_t)length);
	return seal_end(seal, &builder);
}

size_t seal_bye(const struct seal *seal, const uint8_t id[STUN_ID_SIZE], bool has_theirs,
		void *buffer)
{
	struct stun_builder builder;

	begin(seal, &builder, buffer, STUN_REQUEST, METHOD_BYE, id);
	stun_put_u32(&builder, ATTRIBUTE_SEQUENCE, has_theirs);
	return seal_end(seal, &builder);
}

size_t seal_reply(const struct seal *seal, const struct sealed *request,
		  const struct endpoint *from, void *buffer)
{
	uint16_t method = request->kind == SEALED_MESSAGE ? METHOD_MESSAGE
			  : request->kind == SEALED_BYE   ? METHOD_BYE
							  : STUN_BINDING;
	struct stun_builder builder;

	begin(seal, &builder, buffer, STUN_SUCCESS, method, request->id);
	stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, from);
	return seal_end(seal, &builder);
}

static bool has(const struct stun_message *message, uint16_t type)
{
	struct stun_attribute attribute;

	return stun_find(message, type, &attribute);
}

/* 0 without one. */
static uint32_t number(const struct stun_message *message, uint16_t type)
{
	struct stun_attribute attribute;
	uint32_t value = 0;

	if (stun_find(message, type, &attribute))
		(void)stun_read_u32(&attribute, &value);
	return value;
}

static enum sealed_kind request_kind(const struct stun_message *message, struct sealed *ret)
{
	struct stun_attribute attribute;

	ret->sight = number(message, ATTRIBUTE_SIGHT);
	ret->round = number(message, ATTRIBUTE_ROUND);
	if (message->method == STUN_BINDING) {
		ret->nominated = has(message, STUN_USE_CANDIDATE);
		return SEALED_CHECK;
	}
	if (message->method == METHOD_LETTER)
		return SEALED_LETTER;
	if ((message->method != METHOD_MESSAGE && message->method != METHOD_BYE) ||
	    !stun_find(message, ATTRIBUTE_SEQUENCE, &attribute) ||
	    !stun_read_u32(&attribute, &ret->sequence))
		return SEALED_NONE;
	return message->method == METHOD_MESSAGE ? SEALED_MESSAGE : SEALED_BYE;
}

bool seal_is_theirs(const struct seal *seal, const struct stun_message *message)
{
	enum peer_role theirs = seal->role == ROLE_CONTROLLING ? ROLE_CONTROLLED : ROLE_CONTROLLING;

	return !message->classic && has(message, role_attribute(theirs)) &&
	       stun_check_integrity(message, seal->token, sizeof(seal->token));
}

struct sealed seal_open(const struct seal *seal, const struct stun_message *message)
{
	struct sealed sealed = {.kind = SEALED_NONE};

	if (!seal_is_theirs(seal, message))
		return sealed;
	memcpy(sealed.id, stun_id(message), STUN_ID_SIZE);
	switch (message->class) {
	case STUN_REQUEST:
		sealed.kind = request_kind(message, &sealed);
		break;
	case STUN_INDICATION:
		if (message->method == STUN_BINDING && has(message, ATTRIBUTE_BLIND))
			sealed.kind = SEALED_BLIND;
		break;
	case STUN_SUCCESS:
		sealed.kind = message->method == METHOD_LETTER ? SEALED_LETTER : SEALED_REPLY;
		break;
	case STUN_ERROR:
		break;
	}
	return sealed;
}
