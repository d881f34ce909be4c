/* SPDX-License-Identifier: MIT */
/* Command lines of the agents: one table is both the parser and the --help. */
#ifndef NATSIM_AGENTS_CLI_OPTIONS_H
#define NATSIM_AGENTS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/diag.h"

enum cli_type {
	CLI_FLAG,    /* bool * */
	CLI_TEXT,    /* const char ** */
	CLI_NUMBER,  /* uint64_t *, at most `max` */
	CLI_SECONDS, /* uint64_t *, nanoseconds; fractions allowed; at most `max` seconds */
};

struct cli_option {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* its name in --help; NULL for a flag */
	const char *help;
	enum cli_type type;
	void *target;
	uint64_t max;
	bool required;
};

struct cli {
	const char *program;
	const char *summary;              /* a sentence or more */
	const struct cli_option *options; /* ends with a NULL name */
};

enum cli_result { CLI_RUN, CLI_DONE }; /* DONE: --help or --version was all that was wanted */

/* Returns enum cli_result, or -EINVAL with the reason in @d. Help goes to @out. */
int cli_parse(const struct cli *cli, int argc, char *const argv[], FILE *out, struct diag *d);

enum { CLI_MISUSE = 2 }; /* an agent's exit status when it was called wrongly */

/* Print what is in @d under the program's name; returns CLI_MISUSE. */
int cli_misuse(const struct cli *cli, const struct diag *d, FILE *out);

#endif
