/* SPDX-License-Identifier: MIT */
/*
 * Two peers, a rendezvous and NATs of every kind on a simulated network: who connects, over
 * what, who must not, and what they say when they do not.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support/fakepeers.h"

/*
 * One endpoint-independent mapping with a filter that does not look at the port is
 * enough; two endpoint-independent mappings always are.
 */
static bool should_connect(unsigned int a, unsigned int b)
{
	bool cone_a = a / 3 == FAKE_ENDPOINT_INDEPENDENT,
	     cone_b = b / 3 == FAKE_ENDPOINT_INDEPENDENT;
	bool port_a = a % 3 == FAKE_ADDRESS_AND_PORT, port_b = b % 3 == FAKE_ADDRESS_AND_PORT;

	if (cone_a && cone_b)
		return true;
	if (cone_a)
		return !port_a;
	if (cone_b)
		return !port_b;
	return false;
}

Test(matrix, cones_connect_and_pairs_that_would_need_a_guess_do_not)
{
	/* Of the mappings that depend on something: their filters depend as much, as in symmetric.
	 */
	static const unsigned int pairs[] = {0, 1, 2, 4, 8};
	size_t a, b;
	char what[32];

	for (a = 0; a < 5; a++) {
		for (b = 0; b < 5; b++) {
			struct world world;

			make_homes(&world, pairs[a], pairs[b], a * 5 + b + 1);
			play(&world);
			snprintf(what, sizeof(what), "pair %u with %u", pairs[a], pairs[b]);
			if (should_connect(pairs[a], pairs[b]))
				expect_direct(&world, what);
			else
				expect_none(&world, "no packet of the peer's arrived");
		}
	}
}

Test(matrix, cones_connect_within_a_few_round_trips)
{
	struct world world;

	make_homes(&world, 2, 2, 1);
	play(&world);
	expect_direct(&world, "port-restricted");
	cr_expect_lt(world.peers[PEER_A].path.connected - world.peers[PEER_A].started, 10 * MSEC);
	cr_expect_eq(world.peers[PEER_A].path.candidates.settled->kind, CANDIDATE_PUBLIC);
}

Test(matrix, connects_over_a_slow_and_lossy_path)
{
	unsigned int seed;
	char what[32];

	for (seed = 1; seed <= 200; seed++) {
		struct world world;

		make_homes(&world, seed % 3, seed / 3 % 3, seed);
		world.net.delay = 100 * MSEC;
		world.net.jitter = 30 * MSEC;
		world.net.loss = 150;
		world.net.doubles = 50;
		world.start[PEER_B] = seed * 10 * MSEC;
		play(&world);
		snprintf(what, sizeof(what), "seed %u", seed);
		expect_direct(&world, what);
	}
}

Test(path, a_symmetric_nats_new_mapping_is_found_by_its_first_packet)
{
	struct world world;
	char text[ENDPOINT_TEXT_MAX];
	const struct candidate *settled;

	make_homes(&world, 0, 8, 1); /* full cone, symmetric */
	play(&world);
	expect_direct(&world, "full cone with symmetric");
	settled = world.peers[PEER_A].path.candidates.settled;
	cr_expect_eq(settled->kind, CANDIDATE_REFLEXIVE);
	cr_expect_neq(settled->to.port, 8888, "%s", endpoint_format(&settled->to, text));
	cr_expect_eq(world.peers[PEER_B].path.candidates.settled->kind, CANDIDATE_PUBLIC);
}

Test(path, neighbours_behind_one_nat_talk_privately)
{
	struct world world;
	struct fake_nat *nat;

	make_world(&world, "192.168.1.1:7777", "192.168.1.2:8888", 1);
	nat = add_nat(&world, "1.2.3.4:1", "192.168.1.1:1", 0, 2);
	nat->inside[nat->inside_count++] = endpoint("192.168.1.2:1").addr;
	play(&world);
	expect_direct(&world, "same home");
	cr_expect_eq(world.peers[PEER_A].path.candidates.settled->kind, CANDIDATE_PRIVATE);
	cr_expect_eq(world.peers[PEER_B].path.candidates.settled->kind, CANDIDATE_PRIVATE);
}

