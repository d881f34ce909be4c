/* SPDX-License-Identifier: MIT */
/* TCP: the same proof from other flows, and what only TCP's failures need. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "support/story.h"
#include "verdict/theory_tcp.h"

#define PRC "port-restricted-cone"
#define FORGETTING "{base: " PRC ", unsolicited: reject, tcp: {rst: kills}}"
#define RESETTING "{base: " PRC ", unsolicited: reject}"
#define SILENT "{base: " PRC ", tcp: {rst: kills}}"
#define STRICT "{base: " PRC ", tcp: {simultaneous-open: refused}}"

/* ---- theory ---- */

enum { SIMPLE, KEEPS, FORGETS, QUIET, CROSSLESS, RESETS_CROSSLESS, OPEN_CROSSLESS, KINDS };

static struct theory_tcp kind(size_t number)
{
	struct theory_tcp tcp = {
		.side = {.filtering = ADDRESS_AND_PORT_DEPENDENT, .guarded = true},
		.resets = TOPO_NONE,
		.forgets = TOPO_NONE,
		.strict = TOPO_NONE,
	};

	if (number == KEEPS || number == FORGETS || number == RESETS_CROSSLESS)
		tcp.resets = 0;
	if (number == FORGETS || number == QUIET)
		tcp.forgets = 0;
	if (number == CROSSLESS || number == RESETS_CROSSLESS || number == OPEN_CROSSLESS)
		tcp.strict = 0;
	if (number == OPEN_CROSSLESS)
		tcp.side.filtering = ENDPOINT_INDEPENDENT;
	return tcp;
}

Test(theory_tcp, what_observed_nats_let_through)
{
	/* Each cell was seen in a lab, with either side first. */
	static const bool direct[KINDS][KINDS] = {
		[SIMPLE] = {true, true, true, true, true, true, true},
		[KEEPS] = {true, true, true, true, true, true, true},
		[FORGETS] = {true, true, false, true, true, true, true},
		[QUIET] = {true, true, true, true, true, true, true},
		[CROSSLESS] = {true, true, true, true, false, true, false},
		[RESETS_CROSSLESS] = {true, true, true, true, true, true, true},
		[OPEN_CROSSLESS] = {true, true, true, true, false, true, false},
	};
	size_t i, k;

	for (i = 0; i < KINDS; i++) {
		for (k = 0; k < KINDS; k++) {
			struct theory_tcp a = kind(i), b = kind(k);

			cr_expect_eq(theory_tcp_direct(&a, &b), direct[i][k], "%zu and %zu", i, k);
		}
	}
}

Test(theory_tcp, a_port_that_nobody_knew_crosses_nothing)
{
	struct theory_tcp strict = kind(CROSSLESS), symmetric = kind(SIMPLE);

	strict.side.filtering = ADDRESS_DEPENDENT;
	symmetric.side.mapping = ADDRESS_AND_PORT_DEPENDENT;
	cr_expect_eq(theory_syn(&strict, &symmetric), SYN_ENTERS);
	symmetric.side.mapping = ENDPOINT_INDEPENDENT;
	cr_expect_eq(theory_syn(&strict, &symmetric), SYN_CROSSING);
}

/* ---- proofs ---- */

static void make_tcp(struct story *story)
{
	const char *const routers[] = {"router1", "router2"};
	size_t i, k;

	for (i = 0; i < 2; i++) {
		struct router_view *view = story_router(story, routers[i]);
		struct run *run = story_run(story, 1, i);

		for (k = 0; k < view->flow_count; k++)
			view->flows[k].protocol = IPPROTO_TCP;
		if (run->result)
			json_object_set_new(run->result, "transport", json_string("tcp"));
	}
}

Test(tcp, a_direct_path_is_proven_from_tcp_flows)
{
	struct story story = story_two_homes(PRC, PRC, "direct");

	story_met(&story);
	make_tcp(&story);
	story_judge(&story);
	cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, HELD);
	cr_expect_eq(story_verdict(&story, 1, 1, "path")->outcome, HELD);
	story_end(&story);
}

