/* SPDX-License-Identifier: MIT */
/*
 * Anything at all as a datagram: for the codec, and for everything that an agent
 * does with what the codec lets through.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/punch/punch.h"
#include "agents/rendezvous/server.h"
#include "agents/stun/integrity.h"
#include "agents/stun/server.h"
#include "fuzz/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct endpoint from = {.addr = {AF_INET, {1, 2, 3, 4}}, .port = 40000};

/* Repeatable, and different from call to call within one input. */
static void fill(void *context, void *bytes, size_t length)
{
	uint8_t *counter = context;

	memset(bytes, (*counter)++, length);
}

static void read_everything(const struct stun_message *message)
{
	struct stun_attribute attribute = {0};
	struct stun_error_code error;
	struct endpoint endpoint;
	uint32_t value;

	while (stun_next(message, &attribute)) {
		(void)stun_read_u32(&attribute, &value);
		(void)stun_read_address(&attribute, &endpoint);
		(void)stun_read_xor_address(message, &attribute, &endpoint);
		(void)stun_read_error(&attribute, &error);
	}
	(void)stun_mapped_address(message, &endpoint);
	(void)stun_other_address(message, &endpoint);
	(void)stun_check_fingerprint(message);
	(void)stun_check_integrity(message, "key", 3);
}

static void ask_the_server(const uint8_t *data, size_t size)
{
	const struct stun_server server = {
		.endpoints = {{{{AF_INET, {9, 9, 9, 9}}, 3478}, {{AF_INET, {9, 9, 9, 9}}, 3479}},
			      {{{AF_INET, {9, 9, 9, 10}}, 3478}, {{AF_INET, {9, 9, 9, 10}}, 3479}}},
		.alternate = true,
		.software = "natsim",
	};
	static uint8_t reply[STUN_MESSAGE_MAX];
	struct stun_socket at = {.ip = size & 1, .port = size >> 1 & 1};
	struct stun_reply answer =
		stun_server_answer(&server, at, &from, data, size, reply, sizeof(reply));
	struct stun_message message;

	/* What it says is a response, and not much more than what was asked. */
	if (answer.length > 0 &&
	    (!stun_parse(reply, answer.length, &message) || message.class < STUN_SUCCESS ||
	     answer.length > size + STUN_ANSWER_GROWTH_IPV4))
		abort();
}

/* An input seldom has the right CRC, so the fields behind it are reached with it mended. */
static size_t with_fingerprint(const uint8_t *data, size_t size, uint8_t *ret, size_t capacity)
{
	struct stun_message message;
	struct stun_attribute attribute = {0};
	struct stun_builder builder;

	if (!stun_parse(data, size, &message))
		return 0;
	stun_begin(&builder, ret, capacity, message.class, message.method, stun_id(&message));
	while (stun_next(&message, &attribute)) {
		if (attribute.type != STUN_FINGERPRINT && attribute.type != STUN_PADDING)
			stun_put(&builder, attribute.type, attribute.value, attribute.length);
	}
	if (message.method == METHOD_JOIN && builder.length < JOIN_SIZE - 12)
		stun_put_zeros(&builder, STUN_PADDING, JOIN_SIZE - 12 - builder.length);
	stun_put_fingerprint(&builder);
	return stun_end(&builder);
}

static void ask_the_rendezvous(const uint8_t *data, size_t size)
{
	uint8_t counter = 0;
	struct rendezvous_config config = {
		.sessions = 3, .idle = 30 * SEC, .random = {.fill = fill, .context = &counter}};
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	struct endpoint other = from;
	struct rendezvous *rendezvous;
	uint8_t mended[2048];
	size_t length = with_fingerprint(data, size, mended, sizeof(mended));
	unsigned int i;

	if (rendezvous_new(&config, &rendezvous) < 0)
		return;
	(void)rendezvous_receive(rendezvous, &from, data, size, 0, out);
	for (i = 0; length > 28 && i < 4; i++) {
		/* The input, then the input with another peer's id at whichever byte that falls on.
		 */
		mended[28 + i * 7 % (length - 28)] ^= (uint8_t)i;
		other.port++;
		(void)rendezvous_receive(rendezvous, &other, mended, length, i * SEC, out);
	}
	(void)rendezvous_expire(rendezvous, 100 * SEC);
	if (rendezvous_sessions(rendezvous) != 0)
		abort();
	rendezvous_free(rendezvous);
}

static void tell_the_puncher(const uint8_t *data, size_t size)
{
	uint8_t counter = 0, sealed[2048];
	const struct punch_config config = {
		.meeting = {.rendezvous = from,
			    .session = "demo",
			    .random = {.fill = fill, .context = &counter}},
		.talk = {.messages = 2},
		.timeout = SEC,
		.repunch = 2,
	};
	const struct seal seal = {.role = ROLE_CONTROLLING};
	struct stun_attribute attribute = {0};
	struct datagram out;
	struct stun_message message;
	struct stun_builder builder;
	struct punch punch;
	unsigned int turns = 100;
	uint64_t now = 0;

	punch_start(&punch, &config, now);
	(void)punch_send(&punch, now, &out);
	punch_receive(&punch, PUNCH_MAIN, &from, data, size, now);
	/* Once more as the words of the peer, sealed with the token there is. */
	if (punch.phase == PHASE_JOINING) {
		punch.phase = PHASE_DIALLING;
		path_start(&punch.path, &seal, &TRANSACTION_RFC3489, &punch.config.talk);
		punch.path.rounds = config.repunch;
	}
	if (stun_parse(data, size, &message)) {
		stun_begin(&builder, sealed, sizeof(sealed), message.class, message.method,
			   stun_id(&message));
		while (stun_next(&message, &attribute) && attribute.type != STUN_MESSAGE_INTEGRITY)
			stun_put(&builder, attribute.type, attribute.value, attribute.length);
		stun_put(&builder, STUN_ICE_CONTROLLED, "12345678", 8);
		stun_put_integrity(&builder, punch.path.seal.token, sizeof(punch.path.seal.token));
		punch_receive(&punch, PUNCH_MAIN, &from, sealed, stun_end(&builder), now);
		punch_receive(&punch, PUNCH_MAIN, &from, sealed, stun_end(&builder), now);
	}
	while (!punch_over(&punch) && turns-- > 0) {
		while (punch_send(&punch, now, &out))
			continue;
		if (punch_due(&punch) < now)
			abort();
		if (punch_due(&punch) != UINT64_MAX)
			now = punch_due(&punch);
	}
}

static void consider(const uint8_t *data, size_t size)
{
	struct stun_message message;

	if (stun_parse(data, size, &message))
		read_everything(&message);
	ask_the_server(data, size);
	ask_the_rendezvous(data, size);
	tell_the_puncher(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t message[RECIPE_SIZE];

	if (size > 0 && data[0] & 8)
		consider(data, size);
	else
		consider(message, recipe_write(data, size, message));
	return 0;
}
