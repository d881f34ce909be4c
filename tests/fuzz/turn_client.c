/* SPDX-License-Identifier: MIT */
/*
 * Anything at all as what a TURN server, a relay or the other peer says: to the TURN client in
 * each of its states, to a relaying agent, to letters, and as a Relay to the rendezvous.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agents/punch/letters.h"
#include "agents/relay/relay.h"
#include "agents/rendezvous/server.h"
#include "agents/stun/integrity.h"
#include "fuzz/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct endpoint server = {.addr = {AF_INET, {9, 9, 9, 9}}, .port = 3478};
static const struct endpoint peer = {.addr = {AF_INET, {5, 6, 7, 8}}, .port = 8888};

/* Repeatable, and different from call to call within one input. */
static void fill(void *context, void *bytes, size_t length)
{
	uint8_t *counter = context;

	memset(bytes, (*counter)++, length);
}

/*
 * The input as an answer to the request with @id: with that id, and sealed if the client has a
 * key, so that the fields behind both are reached. Returns its length, 0 if it is no message.
 */
static size_t as_answer(const uint8_t *data, size_t size, const struct credentials *credentials,
			const uint8_t id[STUN_ID_SIZE], uint8_t *ret, size_t capacity)
{
	struct stun_attribute attribute = {0};
	struct stun_message message;
	struct stun_builder builder;

	if (!stun_parse(data, size, &message))
		return 0;
	stun_begin(&builder, ret, capacity, message.class, message.method, id);
	while (stun_next(&message, &attribute) && attribute.type != STUN_MESSAGE_INTEGRITY &&
	       attribute.type != STUN_MESSAGE_INTEGRITY_SHA256 &&
	       attribute.type != STUN_FINGERPRINT)
		stun_put(&builder, attribute.type, attribute.value, attribute.length);
	if (credentials->challenged && credentials->algorithm == ALGORITHM_UNSTATED)
		stun_put_integrity(&builder, credentials->key, credentials->key_length);
	else if (credentials->challenged)
		stun_put_integrity_sha256(&builder, credentials->key, credentials->key_length);
	return stun_end(&builder);
}

/* Whatever came out of it lies within what went in. */
static void check_payload(const struct turn_payload *payload, const uint8_t *data, size_t size)
{
	if (payload->bytes < data || payload->bytes + payload->length > data + size)
		abort();
}

static void speak(struct turn *turn, uint64_t now)
{
	uint8_t request[TURN_MESSAGE_MAX];
	unsigned int turns = 0;
	struct stun_message message;
	size_t length;

	while ((length = turn_send(turn, now, request)) > 0) {
		if (!stun_parse(request, length, &message) || turns++ > 100)
			abort();
	}
	if (turn_due(turn) < now)
		abort();
}

static void answer(struct turn *turn, const struct turn_request *request, const uint8_t *data,
		   size_t size, uint64_t now)
{
	static uint8_t bytes[STUN_MESSAGE_MAX];
	struct turn_payload payload;
	size_t length =
		as_answer(data, size, &turn->credentials, request->id, bytes, sizeof(bytes));

	if (turn_receive(turn, &server, bytes, length, now, &payload))
		check_payload(&payload, bytes, length);
	if (turn_receive(turn, &server, data, size, now, &payload))
		check_payload(&payload, data, size);
	speak(turn, now);
}

static void tell_the_client(const uint8_t *data, size_t size)
{
	uint8_t counter = 0, wrapped[64];
	const struct turn_config config = {
		.server = server,
		.user = "ann",
		.password = "secret",
		.random = {.fill = fill, .context = &counter},
	};
	struct turn turn;
	uint64_t now = SEC;

	turn_start(&turn, &config, now);
	speak(&turn, now);
	answer(&turn, &turn.allocation, data, size, now);
	answer(&turn, &turn.allocation, data, size, now);
	/* Be the outcome what it may, as if it had been allocated. */
	turn.phase = TURN_READY;
	turn.renew = turn.expires = now + 600 * SEC;
	turn.allocation.open = false;
	(void)turn_admit(&turn, &peer, size & 1, now);
	speak(&turn, now);
	answer(&turn, &turn.peers.list[0].request, data, size, now);
	(void)turn_write(&turn, &peer, "x", 1, wrapped, sizeof(wrapped));
	now += 600 * SEC;
	speak(&turn, now);
	answer(&turn, &turn.allocation, data, size, now);
	turn_close(&turn, now);
	speak(&turn, now);
	answer(&turn, &turn.allocation, data, size, now);
}

