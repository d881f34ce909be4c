/* SPDX-License-Identifier: MIT */
/* natsim: the table of verbs is both dispatch and help. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *summary;
} verbs[] = {
	{"run", cmd_run, "FILE...", "build the lab, run its steps, judge what happened"},
	{"check", cmd_check, "FILE...", "find every mistake in a topology, without privilege"},
	{"plan", cmd_plan, "FILE", "print the steps that would build the lab, without privilege"},
	{"rules", cmd_rules, "NAME|FILE:ROUTER", "print a NAT's rules as commented nft text"},
	{"conform", cmd_conform, "NAME|FILE[:ROUTER]",
	 "hold a NAT against its declaration and RFCs"},
	{"doctor", cmd_doctor, "", "say what this machine can and cannot do, and the remedy"},
};

static void print_help(FILE *out)
{
	const struct verb *verb;
	size_t i;

	fprintf(out, "natsim " NATSIM_VERSION ": NATs as declared, on a real kernel\n\n"
		     "usage: natsim VERB [OPTION...] [ARGUMENT...]\n\n");
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		verb = &verbs[i];
		fprintf(out, "  %-7s %-18s %s\n", verb->name, verb->arguments, verb->summary);
	}
	fprintf(out,
		"\n\"natsim VERB --help\" tells a verb's options; natsim(1) tells the rest.\n"
		"Try: natsim run topologies/double-nat.yaml\n\n"
		"Exit status: 0 all expectations held, 1 some did not, 2 wrong usage or topology,\n"
		"3 the lab could not be built or run, 4 this machine cannot run it.\n");
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("natsim " NATSIM_VERSION);
		return STATUS_OK;
	}
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	fprintf(stderr, "natsim: error: there is no verb \"%s\"; \"natsim --help\" lists them\n",
		argv[1]);
	return STATUS_USAGE;
}
