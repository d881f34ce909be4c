/* SPDX-License-Identifier: MIT */
/* Every kind of expectation, held, broken and undecided. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "support/story.h"

/* One command on one host, with one expectation. */
static struct story command_story(const char *expect)
{
	AUTO_FREE char *yaml = NULL;

	cr_assert_gt(asprintf(&yaml,
			      "name: command\n"
			      "networks: {internet: {type: internet}}\n"
			      "nodes: {pc: {interfaces: {internet: 1.2.3.4}}}\n"
			      "steps:\n"
			      "  - run: {node: pc, command: [prog]}\n"
			      "    expect: {%s}\n",
			      expect),
		     0);
	return story_begin(yaml);
}

static void expect_outcome(struct story *story, enum outcome outcome, const char *observed)
{
	const struct verdict *verdict;

	story_judge(story);
	cr_assert_eq(story->judgement->count, 1);
	verdict = &story->judgement->verdicts[0];
	cr_expect_eq(verdict->outcome, outcome, "it is %s: %s", outcome_name(verdict->outcome),
		     verdict->observed);
	cr_expect_not_null(strstr(verdict->observed, observed), "\"%s\" speaks of \"%s\"",
			   verdict->observed, observed);
	cr_expect_eq(judgement_good(story->judgement),
		     outcome == HELD && !story->judgement->complaint_count);
	story_end(story);
}

struct exit_case {
	const char *expect;
	enum run_end end;
	int status;
	enum outcome outcome;
};

Test(judge, exit_and_fails_are_about_programs_that_ended_by_themselves)
{
	static const struct exit_case cases[] = {
		{"exit: 0", RUN_EXITED, 0, HELD},
		{"exit: 0", RUN_EXITED, 1, BROKEN},
		{"exit: 3", RUN_EXITED, 3, HELD},
		{"exit: 0", RUN_SIGNALLED, SIGSEGV, BROKEN},
		{"exit: 11", RUN_SIGNALLED, SIGSEGV, BROKEN},
		{"exit: 0", RUN_DEADLINE, 0, BROKEN},
		{"exit: 0", RUN_NOT_STARTED, 0, BROKEN},
		{"exit: 0", RUN_NOT_REACHED, 0, UNDECIDED},
		{"exit: 0", RUN_RUNNING, 0, UNDECIDED},
		{"exit: 0", RUN_STOPPED, 0, HELD},
		{"exit: 0", RUN_STOPPED, -SIGTERM, BROKEN},
		{"fails: true", RUN_EXITED, 1, HELD},
		{"fails: true", RUN_EXITED, 0, BROKEN},
		{"fails: true", RUN_SIGNALLED, SIGABRT, BROKEN},
		{"fails: true", RUN_DEADLINE, 1, BROKEN},
		{"fails: true", RUN_NOT_STARTED, 0, BROKEN},
		{"fails: true", RUN_NOT_REACHED, 0, UNDECIDED},
		{"fails: true", RUN_STOPPED, 1, BROKEN},
		{"fails: false", RUN_EXITED, 0, HELD},
		{"fails: false", RUN_EXITED, 1, BROKEN},
		{"fails: false", RUN_STOPPED, -SIGTERM, HELD},
		{"fails: false", RUN_STOPPED, -SIGKILL, BROKEN},
		{"fails: false", RUN_NOT_STARTED, 0, BROKEN},
	};
	const struct exit_case *c;

	for (c = cases; c < cases + sizeof(cases) / sizeof(cases[0]); c++) {
		struct story story = command_story(c->expect);

		story_run(&story, 0, 0)->end = c->end;
		story_run(&story, 0, 0)->status = c->status;
		story_judge(&story);
		cr_expect_eq(story.judgement->verdicts[0].outcome, c->outcome,
			     "%s, end %d, status %d is %s", c->expect, c->end, c->status,
			     outcome_name(story.judgement->verdicts[0].outcome));
		story_end(&story);
	}
}

Test(judge, a_crash_is_named_by_its_signal)
{
	struct story story = command_story("exit: 0");

	story_run(&story, 0, 0)->end = RUN_SIGNALLED;
	story_run(&story, 0, 0)->status = SIGSEGV;
	expect_outcome(&story, BROKEN, "was killed by SIGSEGV");
}

Test(judge, a_program_that_could_not_be_executed_says_why)
{
	struct story story = command_story("exit: 0");

	story_run(&story, 0, 0)->end = RUN_NOT_STARTED;
	story_run(&story, 0, 0)->problem = strdup("\"prog\": No such file or directory");
	expect_outcome(&story, BROKEN, "could not be started: \"prog\": No such file or directory");
}

