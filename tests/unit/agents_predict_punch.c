/* SPDX-License-Identifier: MIT */
/*
 * Two peers that guess each other's ports, on a simulated network: who meets, who does not,
 * and that the chance they state beforehand is the one they have.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support/fakepeers.h"

enum { CONE = 2, SYMMETRIC = 8 }; /* make_homes()' pairs: port-restricted, symmetric */

static void ask_for_prediction(struct world *world)
{
	size_t i;

	for (i = 0; i < PEER_COUNT; i++) {
		world->aim[i].predict = true;
		world->aim[i].window = 8;
		world->aim[i].rate = 1000;
	}
}

static void ask_for_birthday(struct world *world, uint16_t sockets, uint16_t probes)
{
	size_t i;

	for (i = 0; i < PEER_COUNT; i++) {
		world->aim[i].birthday = true;
		world->aim[i].sockets = sockets;
		world->aim[i].probes = probes;
		world->aim[i].rate = 1000;
	}
}

static struct fake_nat *count_by(struct fake_nat *nat, int step)
{
	nat->changes_ports = true;
	nat->step = step;
	nat->low = 40000;
	nat->high = 49999;
	return nat;
}

static struct fake_nat *draw_from(struct fake_nat *nat, uint16_t low, uint16_t high, uint64_t seed)
{
	nat->changes_ports = true;
	nat->draws_ports = true;
	nat->low = low;
	nat->high = high;
	nat->seed = seed * 7919;
	return nat;
}

static void expect_technique(const struct world *world, enum technique technique)
{
	size_t i;

	for (i = 0; i < PEER_COUNT; i++)
		cr_expect_eq(punch_technique(&world->peers[i]), technique, "peer %zu says %s", i,
			     technique_name(punch_technique(&world->peers[i])));
}

static void expect_given_up(const struct world *world, const char *reason)
{
	size_t i;

	for (i = 0; i < PEER_COUNT; i++) {
		const struct punch *peer = &world->peers[i];

		cr_assert_eq(peer->phase, PHASE_FAILED, "peer %zu: phase %d", i, peer->phase);
		cr_expect(strstr(peer->reason, reason), "peer %zu says: %s", i, peer->reason);
		cr_expect_lt(peer->ended, peer->started + 3 * SEC,
			     "peer %zu went on to the end of its time", i);
	}
}

Test(prediction, of_one_nats_steps_whatever_they_are)
{
	static const int steps[] = {1, -1, 2, -2, 3, 4, 5, -5};
	char what[40];
	size_t i;

	for (i = 0; i < 2 * sizeof(steps) / sizeof(*steps); i++) {
		struct world world;

		/* Either side may be the one that must be predicted. */
		make_homes(&world, i % 2 ? CONE : SYMMETRIC, i % 2 ? SYMMETRIC : CONE, i + 1);
		ask_for_prediction(&world);
		count_by(&world.net.nats[i % 2], steps[i / 2]);
		play(&world);
		snprintf(what, sizeof(what), "step %d", steps[i / 2]);
		expect_direct(&world, what);
		expect_technique(&world, TECHNIQUE_PREDICTION);
		cr_expect_lt(world.peers[PEER_A].path.connected - world.peers[PEER_A].started,
			     10 * MSEC);
		cr_expect_gt(world.peers[PEER_A].aim.guess.probability, 0.95, "%s: %f", what,
			     world.peers[PEER_A].aim.guess.probability);
	}
}

Test(prediction, of_both_nats_steps)
{
	static const int steps[] = {1, -1, 2, -3};
	size_t a, b;

	for (a = 0; a < 4; a++) {
		for (b = 0; b < 4; b++) {
			struct world world;

			make_homes(&world, SYMMETRIC, SYMMETRIC, a * 4 + b + 1);
			ask_for_prediction(&world);
			count_by(&world.net.nats[0], steps[a]);
			count_by(&world.net.nats[1], steps[b]);
			play(&world);
			expect_direct(&world, "two sequences");
			expect_technique(&world, TECHNIQUE_PREDICTION);
		}
	}
}

