/* SPDX-License-Identifier: MIT */
/*
 * A path is kept as long as something is sent in time, dies when the NATs forget it, and is
 * found again: on what is known, or with the help of the rendezvous.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support/fakepeers.h"

/*
 * Two homes whose NATs forget in a second what is not used, and give @a's host (or both's) another
 * port the next time, so that a forgotten mapping cannot come back by itself. Two
 * messages, three seconds apart.
 */
static void make_forgetful(struct world *world, unsigned int pair_a, unsigned int pair_b,
			   uint64_t keepalive, uint64_t seed)
{
	size_t i;

	make_homes(world, pair_a, pair_b, seed);
	world->messages = 2;
	world->net.nats[0].changes_ports = true;
	for (i = 0; i < PEER_COUNT; i++) {
		world->net.nats[i].life = SEC;
		world->talk[i] = (struct talk_config){
			.interval = 3 * SEC, .keepalive = keepalive, .patience = SEC};
	}
}

static uint32_t repunched(const struct world *world)
{
	cr_expect_eq(world->peers[PEER_A].path.repunched, world->peers[PEER_B].path.repunched);
	return world->peers[PEER_A].path.repunched;
}

Test(keepalive, below_the_mappings_life_keeps_the_path)
{
	struct world world;

	make_forgetful(&world, 2, 2, 400 * MSEC, 1);
	play(&world);
	expect_direct(&world, "kept");
	cr_expect_eq(repunched(&world), 0);
}

Test(keepalive, above_the_mappings_life_the_path_dies)
{
	struct world world;

	make_forgetful(&world, 2, 2, 60 * SEC, 1);
	play(&world);
	cr_expect_eq(world.peers[PEER_A].phase, PHASE_LOST);
	cr_expect(strstr(world.peers[PEER_A].reason, "vanished after acknowledging 1 of 2"), "%s",
		  world.peers[PEER_A].reason);
}

Test(keepalive, holds_for_as_long_as_either_wants_and_not_longer)
{
	struct world world;
	uint64_t took;

	make_forgetful(&world, 2, 2, 400 * MSEC, 1);
	world.talk[PEER_B].hold = 7 * SEC;
	play(&world);
	expect_direct(&world, "held");
	cr_expect_eq(repunched(&world), 0);
	took = world.peers[PEER_A].ended - world.peers[PEER_A].path.connected;
	cr_expect_geq(took, 10 * SEC, "one message, 3 s, another, 7 s: %.1f ms", to_ms(took));
	cr_expect_lt(took, 11 * SEC, "%.1f ms", to_ms(took));
}

Test(round, behind_nats_that_both_look_at_the_port_the_rendezvous_helps)
{
	struct world world;

	make_forgetful(&world, 2, 2, 60 * SEC, 1);
	world.net.nats[1].changes_ports = true;
	world.repunch = 3;
	play(&world);
	expect_direct(&world, "found again");
	cr_expect_eq(repunched(&world), 1);
	cr_expect(world.peers[PEER_A].meeting_again || world.peers[PEER_B].meeting_again);
}

Test(round, where_one_filter_is_open_the_known_endpoints_do)
{
	struct world world;

	/* The mapping of the open one lives on, as a forward would. */
	make_forgetful(&world, 2, 0, 60 * SEC, 1);
	world.net.nats[1].life = 0;
	world.rendezvous_stops_at_go = true;
	world.repunch = 1;
	play(&world);
	expect_direct(&world, "found again without a rendezvous");
	cr_expect_eq(repunched(&world), 1);
	cr_expect_eq(world.peers[PEER_B].path.candidates.settled->kind, CANDIDATE_REFLEXIVE);
}

Test(round, without_a_rendezvous_and_with_new_ports_there_is_no_way_back)
{
	struct world world;

	make_forgetful(&world, 2, 2, 60 * SEC, 1);
	world.net.nats[1].changes_ports = true;
	world.rendezvous_stops_at_go = true;
	world.repunch = 3;
	play(&world);
	cr_expect_eq(world.peers[PEER_A].phase, PHASE_LOST);
	cr_expect(strstr(world.peers[PEER_A].reason, "the path died after 1 of 2 messages"), "%s",
		  world.peers[PEER_A].reason);
	cr_expect(strstr(world.peers[PEER_A].reason, "nor does the rendezvous answer"), "%s",
		  world.peers[PEER_A].reason);
}

Test(round, deaths_are_survived_as_often_as_was_allowed)
{
	struct world world;

	make_forgetful(&world, 2, 2, 60 * SEC, 1);
	world.net.nats[1].changes_ports = true;
	world.messages = 4; /* three pauses */
	world.repunch = 3;
	play(&world);
	expect_direct(&world, "three times");
	cr_expect_eq(repunched(&world), 3);
	make_forgetful(&world, 2, 2, 60 * SEC, 1);
	world.net.nats[1].changes_ports = true;
	world.messages = 4;
	world.repunch = 2;
	play(&world);
	cr_expect_eq(world.peers[PEER_A].phase, PHASE_LOST);
	cr_expect_eq(world.peers[PEER_A].path.repunched, 2);
}

/* It has said everything and goes, while we, who have noticed that the path died, seek it. */
Test(round, the_last_word_of_a_peer_that_has_not_noticed_counts)
{
	struct endpoint from = endpoint("5.6.7.8:8888");
	struct seal own = {.role = ROLE_CONTROLLING}, theirs = {.role = ROLE_CONTROLLED};
	uint8_t bytes[SEALED_MAX], id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
	struct fakenet net = {.seed = 1};
	const struct talk_config config = {.random = fake_random_source(&net)};
	struct stun_message message;
	struct datagram out;
	struct path path;

	path_start(&path, &own, &TRANSACTION_RFC3489, &config);
	path.connected = SEC;
	talk_start(&path.talk, &config, MSEC, SEC);
	path.talk.state = TALK_DEAD;
	path.seal.round = 1;
	cr_assert(stun_parse(bytes, seal_bye(&theirs, id, true, bytes), &message));
	cr_expect_eq(path_receive(&path, &from, &message, 2 * SEC), SEALED_BYE);
	cr_expect_eq(path.state, PATH_DONE);
	cr_assert(path_send(&path, 2 * SEC, &out), "the peer is told that it was heard");
	cr_expect(endpoint_equal(&out.to, &from));
}

/* Messages are neither lost nor counted twice, whatever dies when. */
Test(round, over_a_slow_and_lossy_path_everything_arrives_once)
{
	unsigned int seed;
	char what[32];
	size_t i;

	for (seed = 1; seed <= 100; seed++) {
		struct world world;

		make_forgetful(&world, seed % 3, seed / 3 % 3, 60 * SEC, seed);
		world.net.nats[1].changes_ports = seed % 2;
		world.messages = 6;
		world.repunch = 20;
		world.net.delay = 100 * MSEC;
		world.net.jitter = 30 * MSEC;
		world.net.loss = 100;
		world.net.doubles = 50;
		/* Longer than the lossy way takes to bring one of several tries through. */
		for (i = 0; i < PEER_COUNT; i++) {
			world.net.nats[i].life = 4 * SEC;
			world.talk[i].interval = 0;
			world.talk[i].pause = 10 * SEC; /* in the middle, and then all is well */
			world.talk[i].patience = 4 * SEC;
		}
		play(&world);
		snprintf(what, sizeof(what), "seed %u", seed);
		expect_direct(&world, what);
	}
}
