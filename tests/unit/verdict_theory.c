/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "support/story.h"
#include "verdict/theory.h"
#include "verdict/way.h"

/* A row and column of the matrix: mapping and filtering. */
struct kind {
	const char *name;
	struct theory_side side;
};

enum { OPEN, FULL, RESTRICTED, PORT_RESTRICTED, SYMMETRIC, KINDS };

static const struct kind kinds[KINDS] = {
	[OPEN] = {"open", {.mapping = ENDPOINT_INDEPENDENT, .filtering = ENDPOINT_INDEPENDENT}},
	[FULL] = {"full cone",
		  {.mapping = ENDPOINT_INDEPENDENT,
		   .filtering = ENDPOINT_INDEPENDENT,
		   .guarded = true}},
	[RESTRICTED] = {"restricted cone",
			{.mapping = ENDPOINT_INDEPENDENT,
			 .filtering = ADDRESS_DEPENDENT,
			 .guarded = true}},
	[PORT_RESTRICTED] = {"port restricted cone",
			     {.mapping = ENDPOINT_INDEPENDENT,
			      .filtering = ADDRESS_AND_PORT_DEPENDENT,
			      .guarded = true}},
	[SYMMETRIC] = {"symmetric",
		       {.mapping = ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.guarded = true}},
};

Test(theory, classic_pairs_meet_exactly_as_the_literature_says_without_guessing_ports)
{
	/* RFC 5128 section 3.3; symmetric against port restricted needs a guess, so no. */
	static const bool direct[KINDS][KINDS] = {
		[OPEN] = {true, true, true, true, true},
		[FULL] = {true, true, true, true, true},
		[RESTRICTED] = {true, true, true, true, true},
		[PORT_RESTRICTED] = {true, true, true, true, false},
		[SYMMETRIC] = {true, true, true, false, false},
	};
	size_t a, b;

	for (a = 0; a < KINDS; a++)
		for (b = 0; b < KINDS; b++)
			cr_expect_eq(theory_direct(&kinds[a].side, &kinds[b].side), direct[a][b],
				     "%s and %s", kinds[a].name, kinds[b].name);
}

Test(theory, all_81_pairs_of_behaviours_are_symmetric_and_follow_the_summary)
{
	enum nat_dependence am, af, bm, bf;
	const enum nat_dependence last = ADDRESS_AND_PORT_DEPENDENT;
	const enum nat_dependence ei = ENDPOINT_INDEPENDENT;

	for (am = 0; am <= last; am++)
		for (af = 0; af <= last; af++)
			for (bm = 0; bm <= last; bm++)
				for (bf = 0; bf <= last; bf++) {
					struct theory_side a = {.mapping = am, .filtering = af};
					struct theory_side b = {.mapping = bm, .filtering = bf};
					bool direct = theory_direct(&a, &b);
					/* FACTS of the field in one line each. */
					bool easy_a = am == ei && af != last;
					bool easy_b = bm == ei && bf != last;
					bool cones = am == ei && bm == ei;
					/* Open to all but answering from elsewhere: the peer must
					 * not mind the port. */
					bool odd_a = am != ei && af == ei && bf != last;
					bool odd_b = bm != ei && bf == ei && af != last;

					cr_expect_eq(direct, theory_direct(&b, &a),
						     "who is asked first cannot matter");
					cr_expect_eq(direct,
						     easy_a || easy_b || cones || odd_a || odd_b,
						     "%d+%d and %d+%d", am, af, bm, bf);
				}
}

Test(theory, a_blocked_side_meets_nobody)
{
	struct theory_side blocked = {.blocked = true};

	cr_expect_not(theory_direct(&blocked, &kinds[OPEN].side));
	cr_expect_not(theory_direct(&kinds[OPEN].side, &blocked));
	cr_expect_eq(theory_entry(&blocked, &kinds[OPEN].side), ENTRY_BLOCKED);
}

Test(theory, each_way_in_has_its_reason)
{
	const struct theory_side *sides[] = {&kinds[OPEN].side, &kinds[FULL].side,
					     &kinds[RESTRICTED].side, &kinds[PORT_RESTRICTED].side,
					     &kinds[SYMMETRIC].side};

	cr_expect_eq(theory_entry(sides[FULL], sides[SYMMETRIC]), ENTRY_OPEN);
	cr_expect_eq(theory_entry(sides[RESTRICTED], sides[SYMMETRIC]), ENTRY_ADDRESS);
	cr_expect_eq(theory_entry(sides[PORT_RESTRICTED], sides[FULL]), ENTRY_ENDPOINT);
	cr_expect_eq(theory_entry(sides[PORT_RESTRICTED], sides[SYMMETRIC]), ENTRY_OTHER_PORT);
	cr_expect_eq(theory_entry(sides[SYMMETRIC], sides[OPEN]), ENTRY_OTHER_MAPPING);
}