/* Both homes use the same private address: the peer's is our own. */
Test(path, a_private_address_that_is_our_own_is_not_mistaken_for_the_peer)
{
	struct world world;

	make_world(&world, "192.168.1.1:7777", "192.168.1.1:7777", 1);
	/* The simulated network tells homes apart by address, so the echo is made here. */
	world.local[PEER_B][PUNCH_MAIN] = endpoint("192.168.2.1:7777");
	world.local[PEER_B][PUNCH_BLIND] = endpoint("192.168.2.1:7778");
	add_nat(&world, "1.2.3.4:1", "192.168.1.1:1", 0, 2);
	add_nat(&world, "5.6.7.8:1", "192.168.2.1:1", 0, 2);
	start_if_due(&world, PEER_A);
	world.peers[PEER_A].phase = PHASE_PUNCHING;
	world.peers[PEER_A].path.seal.role = ROLE_CONTROLLING;
	{
		struct endpoint self = world.local[PEER_A][PUNCH_MAIN];
		uint8_t bytes[SEALED_MAX], id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
		size_t length = seal_check(&world.peers[PEER_A].path.seal, id, true, bytes);

		punch_receive(&world.peers[PEER_A], PUNCH_MAIN, &self, bytes, length,
			      world.net.now);
	}
	cr_expect_not(candidates_heard(&world.peers[PEER_A].path.candidates),
		      "it took its own words for the peer's");
	cr_expect_eq(world.peers[PEER_A].path.reply_count, 0);
	rendezvous_free(world.rendezvous);
}

Test(path, the_controlled_side_settles_only_where_its_own_check_was_answered)
{
	struct endpoint from = endpoint("5.6.7.8:8888");
	struct candidates candidates;
	struct candidate_check check;
	struct fakenet net = {.seed = 1};
	struct random_source random = fake_random_source(&net);

	candidates_start(&candidates, ROLE_CONTROLLED, &random, &TRANSACTION_RFC3489);
	candidates_check(&candidates, 0, &from, true, 0);
	cr_expect_null(candidates.settled, "it has heard, but does not know that it is heard");
	cr_assert(candidates_send(&candidates, 0, &check));
	cr_expect_not(check.nominate, "that is for the controlling side");
	candidates_reply(&candidates, 0, &from, check.id, MSEC);
	cr_assert_not_null(candidates.settled);
	cr_expect(endpoint_equal(&candidates.settled->to, &from));
	cr_expect_eq(candidates.round_trip, MSEC);
}

Test(path, an_answer_from_elsewhere_than_was_asked_confirms_nothing)
{
	struct endpoint asked = endpoint("5.6.7.8:8888"), other = endpoint("5.6.7.8:9999");
	struct candidates candidates;
	struct candidate_check check;
	struct fakenet net = {.seed = 1};
	struct random_source random = fake_random_source(&net);

	candidates_start(&candidates, ROLE_CONTROLLING, &random, &TRANSACTION_RFC3489);
	candidates_add(&candidates, CANDIDATE_PUBLIC, &asked, 0);
	candidates_add(&candidates, CANDIDATE_PUBLIC, &other, 0);
	cr_assert(candidates_send(&candidates, 0, &check));
	candidates_reply(&candidates, 0, &other, check.id, MSEC);
	cr_expect_null(candidates.nominee);
	candidates_reply(&candidates, 0, &asked, check.id, MSEC);
	cr_assert_not_null(candidates.nominee);
	cr_expect_null(candidates.settled, "the nomination has not been answered");
}

Test(path, peers_without_nat_talk_too)
{
	struct world world;

	make_world(&world, "1.2.3.4:7777", "5.6.7.8:8888", 1);
	play(&world);
	expect_direct(&world, "no NAT");
	cr_expect_eq(world.peers[PEER_A].path.candidates.settled->kind, CANDIDATE_PUBLIC);
}

