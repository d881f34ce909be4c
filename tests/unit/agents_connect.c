/* SPDX-License-Identifier: MIT */
/* Peers that try every way at once: which they find, behind which NATs, and what goes wrong. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "support/fakerace.h"

enum { BEHAVIOURS = 3, KINDS = BEHAVIOURS * BEHAVIOURS };

static void with_stun(struct world *world)
{
	world->hosts[PEER_A].config.aim.predict = world->hosts[PEER_B].config.aim.predict = true;
}

static void with_turn(struct world *world, bool a, bool b)
{
	world->hosts[PEER_A].config.with_turn = a;
	world->hosts[PEER_B].config.with_turn = b;
}

static struct world *make_homes(int kind_a, int kind_b, uint64_t seed)
{
	struct world *world = make_world(seed);

	add_home(world, PEER_A, kind_a / BEHAVIOURS, kind_a % BEHAVIOURS);
	add_home(world, PEER_B, kind_b / BEHAVIOURS, kind_b % BEHAVIOURS);
	return world;
}

/* Two for which nothing direct can work. */
static struct world *make_strict(uint64_t seed)
{
	return make_homes(KINDS - 1, KINDS - 1, seed);
}

/* Endpoint-independent mapping, the strictest filtering. */
static struct world *make_cones(uint64_t seed)
{
	return make_homes(FAKE_ADDRESS_AND_PORT, FAKE_ADDRESS_AND_PORT, seed);
}

/* Does a packet of the one's get through at the other, and the answer back? Ports being drawn. */
static bool is_direct(int kind_a, int kind_b)
{
	const int kinds[] = {kind_a, kind_b};
	size_t i;

	for (i = 0; i < 2; i++) {
		bool fixed = kinds[i] / BEHAVIOURS == FAKE_ENDPOINT_INDEPENDENT;
		bool other_fixed = kinds[!i] / BEHAVIOURS == FAKE_ENDPOINT_INDEPENDENT;
		int filtering = kinds[i] % BEHAVIOURS;

		/* Who has one port for all is reached there, if it lets in from any port. */
		if (fixed && (other_fixed || filtering != FAKE_ADDRESS_AND_PORT))
			return true;
		/* The port that the rendezvous saw lets in whom its filter does not bind to a port
		 * or an address, but the answer comes from another. */
	}
	return false;
}

Test(connect, every_pair_of_nats_finds_a_path_and_the_best_where_theory_knows)
{
	char what[48];
	int a, b;

	for (a = 0; a < KINDS; a++) {
		for (b = 0; b < KINDS; b++) {
			struct world *world = make_homes(a, b, 1);

			snprintf(what, sizeof(what), "%d against %d", a, b);
			with_stun(world);
			play(world);
			cr_assert(world->hosts[PEER_A].race.phase == RACE_DONE, "%s: %s", what,
				  world->hosts[PEER_A].race.reason);
			if (is_direct(a, b))
				expect_path(world, RACE_UDP, NULL, what);
			else
				expect_path(world, world->hosts[PEER_B].race.chosen, NULL, what);
			cr_expect_lt(decision(world), SEC, "%s took %.0f ms", what,
				     to_ms(decision(world)));
			free_world(world);
		}
	}
}

Test(connect, loss_jitter_and_doubles_only_cost_time)
{
	static const int kinds[][2] = {{2, 2}, {8, 8}, {8, 1}, {0, 8}, {4, 7}, {2, 8}};
	char what[48];
	uint64_t seed;

	for (seed = 1; seed <= 60; seed++) {
		const int *pair = kinds[seed % (sizeof(kinds) / sizeof(*kinds))];
		struct world *world = make_homes(pair[0], pair[1], seed);

		snprintf(what, sizeof(what), "%d against %d, seed %d", pair[0], pair[1], (int)seed);
		if (seed & 1)
			with_stun(world);
		with_turn(world, seed & 2, seed & 4);
		world->net.delay = 20 * MSEC;
		world->net.jitter = 10 * MSEC;
		world->net.loss = 50;
		world->net.doubles = 50;
		world->hosts[PEER_A].config.timeout = world->hosts[PEER_B].config.timeout =
			30 * SEC;
		world->hosts[PEER_A].config.talk.patience = 20 * SEC;
		world->hosts[PEER_B].config.talk.patience = 20 * SEC;
		play(world);
		expect_path(world, world->hosts[PEER_A].race.chosen, NULL, what);
		free_world(world);
	}
}

