/* SPDX-License-Identifier: MIT */
/* No path by ICMP is proven by the routers' declarations and the pings the kernel saw. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/story.h"

/* pc1 behind @nat1 listens, pc2 behind @nat2 calls with @more options; both say "none". */
static struct story failed_story(const char *nat1, const char *nat2, const char *more)
{
	AUTO_FREE char *yaml = NULL;
	struct story story;

	cr_assert_gt(
		asprintf(&yaml,
			 "name: icmp\n"
			 "networks:\n"
			 "  internet: {type: internet}\n"
			 "  home1: {subnet: 192.168.1.0/24}\n"
			 "  home2: {subnet: 192.168.2.0/24}\n"
			 "nodes:\n"
			 "  router1: {interfaces: {internet: 1.2.3.4, home1: 192.168.1.254}, nat: "
			 "%s}\n"
			 "  router2: {interfaces: {internet: 5.6.7.8, home2: 192.168.2.254}, nat: "
			 "%s}\n"
			 "  pc1: {interfaces: {home1: 192.168.1.1}}\n"
			 "  pc2: {interfaces: {home2: 192.168.2.1}}\n"
			 "steps:\n"
			 "  - run:\n"
			 "      - {node: pc1, agent: icmp-punch, session: s}\n"
			 "      - {node: pc2, agent: icmp-punch, session: s, peer: router1%s}\n"
			 "    expect: {path: none}\n",
			 nat1, nat2, more),
		0);
	story = story_begin(yaml);
	story_exited(story_run(&story, 0, 0), 1, "", "");
	story_exited(story_run(&story, 0, 1), 1, "", "");
	story_result(story_run(&story, 0, 0),
		     "{'event': 'result', 'path': 'none', 'local': '192.168.1.1:2222'}");
	story_result(story_run(&story, 0, 1),
		     "{'event': 'result', 'path': 'none', 'local': '192.168.2.1:2222'}");
	story_flow(&story, "router1", "192.168.1.1:0", "1.2.3.4:0", "3.3.3.3:0", 5, 0);
	story_router(&story, "router1")->flows[0].protocol = IPPROTO_ICMP;
	return story;
}

static void expect(struct story *story, enum outcome outcome, const char *part, const char *words)
{
	const struct verdict *verdict;
	size_t i;

	story_judge(story);
	verdict = story_verdict(story, 0, 0, "path");
	cr_expect_eq(verdict->outcome, outcome, "it is %s", outcome_name(verdict->outcome));
	for (i = 0; i < verdict->proof.count; i++)
		if (strcmp(verdict->proof.lines[i].part, part) == 0 &&
		    strstr(verdict->proof.lines[i].text, words))
			break;
	cr_expect_lt(i, verdict->proof.count, "no line of part %s says \"%s\"", part, words);
	story_end(story);
}

#define PRC "port-restricted-cone"
#define SOFT "{base: port-restricted-cone, icmp: {unmatched: translated}}"

Test(icmp, each_condition_that_is_not_met_explains_it)
{
	struct story story = failed_story(PRC, PRC, "");

	expect(&story, HELD, "theory", "router2 drops pc2's ICMP error");
	story = failed_story(PRC, "{base: port-restricted-cone, icmp: {unmatched: leaked}}", "");
	expect(&story, HELD, "theory", "with its private source");
	story = failed_story(PRC, "linux-masquerade", "");
	expect(&story, HELD, "theory", "with its private source");
	story = failed_story("symmetric", SOFT, "");
	expect(&story, HELD, "theory", "router1 changes the identifier");
	story = failed_story("{base: port-restricted-cone, icmp: {errors: blocked}}", SOFT, "");
	expect(&story, HELD, "theory", "router1 lets no ICMP error in");
	story = failed_story(PRC, "{base: symmetric, icmp: {unmatched: translated}}", "");
	expect(&story, HELD, "theory", "router2 does not keep pc2's UDP port");
	story = failed_story(PRC, SOFT, ", target: 4.4.4.4");
	expect(&story, HELD, "theory", "quotes a ping to 4.4.4.4");
}

Test(icmp, where_every_condition_is_met_nothing_is_proven)
{
	struct story story = failed_story(PRC, SOFT, "");

	expect(&story, UNDECIDED, "theory", "allows a path");
}

Test(icmp, a_listener_whose_pings_nobody_saw_proves_nothing)
{
	struct story story = failed_story(PRC, PRC, "");

	story_router(&story, "router1")->flow_count = 0;
	expect(&story, UNDECIDED, "tried", "router1 tracked no ping");
}

Test(icmp, one_that_contradicts_is_told)
{
	struct story story = failed_story(PRC, PRC, "");

	story_result(story_run(&story, 0, 1), "{'event': 'result', 'path': 'direct'}");
	expect(&story, BROKEN, "report", "pc2 reports \"direct\"");
}