static void tell_the_relaying(const uint8_t *data, size_t size)
{
	static const struct endpoint rendezvous = {.addr = {AF_INET, {9, 9, 9, 9}}, .port = 1024};
	uint8_t counter = 0;
	const struct relay_config config = {
		.meeting = {.rendezvous = rendezvous,
			    .session = "demo",
			    .random = {.fill = fill, .context = &counter}},
		.with_turn = size & 1,
		.turn = {.server = server},
		.channels = size & 2,
		.talk = {.messages = 2},
		.timeout = SEC,
	};
	static struct relay relay;
	unsigned int turns = 100;
	struct datagram out;
	uint64_t now = SEC;

	relay_start(&relay, &config, now);
	while (!relay_over(&relay) && turns-- > 0) {
		while (relay_send(&relay, now, &out))
			continue;
		relay_receive(&relay, &server, data, size, now);
		relay_receive(&relay, &rendezvous, data, size, now);
		relay_receive(&relay, &peer, data, size, now);
		if (relay_due(&relay) != UINT64_MAX && relay_due(&relay) > now)
			now = relay_due(&relay);
	}
}

static void write_a_letter(const uint8_t *data, size_t size)
{
	static uint8_t bytes[STUN_MESSAGE_MAX], out[LETTER_SEALED_MAX];
	uint8_t counter = 0;
	struct random_source random = {.fill = fill, .context = &counter};
	struct seal ours = {.role = ROLE_CONTROLLING}, theirs = {.role = ROLE_CONTROLLED};
	struct stun_attribute attribute = {0};
	struct stun_builder builder;
	struct stun_message message;
	static struct letters letters;
	const uint8_t *letter;
	size_t length;

	if (!stun_parse(data, size, &message))
		return;
	letters_start(&letters, &ours, &random, 0);
	(void)letters_put(&letters, data, size);
	(void)letters_send(&letters, SEC, out);
	seal_begin(&theirs, &builder, bytes, sizeof(bytes), message.class, METHOD_LETTER,
		   size & 1 ? letters.id : stun_id(&message));
	while (stun_next(&message, &attribute) && attribute.type != STUN_FINGERPRINT &&
	       attribute.type != STUN_MESSAGE_INTEGRITY)
		stun_put(&builder, attribute.type, attribute.value, attribute.length);
	if (!stun_parse(bytes, seal_end(&theirs, &builder), &message))
		return;
	(void)letters_receive(&letters, &message, &letter, &length);
	if (letters_receive(&letters, &message, &letter, &length))
		abort(); /* twice */
	(void)letters_send(&letters, SEC, out);
}

/* Two members of a session, and the input as what one has to say. */
static void relay_it(const uint8_t *data, size_t size)
{
	uint8_t counter = 0, bytes[2048];
	struct rendezvous_config config = {.sessions = 1,
					   .idle = 30 * SEC,
					   .relay_rate = 65536,
					   .random = {.fill = fill, .context = &counter}};
	static const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
	struct join join = {.session = "s", .session_length = 1, .stage = JOIN_JOINED};
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	struct rendezvous *rendezvous;
	const uint8_t *payload;
	struct stun_message message;
	size_t length, count;

	if (rendezvous_new(&config, &rendezvous) < 0)
		return;
	length = join_write(&join, id, bytes, sizeof(bytes));
	(void)rendezvous_receive(rendezvous, &server, bytes, length, SEC, out);
	join.peer[0] = 1;
	length = join_write(&join, id, bytes, sizeof(bytes));
	(void)rendezvous_receive(rendezvous, &peer, bytes, length, SEC, out);
	length = relay_write(&join, id, data, size, bytes, sizeof(bytes));
	count = rendezvous_receive(rendezvous, &peer, bytes, length, SEC, out);
	if (count != (length > 0))
		abort();
	if (count > 0 && (out[0].length >= length || !endpoint_equal(&out[0].to, &server) ||
			  !stun_parse(out[0].bytes, out[0].length, &message) ||
			  !relayed_read(&message, &payload, &length) || length != size ||
			  memcmp(payload, data, size) != 0))
		abort();
	rendezvous_free(rendezvous);
}

static void consider(const uint8_t *data, size_t size)
{
	tell_the_client(data, size);
	tell_the_relaying(data, size);
	write_a_letter(data, size);
	relay_it(data, size);
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
