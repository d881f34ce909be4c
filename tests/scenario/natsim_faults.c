/* SPDX-License-Identifier: MIT */
/* Programs and users that misbehave: a clear word, nothing lost, nothing left. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/must_run.h"
#include "support/natsim.h"

/* Run one file with these steps on two hosts, as JSON. */
struct trial {
	struct scratch scratch;
	char *file;
	struct natsim natsim;
	json_t *json;
};

static struct trial trial_prepare_in(struct scratch scratch, const char *steps)
{
	struct trial trial = {.scratch = scratch};
	AUTO_FREE char *yaml = NULL;

	cr_assert_gt(asprintf(&yaml,
			      "name: trial\n"
			      "networks: {internet: {type: internet}}\n"
			      "nodes:\n"
			      "  pc: {interfaces: {internet: 1.2.3.4}}\n"
			      "  server: {interfaces: {internet: [9.9.9.9, 9.9.9.10]}}\n"
			      "steps:\n%s",
			      steps),
		     0);
	trial.file = scratch_write(&trial.scratch, "trial.yaml", yaml);
	return trial;
}

static struct trial trial_prepare(const char *steps)
{
	return trial_prepare_in(scratch_new(), steps);
}

static struct trial trial_run(const char *steps)
{
	struct trial trial = trial_prepare(steps);

	natsim_run(&trial.natsim, "run", "--format", "json", trial.file, NULL);
	trial.json = natsim_json(&trial.natsim);
	return trial;
}

static void trial_clear(struct trial *trial)
{
	json_decref(trial->json);
	natsim_clear(&trial->natsim);
	free(trial->file);
	scratch_free(&trial->scratch);
}
#define AUTO_TRIAL CLEANUP(trial_clear)

static const char *text_at(const struct trial *trial, const char *path)
{
	const char *text = json_string_value(json_at(trial->json, path));

	cr_assert_not_null(text, "there is a text at %s:\n%s", path, trial->natsim.out);
	return text;
}

#define expect_text(trial, path, words)                                                      \
	cr_expect_not_null(strstr(text_at(trial, path), words), "%s tells \"%s\": %s", path, \
			   words, text_at(trial, path))

Test(faults, a_command_that_does_not_exist_is_named)
{
	AUTO_TRIAL struct trial trial =
		trial_run("  - run: {node: pc, command: [no-such-program], expect: {exit: 0}}\n"
			  "  - run: {node: pc, command: [\"true\"], expect: {exit: 0}}\n");

	cr_expect_eq(trial.natsim.status, 1);
	expect_text(&trial, "runs.0.steps.0.programs.0.verdicts.0.outcome", "broken");
	expect_text(&trial, "runs.0.steps.0.programs.0.verdicts.0.observed", "no-such-program");
	expect_text(&trial, "runs.0.steps.1.programs.0.verdicts.0.outcome", "held");
}

Test(faults, a_missing_program_does_not_satisfy_fails)
{
	AUTO_TRIAL struct trial trial =
		trial_run("  - run: {node: pc, command: [no-such-program], expect: fails}\n");

	cr_expect_eq(trial.natsim.status, 1);
	expect_text(&trial, "runs.0.steps.0.programs.0.verdicts.0.outcome", "broken");
}

Test(faults, a_missing_agent_is_named_with_the_remedy)
{
	struct trial trial = trial_prepare("  - start: {node: server, agent: stun-server}\n"
					   "  - run: {node: pc, agent: detect}\n");
	AUTO_FREE char *bin = NULL, *alone = NULL;
	struct natsim copy = {.binary = "/bin/cp"};

	SKIP_UNLESS(access("/usr/local/libexec/natsim/stun-server", X_OK) != 0,
		    "natsim is installed on this machine, so its agents are found");
	cr_assert_gt(asprintf(&bin, "%s/bin", trial.scratch.path), 0);
	cr_assert_gt(asprintf(&alone, "%s/natsim", bin), 0);
	cr_assert_eq(mkdir(bin, 0755), 0);
	natsim_run(&copy, TEST_BINARY_DIR "/natsim", alone, NULL);
	cr_assert_eq(copy.status, 0);
	natsim_clear(&copy);
	trial.natsim.binary = alone;
	natsim_run(&trial.natsim, "run", "--format", "json", trial.file, NULL);
	trial.json = natsim_json(&trial.natsim);
	cr_expect_eq(trial.natsim.status, 1);
	expect_text(&trial, "runs.0.complaints.0.text", "the agent \"stun-server\" is neither");
	expect_text(&trial, "runs.0.steps.1.programs.0.end", "not-reached");
	trial_clear(&trial);
}

