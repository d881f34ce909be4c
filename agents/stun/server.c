/* SPDX-License-Identifier: MIT */
/*
 * How this works: a request is read once into a plain struct (what it asks for,
 * what is wrong with it), then answered in its own dialect.
 *
 *   no cookie (RFC 3489)   MAPPED, SOURCE, CHANGED
 *   cookie (RFC 8489+5780) XOR-MAPPED, MAPPED, RESPONSE-ORIGIN, OTHER, SOFTWARE
 *
 * A server that answers anybody is a mirror for forged sources, so it must not
 * magnify: PADDING comes back no longer than it came although RFC 5780 section 6.1
 * suggests the MTU, RESPONSE-PORT changes the port only, and RESPONSE-ADDRESS, which
 * would let anybody aim us at anybody (RFC 3489 section 12.1.1), is not understood.
 */
#include "agents/stun/server.h"

#include <string.h>

#include "agents/stun/integrity.h"

enum { UNKNOWN_MAX = 16 };

struct request {
	uint32_t change; /* CHANGE-REQUEST's flags */
	bool asks_change;
	bool padded;
	size_t padding;
	bool has_response_port;
	uint16_t response_port;
	bool malformed; /* an attribute that is understood has a wrong value */
	uint16_t unknown[UNKNOWN_MAX];
	size_t unknown_count;
};

/* Understood, but without influence on a server that asks for no credentials. */
static bool harmless(uint16_t type)
{
	switch (type) {
	case STUN_MAPPED_ADDRESS:
	case STUN_USERNAME:
	case STUN_MESSAGE_INTEGRITY:
	case STUN_ERROR_CODE:
	case STUN_UNKNOWN_ATTRIBUTES:
	case STUN_REALM:
	case STUN_NONCE:
	case STUN_MESSAGE_INTEGRITY_SHA256:
	case STUN_PASSWORD_ALGORITHM:
	case STUN_USERHASH:
	case STUN_XOR_MAPPED_ADDRESS:
		return true;
	}
	return type >= STUN_COMPREHENSION_OPTIONAL;
}

static void note_unknown(struct request *request, uint16_t type)
{
	size_t i;

	for (i = 0; i < request->unknown_count; i++) {
		if (request->unknown[i] == type)
			return;
	}
	if (request->unknown_count < UNKNOWN_MAX)
		request->unknown[request->unknown_count++] = type;
}

static void read_response_port(struct request *request, const struct stun_attribute *attribute)
{
	/* 16 bits of port and two of padding; some send the port alone. Port 0 is nobody's. */
	if (attribute->length != 4 && attribute->length != 2) {
		request->malformed = true;
		return;
	}
	request->has_response_port = true;
	request->response_port = (uint16_t)(attribute->value[0] << 8 | attribute->value[1]);
	if (request->response_port == 0)
		request->malformed = true;
}

static void read_change(struct request *request, const struct stun_server *server, bool stream,
			const struct stun_attribute *attribute)
{
	if (request->asks_change)
		return;
	request->asks_change = true;
	if (!server->alternate)
		note_unknown(request, attribute->type); /* RFC 5780 section 6 */
	else if (!stun_read_u32(attribute, &request->change))
		request->malformed = true;
	else if (stream && request->change != 0)
		note_unknown(request, attribute->type);
}

static struct request read_request(const struct stun_server *server, bool stream,
				   const struct stun_message *message)
{
	struct request request = {0};
	struct stun_attribute attribute = {0};

	while (stun_next(message, &attribute)) {
		switch (attribute.type) {
		case STUN_CHANGE_REQUEST:
			read_change(&request, server, stream, &attribute);
			break;
		case STUN_PADDING:
			if (!request.padded)
				request.padding = attribute.length;
			request.padded = true;
			break;
		case STUN_RESPONSE_PORT:
			if (stream)
				note_unknown(&request, attribute.type);
			else if (!request.has_response_port)
				read_response_port(&request, &attribute);
			break;
		default:
			if (!harmless(attribute.type))
				note_unknown(&request, attribute.type);
			break;
		}
	}
	if (request.padded && request.has_response_port)
		request.malformed = true; /* RFC 5780 section 6.1: 400 */
	return request;
}

static void put_error(const struct request *request, struct stun_builder *reply)
{
	if (request->unknown_count > 0) {
		stun_put_error(reply, 420, "Unknown Attribute");
		stun_put_unknown(reply, request->unknown, request->unknown_count);
	} else {
		stun_put_error(reply, 400, "Bad Request");
	}
}

static void put_success(const struct stun_server *server, const struct stun_message *message,
			const struct request *request, const struct endpoint *from,
			const struct endpoint *origin, const struct endpoint *other,
			struct stun_builder *reply)
{
	if (message->classic) {
		stun_put_address(reply, STUN_MAPPED_ADDRESS, from);
		stun_put_address(reply, STUN_SOURCE_ADDRESS, origin);
		if (server->alternate)
			stun_put_address(reply, STUN_CHANGED_ADDRESS, other);
		return;
	}
	stun_put_xor_address(reply, STUN_XOR_MAPPED_ADDRESS, from);
	stun_put_address(reply, STUN_MAPPED_ADDRESS, from);
	stun_put_address(reply, STUN_RESPONSE_ORIGIN, origin);
	if (server->alternate)
		stun_put_address(reply, STUN_OTHER_ADDRESS, other);
	if (request->padded)
		stun_put_zeros(reply, STUN_PADDING, request->padding);
}

struct stun_reply stun_server_answer(const struct stun_server *server, struct stun_socket at,
				     const struct endpoint *from, const void *datagram,
				     size_t length, void *buffer, size_t capacity)
{
	struct stun_reply answer = {.by = at, .to = *from};
	const struct endpoint *other = &server->endpoints[at.ip ^ 1U][at.port ^ 1U];
	enum stun_fingerprint fingerprint;
	struct stun_message message;
	struct stun_builder reply;
	struct request request;
	bool refused;

	if (!stun_parse(datagram, length, &message) || message.class != STUN_REQUEST ||
	    message.method != STUN_BINDING)
		return answer;
	fingerprint = stun_check_fingerprint(&message);
	if (fingerprint == STUN_FINGERPRINT_WRONG)
		return answer;
	request = read_request(server, at.stream, &message);
	refused = request.malformed || request.unknown_count > 0;
	stun_begin(&reply, buffer, capacity, refused ? STUN_ERROR : STUN_SUCCESS, STUN_BINDING,
		   stun_id(&message));
	if (refused) {
		put_error(&request, &reply);
	} else {
		if (request.change & STUN_CHANGE_IP)
			answer.by.ip ^= 1U;
		if (request.change & STUN_CHANGE_PORT)
			answer.by.port ^= 1U;
		if (request.has_response_port)
			answer.to.port = request.response_port;
		put_success(server, &message, &request, from,
			    &server->endpoints[answer.by.ip][answer.by.port], other, &reply);
	}
	if (server->software && !message.classic)
		stun_put(&reply, STUN_SOFTWARE, server->software, strlen(server->software));
	if (fingerprint == STUN_FINGERPRINT_RIGHT)
		stun_put_fingerprint(&reply);
	answer.length = stun_end(&reply);
	return answer;
}