Test(judge, a_match_anywhere_in_the_output_holds)
{
	struct story story = command_story("stdout: \"^3 packets\"");

	story_exited(story_run(&story, 0, 0), 0, "hello\n3 packets sent\n", "");
	expect_outcome(&story, HELD, "stdout matches at byte 7");
}

Test(judge, stderr_is_not_stdout)
{
	struct story story = command_story("stderr: hello");

	story_exited(story_run(&story, 0, 0), 0, "hello\n", "");
	expect_outcome(&story, BROKEN, "stderr is empty");
}

Test(judge, without_a_match_the_last_line_is_shown)
{
	struct story story = command_story("stdout: \"0% loss\"");

	story_exited(story_run(&story, 0, 0), 0, "ping\n100% \033loss\n\n", "");
	expect_outcome(&story, BROKEN, "the last line of stdout is \"100% \\x1bloss\"");
}

Test(judge, a_match_behind_a_nul_is_found)
{
	struct story story = command_story("stdout: end");
	struct run *run = story_run(&story, 0, 0);

	story_exited(run, 0, "xxxxend", "");
	run->out[2] = '\0';
	expect_outcome(&story, HELD, "byte 5");
}

Test(judge, no_match_in_output_that_was_cut_decides_nothing)
{
	struct story story = command_story("stdout: needle");
	struct run *run = story_run(&story, 0, 0);

	story_exited(run, 0, "hay hay hay", "");
	run->out_total = 1000000;
	expect_outcome(&story, UNDECIDED, "the other 999989 were not kept");
}

Test(judge, a_match_in_what_was_kept_of_cut_output_holds)
{
	struct story story = command_story("stdout: needle");
	struct run *run = story_run(&story, 0, 0);

	story_exited(run, 0, "a needle", "");
	run->out_total = 1000000;
	expect_outcome(&story, HELD, "matches");
}

/*
 * One agent with one expectation on @field and one result. The field is put in after
 * loading: the loader knows the agents' fields and would not take inventions.
 */
static struct story agent_story(const char *field, const char *value, const char *result)
{
	AUTO_FREE char *yaml = NULL;
	struct expectation *expectation;
	struct story story;

	cr_assert_gt(asprintf(&yaml,
			      "name: agent\n"
			      "networks: {internet: {type: internet}}\n"
			      "nodes: {pc: {interfaces: {internet: 1.2.3.4}}}\n"
			      "steps:\n"
			      "  - run: {node: pc, agent: detect, server: 9.9.9.9}\n"
			      "    expect: {reason: %s}\n",
			      value),
		     0);
	story = story_begin(yaml);
	expectation = story.topo->steps[0].programs[0].expectations;
	free(expectation->field);
	expectation->field = strdup(field);
	story_exited(story_run(&story, 0, 0), 0, "", "");
	if (result)
		story_result(story_run(&story, 0, 0), result);
	return story;
}

struct field_case {
	const char *field, *value, *result;
	enum outcome outcome;
	const char *observed;
};

Test(judge, fields_are_compared_by_type_and_value)
{
	static const struct field_case cases[] = {
		{"type", "symmetric", "{'event': 'result', 'type': 'symmetric'}", HELD,
		 "type is \"symmetric\""},
		{"type", "symmetric", "{'event': 'result', 'type': 'full-cone'}", BROKEN,
		 "type is \"full-cone\""},
		{"probes", "20", "{'event': 'result', 'probes': 20}", HELD, "probes is 20"},
		{"probes", "20", "{'event': 'result', 'probes': 20.0}", HELD, "probes is 20"},
		{"probes", "20", "{'event': 'result', 'probes': '20'}", BROKEN, "probes is \"20\""},
		{"probes", "\"20\"", "{'event': 'result', 'probes': 20}", BROKEN, "probes is 20"},
		{"rtt", "0.5", "{'event': 'result', 'rtt': 0.5}", HELD, "rtt is 0.5"},
		{"nat", "true", "{'event': 'result', 'nat': true}", HELD, "nat is true"},
		{"nat", "true", "{'event': 'result', 'nat': false}", BROKEN, "nat is false"},
		{"nat", "true", "{'event': 'result', 'nat': 'true'}", BROKEN, "nat is \"true\""},
		{"nat", "false", "{'event': 'result', 'nat': null}", BROKEN, "nat is null"},
		{"public.port", "7", "{'event': 'result', 'public': {'port': 7}}", HELD,
		 "public.port is 7"},
		{"public.port", "7", "{'event': 'result', 'public': 7}", BROKEN, "has no field"},
		{"public.port", "7", "{'event': 'result', 'public.port': 7}", HELD, "is 7"},
	};
	const struct field_case *c;

	for (c = cases; c < cases + sizeof(cases) / sizeof(cases[0]); c++) {
		struct story story = agent_story(c->field, c->value, c->result);

		expect_outcome(&story, c->outcome, c->observed);
	}
}