Test(connect, a_pair_that_can_only_be_relayed_is_within_a_second)
{
	static const struct {
		bool a, b;
		const char *technique;
	} cases[] = {{false, false, "rendezvous-relay"},
		     {true, false, "turn"},
		     {false, true, "turn"},
		     {true, true, "turn"}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world *world = make_strict(1);

		with_stun(world);
		with_turn(world, cases[i].a, cases[i].b);
		play(world);
		expect_path(world, RACE_RELAY, cases[i].technique, cases[i].technique);
		cr_expect_lt(decision(world), SEC);
		free_world(world);
	}
}

Test(connect, a_direct_path_does_not_wait_for_what_is_worse)
{
	struct world *world = make_cones(1);

	with_turn(world, true, true);
	world->hosts[PEER_B].start = 3 * SEC;
	play(world);
	expect_path(world, RACE_UDP, "punch", "cones");
	cr_expect_lt(decision(world), 5 * MSEC, "%.1f ms", to_ms(decision(world)));
	free_world(world);
}

Test(connect, neighbours_meet_at_home)
{
	struct world *world = make_world(1);
	struct fake_nat *nat =
		add_home(world, PEER_A, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);

	nat->inside[nat->inside_count++] = world->hosts[PEER_B].tcp.addr;
	nat->no_hairpin = true;
	play(world);
	expect_path(world, RACE_UDP, "private", "one home");
	free_world(world);
}

/* ---- without UDP ---- */

Test(without_udp, two_that_miss_each_other_meet_over_tcp)
{
	int side;

	for (side = 1; side <= 3; side++) {
		struct world *world = make_cones(1);

		world->hosts[PEER_A].no_udp = side & 1;
		world->hosts[PEER_B].no_udp = side & 2;
		play(world);
		expect_path(world, RACE_TCP, "tcp-crossed", "no UDP");
		cr_expect_lt(decision(world), SEC, "%.0f ms", to_ms(decision(world)));
		free_world(world);
	}
}

Test(without_udp, who_comes_late_is_met_all_the_same)
{
	struct world *world = make_cones(1);

	world->hosts[PEER_A].no_udp = true;
	world->hosts[PEER_B].start = 4 * SEC;
	play(world);
	expect_path(world, RACE_TCP, "tcp-crossed", "late");
	cr_expect_lt(decision(world), SEC);
	free_world(world);
}

/* A has long been waiting over TCP under the common name when B comes over UDP. */
Test(without_udp, who_waited_over_tcp_meets_over_udp_who_comes_there)
{
	struct world *world = make_strict(1);

	world->hosts[PEER_B].start = 3 * SEC;
	play(world);
	expect_path(world, RACE_RELAY, "rendezvous-relay", "late");
	cr_expect(world->hosts[PEER_A].race.began[RACE_TCP]);
	cr_expect_str_eq(world->hosts[PEER_A].race.names[RACE_TCP],
			 world->hosts[PEER_B].race.names[RACE_TCP], "they try TCP as a pair");
	cr_expect_eq(rendezvous_sessions(world->rendezvous_tcp), 0,
		     "nobody is left where A waited alone");
	free_world(world);
}

/* Met over TCP first, then over UDP: the same peer. What is there is not torn down. */
Test(without_udp, a_meeting_over_udp_that_comes_late_tears_nothing_down)
{
	struct world *world = make_cones(1);
	size_t i;

	world->net.delay = 40 * MSEC;
	world->hosts[PEER_A].udp_from = 680 * MSEC; /* TCP is being tried since 500 ms */
	play(world);
	expect_path(world, RACE_UDP, "punch", "UDP later");
	for (i = PEER_A; i <= PEER_B; i++) {
		const struct race *race = &world->hosts[i].race;

		cr_expect_str_eq(race->names[RACE_TCP], "demo/tcp");
		cr_expect(race_path(race, RACE_TCP), "it works, but is not needed");
	}
	free_world(world);
}

/* ---- who does not belong, and who vanishes ---- */