/* Nothing of our own takes a port between measuring and the packet that was predicted. */
Test(prediction, of_a_quiet_nat_is_exact)
{
	static const unsigned int pairs[][2] = {
		{CONE, SYMMETRIC}, {SYMMETRIC, CONE}, {SYMMETRIC, SYMMETRIC}};
	size_t i, peer;

	for (i = 0; i < 3; i++) {
		struct world world;

		make_homes(&world, pairs[i][0], pairs[i][1], i + 1);
		ask_for_prediction(&world);
		for (peer = 0; peer < PEER_COUNT; peer++) {
			world.aim[peer].window = 1;
			if (pairs[i][peer] == SYMMETRIC)
				count_by(&world.net.nats[peer], 1);
		}
		play(&world);
		expect_direct(&world, "one port is enough");
		expect_technique(&world, TECHNIQUE_PREDICTION);
	}
}

/* A mapping for each address stays where it is, one for each port moves on. */
Test(prediction, of_all_mappings_that_depend_on_something)
{
	static const unsigned int pairs[] = {4, 5, 7, 8};
	size_t a, b;

	for (a = 0; a < 4; a++) {
		for (b = 0; b < 4; b++) {
			struct world world;
			char what[32];

			make_homes(&world, pairs[a], pairs[b], a * 4 + b + 1);
			ask_for_prediction(&world);
			count_by(&world.net.nats[0], 1);
			count_by(&world.net.nats[1], -2);
			play(&world);
			snprintf(what, sizeof(what), "pair %u with %u", pairs[a], pairs[b]);
			expect_direct(&world, what);
			expect_technique(&world, TECHNIQUE_PREDICTION);
		}
	}
}

/* Towards the first destination it keeps the port, towards the others it counts. */
Test(prediction, of_a_nat_that_keeps_the_first_port)
{
	struct world world;

	make_homes(&world, CONE, SYMMETRIC, 1);
	ask_for_prediction(&world);
	count_by(&world.net.nats[1], 2)->changes_ports = false;
	play(&world);
	expect_direct(&world, "the second port of a socket follows a pattern");
	expect_technique(&world, TECHNIQUE_PREDICTION);
}

Test(prediction, without_being_asked_for_it_does_not_happen)
{
	struct world world;

	make_homes(&world, CONE, SYMMETRIC, 1);
	count_by(&world.net.nats[1], 1);
	play(&world);
	expect_none(&world, "no packet of the peer's arrived");
	/* Nor when only one of them can. */
	make_homes(&world, CONE, SYMMETRIC, 1);
	ask_for_prediction(&world);
	world.aim[PEER_A].predict = false;
	count_by(&world.net.nats[1], 1);
	play(&world);
	expect_none(&world, "no packet of the peer's arrived");
}

Test(prediction, is_not_in_the_way_of_a_plain_punch)
{
	struct world world;

	make_homes(&world, CONE, CONE, 1);
	ask_for_prediction(&world);
	play(&world);
	expect_direct(&world, "two cones");
	expect_technique(&world, TECHNIQUE_PUNCH);
	make_homes(&world, 1, SYMMETRIC, 1); /* restricted cone */
	ask_for_prediction(&world);
	draw_from(&world.net.nats[1], 1024, 65535, 1);
	play(&world);
	expect_direct(&world, "an address-dependent filter needs no guess");
	expect_technique(&world, TECHNIQUE_PUNCH);
}

Test(prediction, of_drawn_ports_is_given_up_before_it_is_tried)
{
	struct world world;

	make_homes(&world, CONE, SYMMETRIC, 1);
	ask_for_prediction(&world);
	draw_from(&world.net.nats[1], 1024, 65535, 1);
	play(&world);
	expect_given_up(&world, "given up: ");
	expect_given_up(&world, "below 1 %");
	cr_expect_eq(aim_probes(&world.peers[PEER_A].aim), 0);
}

