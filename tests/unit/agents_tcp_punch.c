/* SPDX-License-Identifier: MIT */
/* TCP hole punching between simulated NATs: which SYN makes the connection, and what is told when
 * none does. */
#include "support/faketcp.h"

Test(tcp_punch, syns_that_cross_make_one_connection_at_once)
{
	struct world *world = make_world();

	play(world);
	expect_direct(world, "tcp-crossed");
	cr_expect_eq(world->hosts[A].core.blind, BLIND_NONE);
	cr_expect_lt(world->hosts[A].core.path.connected, beginning + 5 * MSEC);
	free_world(world);
}

Test(tcp_punch, who_is_reset_is_reached_at_its_listener)
{
	struct world *world = make_world();

	world->hosts[A].resets = world->hosts[B].resets = true;
	world->hosts[B].core.config.delay = 50 * MSEC;
	play(world);
	expect_direct(world, "tcp-connect");
	cr_expect_eq(tcp_punch_refused(&world->hosts[A].core), 1);
	cr_expect_lt(world->hosts[A].core.path.connected, beginning + 60 * MSEC);
	free_world(world);
}

Test(tcp_punch, where_resets_are_remembered_as_the_end_there_is_no_way)
{
	struct world *world = make_world();
	size_t i;

	for (i = 0; i < PEERS; i++)
		world->hosts[i].resets = world->hosts[i].forgets = true;
	world->hosts[B].core.config.delay = 50 * MSEC;
	play(world);
	expect_none(world, "were reset");
	cr_expect_geq(tcp_punch_refused(&world->hosts[A].core), 5, "it did try again");
	free_world(world);
}

/* The first SYN came too early, and may not be given up before the kernel repeats it. */
Test(tcp_punch, a_nat_that_is_strict_about_crossing_is_passed_by_the_repetition)
{
	struct world *world = make_world();

	world->hosts[A].strict = true;
	world->hosts[B].core.config.delay = 50 * MSEC;
	play(world);
	expect_direct(world, "tcp-crossed");
	cr_expect_eq(world->hosts[A].core.dials[1].attempts, 1);
	free_world(world);
}

Test(tcp_punch, a_blind_dial_that_gets_in_is_told)
{
	struct world *world = make_world();

	world->hosts[B].open_to_all = true;
	world->hosts[B].core.config.delay = 4 * SEC;
	play(world);
	expect_direct(world, "tcp-connect");
	cr_expect_eq(world->hosts[A].core.blind, BLIND_NONE);
	cr_expect_eq(world->hosts[B].core.blind, BLIND_RECEIVED);
	cr_expect_eq(tcp_punch_attempts(&world->hosts[B].core), 0, "it had no need to dial");
	free_world(world);
}

Test(tcp_punch, a_peer_that_dies_while_talking_is_lost)
{
	struct world *world = make_world();

	world->hosts[A].core.config.talk.interval = SEC;
	world->hosts[B].core.config.talk.interval = SEC;
	world->hosts[B].dies = beginning + 1500 * MSEC;
	play(world);
	cr_expect_eq(world->hosts[A].core.phase, TCP_PUNCH_LOST);
	cr_expect(strstr(world->hosts[A].core.reason, "after 2 of 3 messages"), "%s",
		  world->hosts[A].core.reason);
	free_world(world);
}

/* Its kernel closes the connection: that is known at once. */
Test(tcp_punch, a_closed_connection_is_lost_at_once)
{
	struct world *world = make_world();
	struct event *end;

	world->hosts[A].core.config.talk.interval = SEC;
	world->hosts[B].core.config.talk.interval = SEC;
	world->hosts[B].dies = beginning + 1500 * MSEC;
	end = post(world, ENDED, A, TCP_PEERS + 1, 1500 * MSEC);
	end->generation = 1; /* of its first connect() */
	play(world);
	cr_expect_eq(world->hosts[A].core.phase, TCP_PUNCH_LOST);
	cr_expect_eq(world->hosts[A].core.ended, beginning + 1500 * MSEC);
	cr_expect(strstr(world->hosts[A].core.reason, "closed"), "%s", world->hosts[A].core.reason);
	free_world(world);
}

Test(tcp_punch, a_peer_that_never_comes_is_told)
{
	struct world *world = make_world();

	world->hosts[B].dead = true;
	play(world);
	cr_expect_eq(world->hosts[A].core.phase, TCP_PUNCH_FAILED);
	cr_expect(strstr(world->hosts[A].core.reason, "nobody else joined"));
	cr_expect_eq(rendezvous_sessions(world->rendezvous), 0, "it has left");
	free_world(world);
}

/* What never shows that it is the peer does not keep others out. */
Test(tcp_punch, strangers_that_say_nothing_are_dropped)
{
	struct world *world = make_world();
	struct tcp_punch *core = &world->hosts[A].core;
	struct endpoint stranger = endpoint("6.6.6.6:6666");
	struct tcp_action action;
	size_t aborted = 0, i;

	core->config.timeout = 100 * SEC;
	for (i = 0; i < TCP_CONNECTIONS - TCP_ACCEPTED; i++)
		cr_assert_geq(tcp_punch_accepted(core, &stranger, world->now), 0);
	cr_expect_eq(tcp_punch_accepted(core, &stranger, world->now), -1, "no more of them");
	while (tcp_punch_act(core, world->now + 6 * SEC, &action))
		aborted += action.kind == TCP_ACTION_ABORT;
	cr_expect_eq(aborted, TCP_CONNECTIONS - TCP_ACCEPTED);
	cr_expect_geq(tcp_punch_accepted(core, &stranger, world->now), 0);
	free_world(world);
}
