/* SPDX-License-Identifier: MIT */
/*
 * A rendezvous among any number of peers, each saying anything in any order: what it sends is less
 * than what it was sent, it goes only to who is a member, and in the end it forgets them all.
 * What one peer offers to the other is read, too.
 */
#include <stdlib.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/rendezvous/offer.h"
#include "agents/rendezvous/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SESSIONS = 3, PEERS = 16 };

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

/* Up to @most bytes; fewer where the input ends. */
static size_t take(struct input *input, void *ret, size_t most)
{
	size_t length = most < input->size ? most : input->size;

	memcpy(ret, input->data, length);
	input->data += length;
	input->size -= length;
	return length;
}

/* Repeatable, and different from call to call within one input. */
static void fill(void *context, void *bytes, size_t length)
{
	uint8_t *counter = context;

	memset(bytes, (*counter)++, length);
}

static void read_offer(const uint8_t *bytes, size_t length)
{
	struct endpoint endpoint;
	const uint8_t *value;
	size_t size;
	int item;

	for (item = 0; item < 256; item++) {
		if (offer_find(bytes, length, (enum offer_item)item, &value, &size) &&
		    (value < bytes || value + size > bytes + length))
			abort();
		(void)offer_find_endpoint(bytes, length, (enum offer_item)item, &endpoint);
	}
}

/* What the input has one peer say; returns its length. */
static size_t speak(struct input *input, uint8_t who, uint8_t *ret)
{
	uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, who}, payload[256];
	struct join join = {.session = "?", .session_length = 1, .peer = {who & 7}};
	uint8_t what = next(input);

	join.session[0] = (uint8_t)('a' + (what >> 6 & 3));
	join.stage = what & 8 ? JOIN_DIALLED : JOIN_JOINED;
	switch (what & 7) {
	case 0:
		return leave_write(&join, id, ret, RELAY_MAX);
	case 1:
		return relay_write(&join, id, payload, take(input, payload, next(input)), ret,
				   RELAY_MAX);
	case 2: /* with nothing put right */
		return take(input, ret, next(input) * 8U);
	}
	join.private_count = what >> 4 & 3;
	memset(join.privates, 0, sizeof(join.privates));
	join.privates[0] = join.privates[1] = join.privates[2] =
		(struct endpoint){{AF_INET, {192, 168, 1, next(input)}}, 7777};
	join.offer_length = take(input, join.offer, next(input) & 127);
	return join_write(&join, id, ret, RELAY_MAX);
}

/* What it sends is a message, and for somebody who has spoken to it. Returns its length. */
static size_t check(const struct rendezvous_datagram *out, const bool heard[PEERS])
{
	struct introduction introduction;
	struct stun_message message;

	if (!stun_parse(out->bytes, out->length, &message))
		abort();
	if (out->to.addr.bytes[3] >= PEERS || !heard[out->to.addr.bytes[3]])
		abort();
	if (introduction_read(&message, &introduction))
		read_offer(introduction.offer, introduction.offer_length);
	return out->length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t counter = 0, bytes[RELAY_MAX];
	const struct rendezvous_config config = {
		.sessions = SESSIONS,
		.idle = 30 * SEC,
		.relay_rate = 1000,
		.random = {.fill = fill, .context = &counter},
	};
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	struct input input = {data, size};
	struct rendezvous *rendezvous;
	bool heard[PEERS] = {false};
	uint64_t now = SEC;

	read_offer(data, size < OFFER_MAX ? size : OFFER_MAX);
	if (rendezvous_new(&config, &rendezvous) < 0)
		return 0;
	while (input.size > 0) {
		uint8_t who = next(&input);
		struct endpoint from = {{AF_INET, {7, 7, 7, who % PEERS}}, 7777};
		size_t length = speak(&input, who, bytes), sent = 0, count, i;

		heard[who % PEERS] = true;
		now += (who >> 4) * 500 * MSEC;
		count = rendezvous_receive(rendezvous, &from, bytes, length, now, out);
		for (i = 0; i < count && i < RENDEZVOUS_OUT_MAX; i++)
			sent += check(&out[i], heard);
		if (count > RENDEZVOUS_OUT_MAX || (count > 0 && sent >= length) ||
		    rendezvous_sessions(rendezvous) > SESSIONS)
			abort();
	}
	if (rendezvous_expire(rendezvous, now + 30 * SEC) != UINT64_MAX ||
	    rendezvous_sessions(rendezvous) != 0)
		abort();
	rendezvous_free(rendezvous);
	return 0;
}