Test(prediction, survives_loss)
{
	unsigned int seed, met = 0;

	for (seed = 1; seed <= 100; seed++) {
		struct world world;

		make_homes(&world, CONE, SYMMETRIC, seed);
		ask_for_prediction(&world);
		count_by(&world.net.nats[1], 1);
		world.net.delay = 20 * MSEC;
		world.net.loss = 50;
		play(&world);
		met += world.peers[PEER_A].phase == PHASE_DONE;
	}
	cr_expect_geq(met, 98, "only %u of 100 met", met);
}

static bool has_measured(const struct world *world, size_t i)
{
	return world->peers[i].aim.measured;
}

/* @count other mappings of the NAT, between its host's measuring and its punching. */
static void disturb(struct fake_nat *nat, unsigned int count)
{
	struct endpoint stranger = endpoint("192.168.2.7:1"), somewhere = endpoint("7.7.7.7:80");
	unsigned int i;

	for (i = 0; i < count; i++) {
		stranger.port = (uint16_t)(1000 + i);
		(void)fake_map(nat, &stranger, &somewhere);
	}
}

/* play(), with @count strangers' mappings behind B's NAT at the worst moment. */
static void play_disturbed(struct world *world, unsigned int count)
{
	struct fake_packet in;
	bool disturbed = false;
	size_t i;

	while (!over(world, PEER_A) || !over(world, PEER_B)) {
		uint64_t due = UINT64_MAX;

		for (i = 0; i < PEER_COUNT; i++) {
			start_if_due(world, i);
			send_all(world, i);
			if (punch_due(&world->peers[i]) < due)
				due = punch_due(&world->peers[i]);
		}
		if (fake_due(&world->net) < due)
			due = fake_due(&world->net);
		if (due == UINT64_MAX)
			break;
		world->net.now = due;
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
		if (!disturbed && has_measured(world, PEER_B)) {
			disturb(&world->net.nats[1], count);
			disturbed = true;
		}
	}
	rendezvous_free(world->rendezvous);
}

Test(prediction, misses_when_others_take_more_ports_than_are_tried)
{
	unsigned int count;

	for (count = 0; count <= 12; count++) {
		struct world world;

		make_homes(&world, CONE, SYMMETRIC, 1);
		ask_for_prediction(&world);
		count_by(&world.net.nats[1], 1);
		play_disturbed(&world, count);
		if (count < 8)
			expect_direct(&world, "within the window");
		else
			expect_given_up(&world, "given up, no guess was right");
	}
}

/* Its port is farther on, but does not move any more. */
Test(prediction, goes_on_to_ports_beyond_those_that_others_took)
{
	static const unsigned int counts[] = {8, 9, 50, 200, 900};
	static const int steps[] = {1, -3};
	size_t i;

	for (i = 0; i < 10; i++) {
		struct world world;

		make_homes(&world, CONE, SYMMETRIC, i + 1);
		ask_for_prediction(&world);
		world.aim[PEER_A].window = 1024;
		count_by(&world.net.nats[1], steps[i / 5]);
		play_disturbed(&world, counts[i % 5]);
		expect_direct(&world, "swept");
		expect_technique(&world, TECHNIQUE_PREDICTION);
		cr_expect_leq(aim_probes(&world.peers[PEER_A].aim), counts[i % 5] + 32);
	}
}

Test(prediction, of_both_allows_for_others_ports_too)
{
	unsigned int count;

	for (count = 0; count <= 8; count++) {
		struct world world;
		bool first;

		make_homes(&world, SYMMETRIC, SYMMETRIC, 1);
		ask_for_prediction(&world);
		count_by(&world.net.nats[0], 1);
		count_by(&world.net.nats[1], 1);
		play_disturbed(&world, count);
		/* Disturbances count once at the side that goes on straight, twice at the other. */
		first = world.peers[PEER_B].peer.role == ROLE_CONTROLLING;
		if ((first ? count : 2 * count) < 8)
			expect_direct(&world, "within the window");
		else
			expect_given_up(&world, "given up, no guess was right");
	}
}

