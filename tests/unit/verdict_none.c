/* SPDX-License-Identifier: MIT */
/* "No path" is proven too: both tried, and the declared NATs explain the failure. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support/story.h"

#define PRC "port-restricted-cone"

/* pc1 behind a symmetric NAT used 40001 towards the rendezvous and 51877 towards pc2. */
static struct story failed_story(const char *nat1, const char *nat2, const char *path)
{
	struct story story = story_two_homes(nat1, nat2, path);
	struct run *pc1 = story_run(&story, 1, 0), *pc2 = story_run(&story, 1, 1);

	story_exited(pc1, 1, "", "");
	story_exited(pc2, 1, "", "");
	story_result(pc1, "{'event': 'result', 'path': 'none', 'local': '192.168.1.1:7777', "
			  "'public': '1.2.3.4:40001', 'peer_public': '5.6.7.8:8888', 'reason': "
			  "'nothing came'}");
	story_result(pc2, "{'event': 'result', 'path': 'none', 'local': '192.168.2.1:8888', "
			  "'public': '5.6.7.8:8888', 'peer_public': '1.2.3.4:40001', 'reason': "
			  "'nothing came'}");
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:40001", "9.9.9.9:1024", 3, 3);
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:51877", "5.6.7.8:8888", 9, 0);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "9.9.9.9:1024", 3, 3);
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "1.2.3.4:40001", 9, 0);
	return story;
}

static void expect_words(const struct verdict *verdict, const char *part, enum outcome least,
			 const char *words)
{
	size_t i;

	for (i = 0; i < verdict->proof.count; i++)
		if (strcmp(verdict->proof.lines[i].part, part) == 0 &&
		    verdict->proof.lines[i].outcome >= least &&
		    strstr(verdict->proof.lines[i].text, words))
			return;
	cr_assert_fail("no line of part %s says \"%s\"", part, words);
}

Test(none, symmetric_against_port_restricted_is_explained_by_declaration_and_numbers)
{
	struct story story = failed_story("symmetric", PRC, "none");
	const struct verdict *verdict;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	expect_words(verdict, "tried", HELD, "pc1 sent to 5.6.7.8:8888");
	expect_words(verdict, "theory", HELD,
		     "router2 admits only the port that pc2 was told "
		     "(address-and-port-dependent filtering), and router1 sends from another");
	expect_words(verdict, "mapping", HELD,
		     "router1 maps 192.168.1.1:7777 to 1.2.3.4:40001 towards the rendezvous, but "
		     "to 1.2.3.4:51877 towards 5.6.7.8:8888");
	story_end(&story);
}

/* They guessed: pc2 tried the ports from 51870 on, with a chance of a half. */
static struct story guessing_story(const char *guess, uint16_t tried)
{
	struct story story = failed_story("symmetric-sequential", PRC, "none");
	char remote[32];
	size_t i;

	for (i = 0; i < 2; i++) {
		json_t *result = story_run(&story, 1, i)->result;

		json_object_set_new(result, "guess", json_string(guess));
		json_object_set_new(result, "probability", json_real(0.5));
	}
	for (i = 0; i < tried; i++) {
		snprintf(remote, sizeof(remote), "1.2.3.4:%zu", 51870 + i);
		story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", remote, 3, 0);
	}
	return story;
}

Test(none, guesses_that_did_not_meet_are_counted)
{
	struct story story = guessing_story("prediction", 7); /* to 51876; 51877 was it */
	const struct verdict *verdict;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	expect_words(verdict, "guess", HELD,
		     "with a chance of 50 %, and no guess was right: of the 1 flows that router1 "
		     "tracked and the 8 of router2, no two meet");
	story_end(&story);
}

Test(none, a_guess_that_was_right_leaves_it_undecided)
{
	struct story story = guessing_story("birthday", 8);
	const struct verdict *verdict;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, UNDECIDED);
	expect_words(verdict, "guess", UNDECIDED, "between 1.2.3.4:51877 and 5.6.7.8:8888");
	story_end(&story);
}

Test(none, who_gave_up_guessing_is_told_with_the_chance)
{
	struct story story = guessing_story("hopeless", 0);
	const struct verdict *verdict;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	expect_words(verdict, "guess", HELD, "pc1 did not try: a chance of 50 %");
	expect_words(verdict, "guess", HELD, "pc2 did not try");
	story_end(&story);
}

Test(none, where_the_declarations_allow_a_path_nothing_is_proven)
{
	struct story story = failed_story(PRC, PRC, "none");
	const struct verdict *verdict;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, UNDECIDED);
	expect_words(verdict, "theory", UNDECIDED, "allows a direct path");
	expect_words(verdict, "theory", UNDECIDED, "nothing came");
	story_end(&story);
}

