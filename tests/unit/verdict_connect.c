/* SPDX-License-Identifier: MIT */
/* What is claimed by one that tries every way: each way has its own proof, and "none" needs all. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "kern/conntrack.h"
#include "support/story.h"
#include "verdict/words.h"

/* Two homes behind @nat; the rendezvous, pc1 and pc2 have these options. */
static struct story make_uneven(const char *nat, const char *path, const char *rendezvous,
				const char *options1, const char *options2)
{
	AUTO_FREE char *yaml = NULL;

	cr_assert_gt(asprintf(&yaml,
			      "name: story\n"
			      "networks:\n"
			      "  internet: {type: internet}\n"
			      "  home1: {subnet: 192.168.1.0/24}\n"
			      "  home2: {subnet: 192.168.2.0/24}\n"
			      "nodes:\n"
			      "  server: {interfaces: {internet: 9.9.9.9}}\n"
			      "  relay1: {interfaces: {internet: 8.8.8.8}}\n"
			      "  relay2: {interfaces: {internet: 8.8.4.4}}\n"
			      "  router1: {interfaces: {internet: 1.2.3.4, home1: 192.168.1.254}, "
			      "nat: %s}\n"
			      "  router2: {interfaces: {internet: 5.6.7.8, home2: 192.168.2.254}, "
			      "nat: symmetric}\n"
			      "  pc1: {interfaces: {home1: 192.168.1.1}}\n"
			      "  pc2: {interfaces: {home2: 192.168.2.1}}\n"
			      "steps:\n"
			      "  - start: {node: server, agent: rendezvous%s}\n"
			      "  - run:\n"
			      "      - {node: pc1, agent: connect, session: demo%s}\n"
			      "      - {node: pc2, agent: connect, session: demo%s}\n"
			      "    expect: {path: %s}\n",
			      nat, rendezvous, options1, options2, path),
		     0);
	return story_begin(yaml);
}

static struct story make_story(const char *nat, const char *path, const char *rendezvous,
			       const char *options)
{
	return make_uneven(nat, path, rendezvous, options, options);
}

/* Both say "none", and each sent to the other over UDP, from another port than it had announced. */
static struct story make_none(const char *nat, const char *rendezvous, const char *options)
{
	struct story story = make_story(nat, "none", rendezvous, options);
	struct run *pc1 = story_run(&story, 1, 0), *pc2 = story_run(&story, 1, 1);

	story_exited(pc1, 1, "", "");
	story_exited(pc2, 1, "", "");
	story_result(pc1, "{'event': 'result', 'path': 'none', 'local': '192.168.1.1:7777', "
			  "'public': '1.2.3.4:40001', 'peer_public': '5.6.7.8:40002', "
			  "'reason': 'nothing came'}");
	story_result(pc2, "{'event': 'result', 'path': 'none', 'local': '192.168.2.1:8888', "
			  "'public': '5.6.7.8:40002', 'peer_public': '1.2.3.4:40001', "
			  "'reason': 'nothing came'}");
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:51877", "5.6.7.8:40002", 9, 0);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:51878", "1.2.3.4:40001", 9, 0);
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
	cr_expect_fail("no line of part %s says \"%s\"", part, words);
}

static void expect_none(struct story *story, enum outcome outcome, const char *part,
			const char *words)
{
	const struct verdict *verdict;

	story_judge(story);
	verdict = story_verdict(story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, outcome, "%s: %s", words,
		     verdict->observed ? verdict->observed : "");
	expect_line(verdict, part, outcome, words);
	story_end(story);
}

Test(connect_none, holds_where_neither_udp_nor_tcp_gets_through_and_nobody_relays)
{
	struct story story = make_none("symmetric", ", relay-rate: 0", "");

	expect_none(&story, HELD, "relay", "the rendezvous relays nothing");
	story = make_none("symmetric", ", relay-rate: 0", "");
	expect_none(&story, HELD, "theory", "SYNs fare no better");
	story = make_none("symmetric", "", ", no-relay: true, no-tcp: true");
	expect_none(&story, HELD, "tcp", "pc1 was not to try TCP");
	story = make_none("symmetric", "", ", no-relay: true, no-tcp: true");
	expect_none(&story, HELD, "relay", "pc1 was not to be relayed");
}

Test(connect_none, is_undecided_where_a_relay_could_have_been_used)
{
	struct story story = make_none("symmetric", "", "");

	expect_none(&story, UNDECIDED, "relay", "nothing proves that there is none");
	story = make_none("symmetric", ", relay-rate: 0",
			  ", turn: server, user: ann, password: secret");
	expect_none(&story, UNDECIDED, "relay", "nothing proves that there is none");
	story = make_none("symmetric", ", relay-rate: 1", "");
	expect_none(&story, UNDECIDED, "relay", "nothing proves that there is none");
}

