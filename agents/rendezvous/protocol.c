/* SPDX-License-Identifier: MIT */
#include "agents/rendezvous/protocol.h"

#include <string.h>

#include "agents/stun/integrity.h"

static void put_privates(struct stun_builder *builder, const struct endpoint *privates,
			 size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		stun_put_xor_address(builder, ATTRIBUTE_PRIVATE, &privates[i]);
}

/* The first PRIVATE_MAX of them; more are nobody's need. */
static size_t read_privates(const struct stun_message *message, struct endpoint *ret)
{
	struct stun_attribute attribute = {0};
	size_t count = 0;

	while (count < PRIVATE_MAX && stun_next(message, &attribute)) {
		if (attribute.type == ATTRIBUTE_PRIVATE &&
		    stun_read_xor_address(message, &attribute, &ret[count]) && ret[count].port != 0)
			count++;
	}
	return count;
}

static void put_offer(struct stun_builder *builder, const uint8_t *offer, size_t length)
{
	if (length > 0)
		stun_put(builder, ATTRIBUTE_OFFER, offer, length);
}

/* One that is too long is none. */
static size_t read_offer(const struct stun_message *message, uint8_t ret[OFFER_MAX])
{
	struct stun_attribute attribute;

	if (!stun_find(message, ATTRIBUTE_OFFER, &attribute) || attribute.length > OFFER_MAX)
		return 0;
	memcpy(ret, attribute.value, attribute.length);
	return attribute.length;
}

/* A 32-bit value between 1 and @max. */
static bool read_choice(const struct stun_message *message, uint16_t type, uint32_t max,
			uint32_t *ret)
{
	struct stun_attribute attribute;

	return stun_find(message, type, &attribute) && stun_read_u32(&attribute, ret) &&
	       *ret >= 1 && *ret <= max;
}

static void put_who(struct stun_builder *builder, const struct join *join)
{
	stun_put(builder, ATTRIBUTE_SESSION, join->session, join->session_length);
	stun_put(builder, ATTRIBUTE_PEER, join->peer, sizeof(join->peer));
}

size_t join_write(const struct join *join, const uint8_t id[STUN_ID_SIZE], void *buffer,
		  size_t capacity)
{
	enum { HEADER = 4, FINGERPRINT = 8 };
	struct stun_builder builder;

	stun_begin(&builder, buffer, capacity, STUN_REQUEST, METHOD_JOIN, id);
	put_who(&builder, join);
	stun_put_u32(&builder, ATTRIBUTE_STAGE, join->stage);
	put_privates(&builder, join->privates, join->private_count);
	put_offer(&builder, join->offer, join->offer_length);
	stun_put_zeros(&builder, STUN_PADDING, JOIN_SIZE - FINGERPRINT - HEADER - builder.length);
	stun_put_fingerprint(&builder);
	return stun_end(&builder);
}

size_t leave_write(const struct join *join, const uint8_t id[STUN_ID_SIZE], void *buffer,
		   size_t capacity)
{
	struct stun_builder builder;

	stun_begin(&builder, buffer, capacity, STUN_INDICATION, METHOD_LEAVE, id);
	put_who(&builder, join);
	stun_put_fingerprint(&builder);
	return stun_end(&builder);
}

static size_t end_relay(struct stun_builder *builder, const void *payload, size_t length)
{
	if (length > RELAY_PAYLOAD_MAX)
		return 0;
	stun_put(builder, STUN_DATA, payload, length);
	stun_put_fingerprint(builder);
	return stun_end(builder);
}

size_t relay_write(const struct join *who, const uint8_t id[STUN_ID_SIZE], const void *payload,
		   size_t length, void *buffer, size_t capacity)
{
	struct stun_builder builder;

	stun_begin(&builder, buffer, capacity, STUN_INDICATION, METHOD_RELAY, id);
	put_who(&builder, who);
	return end_relay(&builder, payload, length);
}

