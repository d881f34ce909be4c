/* SPDX-License-Identifier: MIT */
/*
 * Anything at all as what becomes of all ways at once: peers that are met on one and not on the
 * other, connections that come and go, answers to what was sent, words of the peer's, in any order.
 * It never asks to be woken in the past, does not talk for ever, and always says how it ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/connect/race.h"
#include "agents/net/clock.h"
#include "fuzz/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS_MAX = 4096, EVENTS_MAX = 200 };

static const struct endpoint rendezvous = {{AF_INET, {9, 9, 9, 9}}, 1024};
static const struct endpoint turn_server = {{AF_INET, {8, 8, 8, 8}}, 3478};
static const struct endpoint peer = {{AF_INET, {5, 6, 7, 8}}, 8888};

struct input {
	const uint8_t *data;
	size_t size;
};

/* What was sent last from each kind of socket, so that it can be answered. */
struct heard {
	struct datagram last[RACE_SOCKETS];
};

static uint8_t next(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

/* Repeatable, and different from call to call within one input. */
static void fill(void *context, void *bytes, size_t length)
{
	uint8_t *counter = context;

	memset(bytes, (*counter)++, length);
}

/* Let it say and do what it has to at @now. */
static void hear_out(struct race *race, struct heard *heard, uint64_t now)
{
	static struct datagram out;
	struct tcp_action action;
	unsigned int turns = 0;

	while (race_send(race, now, &out)) {
		if (++turns > TURNS_MAX || out.length > sizeof(out.bytes))
			abort();
		heard->last[out.socket % RACE_SOCKETS] = out;
	}
	while (race_act(race, now, &action)) {
		if (++turns > TURNS_MAX || action.connection >= TCP_CONNECTIONS)
			abort();
	}
}

/* What a rendezvous says that has a peer for us; returns its length. */
static size_t introduce(const struct meeting *meeting, uint8_t choice, uint8_t bytes[JOIN_SIZE])
{
	const struct introduction introduction = {
		.mapped = {{AF_INET, {1, 2, 3, 4}}, 7777},
		.stage = choice & 1 ? SESSION_GO : SESSION_PAIRED,
		.role = choice & 2 ? ROLE_CONTROLLING : ROLE_CONTROLLED,
		.token = {choice >> 7},
		.peer_public = peer,
		.privates = {{{AF_INET, {192, 168, 1, 1}}, 8888}},
		.private_count = choice >> 2 & 1,
	};

	return introduction_write(&introduction, STUN_SUCCESS, meeting->id, bytes, JOIN_SIZE);
}

static void meet(struct race *race, uint8_t choice, uint64_t now)
{
	struct stun_message message;
	uint8_t bytes[JOIN_SIZE];

	switch (choice >> 3 & 3) {
	case 0:
		race_receive(race, PUNCH_MAIN, &rendezvous, bytes,
			     introduce(&race->punch.meeting, choice, bytes), now);
		break;
	case 1:
		race_receive(race, RACE_SOCKET_RELAY, &rendezvous, bytes,
			     introduce(&race->relay.meeting, choice, bytes), now);
		break;
	default:
		if (race->began[RACE_TCP] &&
		    stun_parse(bytes, introduce(&race->tcp.meeting, choice, bytes), &message)) {
			tcp_punch_receive(&race->tcp, TCP_RENDEZVOUS, &message, now);
			race_follow(race, now);
		}
	}
}

/* A message of the input's, in @ret; as the peer would seal it if @path is one. */
static size_t read_message(struct input *input, const struct path *path, uint8_t ret[RECIPE_SIZE])
{
	uint8_t bytes[RECIPE_SIZE];
	size_t length = next(input);
	struct stun_attribute attribute = {0};
	struct stun_builder builder;
	struct stun_message message;
	struct seal theirs;

	length = length < input->size ? length : input->size;
	input->data += length;
	input->size -= length;
	length = recipe_write(input->data - length, length, bytes);
	memcpy(ret, bytes, length);
	if (!path || !stun_parse(bytes, length, &message))
		return length;
	theirs = path->seal;
	theirs.role = theirs.role == ROLE_CONTROLLING ? ROLE_CONTROLLED : ROLE_CONTROLLING;
	seal_begin(&theirs, &builder, ret, RECIPE_SIZE, message.class, message.method,
		   stun_id(&message));
	while (stun_next(&message, &attribute) && attribute.type != STUN_MESSAGE_INTEGRITY)
		stun_put(&builder, attribute.type, attribute.value, attribute.length);
	return seal_end(&theirs, &builder);
}

static void speak(struct race *race, const struct heard *heard, struct input *input, uint64_t now)
{
	static const struct endpoint *const from[] = {&peer, &rendezvous, &turn_server, &peer};
	uint8_t choice = next(input), bytes[RECIPE_SIZE];
	enum race_way way = choice >> 4 & 1 ? RACE_RELAY : RACE_UDP;
	size_t socket = (choice & 7) % RACE_SOCKETS;
	const struct datagram *asked = &heard->last[socket];
	const struct path *path = choice & 32 && race->began[way] ? race_path(race, way) : NULL;
	size_t length = read_message(input, path, bytes);

	/* With the id of what was asked, and from who was asked. */
	if (choice & 64 && !path && length > 0 && asked->length >= STUN_HEADER_SIZE) {
		memcpy(bytes + 4, asked->bytes + 4, STUN_ID_SIZE);
		race_receive(race, socket, &asked->to, bytes, length, now);
	} else {
		race_receive(race, socket, from[choice >> 6], bytes, length, now);
	}
}

/* Something becomes of a connection, or comes over one. */
static void connect_or_not(struct race *race, struct input *input, uint64_t now)
{
	const struct tcp_refusal reset = {.error = ECONNREFUSED};
	uint8_t choice = next(input), bytes[RECIPE_SIZE];
	size_t connection = (choice >> 3) % TCP_CONNECTIONS, length;
	struct stun_message message;

	if (!race->began[RACE_TCP])
		return;
	switch (choice & 7) {
	case 0:
		if (connection < TCP_ACCEPTED)
			tcp_punch_failed(&race->tcp, connection, &reset, now);
		break;
	case 1:
		(void)tcp_punch_accepted(&race->tcp, &peer, now);
		break;
	case 2:
		tcp_punch_ended(&race->tcp, connection, now);
		break;
	case 3:
	case 4:
		if (connection < TCP_ACCEPTED)
			tcp_punch_connected(&race->tcp, connection, now);
		break;
	default:
		length = read_message(input, race_path(race, RACE_TCP), bytes);
		if (stun_parse(bytes, length, &message))
			tcp_punch_receive(&race->tcp, connection, &message, now);
	}
	race_follow(race, now);
}

/* Whatever the input has happen next; false when that is the end. */
static bool happen(struct race *race, const struct heard *heard, struct input *input, uint64_t *now)
{
	uint8_t choice = next(input);
	uint64_t due;

	switch (choice & 7) {
	case 0:
	case 1:
		meet(race, next(input), *now);
		break;
	case 2:
	case 3:
		speak(race, heard, input, *now);
		break;
	case 4:
		connect_or_not(race, input, *now);
		break;
	case 5:
		if (choice == 5)
			return false;
		race_part(race, SEC, *now);
		break;
	default:
		due = race_due(race);
		if (due != UINT64_MAX && due > *now)
			*now = due;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t counter = 0, flags = size > 0 ? data[0] : 0;
	const struct meeting_config meeting = {
		.rendezvous = rendezvous,
		.session = "demo",
		.privates = {{{AF_INET, {192, 168, 1, 1}}, 7777}},
		.private_count = 1,
		.random = {.fill = fill, .context = &counter},
	};
	const struct race_config config = {
		.meeting = meeting,
		.tcp = meeting,
		.relay = meeting,
		.with = {true, !(flags & 1), !(flags & 2)},
		.with_turn = flags & 4,
		.channels = flags & 8,
		.turn = {.server = turn_server, .random = meeting.random},
		.talk = {.messages = 2, .random = meeting.random},
		.timeout = 10 * SEC,
		.patience = flags & 16 ? 30 * SEC : 0,
	};
	struct input input = {data, size};
	static struct heard heard;
	static struct race race;
	unsigned int events = EVENTS_MAX;
	bool stopped = false;
	uint64_t now = 1000 * SEC;

	memset(&heard, 0, sizeof(heard));
	(void)next(&input);
	race_start(&race, &config, now);
	while (!stopped && input.size > 0 && !race_over(&race) && events-- > 0) {
		hear_out(&race, &heard, now);
		stopped = !happen(&race, &heard, &input, &now);
	}
	/* One that was stopped is asked for no result. */
	if (!stopped && (race.phase == RACE_FAILED || race.phase == RACE_LOST) &&
	    race.reason[0] == '\0')
		abort();
	race_stop(&race, now);
	hear_out(&race, &heard, now);
	return 0;
}
