/* SPDX-License-Identifier: MIT */
/* Each part of the proof of a direct path: what it takes to hold, and that lacking it is seen. */
#include <criterion/criterion.h>
#include <string.h>

#include "nft-rules/ruleset.h"
#include "support/story.h"

#define PRC "port-restricted-cone"

static struct story good_story(void)
{
	struct story story = story_two_homes(PRC, PRC, "direct");

	story_met(&story);
	return story;
}

/* Judge, and demand that both ends' verdict is @outcome because of @part. */
static void expect_part(struct story *story, const char *part, enum outcome outcome,
			const char *words)
{
	const struct verdict *verdict;
	const struct proof_line *line;
	size_t i;

	story_judge(story);
	for (i = 0; i < 2; i++) {
		verdict = story_verdict(story, 1, i, "path");
		cr_expect_eq(verdict->outcome, outcome, "the verdict is %s",
			     outcome_name(verdict->outcome));
		line = story_line(verdict, part, outcome);
		cr_assert_not_null(line, "part %s says why", part);
		cr_expect_not_null(strstr(line->text, words), "\"%s\" speaks of \"%s\"", line->text,
				   words);
	}
	story_end(story);
}

Test(proof, a_direct_path_on_which_everything_agrees_is_held)
{
	static const char *const parts[] = {"report", "source", "flow", "relay", "blind"};
	struct story story = good_story();
	const struct verdict *verdict;
	size_t i;

	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		cr_expect_not_null(story_line(verdict, parts[i], HELD), "%s is shown", parts[i]);
	cr_expect_null(story_line(verdict, "flow", UNDECIDED));
	cr_expect(judgement_good(story.judgement));
	story_end(&story);
}

/* pc1 and pc2 exchanged 40 messages, @last of them since the path was found again. */
static struct story found_again(int last)
{
	struct story story = good_story();
	size_t i;

	for (i = 0; i < 2; i++) {
		json_t *result = story_run(&story, 1, i)->result;

		json_object_set_new(result, "sent", json_integer(40));
		json_object_set_new(result, "received", json_integer(40));
		json_object_set_new(result, "repunched", json_integer(1));
		json_object_set_new(result, "last_sent", json_integer(last));
		json_object_set_new(result, "last_received", json_integer(last));
	}
	return story;
}

Test(proof, of_a_path_found_again_what_went_over_it_since_is_proven)
{
	struct story story = found_again(6);

	expect_part(&story, "again", HELD, "6 and 6 of these messages");
	story = found_again(20); /* the tables have 12 packets */
	expect_part(&story, "flow", BROKEN, "too few for 20 and 20 messages");
	story = found_again(0);
	expect_part(&story, "again", UNDECIDED, "only they can be proven");
}

Test(proof, one_end_that_gave_no_result_breaks_it)
{
	struct story story = good_story();
	const struct verdict *verdict;

	story_run(&story, 1, 1)->result = NULL;
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, BROKEN);
	cr_expect_not_null(story_line(verdict, "report", BROKEN));
	story_end(&story);
}

Test(proof, two_ends_that_disagree_break_it)
{
	struct story story = good_story();
	const struct verdict *verdict;

	json_object_set_new(story_run(&story, 1, 1)->result, "path", json_string("none"));
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, BROKEN);
	cr_expect_not_null(story_line(verdict, "report", BROKEN));
	verdict = story_verdict(&story, 1, 1, "path");
	cr_expect_eq(verdict->outcome, BROKEN);
	story_end(&story);
}

Test(proof, payload_that_got_lost_breaks_it)
{
	struct story story = good_story();

	json_object_set_new(story_run(&story, 1, 1)->result, "received", json_integer(4));
	expect_part(&story, "report", BROKEN, "counts do not match");
}

Test(proof, no_payload_at_all_breaks_it)
{
	struct story story = good_story();
	size_t i;

	for (i = 0; i < 2; i++) {
		json_object_set_new(story_run(&story, 1, i)->result, "received", json_integer(0));
		json_object_set_new(story_run(&story, 1, i)->result, "sent", json_integer(0));
	}
	expect_part(&story, "report", BROKEN, "counts do not match");
}

Test(proof, a_result_without_endpoints_breaks_it)
{
	struct story story = good_story();

	json_object_del(story_run(&story, 1, 0)->result, "peer");
	expect_part(&story, "report", BROKEN, "does not name");
}

Test(proof, a_source_that_is_not_the_peers_external_endpoint_breaks_it)
{
	struct story story = good_story();

	/* pc2 met somebody at port 9999 of router1, and router2 agrees; router1 knows better. */
	json_object_set_new(story_run(&story, 1, 1)->result, "peer", json_string("1.2.3.4:9999"));
	story_flow(&story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "1.2.3.4:9999", 13, 12);
	expect_part(&story, "source", BROKEN, "pc2 met 1.2.3.4:9999");
}

