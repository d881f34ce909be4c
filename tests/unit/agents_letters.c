/* SPDX-License-Identifier: MIT */
/* Letters between two peers: each arrives once, in order and whole, or not at all. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agents/punch/letters.h"
#include "support/fakenet.h"

enum { PEERS = 2 };

struct world {
	struct fakenet net;
	struct letters peers[PEERS];
	struct endpoint at[PEERS];
	unsigned int arrived[PEERS];
};

static void make_world(struct world *world, uint64_t seed)
{
	static const char *const where[PEERS] = {"1.2.3.4:1", "5.6.7.8:2"};
	size_t i;

	memset(world, 0, sizeof(*world));
	world->net.seed = seed * 104729 + 7;
	world->net.now = SEC;
	world->net.delay = MSEC;
	for (i = 0; i < PEERS; i++) {
		struct seal seal = {.token = {1, 2, 3},
				    .role = i ? ROLE_CONTROLLED : ROLE_CONTROLLING};
		struct random_source random = fake_random_source(&world->net);

		cr_assert(endpoint_parse(where[i], &world->at[i]));
		letters_start(&world->peers[i], &seal, &random, 2 * MSEC);
	}
}

/* The @n-th letter of peer @i: its number, and as many bytes more. */
static size_t compose(size_t i, unsigned int n, uint8_t bytes[LETTER_MAX])
{
	memset(bytes, (int)(n + i), LETTER_MAX);
	bytes[0] = (uint8_t)n;
	return 1 + (n * 97) % LETTER_MAX;
}

static void read_letter(struct world *world, size_t i, const uint8_t *bytes, size_t length)
{
	uint8_t expected[LETTER_MAX];
	size_t size = compose(!i, world->arrived[i]++, expected);

	cr_assert_eq(length, size, "letter %u at %zu", world->arrived[i], i);
	cr_assert_eq(memcmp(bytes, expected, size), 0, "letter %u at %zu", world->arrived[i], i);
}

static void deliver(struct world *world, const struct fake_packet *packet)
{
	size_t i = endpoint_equal(&packet->to, &world->at[1]);
	struct stun_message message;
	const uint8_t *bytes;
	size_t length;

	if (stun_parse(packet->bytes, packet->length, &message) &&
	    letters_receive(&world->peers[i], &message, &bytes, &length))
		read_letter(world, i, bytes, length);
}

/* Each writes @count letters, as soon as there is room. */
static void play(struct world *world, unsigned int count)
{
	unsigned int written[PEERS] = {0};
	uint8_t bytes[LETTER_SEALED_MAX];
	struct fake_packet in;
	size_t i, length;
	uint64_t due;

	for (;;) {
		due = fake_due(&world->net);
		for (i = 0; i < PEERS; i++) {
			while (written[i] < count) {
				length = compose(i, written[i], bytes);
				if (!letters_put(&world->peers[i], bytes, length))
					break;
				written[i]++;
			}
			while ((length = letters_send(&world->peers[i], world->net.now, bytes)) > 0)
				fake_send(&world->net, &world->at[i], &world->at[!i], bytes,
					  length);
			if (letters_due(&world->peers[i]) < due)
				due = letters_due(&world->peers[i]);
		}
		if (fake_due(&world->net) < due)
			due = fake_due(&world->net);
		if (due == UINT64_MAX)
			return;
		cr_assert_lt(world->net.now, 10000 * SEC, "it does not come to an end");
		if (due > world->net.now)
			world->net.now = due;
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	}
}

Test(letters, all_arrive_once_and_in_order_however_bad_the_way)
{
	uint64_t seed;

	for (seed = 1; seed <= 20; seed++) {
		struct world world;

		make_world(&world, seed);
		world.net.loss = (unsigned int)seed * 20;
		world.net.doubles = 100;
		world.net.jitter = 50 * MSEC;
		play(&world, 30);
		cr_expect_eq(world.arrived[0], 30, "seed %u", (unsigned int)seed);
		cr_expect_eq(world.arrived[1], 30, "seed %u", (unsigned int)seed);
	}
}

Test(letters, the_largest_fits_into_what_a_rendezvous_relays)
{
	static uint8_t bytes[LETTER_MAX + 1], sealed[LETTER_SEALED_MAX];
	struct world world;
	size_t length;

	make_world(&world, 1);
	world.peers[0].seal.sight = world.peers[0].seal.round = 1;
	cr_expect_not(letters_put(&world.peers[0], bytes, sizeof(bytes)), "that is too long");
	cr_assert(letters_put(&world.peers[0], bytes, LETTER_MAX));
	length = letters_send(&world.peers[0], world.net.now, sealed);
	cr_expect_gt(length, LETTER_MAX);
	cr_expect_leq(length, (size_t)RELAY_PAYLOAD_MAX);
}

Test(letters, so_many_may_wait_and_no_more)
{
	struct world world;
	unsigned int i;

	make_world(&world, 1);
	for (i = 0; i < LETTERS_MAX; i++)
		cr_expect(letters_put(&world.peers[0], "x", 1));
	cr_expect_not(letters_put(&world.peers[0], "x", 1));
}

Test(letters, a_strangers_and_ones_own_are_not_read)
{
	uint8_t sealed[LETTER_SEALED_MAX];
	struct stun_message message;
	struct world world;
	const uint8_t *bytes;
	size_t length;

	make_world(&world, 1);
	cr_assert(letters_put(&world.peers[0], "x", 1));
	cr_assert(
		stun_parse(sealed, letters_send(&world.peers[0], world.net.now, sealed), &message));
	cr_expect_not(letters_receive(&world.peers[0], &message, &bytes, &length), "its own");
	world.peers[1].seal.token[0] ^= 1;
	cr_expect_not(letters_receive(&world.peers[1], &message, &bytes, &length), "of no pair");
	cr_expect_eq(letters_due(&world.peers[1]), UINT64_MAX, "and it is not answered");
	world.peers[1].seal.token[0] ^= 1;
	cr_expect(letters_receive(&world.peers[1], &message, &bytes, &length));
	cr_expect_not(letters_receive(&world.peers[1], &message, &bytes, &length), "once");
}