Test(birthday, a_small_range_is_exhausted_for_certain)
{
	unsigned int seed;

	for (seed = 1; seed <= 50; seed++) {
		struct world world;

		make_homes(&world, seed % 2 ? CONE : SYMMETRIC, seed % 2 ? SYMMETRIC : CONE, seed);
		ask_for_birthday(&world, 16, 64);
		draw_from(&world.net.nats[seed % 2], 40000, 40063, seed);
		world.aim[seed % 2].low = 40000;
		world.aim[seed % 2].high = 40063;
		play(&world);
		expect_direct(&world, "birthday");
		expect_technique(&world, TECHNIQUE_BIRTHDAY);
		cr_expect_eq(world.peers[PEER_A].aim.guess.probability, 1);
	}
}

/* 24 open of 256 and 16 tried: 80.6 %. The main socket's port is open too and adds a little. */
Test(birthday, the_chance_that_is_stated_is_the_one_there_is)
{
	unsigned int seed, met = 0;
	double stated = 0;

	for (seed = 1; seed <= 300; seed++) {
		struct world world;

		make_homes(&world, CONE, SYMMETRIC, seed);
		ask_for_birthday(&world, 24, 16);
		draw_from(&world.net.nats[1], 40000, 40255, seed);
		world.aim[PEER_B].low = 40000;
		world.aim[PEER_B].high = 40255;
		play(&world);
		met += world.peers[PEER_A].phase == PHASE_DONE;
		stated = world.peers[PEER_A].aim.guess.probability;
		if (world.peers[PEER_A].phase != PHASE_DONE)
			expect_given_up(&world, "given up, no guess was right");
	}
	cr_expect(met > 300 * (stated - 0.06) && met < 300 * (stated + 0.06),
		  "%u of 300 met, %.1f %% were stated", met, stated * 100);
}

Test(birthday, too_small_for_all_ports_is_given_up)
{
	struct world world;

	make_homes(&world, CONE, SYMMETRIC, 1);
	ask_for_birthday(&world, 16, 16);
	draw_from(&world.net.nats[1], 1024, 65535, 1);
	play(&world);
	expect_given_up(&world, "given up: too few ports can be tried: the chance is 0.4 %");
	cr_expect_eq(aim_probes(&world.peers[PEER_A].aim), 0);
}

Test(birthday, two_nats_that_draw_are_given_up)
{
	struct world world;

	make_homes(&world, SYMMETRIC, SYMMETRIC, 1);
	ask_for_birthday(&world, 64, 64);
	draw_from(&world.net.nats[0], 1024, 65535, 1);
	draw_from(&world.net.nats[1], 1024, 65535, 2);
	play(&world);
	expect_given_up(&world, "given up: both NATs draw their ports");
}

/* Address-dependent mappings stay where they are while the other side's ports are tried. */
Test(birthday, two_ports_that_stay_are_scanned)
{
	unsigned int seed, filter;

	for (seed = 1; seed <= 20; seed++) {
		for (filter = 1; filter <= 2; filter++) {
			struct world world;

			make_homes(&world, 3 + filter, 3 + filter, seed);
			ask_for_birthday(&world, 16, 64);
			draw_from(&world.net.nats[0], 40000, 40063, seed);
			draw_from(&world.net.nats[1], 50000, 50063, seed + 1);
			world.aim[PEER_A].low = 40000;
			world.aim[PEER_A].high = 40063;
			world.aim[PEER_B].low = 50000;
			world.aim[PEER_B].high = 50063;
			play(&world);
			expect_direct(&world, "scan");
			expect_technique(&world, TECHNIQUE_BIRTHDAY);
		}
	}
}