Test(blind, arrives_exactly_where_the_filter_lets_strangers_in)
{
	unsigned int filter_a, filter_b;

	for (filter_a = 0; filter_a < 3; filter_a++) {
		for (filter_b = 0; filter_b < 3; filter_b++) {
			struct world world;

			make_homes(&world, filter_a, filter_b, 1);
			play(&world);
			expect_direct(&world, "cones");
			cr_expect_eq(world.peers[PEER_A].blind,
				     filter_a == 0 ? BLIND_RECEIVED : BLIND_NONE, "%s",
				     blind_name(world.peers[PEER_A].blind));
			cr_expect_eq(world.peers[PEER_B].blind,
				     filter_b == 0 ? BLIND_RECEIVED : BLIND_NONE, "%s",
				     blind_name(world.peers[PEER_B].blind));
		}
	}
}

Test(rendezvous, is_not_needed_after_go)
{
	struct world world;

	make_homes(&world, 2, 2, 1);
	world.rendezvous_stops_at_go = true;
	play(&world);
	expect_direct(&world, "without a rendezvous");
}

Test(rendezvous, that_never_answers_is_named)
{
	struct world world;

	make_homes(&world, 2, 2, 1);
	world.rendezvous_is_dead = true;
	play(&world);
	expect_none(&world, "no rendezvous: 9.9.9.9:1024 did not answer");
}

Test(rendezvous, waits_for_a_peer_that_comes_seconds_later)
{
	struct world world;

	make_homes(&world, 2, 2, 1);
	world.start[PEER_B] = 8 * SEC;
	play(&world);
	expect_direct(&world, "a late peer");
}

Test(rendezvous, nobody_else_came)
{
	struct world world;

	make_homes(&world, 2, 2, 1);
	world.start[PEER_B] = 60 * SEC;
	play(&world);
	expect_none(&world, "nobody else joined");
}

Test(rendezvous, is_told_by_one_that_leaves_before_its_join_was_answered)
{
	struct world world;
	struct datagram out;
	struct rendezvous_datagram replies[RENDEZVOUS_OUT_MAX];

	make_homes(&world, 2, 2, 1);
	start_if_due(&world, PEER_A);
	cr_expect_not(punch_leave(&world.peers[PEER_A], &out), "it has not even joined");
	cr_assert(punch_send(&world.peers[PEER_A], world.net.now, &out));
	rendezvous_receive(world.rendezvous, &world.local[PEER_A][PUNCH_MAIN], out.bytes,
			   out.length, world.net.now, replies);
	cr_expect_eq(rendezvous_sessions(world.rendezvous), 1);
	cr_assert(punch_leave(&world.peers[PEER_A], &out));
	rendezvous_receive(world.rendezvous, &world.local[PEER_A][PUNCH_MAIN], out.bytes,
			   out.length, world.net.now, replies);
	cr_expect_eq(rendezvous_sessions(world.rendezvous), 0, "its ghost would be paired");
	cr_expect_not(punch_leave(&world.peers[PEER_A], &out), "once is enough");
	rendezvous_free(world.rendezvous);
}