Test(none, a_peer_that_never_tried_proves_nothing)
{
	struct story story = failed_story("symmetric", "symmetric", "none");
	const struct verdict *verdict;

	story_router(&story, "router2")->flow_count = 1;
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, UNDECIDED);
	expect_words(verdict, "tried", UNDECIDED, "router2 tracked no packet");
	story_end(&story);
}

Test(none, a_peer_that_was_never_told_proves_nothing)
{
	struct story story = failed_story("symmetric", "symmetric", "none");
	const struct verdict *verdict;

	json_object_del(story_run(&story, 1, 1)->result, "peer_public");
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, UNDECIDED);
	expect_words(verdict, "tried", UNDECIDED, "pc2 was never told");
	story_end(&story);
}

Test(none, blocked_udp_explains_that_nobody_was_told)
{
	struct story story = failed_story("udp-blocked", PRC, "none");
	const struct verdict *verdict;
	size_t i;

	for (i = 0; i < 2; i++)
		json_object_del(story_run(&story, 1, i)->result, "peer_public");
	story_judge(&story);
	verdict = story_verdict(&story, 1, 1, "path");
	cr_expect_eq(verdict->outcome, HELD);
	expect_words(verdict, "theory", HELD, "router1 lets no UDP pass");
	story_end(&story);
}

Test(none, a_peer_that_did_find_one_breaks_it)
{
	struct story story = failed_story("symmetric", PRC, "none");
	const struct verdict *verdict;

	json_object_set_new(story_run(&story, 1, 1)->result, "path", json_string("direct"));
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, BROKEN);
	expect_words(verdict, "report", BROKEN, "pc2 reports \"direct\"");
	story_end(&story);
}

Test(none, a_direct_path_expected_in_vain_is_broken_and_explained)
{
	struct story story = failed_story("symmetric", PRC, "direct");
	const struct verdict *verdict;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, BROKEN);
	cr_expect_str_eq(verdict->expected, "path is \"direct\"");
	cr_expect_str_eq(verdict->observed, "path is \"none\"");
	expect_words(verdict, "theory", HELD, "router1 sends from another");
	story_end(&story);
}

Test(none, an_answer_from_another_port_is_told_from_a_packet_that_never_got_in)
{
	struct story story = failed_story("{mapping: address-and-port-dependent, filtering: "
					  "endpoint-independent, ports: random}",
					  PRC, "none");
	const struct verdict *verdict;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	expect_words(verdict, "theory", HELD, "pc1's answers leave from another port");
	story_end(&story);
}

/* Two homes behind a carrier's @nat that did not meet; the caller ends the story. */
static struct story one_carrier(const char *nat)
{
	AUTO_FREE char *text = NULL;
	struct story story;

	cr_assert(
		asprintf(&text,
			 "name: one-carrier\n"
			 "networks:\n"
			 "  internet: {type: internet}\n"
			 "  carrier: {subnet: 100.64.0.0/10}\n"
			 "  home1: {subnet: 192.168.1.0/24}\n"
			 "  home2: {subnet: 192.168.2.0/24}\n"
			 "nodes:\n"
			 "  server: {interfaces: {internet: 9.9.9.9}}\n"
			 "  cgn: {interfaces: {internet: 1.2.3.4, carrier: 100.64.0.1}, nat: %s}\n"
			 "  router1: {interfaces: {carrier: 100.64.0.11, home1: 192.168.1.254}, "
			 "nat: "
			 "full-cone}\n"
			 "  router2: {interfaces: {carrier: 100.64.0.12, home2: 192.168.2.254}, "
			 "nat: "
			 "full-cone}\n"
			 "  pc1: {interfaces: {home1: 192.168.1.1}}\n"
			 "  pc2: {interfaces: {home2: 192.168.2.1}}\n"
			 "steps:\n"
			 "  - start: {node: server, agent: rendezvous}\n"
			 "  - run:\n"
			 "      - {node: pc1, agent: punch, session: demo}\n"
			 "      - {node: pc2, agent: punch, session: demo}\n"
			 "    expect: {path: none}\n",
			 nat) > 0);
	story = story_begin(text);
	story_exited(story_run(&story, 1, 0), 1, "", "");
	story_exited(story_run(&story, 1, 1), 1, "", "");
	story_result(story_run(&story, 1, 0),
		     "{'event': 'result', 'path': 'none', 'local': '192.168.1.1:7777', 'public': "
		     "'1.2.3.4:7777', 'peer_public': '1.2.3.4:8888'}");
	story_result(story_run(&story, 1, 1),
		     "{'event': 'result', 'path': 'none', 'local': '192.168.2.1:8888', 'public': "
		     "'1.2.3.4:8888', 'peer_public': '1.2.3.4:7777'}");
	story_flow(&story, "router1", "192.168.1.1:7777", "100.64.0.11:7777", "1.2.3.4:8888", 9, 0);
	story_flow(&story, "router2", "192.168.2.1:8888", "100.64.0.12:8888", "1.2.3.4:7777", 9, 0);
	story_judge(&story);
	return story;
}