Test(theory, who_asks_to_be_called_is_met_only_where_anybody_gets_in)
{
	const struct theory_side *caller = &kinds[PORT_RESTRICTED].side;
	struct theory_side open = kinds[OPEN].side, full = kinds[FULL].side,
			   cone = kinds[RESTRICTED].side;

	cr_expect(theory_direct(&cone, caller), "as long as both send");
	open.silent = full.silent = cone.silent = true;
	cr_expect(theory_direct(&open, caller));
	cr_expect(theory_direct(&full, caller));
	cr_expect_not(theory_direct(&cone, caller));
	cr_expect_not(theory_direct(caller, &cone), "who is asked first cannot matter");
	cr_expect_eq(theory_entry(&cone, caller), ENTRY_SILENT);
	cr_expect_not(theory_direct(&open, &full), "nobody calls");
}

static const char stacked[] =
	"name: stacked\n"
	"networks:\n"
	"  internet: {type: internet}\n"
	"  carrier: {subnet: 100.64.0.0/10}\n"
	"  home1: {subnet: 192.168.1.0/24}\n"
	"  home2: {subnet: 192.168.2.0/24}\n"
	"  guests: {subnet: 192.168.3.0/24}\n"
	"nodes:\n"
	"  server: {interfaces: {internet: 9.9.9.9}}\n"
	"  cgn: {interfaces: {internet: 1.2.3.4, carrier: 100.64.0.1}, nat: symmetric}\n"
	"  router1: {interfaces: {carrier: 100.64.0.11, home1: 192.168.1.254}, nat: full-cone}\n"
	"  router2: {interfaces: {carrier: 100.64.0.12, home2: 192.168.2.254, "
	"guests: 192.168.3.254}, nat: restricted-cone}\n"
	"  pc1: {interfaces: {home1: 192.168.1.1}}\n"
	"  pc2: {interfaces: {home2: 192.168.2.1}}\n"
	"  guest: {interfaces: {guests: 192.168.3.1}}\n"
	"  other: {interfaces: {home1: 192.168.1.2}}\n"
	"steps:\n"
	"  - run: {node: pc1, command: [\"true\"]}\n";

static struct addr addr_of(const char *text)
{
	struct addr addr;

	cr_assert(addr_parse(text, &addr));
	return addr;
}

Test(theory, stacked_nats_are_as_strict_as_the_strictest_of_each_axis)
{
	struct story story = story_begin(stacked);
	struct addr server = addr_of("9.9.9.9");
	struct theory_side side;
	struct way way;

	cr_assert_eq(way_outward(story.topo, topo_find_node(story.topo, "pc1"), &server, &way), 0);
	cr_assert_eq(way.count, 2);
	cr_expect_eq(way.routers[0], topo_find_node(story.topo, "router1"), "the nearest first");
	side = theory_side(story.topo, &way);
	cr_expect_eq(side.mapping, ADDRESS_AND_PORT_DEPENDENT);
	cr_expect_eq(side.filtering, ADDRESS_AND_PORT_DEPENDENT);
	cr_expect(side.guarded);
	free(way.routers);
	story_end(&story);
}

Test(way, outward_stops_at_the_network_where_the_address_lives)
{
	struct story story = story_begin(stacked);
	struct addr neighbour = addr_of("192.168.1.2"), middle = addr_of("100.64.0.12");
	size_t pc1 = topo_find_node(story.topo, "pc1");
	struct way way;

	cr_assert_eq(way_outward(story.topo, pc1, &neighbour, &way), 0);
	cr_expect_eq(way.count, 0, "neighbours pass no router");
	free(way.routers);
	cr_assert_eq(way_outward(story.topo, pc1, &middle, &way), 0);
	cr_expect_eq(way.count, 1, "the carrier's network is reached through the home router only");
	free(way.routers);
	story_end(&story);
}

static struct meeting meet(const struct story *story, const char *a, const char *b)
{
	struct meeting meeting;

	cr_assert_eq(way_meeting(story->topo, topo_find_node(story->topo, a),
				 topo_find_node(story->topo, b), &meeting),
		     0);
	cr_assert_neq(meeting.network, TOPO_NONE, "%s and %s meet somewhere", a, b);
	return meeting;
}

Test(way, two_homes_meet_on_the_first_common_network)
{
	struct story story = story_begin(stacked);
	struct meeting meeting = meet(&story, "pc1", "other");

	cr_expect_str_eq(story.topo->networks[meeting.network].name, "home1");
	cr_expect_eq(meeting.a.count + meeting.b.count, 0);
	meeting_clear(&meeting);
	meeting = meet(&story, "pc1", "pc2");
	cr_expect_str_eq(story.topo->networks[meeting.network].name, "carrier");
	cr_expect_eq(meeting.a.count, 1);
	cr_expect_eq(meeting.b.count, 1);
	meeting_clear(&meeting);
	meeting = meet(&story, "pc1", "server");
	cr_expect_str_eq(story.topo->networks[meeting.network].name, "internet");
	cr_expect_eq(meeting.a.count, 2);
	cr_expect_eq(meeting.b.count, 0);
	meeting_clear(&meeting);
	story_end(&story);
}

Test(way, a_router_between_two_of_its_own_lans_translates_nothing)
{
	struct story story = story_begin(stacked);
	struct meeting meeting = meet(&story, "pc2", "guest");

	cr_expect_eq(meeting.a.count + meeting.b.count, 0,
		     "the outside of router2 is not on the way from home2 to guests");
	meeting_clear(&meeting);
	story_end(&story);
}
