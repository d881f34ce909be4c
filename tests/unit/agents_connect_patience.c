/* SPDX-License-Identifier: MIT */
/* Who waits long for a peer still does not try long for a path. */
#include <criterion/criterion.h>

#include "support/fakerace.h"

#define LATE (60 * SEC)

/* B comes a minute later than A. Behind which NATs is what matters. */
static struct world *make_late(enum fake_behaviour mapping, uint64_t patience)
{
	struct world *world = make_world(1);
	size_t i;

	for (i = PEER_A; i <= PEER_B; i++) {
		add_home(world, i, mapping, FAKE_ADDRESS_AND_PORT);
		world->hosts[i].config.timeout = 5 * SEC;
		world->hosts[i].config.patience = patience;
	}
	world->hosts[PEER_B].start = LATE;
	return world;
}

Test(patience, a_peer_that_comes_late_is_reached_as_one_that_was_there)
{
	struct world *world = make_late(FAKE_ENDPOINT_INDEPENDENT, 300 * SEC);

	play(world);
	expect_path(world, RACE_UDP, "punch", "cones");
	cr_expect_lt(decision(world), 100 * MSEC, "%.1f ms", to_ms(decision(world)));
	free_world(world);

	world = make_late(FAKE_ADDRESS_AND_PORT, 300 * SEC);
	play(world);
	expect_path(world, RACE_RELAY, "rendezvous-relay", "strict");
	cr_expect_lt(decision(world), SEC, "%.1f ms", to_ms(decision(world)));
	free_world(world);
}

Test(patience, where_no_udp_passes_it_waits_over_tcp)
{
	struct world *world = make_late(FAKE_ENDPOINT_INDEPENDENT, 300 * SEC);

	world->hosts[PEER_A].no_udp = true;
	play(world);
	expect_path(world, RACE_TCP, "tcp-crossed", "without UDP");
	cr_expect_lt(decision(world), 3 * SEC, "%.1f ms", to_ms(decision(world)));
	free_world(world);
}

Test(patience, without_it_a_minute_is_too_late)
{
	struct world *world = make_late(FAKE_ENDPOINT_INDEPENDENT, 0);

	play(world);
	expect_end(world, PEER_A, RACE_FAILED, "nobody else joined the session in 5.0 s");
	cr_expect_eq(world->hosts[PEER_A].race.ended, beginning + 5 * SEC);
	free_world(world);
}

Test(patience, ends_when_nobody_comes)
{
	struct world *world = make_late(FAKE_ENDPOINT_INDEPENDENT, 30 * SEC);

	world->hosts[PEER_B].present = false;
	play(world);
	expect_end(world, PEER_A, RACE_FAILED, "nobody else joined the session in 30.0 s");
	cr_expect_eq(world->hosts[PEER_A].race.ended, beginning + 30 * SEC, "after %.1f ms",
		     to_ms(world->hosts[PEER_A].race.ended - beginning));
	free_world(world);
}

Test(patience, is_for_the_peer_and_not_for_a_path)
{
	struct world *world = make_late(FAKE_ADDRESS_AND_PORT, 300 * SEC);
	size_t i;

	for (i = PEER_A; i <= PEER_B; i++)
		world->hosts[i].config.with[RACE_RELAY] = false;
	play(world);
	for (i = PEER_A; i <= PEER_B; i++) {
		const struct race *race = &world->hosts[i].race;

		cr_expect_eq(race->phase, RACE_FAILED);
		cr_expect_lt(race->ended, beginning + LATE + 6 * SEC, "peer %zu, after %.1f ms", i,
			     to_ms(race->ended - beginning));
	}
	free_world(world);
}