size_t relayed_write(const uint8_t id[STUN_ID_SIZE], const void *payload, size_t length,
		     void *buffer, size_t capacity)
{
	struct stun_builder builder;

	stun_begin(&builder, buffer, capacity, STUN_INDICATION, METHOD_RELAY, id);
	return end_relay(&builder, payload, length);
}

bool relayed_read(const struct stun_message *message, const uint8_t **ret, size_t *ret_length)
{
	struct stun_attribute attribute;

	if (message->classic || message->method != METHOD_RELAY ||
	    message->class != STUN_INDICATION || !stun_find(message, STUN_DATA, &attribute) ||
	    attribute.length > RELAY_PAYLOAD_MAX)
		return false;
	*ret = attribute.value;
	*ret_length = attribute.length;
	return true;
}

bool join_read(const struct stun_message *message, struct join *ret)
{
	struct stun_attribute attribute;
	uint32_t stage = JOIN_JOINED;

	if (message->classic || !stun_find(message, ATTRIBUTE_SESSION, &attribute) ||
	    attribute.length < 1 || attribute.length > SESSION_NAME_MAX)
		return false;
	ret->session_length = attribute.length;
	memcpy(ret->session, attribute.value, attribute.length);
	if (!stun_find(message, ATTRIBUTE_PEER, &attribute) || attribute.length != PEER_ID_SIZE)
		return false;
	memcpy(ret->peer, attribute.value, PEER_ID_SIZE);
	if (message->method == METHOD_JOIN &&
	    !read_choice(message, ATTRIBUTE_STAGE, JOIN_DIALLED, &stage))
		return false;
	ret->stage = (enum join_stage)stage;
	ret->private_count = read_privates(message, ret->privates);
	ret->offer_length = read_offer(message, ret->offer);
	return true;
}

size_t introduction_write(const struct introduction *introduction, enum stun_class class,
			  const uint8_t id[STUN_ID_SIZE], void *buffer, size_t capacity)
{
	struct stun_builder builder;

	stun_begin(&builder, buffer, capacity, class, METHOD_JOIN, id);
	stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, &introduction->mapped);
	stun_put_u32(&builder, ATTRIBUTE_STAGE, introduction->stage);
	if (introduction->stage >= SESSION_PAIRED) {
		stun_put_u32(&builder, ATTRIBUTE_ROLE, introduction->role);
		stun_put(&builder, ATTRIBUTE_TOKEN, introduction->token, TOKEN_SIZE);
		stun_put_xor_address(&builder, ATTRIBUTE_PEER_PUBLIC, &introduction->peer_public);
		put_privates(&builder, introduction->privates, introduction->private_count);
		put_offer(&builder, introduction->offer, introduction->offer_length);
	}
	stun_put_fingerprint(&builder);
	return stun_end(&builder);
}

bool introduction_read(const struct stun_message *message, struct introduction *ret)
{
	struct stun_attribute attribute;
	uint32_t stage, role;

	if (!stun_find(message, STUN_XOR_MAPPED_ADDRESS, &attribute) ||
	    !stun_read_xor_address(message, &attribute, &ret->mapped) ||
	    !read_choice(message, ATTRIBUTE_STAGE, SESSION_GO, &stage))
		return false;
	ret->stage = (enum session_stage)stage;
	ret->private_count = 0;
	ret->offer_length = 0;
	if (stage < SESSION_PAIRED)
		return true;
	if (!read_choice(message, ATTRIBUTE_ROLE, ROLE_CONTROLLED, &role) ||
	    !stun_find(message, ATTRIBUTE_TOKEN, &attribute) || attribute.length != TOKEN_SIZE)
		return false;
	ret->role = (enum peer_role)role;
	memcpy(ret->token, attribute.value, TOKEN_SIZE);
	if (!stun_find(message, ATTRIBUTE_PEER_PUBLIC, &attribute) ||
	    !stun_read_xor_address(message, &attribute, &ret->peer_public))
		return false;
	ret->private_count = read_privates(message, ret->privates);
	ret->offer_length = read_offer(message, ret->offer);
	return true;
}