Test(faults, a_command_that_never_ends_is_ended_at_its_deadline)
{
	AUTO_TRIAL struct trial trial =
		trial_run("  - run: {node: pc, command: [sleep, \"71930\"], deadline: 0.2}\n"
			  "  - run: {node: pc, command: [\"true\"], expect: {exit: 0}}\n");

	cr_expect_eq(trial.natsim.status, 1);
	expect_text(&trial, "runs.0.complaints.0.text", "did not end within 0.2 s");
	expect_text(&trial, "runs.0.steps.1.programs.0.verdicts.0.outcome", "held");
	await_no_process_with("71930");
}

Test(faults, a_flood_is_counted_and_cut_and_ends_at_its_deadline)
{
	AUTO_TRIAL struct trial trial =
		trial_run("  - run: {node: pc, command: [\"yes\"], deadline: 0.3, expect: {stdout: "
			  "no}}\n");
	const char *output = "runs.0.steps.0.programs.0.stdout";
	const json_t *json = json_at(trial.json, output);

	cr_expect_eq(trial.natsim.status, 1);
	cr_expect(json_is_true(json_at(json, "cut")));
	cr_expect_eq(json_string_length(json_at(json, "text")), 1 << 20);
	cr_expect_gt(json_integer_value(json_at(json, "bytes")), 1 << 20);
	expect_text(&trial, "runs.0.steps.0.programs.0.verdicts.0.outcome", "undecided");
}

Test(faults, who_ignores_sigterm_is_killed_and_the_report_says_so)
{
	AUTO_TRIAL struct trial trial = trial_run(
		"  - start:\n"
		"      node: server\n"
		"      as: stubborn\n"
		"      command: 'trap \"\" TERM; echo deaf; while :; do sleep 71931; done'\n"
		"      ready: deaf\n"
		"  - stop: stubborn\n"
		"  - run: {node: pc, command: [\"true\"], expect: {exit: 0}}\n");

	cr_expect_eq(trial.natsim.status, 0);
	expect_text(&trial, "runs.0.steps.0.programs.0.outcome",
		    "was stopped by SIGKILL after ignoring SIGTERM");
	await_no_process_with("71931");
}

Test(faults, a_server_that_dies_before_it_is_ready_ends_the_run)
{
	AUTO_TRIAL struct trial trial =
		trial_run("  - start: {node: server, command: 'echo no room >&2; exit 9', ready: "
			  "up, as: it}\n"
			  "  - run: {node: pc, command: [\"true\"], expect: {exit: 0}}\n");

	cr_expect_eq(trial.natsim.status, 1);
	expect_text(&trial, "runs.0.complaints.0.text", "ended with status 9 before it was ready");
	expect_text(&trial, "runs.0.steps.0.programs.0.stderr.text", "no room");
	expect_text(&trial, "runs.0.steps.1.programs.0.verdicts.0.outcome", "undecided");
}

Test(faults, what_a_program_prints_does_not_steer_the_terminal)
{
	struct trial trial = trial_prepare(
		"  - run: {node: pc, command: ['printf', '\\033[2J\\377'], expect: {exit: 1}}\n");

	natsim_run(&trial.natsim, "run", trial.file, NULL);
	cr_expect_eq(trial.natsim.status, 1);
	cr_expect_null(memchr(trial.natsim.out, '\033', trial.natsim.out_length));
	cr_expect_not_null(strstr(trial.natsim.out, "\\x1b[2J\\xff"), "%s", trial.natsim.out);
	trial_clear(&trial);
}

Test(faults, two_runs_at_once_do_not_see_each_other)
{
	struct trial trial = trial_prepare("  - start: {node: server, agent: stun-server}\n"
					   "  - run: {node: pc, agent: detect}\n"
					   "    expect: {type: open-internet}\n");
	const char *words[] = {"run", "--format", "json", trial.file, NULL};
	struct natsim other = {0};

	natsim_start(&trial.natsim, words);
	natsim_start(&other, words);
	natsim_finish(&trial.natsim);
	natsim_finish(&other);
	cr_expect_eq(trial.natsim.status, 0, "%s", trial.natsim.out);
	cr_expect_eq(other.status, 0, "%s", other.out);
	natsim_clear(&other);
	trial_clear(&trial);
}

/* Steps of which the second tells by a named pipe that it runs, and goes on for ever. */
static struct trial trial_endless(char **ret_fifo, const char *word)
{
	struct scratch scratch = scratch_new();
	AUTO_FREE char *steps = NULL;