Test(tcp, udp_flows_prove_no_tcp_connection)
{
	struct story story = story_two_homes(PRC, PRC, "direct");
	size_t k;

	story_met(&story);
	make_tcp(&story);
	for (k = 0; k < story_router(&story, "router2")->flow_count; k++)
		story_router(&story, "router2")->flows[k].protocol = IPPROTO_UDP;
	story_judge(&story);
	cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, BROKEN);
	cr_expect_not_null(story_line(story_verdict(&story, 1, 0, "path"), "flow", BROKEN));
	story_end(&story);
}

/* Neither got a connection; a reset has ended each flow between them that was tracked. */
static struct story refused_story(const char *nat1, const char *nat2, unsigned int refused)
{
	struct story story = story_two_homes(nat1, nat2, "none");
	size_t i;

	for (i = 0; i < 2; i++) {
		struct run *run = story_run(&story, 1, i);

		story_exited(run, 1, "", "");
		story_result(run, i == 0 ? "{'event': 'result', 'path': 'none', 'local': "
					   "'192.168.1.1:7777', 'public': '1.2.3.4:7777', "
					   "'peer_public': '5.6.7.8:8888'}"
					 : "{'event': 'result', 'path': 'none', 'local': "
					   "'192.168.2.1:8888', 'public': '5.6.7.8:8888', "
					   "'peer_public': '1.2.3.4:7777'}");
		json_object_set_new(run->result, "refused", json_integer(refused));
	}
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "9.9.9.9:1024", 9, 7);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "9.9.9.9:1024", 9, 7);
	return story;
}

static void expect_says(const struct verdict *verdict, const char *part, const char *words)
{
	size_t i;

	for (i = 0; i < verdict->proof.count; i++) {
		if (strcmp(verdict->proof.lines[i].part, part) == 0 &&
		    strstr(verdict->proof.lines[i].text, words))
			return;
	}
	cr_assert_fail("no line of part %s says \"%s\"", part, words);
}

Test(tcp, nats_that_reset_and_forget_explain_a_failure)
{
	struct story story = refused_story(FORGETTING, FORGETTING, 4);
	const struct verdict *verdict;

	make_tcp(&story);
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	expect_says(verdict, "tried", "pc1 sent to 5.6.7.8:8888, as told, and counted 4 resets");
	expect_says(verdict, "theory",
		    "pc2's SYN does not get in at pc1: pc1's own has opened the way, but router2 "
		    "answers it with a reset, at which router1 forgets it");
	story_end(&story);
}

Test(tcp, without_a_reset_seen_nothing_shows_that_they_tried)
{
	struct story story = refused_story(FORGETTING, FORGETTING, 0);

	make_tcp(&story);
	story_judge(&story);
	cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, UNDECIDED);
	cr_expect_not_null(story_line(story_verdict(&story, 1, 0, "path"), "tried", UNDECIDED));
	story_end(&story);
}

Test(tcp, one_nat_that_keeps_or_is_silent_leaves_a_failure_unexplained)
{
	static const char *const pairs[][2] = {
		{RESETTING, RESETTING}, {FORGETTING, SILENT}, {STRICT, PRC}};
	size_t i;

	for (i = 0; i < 3; i++) {
		struct story story = refused_story(pairs[i][0], pairs[i][1], 4);

		make_tcp(&story);
		story_judge(&story);
		cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, UNDECIDED, "pair %zu",
			     i);
		expect_says(story_verdict(&story, 1, 0, "path"), "theory", "allows a direct path");
		story_end(&story);
	}
}

Test(tcp, nats_that_drop_crossing_syns_explain_a_failure)
{
	struct story story = refused_story(STRICT, STRICT, 0);
	const struct verdict *verdict;

	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "5.6.7.8:8888", 2, 0);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "1.2.3.4:7777", 2, 0);
	make_tcp(&story);
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	expect_says(verdict, "theory", "it crosses pc1's own, and router1 drops it for that");
	/* The ports are the right ones: they explain nothing. */
	cr_expect_null(story_line(verdict, "mapping", HELD));
	story_end(&story);
}

/* UDP's axis is not TCP's. */
Test(tcp, blocked_udp_explains_no_failure_of_tcp)
{
	struct story story = refused_story("udp-blocked", PRC, 0);

	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "5.6.7.8:8888", 2, 0);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "1.2.3.4:7777", 2, 0);
	make_tcp(&story);
	story_judge(&story);
	cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, UNDECIDED);
	story_end(&story);
}