/* No UDP, which explains that nobody was told anything; but TCP passes there. */
static struct story make_blocked(const char *options)
{
	struct story story = make_none("udp-blocked", ", relay-rate: 0", options);
	size_t i;

	for (i = 0; i < 2; i++) {
		json_t *result = story_run(&story, 1, i)->result;

		json_object_del(result, "public");
		json_object_del(result, "peer_public");
	}
	story_router(&story, "router1")->flow_count = 0;
	story_router(&story, "router2")->flow_count = 0;
	return story;
}

Test(connect_none, where_no_udp_passes_tcp_has_to_be_explained_by_itself)
{
	struct story story = make_blocked(", no-tcp: true");

	expect_none(&story, HELD, "theory", "router1 lets no UDP pass");
	story = make_blocked(", no-tcp: true");
	expect_none(&story, HELD, "relay", "does not pass before pc1");
	story = make_blocked("");
	expect_none(&story, HELD, "theory", "pc2's packets do not get in at pc1");
}

Test(connect_none, a_path_that_one_of_them_has_breaks_it)
{
	struct story story = make_none("symmetric", ", relay-rate: 0", "");

	json_object_set_new(story_run(&story, 1, 1)->result, "path", json_string("relayed"));
	expect_none(&story, BROKEN, "report", "pc2 reports \"relayed\"");
}

/* ---- a path ---- */

static void say_path(struct story *story, const char *path, const char *how, const char *relay)
{
	char text[2][512];
	size_t i;

	snprintf(text[0], sizeof(text[0]),
		 "{'event': 'result', 'path': '%s', %s, 'local': '192.168.1.1:7777', "
		 "'public': '1.2.3.4:7777', 'peer_public': '5.6.7.8:8888', "
		 "'peer': '5.6.7.8:8888', %s 'sent': 20, 'received': 20}",
		 path, how, relay);
	snprintf(text[1], sizeof(text[1]),
		 "{'event': 'result', 'path': '%s', %s, 'local': '192.168.2.1:8888', "
		 "'public': '5.6.7.8:8888', 'peer_public': '1.2.3.4:7777', "
		 "'peer': '1.2.3.4:7777', %s 'sent': 20, 'received': 20}",
		 path, how, relay);
	for (i = 0; i < 2; i++) {
		story_exited(story_run(story, 1, i), 0, "", "");
		story_result(story_run(story, 1, i), text[i]);
	}
}

static const char *const relayed = "'relay': '9.9.9.9:1024',";

Test(connect_path, a_relayed_one_is_proven_by_packets_to_the_relay)
{
	struct story story = make_story("symmetric", "relayed", "", "");

	say_path(&story, "relayed", "'technique': 'rendezvous-relay', 'transport': 'udp'", relayed);
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "9.9.9.9:1024", 45, 45);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "9.9.9.9:1024", 45, 45);
	story_judge(&story);
	cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, HELD);
	story_end(&story);
}

/* Each was given a TURN server of its own, and both were relayed by @relay. */
static enum outcome by_turn(const char *relay)
{
	struct story story = make_uneven("symmetric", "relayed", "",
					 ", turn: relay1, user: ann, password: secret",
					 ", turn: relay2, user: ann, password: wrong");
	enum outcome outcome;
	char field[64];

	snprintf(field, sizeof(field), "'relay': '%s',", relay);
	say_path(&story, "relayed", "'technique': 'turn', 'transport': 'udp'", field);
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", relay, 45, 45);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", relay, 45, 45);
	story_judge(&story);
	outcome = story_verdict(&story, 1, 0, "path")->outcome;
	story_end(&story);
	return outcome;
}

Test(connect_path, who_is_refused_by_its_own_turn_server_is_relayed_by_the_peers)
{
	cr_expect_eq(by_turn("8.8.8.8:3478"), HELD);
	cr_expect_eq(by_turn("8.8.4.4:3478"), HELD);
	cr_expect_eq(by_turn("9.9.9.9:3478"), BROKEN, "a server that nobody was given");
}

Test(connect_path, one_that_is_said_to_be_relayed_and_was_direct_is_broken)
{
	struct story story = make_story("symmetric", "relayed", "", "");

	say_path(&story, "relayed", "'technique': 'rendezvous-relay', 'transport': 'udp'", relayed);
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "9.9.9.9:1024", 45, 45);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "9.9.9.9:1024", 45, 45);
	story_flow(&story, "router1", "192.168.1.1:7776", "1.2.3.4:7776", "5.6.7.8:8887", 45, 45);
	story_judge(&story);
	cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, BROKEN);
	expect_line(story_verdict(&story, 1, 0, "path"), "direct", BROKEN,
		    "enough for the messages");
	story_end(&story);
}