Test(strangers, a_third_peer_is_refused_at_once_and_disturbs_nobody)
{
	struct world *world = make_strict(1);

	add_home(world, PEER_C, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	world->hosts[PEER_C].present = true;
	world->hosts[PEER_C].start = 100 * MSEC; /* they are at it, for 0.4 s */
	play(world);
	expect_path(world, RACE_RELAY, "rendezvous-relay", "a third one");
	expect_end(world, PEER_C, RACE_FAILED, "udp: session refused");
	cr_expect_lt(world->hosts[PEER_C].race.ended, beginning + 110 * MSEC);
	free_world(world);
}

Test(strangers, a_third_peer_that_waited_over_tcp_is_refused_too)
{
	struct world *world = make_strict(1);

	add_home(world, PEER_C, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	world->hosts[PEER_C].present = true;
	world->hosts[PEER_C].udp_from = 650 * MSEC; /* its next Join is due after 700 ms */
	world->hosts[PEER_A].start = world->hosts[PEER_B].start = 600 * MSEC;
	play(world);
	expect_path(world, RACE_RELAY, "rendezvous-relay", "a third one");
	expect_end(world, PEER_C, RACE_FAILED, "udp: session refused");
	cr_expect(world->hosts[PEER_C].race.alone, "it began TCP alone");
	cr_expect_lt(world->hosts[PEER_C].race.ended, beginning + 710 * MSEC);
	free_world(world);
}

Test(strangers, a_name_of_ones_own_is_nobody_elses)
{
	struct world *world = make_cones(1);

	world->hosts[PEER_B].config.meeting.session = "Demo";
	play(world);
	expect_end(world, PEER_A, RACE_FAILED, "udp: nobody else joined the session");
	expect_end(world, PEER_B, RACE_FAILED, "tcp: nobody else joined the session");
	expect_clean(world, "alone");
	free_world(world);
}

Test(vanishing, before_the_choice_the_other_says_why_there_is_no_path)
{
	/* Having joined; having been introduced; with packets under way, with all parked. */
	static const uint64_t times[] = {50 * USEC, 150 * USEC, MSEC, 5 * MSEC, 100 * MSEC};
	size_t i, side;

	for (i = 0; i < sizeof(times) / sizeof(*times); i++) {
		for (side = PEER_A; side <= PEER_B; side++) {
			struct world *world = make_strict(1);

			with_turn(world, true, true);
			world->hosts[side].dies = times[i];
			play(world);
			cr_expect(world->hosts[!side].race.phase >= RACE_FAILED,
				  "after %.2f ms: phase %d", to_ms(times[i]),
				  world->hosts[!side].race.phase);
			cr_expect(world->hosts[!side].race.reason[0] != '\0');
			expect_clean(world, "the other vanished");
			free_world(world);
		}
	}
}

Test(vanishing, after_the_choice_the_path_is_lost)
{
	static const struct {
		bool strict, no_udp;
		enum race_way way;
	} cases[] = {{false, false, RACE_UDP}, {false, true, RACE_TCP}, {true, false, RACE_RELAY}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world *world = cases[i].strict ? make_strict(1) : make_cones(1);

		world->hosts[PEER_A].no_udp = cases[i].no_udp;
		world->hosts[PEER_A].config.talk.interval = 300 * MSEC;
		world->hosts[PEER_B].config.talk.interval = 300 * MSEC;
		world->hosts[PEER_B].dies = SEC;
		play(world);
		expect_end(world, PEER_A, RACE_LOST, "");
		cr_expect_eq(world->hosts[PEER_A].race.chosen, cases[i].way, "over %s, not %s",
			     race_way_name(world->hosts[PEER_A].race.chosen),
			     race_way_name(cases[i].way));
		expect_clean(world, race_way_name(cases[i].way));
		free_world(world);
	}
}

Test(vanishing, who_is_interrupted_gives_everything_back_whenever)
{
	uint64_t after;

	for (after = 50 * USEC; after < 2 * SEC; after = after * 5 / 4) {
		struct world *world = make_strict(1);

		with_turn(world, true, true);
		world->hosts[PEER_A].config.with_portmap = true;
		world->hosts[PEER_A].config.talk.interval = 300 * MSEC;
		world->hosts[PEER_A].interrupted = world->hosts[PEER_B].interrupted = after;
		play(world);
		expect_clean(world, "interrupted");
		free_world(world);
	}
}

/* Both NATs forget the path in every pause, and give other ports then. */
Test(vanishing, a_path_that_dies_after_the_choice_is_punched_again)
{
	struct world *world = make_cones(1);
	size_t i;

	for (i = PEER_A; i <= PEER_B; i++) {
		world->net.nats[i].changes_ports = true;
		world->net.nats[i].life = 2 * SEC;
		world->hosts[i].config.talk.interval = 3 * SEC;
		world->hosts[i].config.talk.patience = SEC;
		world->hosts[i].config.talk.messages = 2;
	}
	play(world);
	for (i = PEER_A; i <= PEER_B; i++) {
		const struct race *race = &world->hosts[i].race;

		cr_expect_eq(race->phase, RACE_DONE, "peer %zu: %s", i, race->reason);
		cr_expect_eq(race_path(race, RACE_UDP)->talk.received, 2);
		cr_expect_geq(race_path(race, RACE_UDP)->repunched, 1);
	}
	free_world(world);
}

/* ---- servers that do not serve ---- */

Test(servers, without_a_rendezvous_there_is_no_path)
{
	struct world *world = make_cones(1);

	world->rendezvous_dies = 1;
	play(world);
	expect_end(world, PEER_A, RACE_FAILED, "udp: no rendezvous: 9.9.9.9:1024 did not answer");
	expect_end(world, PEER_B, RACE_FAILED, "tcp: ");
	free_world(world);
}

Test(servers, a_path_outlives_the_rendezvous)
{
	struct world *world = make_cones(1);

	world->hosts[PEER_A].config.talk.interval = world->hosts[PEER_B].config.talk.interval = SEC;
	world->rendezvous_dies = SEC;
	play(world);
	expect_path(world, RACE_UDP, "punch", "without the rendezvous");
	free_world(world);
}

Test(servers, a_dead_stun_server_costs_time_but_no_path)
{
	struct world *world = make_cones(1);

	with_stun(world);
	world->stun_is_dead = true;
	play(world);
	expect_path(world, world->hosts[PEER_A].race.chosen, NULL, "cones");
	cr_expect_lt(decision(world), 1500 * MSEC, "%.0f ms", to_ms(decision(world)));
	free_world(world);
	world = make_strict(1);
	with_stun(world);
	world->stun_is_dead = true;
	play(world);
	expect_path(world, RACE_RELAY, "rendezvous-relay", "strict");
	cr_expect_lt(decision(world), 1500 * MSEC, "%.0f ms", to_ms(decision(world)));
	free_world(world);
}

Test(servers, a_turn_server_that_does_not_serve_is_passed_over)
{
	struct world *world = make_strict(1);

	with_turn(world, true, true);
	world->hosts[PEER_A].config.turn.password = "wrong";
	play(world);
	expect_path(world, RACE_RELAY, "turn", "one password is wrong");
	free_world(world);
	world = make_strict(1);
	with_turn(world, true, true);
	world->hosts[PEER_A].config.turn.password = "wrong";
	world->hosts[PEER_B].turn_is_dead = true;
	play(world);
	expect_path(world, RACE_RELAY, "rendezvous-relay", "neither");
	cr_expect_lt(decision(world), SEC, "%.0f ms", to_ms(decision(world)));
	free_world(world);
}

Test(servers, a_port_that_was_granted_is_told_and_given_back)
{
	struct world *world = make_cones(1);

	world->hosts[PEER_A].config.with_portmap = true;
	play(world);
	expect_path(world, RACE_UDP, NULL, "granted");
	cr_expect_eq(world->hosts[PEER_A].race.portmap.outcome, PORTMAP_DELETED);
	free_world(world);
}

Test(servers, a_gateway_that_is_silent_costs_a_moment)
{
	struct world *world = make_cones(1);

	world->hosts[PEER_A].config.with_portmap = true;
	world->hosts[PEER_A].config.portmap.gateway = endpoint("192.168.1.253:5351");
	play(world);
	expect_path(world, RACE_UDP, "punch", "silent");
	cr_expect_lt(decision(world), 400 * MSEC);
	free_world(world);
}

/* ---- the choice ---- */

Test(choice, only_ways_that_are_wanted_are_tried)
{
	struct world *world = make_strict(1);
	size_t i;

	for (i = PEER_A; i <= PEER_B; i++) {
		world->hosts[i].config.with[RACE_TCP] = world->hosts[i].config.with[RACE_RELAY] =
			false;
		world->hosts[i].config.timeout = 2 * SEC;
	}
	play(world);
	for (i = PEER_A; i <= PEER_B; i++) {
		const struct race *race = &world->hosts[i].race;
		const char *reason;

		expect_end(world, i, RACE_FAILED, "udp: no packet of the peer's arrived");
		cr_expect_null(race_outcome(race, RACE_TCP, &reason));
		cr_expect_null(race_outcome(race, RACE_RELAY, &reason));
		cr_expect_eq(race->ended, beginning + 2 * SEC);
	}
	free_world(world);
}

Test(choice, what_was_not_chosen_is_told_apart)
{
	struct world *world = make_strict(1);
	const char *reason;
	size_t i;

	with_stun(world);
	play(world);
	expect_path(world, RACE_RELAY, NULL, "strict");
	for (i = PEER_A; i <= PEER_B; i++) {
		const struct race *race = &world->hosts[i].race;

		cr_expect_str_eq(race_outcome(race, RACE_RELAY, &reason), "won");
		cr_expect_str_eq(race_outcome(race, RACE_TCP, &reason), "dropped");
		cr_expect_gt(race->packets, 0);
	}
	free_world(world);
}
