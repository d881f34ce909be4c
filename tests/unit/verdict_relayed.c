/* SPDX-License-Identifier: MIT */
/* Each part of the proof of a relayed path: what it takes to hold, and that a lie is seen. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "nft-rules/ruleset.h"
#include "support/story.h"

/* Two relayed by 8.8.8.8 at step 1, with @nat1 and @nat2 as their routers' NATs. */
static struct story begin(const char *nat1, const char *nat2, const char *how, const char *path)
{
	AUTO_FREE char *yaml = NULL;

	cr_assert_gt(asprintf(&yaml,
			      "name: relayed\n"
			      "networks:\n"
			      "  internet: {type: internet}\n"
			      "  home1: {subnet: 192.168.1.0/24}\n"
			      "  home2: {subnet: 192.168.2.0/24}\n"
			      "nodes:\n"
			      "  server: {interfaces: {internet: 9.9.9.9}}\n"
			      "  relay: {interfaces: {internet: 8.8.8.8}}\n"
			      "  router1: {interfaces: {internet: 1.2.3.4, home1: 192.168.1.254}, "
			      "nat: %s}\n"
			      "  router2: {interfaces: {internet: 5.6.7.8, home2: 192.168.2.254}, "
			      "nat: %s}\n"
			      "  pc1: {interfaces: {home1: 192.168.1.1}}\n"
			      "  pc2: {interfaces: {home2: 192.168.2.1}}\n"
			      "  pc3: {interfaces: {home1: 192.168.1.3}}\n"
			      "steps:\n"
			      "  - start: {node: server, agent: rendezvous}\n"
			      "  - run:\n"
			      "      - {node: pc1, agent: relay, session: demo%s}\n"
			      "      - {node: pc2, agent: relay, session: demo%s}\n"
			      "    expect: {path: %s}\n",
			      nat1, nat2, how, how, path),
		     0);
	return story_begin(yaml);
}

static void say(struct story *story, size_t index, const char *json)
{
	struct run *run = story_run(story, 1, index);

	story_exited(run, 0, "", "");
	story_result(run, json);
}

static struct story good_story(void)
{
	struct story story = begin("symmetric", "symmetric",
				   ", turn: 'relay:3478', user: u, password: p", "relayed");

	say(&story, 0,
	    "{'event': 'result', 'path': 'relayed', 'technique': 'turn', 'local': "
	    "'192.168.1.1:7777', 'relay': '8.8.8.8:3478', 'sent': 5, 'received': 6}");
	say(&story, 1,
	    "{'event': 'result', 'path': 'relayed', 'technique': 'turn', 'local': "
	    "'192.168.2.1:8888', 'relay': '8.8.8.8:3478', 'sent': 6, 'received': 5}");
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:1111", "9.9.9.9:1024", 2, 4);
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:2222", "8.8.8.8:3478", 20, 21);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:1111", "9.9.9.9:1024", 2, 3);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:2222", "8.8.8.8:3478", 21, 20);
	return story;
}

static void expect_line(const struct verdict *verdict, const char *part, enum outcome outcome,
			const char *words)
{
	size_t i;

	for (i = 0; i < verdict->proof.count; i++)
		if (strcmp(verdict->proof.lines[i].part, part) == 0 &&
		    verdict->proof.lines[i].outcome == outcome &&
		    strstr(verdict->proof.lines[i].text, words))
			return;
	for (i = 0; i < verdict->proof.count; i++)
		fprintf(stderr, "  %s: %s\n", verdict->proof.lines[i].part,
			verdict->proof.lines[i].text);
	cr_expect_fail("no line of part %s that is %s says \"%s\"", part, outcome_name(outcome),
		       words);
}

/* Judge, and demand that both ends' verdict is @outcome because of @part. */
static void expect_part(struct story *story, const char *part, enum outcome outcome,
			const char *words)
{
	const struct verdict *verdict;
	size_t i;

	story_judge(story);
	for (i = 0; i < 2; i++) {
		verdict = story_verdict(story, 1, i, "path");
		cr_expect_eq(verdict->outcome, outcome, "the verdict is %s",
			     outcome_name(verdict->outcome));
		expect_line(verdict, part, outcome, words);
	}
	story_end(story);
}

