/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "observe/command.h"

Test(command, an_agent_gets_its_options_as_long_ones)
{
	static const struct agent agent = {.name = "detect"};
	struct program_option options[] = {{.name = (char *)"server", .value = (char *)"9.9.9.9"},
					   {.name = (char *)"binding"}};
	struct program program = {.agent = &agent, .options = options, .option_count = 2};
	CLEANUP(command_free_cleanup) char **argv = NULL;
	AUTO_FREE char *line = NULL;

	cr_assert_eq(command_argv(&program, "/libexec/detect", &argv), 0);
	cr_expect_str_eq(argv[0], "/libexec/detect");
	cr_expect_str_eq(argv[1], "--server");
	cr_expect_str_eq(argv[2], "9.9.9.9");
	cr_expect_str_eq(argv[3], "--binding");
	cr_expect_null(argv[4]);
	cr_assert_eq(command_line(&program, &line), 0);
	cr_expect_str_eq(line, "detect --server 9.9.9.9 --binding");
}

Test(command, the_line_can_be_pasted_into_a_shell)
{
	char *words[] = {(char *)"sh", (char *)"-c", (char *)"echo 'a' > $b", (char *)"", NULL};
	struct program program = {.argv = words};
	AUTO_FREE char *line = NULL;

	cr_assert_eq(command_line(&program, &line), 0);
	cr_expect_str_eq(line, "sh -c 'echo '\\''a'\\'' > $b' ''");
}