Test(rendezvous, a_third_peer_ends_at_once_with_the_reason)
{
	struct world world;
	struct punch third;
	struct punch_config config;
	struct datagram out;
	struct fake_packet packet = {.from = endpoint("7.7.7.7:7777")};
	struct rendezvous_datagram replies[RENDEZVOUS_OUT_MAX];
	size_t i;

	make_homes(&world, 2, 2, 1);
	for (i = 0; i < PEER_COUNT; i++) {
		start_if_due(&world, i);
		cr_assert(punch_send(&world.peers[i], world.net.now, &out));
		rendezvous_receive(world.rendezvous, &world.local[i][PUNCH_MAIN], out.bytes,
				   out.length, world.net.now, replies);
	}
	config = world.peers[PEER_A].config;
	punch_start(&third, &config, world.net.now);
	cr_assert(punch_send(&third, world.net.now, &out));
	cr_assert_eq(rendezvous_receive(world.rendezvous, &packet.from, out.bytes, out.length,
					world.net.now, replies),
		     1);
	punch_receive(&third, PUNCH_MAIN, &world.rendezvous_endpoint, replies[0].bytes,
		      replies[0].length, world.net.now);
	cr_expect_eq(third.phase, PHASE_FAILED);
	cr_expect_str_eq(third.reason, "session refused: the session has two peers already (403)");
	cr_expect_not(punch_send(&third, world.net.now, &out), "there is nothing to leave");
	cr_expect(punch_over(&third));
	rendezvous_free(world.rendezvous);
}

Test(failure, says_one_way_when_only_one_direction_works)
{
	struct world world;

	/* B's NAT lets A in but nothing out once they have been introduced. */
	make_homes(&world, 0, 0, 1);
	play(&world);
	expect_direct(&world, "control");
	make_homes(&world, 0, 0, 1);
	start_if_due(&world, PEER_A);
	world.peers[PEER_A].phase = PHASE_PUNCHING;
	world.peers[PEER_A].meeting.welcomed = true;
	candidates_start(&world.peers[PEER_A].path.candidates, ROLE_CONTROLLING,
			 &world.peers[PEER_A].meeting.random, &TRANSACTION_RFC3489);
	{
		struct endpoint from = endpoint("5.6.7.8:8888");
		struct datagram out;

		candidates_check(&world.peers[PEER_A].path.candidates, 0, &from, false,
				 world.net.now);
		world.net.now += 10 * SEC;
		while (punch_send(&world.peers[PEER_A], world.net.now, &out))
			cr_expect_eq(out.socket, PUNCH_MAIN);
	}
	cr_expect_eq(world.peers[PEER_A].phase, PHASE_FAILED);
	cr_expect(strstr(world.peers[PEER_A].reason, "only one way"), "%s",
		  world.peers[PEER_A].reason);
	rendezvous_free(world.rendezvous);
}

Test(talk, a_peer_that_dies_in_the_middle_is_noticed)
{
	struct world world;

	make_homes(&world, 2, 2, 1);
	world.talk[PEER_A].interval = world.talk[PEER_B].interval = SEC;
	world.dies[PEER_B] = 2500 * MSEC;
	play(&world);
	cr_expect_eq(world.peers[PEER_A].phase, PHASE_LOST);
	cr_expect(
		strstr(world.peers[PEER_A].reason, "the peer vanished after acknowledging 3 of 5"),
		"%s", world.peers[PEER_A].reason);
	cr_expect_lt(world.peers[PEER_A].ended, beginning + 9 * SEC);
}

Test(talk, pauses_are_bridged_and_different_amounts_are_fine)
{
	struct world world;

	make_homes(&world, 2, 2, 1);
	world.talk[PEER_A].interval = world.talk[PEER_B].interval =
		20 * SEC; /* longer than a peer may be silent */
	world.messages = 3;
	play(&world);
	expect_direct(&world, "pauses");
	make_homes(&world, 2, 2, 1);
	world.messages = 0;
	play(&world);
	expect_direct(&world, "nothing to say");
}

Test(talk, payload_is_counted_once_however_often_it_comes)
{
	const struct talk_config config = {.messages = 1};
	struct sealed message = {.kind = SEALED_MESSAGE, .sequence = 1};
	struct talk talk;

	talk_start(&talk, &config, MSEC, 0);
	cr_expect(talk_receive(&talk, &message, 1));
	cr_expect(talk_receive(&talk, &message, 2), "its acknowledgement was lost");
	cr_expect_eq(talk.received, 1);
	message.sequence = 3;
	cr_expect_not(talk_receive(&talk, &message, 3), "2 has not come yet");
	cr_expect_eq(talk.received, 1);
	message.sequence = 0;
	cr_expect_not(talk_receive(&talk, &message, 3));
}

