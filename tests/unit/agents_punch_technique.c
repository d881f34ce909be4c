/* SPDX-License-Identifier: MIT */
/* By which technique a path came about: both peers say the same, and it is what happened. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support/fakepeers.h"

static void expect_technique(const struct world *world, enum technique technique, const char *what)
{
	size_t i;

	expect_direct(world, what);
	for (i = 0; i < PEER_COUNT; i++)
		cr_expect_eq(punch_technique(&world->peers[i]), technique, "%s: peer %zu says %s",
			     what, i, technique_name(punch_technique(&world->peers[i])));
}

Test(technique, follows_from_whose_filter_lets_strangers_in)
{
	unsigned int filter_a, filter_b;
	char what[32];

	for (filter_a = 0; filter_a < 3; filter_a++) {
		for (filter_b = 0; filter_b < 3; filter_b++) {
			unsigned int open = (filter_a == 0 ? 1U : 0U) + (filter_b == 0 ? 1U : 0U);
			struct world world;

			make_homes(&world, filter_a, filter_b, filter_a * 3 + filter_b + 1);
			play(&world);
			snprintf(what, sizeof(what), "filters %u and %u", filter_a, filter_b);
			expect_technique(&world,
					 open == 2   ? TECHNIQUE_OPEN
					 : open == 1 ? TECHNIQUE_REVERSAL
						     : TECHNIQUE_PUNCH,
					 what);
		}
	}
}

Test(technique, on_the_internet_nothing_is_to_be_opened)
{
	struct world world;

	make_world(&world, "1.2.3.4:7777", "5.6.7.8:8888", 1);
	play(&world);
	expect_technique(&world, TECHNIQUE_OPEN, "no NAT");
}

Test(technique, neighbours_are_private_and_not_hairpinned)
{
	struct world world;
	struct fake_nat *nat;

	make_world(&world, "192.168.1.1:7777", "192.168.1.2:8888", 1);
	nat = add_nat(&world, "1.2.3.4:1", "192.168.1.1:1", 0, 2);
	nat->inside[nat->inside_count++] = endpoint("192.168.1.2:1").addr;
	play(&world);
	expect_technique(&world, TECHNIQUE_PRIVATE, "one home");
}

/* The judgement alone: what the rendezvous told one of the two. */
static enum technique judge(uint32_t own, uint32_t theirs, const char *mapped, const char *local,
			    const char *peer_public, const char *peer_local)
{
	struct endpoint private = endpoint(local);
	struct introduction introduction = {
		.mapped = endpoint(mapped),
		.peer_public = endpoint(peer_public),
		.privates = {endpoint(peer_local)},
		.private_count = 1,
	};

	return technique_of(own, theirs, &introduction, &private, 1);
}

Test(technique, hairpin_is_one_public_address_that_neither_host_has)
{
	cr_expect_eq(judge(0, 0, "1.2.3.4:1", "192.168.1.1:1", "1.2.3.4:2", "192.168.1.2:2"),
		     TECHNIQUE_HAIRPIN);
	cr_expect_eq(judge(SIGHT_DIALLED, SIGHT_DIALLED, "1.2.3.4:1", "192.168.1.1:1", "1.2.3.4:2",
			   "192.168.1.2:2"),
		     TECHNIQUE_HAIRPIN, "though a full cone's");
	cr_expect_eq(judge(SIGHT_DIALLED, SIGHT_DIALLED, "1.2.3.4:1", "1.2.3.4:1", "1.2.3.4:2",
			   "1.2.3.4:2"),
		     TECHNIQUE_OPEN, "two programs of one host");
	cr_expect_eq(
		judge(0, SIGHT_DIALLED, "1.2.3.4:1", "192.168.1.1:1", "1.2.3.4:2", "1.2.3.4:2"),
		TECHNIQUE_REVERSAL, "the router itself");
	cr_expect_eq(judge(0, SIGHT_PRIVATELY, "1.2.3.4:1", "192.168.1.1:1", "1.2.3.4:2",
			   "192.168.1.2:2"),
		     TECHNIQUE_PRIVATE, "it is enough that the other speaks to a private one");
}

Test(reversal, who_asks_to_be_called_sends_nothing_first_and_is_met_where_strangers_get_in)
{
	unsigned int filter;
	char what[32];

	for (filter = 0; filter < 3; filter++) {
		struct world world;

		make_homes(&world, filter, 8, filter + 1); /* who calls is behind a symmetric NAT */
		world.call_me[PEER_A] = true;
		play(&world);
		snprintf(what, sizeof(what), "filter %u", filter);
		if (filter == 0) {
			expect_technique(&world, TECHNIQUE_REVERSAL, what);
			continue;
		}
		cr_expect_eq(world.peers[PEER_A].path.candidates.sent, 0, "%s: it sent", what);
		cr_expect_str_eq(world.peers[PEER_A].reason,
				 "no packet of the peer's arrived, which was asked to call, in "
				 "10.0 s");
		cr_expect_str_eq(world.peers[PEER_B].reason,
				 "no packet of the peer's arrived, which was called as it asked to "
				 "be, in 10.0 s");
	}
}

Test(reversal, two_that_wait_for_each_other_wait_in_vain)
{
	struct world world;

	make_world(&world, "1.2.3.4:7777", "5.6.7.8:8888", 1);
	world.call_me[PEER_A] = world.call_me[PEER_B] = true;
	play(&world);
	expect_none(&world, "both asked to be called, so nobody called");
}

/* A success response with the right id is what any STUN server at that address would send. */
Test(stranger, who_answers_a_check_without_the_token_is_not_the_peer)
{
	struct world world;
	struct punch *a = &world.peers[PEER_A];
	struct endpoint printer = endpoint("192.168.1.2:8888");
	struct seal forged;
	struct sealed check = {.kind = SEALED_CHECK};
	uint8_t bytes[SEALED_MAX];
	size_t length;

	make_homes(&world, 2, 2, 1);
	start_if_due(&world, PEER_A);
	a->phase = PHASE_PUNCHING;
	a->path.seal.role = ROLE_CONTROLLING;
	memset(a->path.seal.token, 7, TOKEN_SIZE);
	candidates_start(&a->path.candidates, ROLE_CONTROLLING, &a->meeting.random,
			 &TRANSACTION_RFC3489);
	{
		struct candidate_check asked;

		candidates_add(&a->path.candidates, CANDIDATE_PRIVATE, &printer, world.net.now);
		cr_assert(candidates_send(&a->path.candidates, world.net.now, &asked));
		memcpy(check.id, asked.id, STUN_ID_SIZE);
	}
	forged = a->path.seal;
	forged.role = ROLE_CONTROLLED;
	memset(forged.token, 8, TOKEN_SIZE);
	length = seal_reply(&forged, &check, &world.local[PEER_A][PUNCH_MAIN], bytes);
	punch_receive(a, PUNCH_MAIN, &printer, bytes, length, world.net.now);
	cr_expect_null(a->path.candidates.nominee, "the printer is taken for the peer");
	memcpy(forged.token, a->path.seal.token, TOKEN_SIZE);
	length = seal_reply(&forged, &check, &world.local[PEER_A][PUNCH_MAIN], bytes);
	punch_receive(a, PUNCH_MAIN, &printer, bytes, length, world.net.now);
	cr_expect_not_null(a->path.candidates.nominee, "and with the token it is the peer");
	rendezvous_free(world.rendezvous);
}