Test(proof, a_relay_in_disguise_is_found_by_the_missing_flow)
{
	struct story story = good_story();

	/* Both claim to have met the other, but the packets went to the server. */
	story_router(&story, "router1")->flows[1].destination.addr.bytes[0] = 9;
	story_router(&story, "router1")->flows[1].reply_source.addr.bytes[0] = 9;
	expect_part(&story, "flow", BROKEN, "router1 tracked no packets between");
}

Test(proof, a_flow_with_fewer_packets_than_messages_breaks_it)
{
	struct story story = good_story();

	story_router(&story, "router2")->flows[1].packets = 4;
	expect_part(&story, "flow", BROKEN, "too few");
}

Test(proof, a_flow_with_packets_in_one_direction_only_breaks_it)
{
	struct story story = good_story();

	story_router(&story, "router2")->flows[1].reply_packets = 0;
	expect_part(&story, "flow", BROKEN, "0 back");
}

/* pc1 and pc2 exchanged many more messages than a table counts for sure (RULESET_COUNTED). */
static struct story busy_story(uint64_t counted)
{
	struct story story = good_story();
	static const char *const fields[] = {"sent", "received"};
	size_t i, field;

	for (i = 0; i < 2; i++)
		for (field = 0; field < 2; field++)
			json_object_set_new(story_run(&story, 1, i)->result, fields[field],
					    json_integer(100000));
	for (i = 0; i < 2; i++) {
		struct router_view *view = story_router(&story, i ? "router2" : "router1");

		view->flows[1].packets = counted;
		view->flows[1].reply_packets = counted;
	}
	return story;
}

Test(proof, a_busy_flow_is_counted_up_to_a_bound)
{
	struct story story = busy_story(RULESET_COUNTED);

	expect_part(&story, "flow", HELD, "no more is counted for sure");
}

Test(proof, a_busy_flow_with_fewer_packets_than_the_bound_breaks_it)
{
	struct story story = busy_story(RULESET_COUNTED - 1);

	expect_part(&story, "flow", BROKEN, "too few");
}

Test(proof, a_busy_flow_with_a_third_party_leaves_it_undecided)
{
	struct story story = busy_story(RULESET_COUNTED);

	/* What they exchanged with it may be more than was counted. */
	story_router(&story, "router1")->flows[0].packets = RULESET_COUNTED;
	story_router(&story, "router2")->flows[0].reply_packets = RULESET_COUNTED;
	expect_part(&story, "relay", UNDECIDED, "could have carried");
}

Test(proof, a_kernel_that_does_not_count_leaves_it_undecided)
{
	struct story story = good_story();

	story_router(&story, "router2")->flows[1].packets = 0;
	story_router(&story, "router2")->flows[1].reply_packets = 0;
	expect_part(&story, "flow", UNDECIDED, "nf_conntrack_acct");
}

Test(proof, a_table_that_could_not_be_read_leaves_it_undecided)
{
	struct story story = good_story();

	story_router(&story, "router1")->problem = strdup("its table of flows could not be read");
	expect_part(&story, "flow", UNDECIDED, "could not be read");
}

Test(proof, as_many_packets_with_a_third_party_as_messages_leave_it_undecided)
{
	struct story story = good_story();

	story_router(&story, "router1")->flows[0].packets = 5;
	story_router(&story, "router2")->flows[0].reply_packets = 5;
	expect_part(&story, "relay", UNDECIDED, "could have carried");
}

Test(proof, a_chatty_rendezvous_at_one_end_alone_carries_nothing)
{
	struct story story = good_story();
	const struct verdict *verdict;

	story_router(&story, "router1")->flows[0].packets = 50;
	story_router(&story, "router1")->flows[0].reply_packets = 50;
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD, "pc2 exchanged too little with it");
	story_end(&story);
}

Test(proof, a_stranger_who_got_in_where_the_filter_says_no_breaks_it)
{
	struct story story = good_story();

	json_object_set_new(story_run(&story, 1, 0)->result, "blind", json_string("received"));
	expect_part(&story, "blind", BROKEN, "got in at pc1, wrong");
}

Test(proof, a_late_stranger_is_one_too_where_ports_are_filtered)
{
	struct story story = good_story();

	json_object_set_new(story_run(&story, 1, 0)->result, "blind", json_string("late"));
	expect_part(&story, "blind", BROKEN, "got in late");
}

Test(proof, a_stranger_who_did_not_get_in_where_anyone_may_breaks_it)
{
	struct story story = story_two_homes("full-cone", PRC, "direct");

	story_met(&story);
	expect_part(&story, "blind", BROKEN, "did not get in at pc1, wrong");
}

Test(proof, a_full_cone_that_lets_the_stranger_in_holds)
{
	struct story story = story_two_homes("full-cone", PRC, "direct");
	const struct verdict *verdict;

	story_met(&story);
	json_object_set_new(story_run(&story, 1, 0)->result, "blind", json_string("received"));
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	story_end(&story);
}