Test(none, two_homes_behind_one_carrier_lack_hairpinning)
{
	struct story story = one_carrier("full-cone");
	const struct verdict *verdict = story_verdict(&story, 1, 0, "path");

	cr_expect_eq(verdict->outcome, HELD);
	expect_words(verdict, "theory", HELD, "no hairpinning");
	story_end(&story);
}

Test(none, behind_a_carrier_that_hairpins_nothing_is_proven)
{
	struct story story = one_carrier("{base: full-cone, hairpinning: external-source}");
	const struct verdict *verdict = story_verdict(&story, 1, 0, "path");

	cr_expect_eq(verdict->outcome, UNDECIDED);
	expect_words(verdict, "theory", UNDECIDED, "turns packets round");
	story_end(&story);
}

Test(none, behind_the_users_own_rules_nothing_is_proven)
{
	struct story story = failed_story("{rules: " TEST_SOURCE_DIR "/README.md}", PRC, "none");
	const struct verdict *verdict;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, UNDECIDED);
	expect_words(verdict, "theory", UNDECIDED, "not declared");
	story_end(&story);
}

/* Two guests of one network, whose agents found nothing. */
static struct story guests_story(const char *hairpinning, const char *isolated)
{
	struct story story;
	struct run *pc1, *pc2;
	char text[1024];

	snprintf(text, sizeof(text),
		 "name: test\n"
		 "networks: {internet: {type: internet}, guests: {subnet: 192.168.1.0/24%s}}\n"
		 "nodes:\n"
		 "  server: {interfaces: {internet: 9.9.9.9}}\n"
		 "  router: {interfaces: {internet: 1.2.3.4, guests: 192.168.1.254}, nat: {base: "
		 "full-cone, hairpinning: %s}}\n"
		 "  pc1: {interfaces: {guests: 192.168.1.1}}\n"
		 "  pc2: {interfaces: {guests: 192.168.1.2}}\n"
		 "steps:\n"
		 "  - start: {node: server, agent: rendezvous}\n"
		 "  - run:\n"
		 "      - {node: pc1, agent: punch, session: demo, expect: {path: none}}\n"
		 "      - {node: pc2, agent: punch, session: demo, expect: {path: none}}\n",
		 isolated, hairpinning);
	story = story_begin(text);
	pc1 = story_run(&story, 1, 0);
	pc2 = story_run(&story, 1, 1);
	story_exited(pc1, 1, "", "");
	story_exited(pc2, 1, "", "");
	story_result(pc1, "{'event': 'result', 'path': 'none', 'local': '192.168.1.1:7777', "
			  "'public': '1.2.3.4:7777', 'peer_public': '1.2.3.4:8888', 'reason': "
			  "'nothing came'}");
	story_result(pc2, "{'event': 'result', 'path': 'none', 'local': '192.168.1.2:8888', "
			  "'public': '1.2.3.4:8888', 'peer_public': '1.2.3.4:7777', 'reason': "
			  "'nothing came'}");
	story_judge(&story);
	return story;
}

Test(none, an_isolated_network_without_hairpinning_explains_it)
{
	struct story story = guests_story("off", ", isolated: true");
	const struct verdict *verdict = story_verdict(&story, 1, 0, "path");

	cr_expect_eq(verdict->outcome, HELD);
	expect_words(verdict, "theory", HELD,
		     "pc1 and pc2 meet in network guests, which keeps its hosts apart (isolated), "
		     "and no NAT turns their packets round");
	story_end(&story);
}

Test(none, isolation_explains_nothing_where_the_nat_hairpins_or_there_is_none)
{
	static const char *const cases[][2] = {{"external-source", ", isolated: true"},
					       {"off", ""}};
	struct story story;
	size_t i;

	for (i = 0; i < 2; i++) {
		story = guests_story(cases[i][0], cases[i][1]);
		cr_expect_eq(story_verdict(&story, 1, 0, "path")->outcome, UNDECIDED, "case %zu",
			     i);
		story_end(&story);
	}
}