	*ret_fifo = scratch_fifo(&scratch, "fifo");
	cr_assert_gt(asprintf(&steps,
			      "  - run: {node: pc, command: [echo, before], expect: {stdout: "
			      "before}}\n"
			      "  - run: {node: pc, command: 'echo seen; echo on > %s; sleep %s'}\n"
			      "  - run: {node: pc, command: [\"true\"], expect: {exit: 0}}\n",
			      *ret_fifo, word),
		     0);
	return trial_prepare_in(scratch, steps);
}

Test(faults, ctrl_c_keeps_the_evidence_so_far_and_leaves_nothing)
{
	AUTO_FREE char *fifo = NULL;
	struct trial trial = trial_endless(&fifo, "71932");
	const char *words[] = {"run", "--format", "json", trial.file, NULL};

	natsim_start(&trial.natsim, words);
	fifo_wait(fifo);
	kill(trial.natsim.pid, SIGINT);
	natsim_finish(&trial.natsim);
	trial.json = natsim_json(&trial.natsim);
	cr_expect_eq(trial.natsim.status, 1);
	cr_expect(json_is_true(json_at(trial.json, "runs.0.interrupted")));
	cr_expect(json_is_false(json_at(trial.json, "ok")));
	expect_text(&trial, "runs.0.steps.0.programs.0.verdicts.0.outcome", "held");
	expect_text(&trial, "runs.0.steps.1.programs.0.end", "interrupted");
	expect_text(&trial, "runs.0.steps.1.programs.0.stdout.text", "seen");
	expect_text(&trial, "runs.0.steps.2.programs.0.end", "not-reached");
	expect_text(&trial, "runs.0.steps.2.programs.0.verdicts.0.outcome", "undecided");
	await_no_process_with("71932");
	trial_clear(&trial);
}

Test(faults, after_ctrl_c_the_files_left_are_not_run)
{
	AUTO_FREE char *fifo = NULL;
	struct trial trial = trial_endless(&fifo, "71933");
	const char *words[] = {"run", trial.file, trial.file, NULL};

	natsim_start(&trial.natsim, words);
	fifo_wait(fifo);
	kill(trial.natsim.pid, SIGINT);
	natsim_finish(&trial.natsim);
	cr_expect_eq(trial.natsim.status, 1);
	cr_expect_not_null(strstr(trial.natsim.out, "interrupted: 1 held"), "%s", trial.natsim.out);
	cr_expect_not_null(strstr(trial.natsim.out, "not run"), "%s", trial.natsim.out);
	await_no_process_with("71933");
	trial_clear(&trial);
}

Test(faults, sigkill_leaves_no_program_behind_and_the_next_run_works)
{
	AUTO_FREE char *fifo = NULL;
	struct trial trial = trial_endless(&fifo, "71934");
	const char *words[] = {"run", trial.file, NULL};
	struct trial next;

	natsim_start(&trial.natsim, words);
	fifo_wait(fifo);
	kill(trial.natsim.pid, SIGKILL);
	natsim_finish(&trial.natsim);
	cr_expect_eq(trial.natsim.status, 128 + SIGKILL);
	await_no_process_with("71934");
	trial_clear(&trial);
	next = trial_run("  - run: {node: pc, command: [\"true\"], expect: {exit: 0}}\n");
	cr_expect_eq(next.natsim.status, 0);
	trial_clear(&next);
}

/* How many steps the plan of @file has. */
static size_t plan_steps(const char *file)
{
	struct natsim natsim = {0};
	json_t *json;
	size_t count;

	natsim_run(&natsim, "plan", "--format", "json", file, NULL);
	json = natsim_json(&natsim);
	count = json_array_size(json_at(json, "steps"));
	json_decref(json);
	natsim_clear(&natsim);
	return count;
}

Test(faults, whichever_step_of_the_plan_fails_it_is_named, .timeout = 60)
{
	static const char file[] = TEST_SOURCE_DIR "/topologies/double-nat.yaml";
	size_t count = plan_steps(file), k;
	char number[32], words[64];
	struct natsim natsim = {0};

	cr_assert_gt(count, 20);
	for (k = 1; k <= count; k++) {
		snprintf(number, sizeof(number), "%zu", k);
		snprintf(words, sizeof(words), "step %zu ", k);
		natsim_run(&natsim, "run", "--inject-failure", number, file, NULL);
		cr_expect_eq(natsim.status, 3, "step %zu: it ends with %d", k, natsim.status);
		cr_expect_not_null(strstr(natsim.err, words), "\"%s\" is told: %s", words,
				   natsim.err);
		cr_expect_not_null(strstr(natsim.out, "not run"), "%s", natsim.out);
		natsim_clear(&natsim);
	}
}