Test(judge, a_missing_field_asks_whether_the_near_one_was_meant)
{
	struct story story =
		agent_story("maping", "x", "{'event': 'result', 'mapping': 'x', 'nat': true}");

	story_judge(&story);
	cr_expect_eq(story.judgement->verdicts[0].outcome, BROKEN);
	cr_expect_str_eq(story.judgement->verdicts[0].hint, "did you mean \"mapping\"?");
	story_end(&story);
}

Test(judge, an_agent_without_a_result_shows_its_last_words)
{
	struct story story = agent_story("nat", "true", NULL);

	story_exited(story_run(&story, 0, 0), 2, "", "detect: no such host\n");
	expect_outcome(&story, BROKEN,
		       "gave no result: it exited with status 2; the last line of stderr is "
		       "\"detect: no such host\"");
}

Test(judge, what_a_wait_step_expects_is_about_its_target)
{
	struct story story = story_begin("name: wait\n"
					 "networks: {internet: {type: internet}}\n"
					 "nodes: {pc: {interfaces: {internet: 1.2.3.4}}}\n"
					 "steps:\n"
					 "  - start: {node: pc, command: [prog], as: it}\n"
					 "  - wait: it\n"
					 "    expect: {exit: 7}\n");
	const struct verdict *verdict;

	story_exited(story_run(&story, 0, 0), 7, "", "");
	story_judge(&story);
	verdict = story_verdict(&story, 1, TOPO_NONE, "exit");
	cr_expect_eq(verdict->outcome, HELD);
	/* The program may have ended well; if nobody waited for it, nobody knows. */
	story.timeline->steps[1].started = 0;
	story_judge(&story);
	verdict = story_verdict(&story, 1, TOPO_NONE, "exit");
	cr_expect_eq(verdict->outcome, UNDECIDED);
	story_end(&story);
}

Test(judge, what_nobody_expected_and_yet_went_wrong_spoils_the_run)
{
	struct story story = command_story("stdout: hello");
	struct run *run = story_run(&story, 0, 0);

	story_exited(run, 0, "hello\n", "");
	run->end = RUN_DEADLINE;
	run->problem = strdup("did not end within 2 s");
	story_judge(&story);
	cr_expect_eq(story.judgement->held, 1);
	cr_assert_eq(story.judgement->complaint_count, 1);
	cr_expect_str_eq(story.judgement->complaints[0].words, "did not end within 2 s: killed");
	cr_expect_not(judgement_good(story.judgement));
	story_end(&story);
}

Test(judge, a_server_that_left_on_its_own_spoils_the_run)
{
	struct story story =
		story_two_homes("port-restricted-cone", "port-restricted-cone", "direct");

	story_met(&story);
	story_judge(&story);
	cr_expect(judgement_good(story.judgement), "the server was stopped at the end");
	story_exited(story_run(&story, 0, 0), 0, "", "");
	story_judge(&story);
	cr_assert_eq(story.judgement->complaint_count, 1);
	cr_expect_str_eq(story.judgement->complaints[0].words, "exited with status 0");
	cr_expect_not(judgement_good(story.judgement));
	story_end(&story);
}

Test(judge, a_broken_expectation_needs_no_complaint_beside_it)
{
	struct story story = command_story("exit: 0");

	story_run(&story, 0, 0)->end = RUN_NOT_STARTED;
	story_run(&story, 0, 0)->problem = strdup("no such file");
	story_judge(&story);
	cr_expect_eq(story.judgement->broken, 1);
	cr_expect_eq(story.judgement->complaint_count, 0);
	story_end(&story);
}

Test(judge, an_interrupted_run_is_never_good)
{
	struct story story = command_story("exit: 0");

	story_exited(story_run(&story, 0, 0), 0, "", "");
	story_judge(&story);
	cr_expect(judgement_good(story.judgement));
	story.timeline->interrupted = true;
	story_judge(&story);
	cr_expect_eq(story.judgement->held, 1);
	cr_expect_not(judgement_good(story.judgement));
	story_end(&story);
}