Test(proof, a_flow_the_peer_opened_counts_as_well)
{
	struct story story = story_two_homes("full-cone", PRC, "direct");
	const struct verdict *verdict;
	struct flow *flow;

	story_met(&story);
	json_object_set_new(story_run(&story, 1, 0)->result, "blind", json_string("received"));
	/* router1 saw pc2's packet first: the original direction is the peer's. */
	flow = &story_router(&story, "router1")->flows[1];
	*flow = (struct flow){.protocol = IPPROTO_UDP,
			      .source = flow->destination,
			      .destination = flow->reply_destination,
			      .reply_source = flow->source,
			      .reply_destination = flow->destination,
			      .packets = 12,
			      .reply_packets = 13,
			      .state = ""};
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	story_end(&story);
}

Test(proof, of_two_flows_between_the_same_ends_the_busier_counts)
{
	struct story story = good_story();
	struct router_view *view = story_router(&story, "router1");
	const struct verdict *verdict;

	/* An older one with a single packet stands first in the table. */
	story_flow(&story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "5.6.7.8:8888", 12, 13);
	view->flows[1].packets = 1;
	view->flows[1].reply_packets = 0;
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	story_end(&story);
}

Test(proof, three_in_one_session_leave_it_undecided)
{
	struct story story = story_begin(
		"name: three\n"
		"networks: {internet: {type: internet}}\n"
		"nodes:\n"
		"  server: {interfaces: {internet: 9.9.9.9}}\n"
		"  pc1: {interfaces: {internet: 1.2.3.4}}\n"
		"steps:\n"
		"  - start: {node: server, agent: rendezvous}\n"
		"  - run:\n"
		"      - {node: pc1, agent: punch, session: demo, expect: {path: direct}}\n"
		"      - {node: pc1, agent: punch, session: demo, as: second}\n"
		"      - {node: pc1, agent: punch, session: demo, as: third}\n");
	const struct verdict *verdict;

	story_exited(story_run(&story, 1, 0), 0, "", "");
	story_result(story_run(&story, 1, 0), "{'event': 'result', 'path': 'direct'}");
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, UNDECIDED);
	story_end(&story);
}

Test(proof, hosts_on_the_open_internet_need_no_table)
{
	struct story story = story_begin("name: open\n"
					 "networks: {internet: {type: internet}}\n"
					 "nodes:\n"
					 "  server: {interfaces: {internet: 9.9.9.9}}\n"
					 "  pc1: {interfaces: {internet: 1.2.3.4}}\n"
					 "  pc2: {interfaces: {internet: 5.6.7.8}}\n"
					 "steps:\n"
					 "  - start: {node: server, agent: rendezvous}\n"
					 "  - run:\n"
					 "      - {node: pc1, agent: punch, session: demo}\n"
					 "      - {node: pc2, agent: punch, session: demo}\n"
					 "    expect: {path: direct}\n");
	const struct verdict *verdict;
	size_t i;

	for (i = 0; i < 2; i++)
		story_exited(story_run(&story, 1, i), 0, "", "");
	story_result(story_run(&story, 1, 0),
		     "{'event': 'result', 'path': 'direct', 'local': '1.2.3.4:7000', 'public': "
		     "'1.2.3.4:7000', 'peer': '5.6.7.8:8000', 'blind': 'received', 'sent': 5, "
		     "'received': 5}");
	story_result(story_run(&story, 1, 1),
		     "{'event': 'result', 'path': 'direct', 'local': '5.6.7.8:8000', 'public': "
		     "'5.6.7.8:8000', 'peer': '1.2.3.4:7000', 'blind': 'received', 'sent': 5, "
		     "'received': 5}");
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	cr_expect_not_null(story_line(verdict, "relay", HELD));
	/* Whom pc2 met must then be pc1's very own endpoint. */
	json_object_set_new(story_run(&story, 1, 1)->result, "peer", json_string("9.9.9.9:1024"));
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, BROKEN);
	cr_expect_not_null(story_line(verdict, "source", BROKEN));
	story_end(&story);
}

Test(proof, the_table_of_the_time_when_both_had_ended_is_the_one_that_counts)
{
	struct story story = good_story();
	struct router_view *end = story.timeline->routers;
	const struct verdict *verdict;

	/* At the end of the run the mappings are long gone; the snapshot has them. */
	story.timeline->snapshots = calloc(1, sizeof(*story.timeline->snapshots));
	cr_assert_not_null(story.timeline->snapshots);
	story.timeline->snapshots[0] = (struct snapshot){
		.step = 1,
		.when = story_run(&story, 1, 1)->ended + 1,
		.routers = end,
		.router_count = story.timeline->router_count,
	};
	story.timeline->snapshot_count = 1;
	story.timeline->routers = calloc(2, sizeof(*end));
	cr_assert_not_null(story.timeline->routers);
	story.timeline->routers[0].node = end[0].node;
	story.timeline->routers[1].node = end[1].node;
	story_judge(&story);
	verdict = story_verdict(&story, 1, 0, "path");
	cr_expect_eq(verdict->outcome, HELD);
	story_end(&story);
}
