/* SPDX-License-Identifier: MIT */
/*
 * Anything at all as what becomes of a TCP hole punch: connections that come about, fail and
 * end in any order, with any bytes on them, sealed as the peer's or not.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/stun/integrity.h"
#include "agents/stun/stream.h"
#include "agents/tcp/punch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAM_SIZE = 512, ACTIONS_MAX = 4096 };

struct input {
	const uint8_t *data;
	size_t size;
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

/* @message as the peer would have sealed it. */
static void tell_sealed(struct tcp_punch *punch, size_t connection,
			const struct stun_message *message, uint64_t now)
{
	struct stun_attribute attribute = {0};
	struct stun_message sealed;
	struct stun_builder builder;
	uint8_t bytes[2 * STREAM_SIZE];

	stun_begin(&builder, bytes, sizeof(bytes), message->class, message->method,
		   stun_id(message));
	while (stun_next(message, &attribute) && attribute.type != STUN_MESSAGE_INTEGRITY)
		stun_put(&builder, attribute.type, attribute.value, attribute.length);
	stun_put(&builder,
		 punch->path.seal.role == ROLE_CONTROLLING ? STUN_ICE_CONTROLLED
							   : STUN_ICE_CONTROLLING,
		 "12345678", 8);
	stun_put_integrity(&builder, punch->path.seal.token, TOKEN_SIZE);
	if (stun_parse(bytes, stun_end(&builder), &sealed))
		tcp_punch_receive(punch, connection, &sealed, now);
}

/* Bytes of the input on @connection, in pieces. */
static void tell(struct tcp_punch *punch, size_t connection, struct input *input, uint64_t now)
{
	size_t length = next(input) * 4U, room;
	uint8_t buffer[STREAM_SIZE];
	struct stun_message message;
	struct stun_stream stream;

	stun_stream_init(&stream, buffer, sizeof(buffer));
	length = length < input->size ? length : input->size;
	while (length > 0) {
		size_t piece = length < 100 ? length : 100;
		void *at = stun_stream_room(&stream, &room);
		enum stun_stream_result result;

		if (room == 0)
			abort(); /* a stream that wants more has room for it */
		piece = piece < room ? piece : room;
		memcpy(at, input->data, piece);
		stun_stream_added(&stream, piece);
		input->data += piece;
		input->size -= piece;
		length -= piece;
		while ((result = stun_stream_next(&stream, &message)) == STREAM_MESSAGE) {
			tcp_punch_receive(punch, connection, &message, now);
			tell_sealed(punch, connection, &message, now);
		}
		if (result == STREAM_BROKEN) {
			tcp_punch_ended(punch, connection, now);
			return;
		}
	}
}

static void act(struct tcp_punch *punch, uint64_t now)
{
	struct tcp_action action;
	unsigned int turns = 0;

	while (tcp_punch_act(punch, now, &action)) {
		if (++turns > ACTIONS_MAX || action.connection >= TCP_CONNECTIONS ||
		    (action.kind == TCP_ACTION_SEND && action.length > sizeof(action.bytes)))
			abort();
	}
}

/* What a rendezvous says that has a peer for us. */
static void introduce(struct tcp_punch *punch, uint8_t choice, uint64_t now)
{
	struct introduction introduction = {
		.mapped = {{AF_INET, {1, 2, 3, 4}}, 7777},
		.stage = choice & 1 ? SESSION_GO : SESSION_PAIRED,
		.role = choice & 2 ? ROLE_CONTROLLING : ROLE_CONTROLLED,
		.peer_public = {{AF_INET, {5, 6, 7, 8}}, 8888},
		.privates = {{{AF_INET, {192, 168, 1, 1}}, 8888}},
		.private_count = choice >> 2 & 1,
	};
	struct stun_message message;
	uint8_t bytes[JOIN_SIZE];
	size_t length = introduction_write(&introduction, STUN_SUCCESS, punch->meeting.id, bytes,
					   sizeof(bytes));

	if (stun_parse(bytes, length, &message))
		tcp_punch_receive(punch, TCP_RENDEZVOUS, &message, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint8_t counter = 0;
	const struct tcp_punch_config config = {
		.meeting = {.rendezvous = {{AF_INET, {9, 9, 9, 9}}, 1024},
			    .session = "demo",
			    .privates = {{{AF_INET, {192, 168, 1, 1}}, 7777}},
			    .private_count = 1,
			    .random = {.fill = fill, .context = &counter}},
		.talk = {.messages = 2},
		.timeout = 10 * SEC,
	};
	const struct tcp_refusal reset = {.error = ECONNREFUSED},
				 icmp = {.error = EHOSTUNREACH, .icmp = true};
	struct endpoint from = {{AF_INET, {5, 6, 7, 8}}, 8888};
	struct tcp_punch punch;
	uint64_t now = 1000 * SEC;

	tcp_punch_start(&punch, &config, now);
	while (input.size > 0 && !tcp_punch_over(&punch)) {
		uint8_t what = next(&input), which = next(&input);
		size_t connection = which % TCP_CONNECTIONS;

		act(&punch, now);
		switch (what % 8) {
		case 0:
			if (connection < TCP_ACCEPTED)
				tcp_punch_connected(&punch, connection, now);
			break;
		case 1:
			if (connection < TCP_ACCEPTED)
				tcp_punch_failed(&punch, connection, which & 64 ? &icmp : &reset,
						 now);
			break;
		case 2:
			from.port = which & 64 ? 8888 : which;
			(void)tcp_punch_accepted(&punch, &from, now);
			break;
		case 3:
		case 4:
			tell(&punch, connection, &input, now);
			break;
		case 5:
			tcp_punch_ended(&punch, connection, now);
			break;
		case 6:
			introduce(&punch, which, now);
			break;
		case 7:
			act(&punch, now);
			if (tcp_punch_due(&punch) != UINT64_MAX && tcp_punch_due(&punch) > now)
				now = tcp_punch_due(&punch);
			break;
		}
	}
	return 0;
}