static void set(struct story *story, size_t index, const char *field, const char *value)
{
	json_object_set_new(story_run(story, 1, index)->result, field, json_string(value));
}

Test(relayed, a_path_on_which_everything_agrees_is_held)
{
	static const char *const parts[] = {"report", "relay", "flow", "direct"};
	struct story story = good_story();
	const struct verdict *verdict;
	size_t i;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		cr_expect_not_null(story_line(verdict, parts[i], HELD), "%s is shown", parts[i]);
	cr_expect(judgement_good(story.judgement));
	story_end(&story);
}

Test(relayed, two_ends_that_disagree_break_it)
{
	struct story story = good_story();

	set(&story, 1, "technique", "rendezvous-relay");
	expect_part(&story, "report", BROKEN, "by \"turn\"");
	story = good_story();
	json_object_set_new(story_run(&story, 1, 1)->result, "received", json_integer(4));
	expect_part(&story, "report", BROKEN, "counts do not match");
}

Test(relayed, one_end_that_says_direct_breaks_it)
{
	struct story story = good_story();
	const struct verdict *verdict;

	set(&story, 1, "path", "direct");
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, BROKEN);
	expect_line(verdict, "report", BROKEN, "pc2 reports \"direct\"");
	story_end(&story);
}

Test(relayed, somebody_else_than_the_declared_relay_breaks_it)
{
	struct story story = good_story();
	const struct verdict *verdict;

	set(&story, 0, "relay", "9.9.9.9:1024");
	set(&story, 1, "relay", "9.9.9.9:1024");
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, BROKEN);
	expect_line(verdict, "relay", BROKEN, "an address of server's, but its relay is relay");
	story_end(&story);
}

Test(relayed, one_of_the_two_is_no_relay_for_them)
{
	struct story story =
		begin("symmetric", "symmetric", ", turn: pc2, user: u, password: p", "relayed");
	const struct verdict *verdict;

	say(&story, 0,
	    "{'event': 'result', 'path': 'relayed', 'technique': 'turn', 'local': "
	    "'192.168.1.1:7777', 'relay': '192.168.2.1:3478', 'sent': 5, 'received': 6}");
	say(&story, 1,
	    "{'event': 'result', 'path': 'relayed', 'technique': 'turn', 'local': "
	    "'192.168.2.1:8888', 'relay': '192.168.2.1:3478', 'sent': 6, 'received': 5}");
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, BROKEN);
	expect_line(verdict, "relay", BROKEN, "one of the two");
	story_end(&story);
}

Test(relayed, a_relay_that_was_not_used_breaks_it)
{
	struct story story = good_story();

	/* A few words to allocate, and the payload elsewhere. */
	story_router(&story, "router2")->flows[1].packets = 4;
	expect_part(&story, "flow", BROKEN, "too few");
	story = good_story();
	story_router(&story, "router1")->flow_count = 1;
	expect_part(&story, "flow", BROKEN, "tracked no packets between");
}

Test(relayed, a_table_that_could_not_be_read_leaves_it_undecided)
{
	struct story story = good_story();

	story_router(&story, "router1")->problem = strdup("its table of flows could not be read");
	expect_part(&story, "flow", UNDECIDED, "could not be read");
}

Test(relayed, a_direct_talk_beside_a_busy_relay_is_found)
{
	struct story story = good_story();

	/* The relay was kept busy with as many packets, but these went straight. */
	story_flow(&story, "router1", "192.168.1.1:9999", "1.2.3.4:9999", "5.6.7.8:8889", 12, 13);
	expect_part(&story, "direct", BROKEN,
		    "router1 tracked 12 packets from pc1 to pc2 and 13 back without the relay");
}

Test(relayed, a_direct_talk_over_many_ports_is_added_up)
{
	struct story story = good_story();
	char inside[32], outside[32];
	unsigned int port;

	for (port = 1000; port < 1006; port++) {
		snprintf(inside, sizeof(inside), "192.168.1.1:%u", port);
		snprintf(outside, sizeof(outside), "1.2.3.4:%u", port);
		story_flow(&story, "router1", inside, outside, "5.6.7.8:8889", 1, 1);
	}
	expect_part(&story, "direct", BROKEN, "enough for the messages");
}