Test(seal, only_the_other_peer_of_this_pair_is_understood)
{
	struct seal a = {.token = {1, 2, 3}, .role = ROLE_CONTROLLING};
	struct seal b = {.token = {1, 2, 3}, .role = ROLE_CONTROLLED};
	struct seal stranger = {.token = {1, 2, 4}, .role = ROLE_CONTROLLED};
	uint8_t bytes[SEALED_MAX], id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 9};
	struct stun_message message;
	struct sealed sealed;

	cr_assert(stun_parse(bytes, seal_message(&b, id, 7, bytes), &message));
	sealed = seal_open(&a, &message);
	cr_expect_eq(sealed.kind, SEALED_MESSAGE);
	cr_expect_eq(sealed.sequence, 7);
	cr_expect_arr_eq(sealed.id, id, sizeof(id));
	cr_expect_eq(seal_open(&b, &message).kind, SEALED_NONE, "its own words came back");
	cr_assert(stun_parse(bytes, seal_message(&stranger, id, 7, bytes), &message));
	cr_expect_eq(seal_open(&a, &message).kind, SEALED_NONE, "another pair's token");
	cr_assert(stun_parse(bytes, seal_check(&b, id, true, bytes), &message));
	cr_expect(seal_open(&a, &message).nominated);
	cr_assert(stun_parse(bytes, seal_blind(&b, id, bytes), &message));
	cr_expect_eq(seal_open(&a, &message).kind, SEALED_BLIND);
	cr_assert(stun_parse(bytes, seal_bye(&b, id, true, bytes), &message));
	sealed = seal_open(&a, &message);
	cr_expect_eq(sealed.kind, SEALED_BYE);
	cr_expect_eq(sealed.sequence, 1);
}

Test(hostile, a_forged_push_is_not_believed)
{
	struct introduction lie = {.stage = SESSION_PAIRED, .role = ROLE_CONTROLLED};
	uint8_t bytes[INTRODUCTION_MAX], id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
	struct datagram out;
	struct world world;
	size_t length;

	make_homes(&world, 2, 2, 1);
	lie.mapped = lie.peer_public = endpoint("6.6.6.6:6");
	start_if_due(&world, PEER_A);
	cr_assert(punch_send(&world.peers[PEER_A], world.net.now, &out));
	/* From the right source, as an attacker would forge it, but without the Join's id. */
	length = introduction_write(&lie, STUN_INDICATION, id, bytes, sizeof(bytes));
	punch_receive(&world.peers[PEER_A], PUNCH_MAIN, &world.rendezvous_endpoint, bytes, length,
		      world.net.now);
	cr_expect_eq(world.peers[PEER_A].phase, PHASE_JOINING);
	rendezvous_free(world.rendezvous);
}

Test(hostile, a_flood_of_strangers_neither_settles_nor_fills_the_candidates)
{
	struct seal stranger = {.token = {9}, .role = ROLE_CONTROLLED};
	uint8_t bytes[SEALED_MAX], id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
	struct endpoint from = endpoint("6.6.6.6:1");
	struct world world;
	size_t length = seal_check(&stranger, id, true, bytes);

	make_homes(&world, 2, 2, 1);
	start_if_due(&world, PEER_A);
	world.peers[PEER_A].phase = PHASE_PUNCHING;
	world.peers[PEER_A].path.seal.role = ROLE_CONTROLLING;
	for (from.port = 1; from.port < 1000; from.port++)
		punch_receive(&world.peers[PEER_A], PUNCH_MAIN, &from, bytes, length,
			      world.net.now);
	cr_expect_eq(world.peers[PEER_A].path.candidates.count, 0);
	cr_expect_eq(world.peers[PEER_A].path.reply_count, 0, "a stranger gets no answer");
	rendezvous_free(world.rendezvous);
}