/* They had talked directly before, and the router has not forgotten; @more packets since. */
static struct story make_again(uint64_t more)
{
	struct story story = make_story("symmetric", "relayed", "", "");
	struct timeline *timeline = story.timeline;
	struct router_view *router, *old;

	say_path(&story, "relayed", "'technique': 'rendezvous-relay', 'transport': 'udp'", relayed);
	story_flow(&story, "router1", "192.168.1.1:7776", "1.2.3.4:7776", "5.6.7.8:8887", 45, 45);
	router = story_router(&story, "router1");
	timeline->snapshots = calloc(1, sizeof(*timeline->snapshots));
	old = calloc(1, sizeof(*old));
	cr_assert(timeline->snapshots && old);
	*old = (struct router_view){.node = router->node, .flow_count = 1};
	old->flows = calloc(1, sizeof(*old->flows));
	cr_assert_not_null(old->flows);
	old->flows[0] = router->flows[0];
	timeline->snapshots[0] = (struct snapshot){.routers = old, .router_count = 1};
	timeline->snapshot_count = 1;
	story_run(&story, 1, 0)->started = story_run(&story, 1, 1)->started = 1000;
	story_run(&story, 1, 0)->ended = story_run(&story, 1, 1)->ended = 2000;
	router->flow_count = 0;
	story_flow(&story, "router1", "192.168.1.1:7776", "1.2.3.4:7776", "5.6.7.8:8887", 45 + more,
		   45 + more);
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "9.9.9.9:1024", 45, 45);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "9.9.9.9:1024", 45, 45);
	return story;
}

Test(connect_path, what_they_said_directly_before_does_not_count)
{
	struct story story = make_again(19);

	story_judge(&story);
	cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, HELD);
	story_end(&story);
	story = make_again(20);
	story_judge(&story);
	cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, BROKEN);
	story_end(&story);
}

/* Flows between the two, of @protocol. */
static struct story make_direct(const char *how, uint8_t protocol)
{
	struct story story = make_story("port-restricted-cone", "direct", "", "");

	say_path(&story, "direct", how, "'blind': 'none',");
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "5.6.7.8:8888", 45, 45);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "1.2.3.4:7777", 45, 45);
	story_router(&story, "router1")->flows[0].protocol = protocol;
	story_router(&story, "router2")->flows[0].protocol = protocol;
	return story;
}

Test(connect_path, a_direct_one_is_proven_from_flows_of_its_own_transport)
{
	static const struct {
		const char *how;
		uint8_t protocol;
		enum outcome outcome;
	} cases[] = {
		{"'technique': 'punch', 'transport': 'udp'", IPPROTO_UDP, HELD},
		{"'technique': 'tcp-crossed', 'transport': 'tcp'", IPPROTO_TCP, HELD},
		{"'technique': 'tcp-crossed', 'transport': 'tcp'", IPPROTO_UDP, BROKEN},
		{"'technique': 'punch', 'transport': 'udp'", IPPROTO_TCP, BROKEN},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct story story = make_direct(cases[i].how, cases[i].protocol);

		story_judge(&story);
		cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, cases[i].outcome,
			     "case %zu", i);
		story_end(&story);
	}
}

/* ---- the report's sentence ---- */

static void expect_sentence(struct story *story, const char *sentence)
{
	AUTO_FREE char *words = NULL;

	cr_assert_eq(words_result(story->topo, story_run(story, 1, 0), &words), 0);
	cr_expect_str_eq(words, sentence);
	story_end(story);
}

Test(connect_words, tell_the_way_and_what_became_of_the_others)
{
	struct story story = make_story("symmetric", "relayed", "", "");

	say_path(&story, "relayed",
		 "'technique': 'rendezvous-relay', 'transport': 'udp', 'connect_ms': 404.5, "
		 "'packets': 35, 'tried': 'udp dropped; relay won'",
		 relayed);
	expect_sentence(&story,
			"path relayed by rendezvous-relay over udp: 192.168.1.1:7777, seen as "
			"1.2.3.4:7777, relayed by 9.9.9.9:1024; messages: 20 sent, 20 received; "
			"connected after 404 ms and 35 packets; udp dropped; relay won");
	story = make_none("symmetric", "", "");
	expect_sentence(&story, "path none: nothing came");
}