Test(relayed, of_a_busy_direct_talk_not_all_is_counted)
{
	struct story story = good_story();
	size_t i;

	for (i = 0; i < 2; i++) {
		json_object_set_new(story_run(&story, 1, i)->result, "sent", json_integer(100000));
		json_object_set_new(story_run(&story, 1, i)->result, "received",
				    json_integer(100000));
	}
	story_flow(&story, "router1", "192.168.1.1:9999", "1.2.3.4:9999", "5.6.7.8:8889",
		   RULESET_COUNTED, RULESET_COUNTED);
	expect_part(&story, "direct", BROKEN, "enough for the messages");
}

Test(relayed, what_was_tried_in_vain_or_by_others_is_no_direct_talk)
{
	struct story story = good_story();
	const struct verdict *verdict;

	/* Punches that nobody answered, some that came and one answer, and a neighbour of pc1's who
	 * talks to pc2's home. */
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:5555", "5.6.7.8:2222", 1, 9);
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:3333", "5.6.7.8:1111", 50, 0);
	story_flow(&story, "router1", "192.168.1.3:7777", "1.2.3.4:4444", "5.6.7.8:1111", 50, 50);
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	story_end(&story);
}

Test(relayed, where_no_nat_stands_between_them_nobody_can_tell)
{
	static const char yaml[] = "name: open\n"
				   "networks:\n"
				   "  internet: {type: internet}\n"
				   "nodes:\n"
				   "  server: {interfaces: {internet: 9.9.9.9}}\n"
				   "  pc1: {interfaces: {internet: 1.2.3.4}}\n"
				   "  pc2: {interfaces: {internet: 5.6.7.8}}\n"
				   "steps:\n"
				   "  - start: {node: server, agent: rendezvous}\n"
				   "  - run:\n"
				   "      - {node: pc1, agent: relay, session: demo}\n"
				   "      - {node: pc2, agent: relay, session: demo}\n"
				   "    expect: {path: relayed}\n";
	struct story story = story_begin(yaml);

	say(&story, 0,
	    "{'event': 'result', 'path': 'relayed', 'technique': 'rendezvous-relay', 'local': "
	    "'1.2.3.4:7777', 'relay': '9.9.9.9:1024', 'sent': 5, 'received': 5}");
	say(&story, 1,
	    "{'event': 'result', 'path': 'relayed', 'technique': 'rendezvous-relay', 'local': "
	    "'5.6.7.8:7777', 'relay': '9.9.9.9:1024', 'sent': 5, 'received': 5}");
	expect_part(&story, "direct", UNDECIDED, "no NAT stands between");
}

/* --- none -------------------------------------------------------------------- */

static struct story refused_story(const char *nat2)
{
	struct story story =
		begin("symmetric", nat2, ", turn: relay, user: u, password: wrong", "none");

	say(&story, 0,
	    "{'event': 'result', 'path': 'none', 'technique': 'turn', 'local': "
	    "'192.168.1.1:7777', 'relay': '8.8.8.8:3478', 'reason': 'wrong password'}");
	say(&story, 1,
	    "{'event': 'result', 'path': 'none', 'technique': 'turn', 'local': "
	    "'192.168.2.1:8888', 'relay': '8.8.8.8:3478', 'reason': 'wrong password'}");
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:2222", "8.8.8.8:3478", 2, 2);
	return story;
}

Test(none, both_asked_a_relay_and_were_refused)
{
	struct story story = refused_story("symmetric");

	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:2222", "8.8.8.8:3478", 2, 2);
	expect_part(&story, "asked", HELD, "it says: wrong password");
}

Test(none, where_udp_does_not_pass_no_relay_can_be_asked)
{
	struct story story = refused_story("udp-blocked");
	const struct verdict *verdict;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 1, "path");
	cr_expect_eq(verdict->outcome, HELD);
	expect_line(verdict, "asked", HELD, "UDP does not pass");
	story_end(&story);
}

Test(none, one_who_never_asked_proves_nothing)
{
	struct story story = refused_story("symmetric");

	expect_part(&story, "asked", UNDECIDED, "nothing shows that pc2 asked");
}
