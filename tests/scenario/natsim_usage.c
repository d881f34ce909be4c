/* SPDX-License-Identifier: MIT */
/* "natsim run" on the wrong command line, the wrong file, and the wrong place for its report. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/natsim.h"

static const char hello[] = "name: hello\n"
			    "networks: {internet: {type: internet}}\n"
			    "nodes: {pc: {interfaces: {internet: 1.2.3.4}}}\n"
			    "steps:\n"
			    "  - run: {node: pc, command: [echo, hello]}\n"
			    "    expect: {exit: 0, stdout: hello}\n";

/* These words must end with status 2, silence on stdout, and @words on stderr. */
#define expect_usage(words, ...)                                                                 \
	do {                                                                                     \
		struct natsim natsim_ = {0};                                                     \
		natsim_run(&natsim_, __VA_ARGS__, NULL);                                         \
		cr_expect_eq(natsim_.status, 2, "it ends with %d", natsim_.status);              \
		cr_expect_str_eq(natsim_.out, "");                                               \
		cr_expect_not_null(strstr(natsim_.err, words), "\"%s\" is told in: %s", (words), \
				   natsim_.err);                                                 \
		natsim_clear(&natsim_);                                                          \
	} while (0)

Test(usage, a_wrong_command_line_is_told_and_nothing_is_run)
{
	expect_usage("which topology?", "run");
	expect_usage("there is no option \"--bogus\"", "run", "--bogus", "x.yaml");
	expect_usage("there is no option \"-x\"", "run", "-x", "x.yaml");
	expect_usage("text or json, not \"xml\"", "run", "--format", "xml", "x.yaml");
	expect_usage("always or never, not \"maybe\"", "run", "--color=maybe", "x.yaml");
	expect_usage("not \"0\"", "run", "--inject-failure", "0", "x.yaml");
	expect_usage("not \"3x\"", "run", "--inject-failure", "3x", "x.yaml");
	expect_usage("not \"-1\"", "run", "--inject-failure", "-1", "x.yaml");
	expect_usage("a value is missing after \"--output\"", "run", "x.yaml", "--output");
	expect_usage("no-such-file.yaml", "run", "no-such-file.yaml");
}

Test(usage, help_lists_every_option_and_exit_status)
{
	static const char *const words[] = {
		"--format", "--output", "--quiet",    "--verbose", "--color", "--inject-failure",
		"--help",   "0 all",    "1 some did", "2 wrong",   "3 a lab", "4 this machine"};
	struct natsim natsim = {0};
	size_t i;

	natsim_run(&natsim, "run", "--help", NULL);
	cr_expect_eq(natsim.status, 0);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect_not_null(strstr(natsim.out, words[i]), "\"%s\" is told", words[i]);
	natsim_clear(&natsim);
}

Test(usage, mistakes_of_all_files_are_told_before_anything_is_built)
{
	struct scratch scratch = scratch_new();
	AUTO_FREE char *good = scratch_write(&scratch, "good.yaml", hello);
	AUTO_FREE char *bad = scratch_write(&scratch, "bad.yaml", "name: bad\nnods: {}\n");
	AUTO_FREE char *worse = scratch_write(&scratch, "worse.yaml", "[]\n");
	struct natsim natsim = {0};

	natsim_run(&natsim, "run", good, bad, worse, NULL);
	cr_expect_eq(natsim.status, 2);
	cr_expect_str_eq(natsim.out, "", "the good one was not run either");
	cr_expect_not_null(strstr(natsim.err, "bad.yaml:2:1: error:"), "%s", natsim.err);
	cr_expect_not_null(strstr(natsim.err, "worse.yaml:1:1: error:"), "%s", natsim.err);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}

Test(usage, the_report_goes_where_it_is_told)
{
	struct scratch scratch = scratch_new();
	AUTO_FREE char *good = scratch_write(&scratch, "good.yaml", hello);
	AUTO_FREE char *report = scratch_write(&scratch, "report", "");
	struct natsim natsim = {0};
	json_t *json;

	natsim_run(&natsim, "run", "--format=json", "--output", report, good, NULL);
	cr_expect_eq(natsim.status, 0, "%s", natsim.err);
	cr_expect_str_eq(natsim.out, "");
	json = json_load_file(report, 0, NULL);
	cr_expect(json_is_true(json_at(json, "ok")));
	json_decref(json);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}

Test(usage, a_report_that_cannot_be_written_is_an_error)
{
	struct scratch scratch = scratch_new();
	AUTO_FREE char *good = scratch_write(&scratch, "good.yaml", hello);
	struct natsim natsim = {0};

	expect_usage("/no/such/place: No such file or directory", "run", "--output",
		     "/no/such/place", good);
	natsim_run(&natsim, "run", "--output", "/dev/full", good, NULL);
	cr_expect_eq(natsim.status, 3);
	cr_expect_not_null(strstr(natsim.err, "No space left on device"), "%s", natsim.err);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}

Test(usage, quiet_says_one_line_for_what_held)
{
	struct scratch scratch = scratch_new();
	AUTO_FREE char *good = scratch_write(&scratch, "good.yaml", hello);
	struct natsim natsim = {0};

	natsim_run(&natsim, "run", "--quiet", good, NULL);
	cr_expect_eq(natsim.status, 0);
	cr_expect_eq(strncmp(natsim.out, "hello: 2 held, 0 broken, 0 undecided in ", 40), 0, "%s",
		     natsim.out);
	cr_expect_eq(strchr(natsim.out, '\n'), natsim.out + natsim.out_length - 1, "one line");
	natsim_clear(&natsim);
	scratch_free(&scratch);
}
