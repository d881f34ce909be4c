/* SPDX-License-Identifier: MIT */
/* natsim rules: a NAT's rules as commented nft text, without privilege. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/term.h"
#include "cmd.h"
#include "nft-rules/nat.h"
#include "nft-rules/ruleset.h"
#include "plan/plan.h"
#include "topo/suggest.h"
#include "topo/topo.h"

/* What a NAT without a topology is shown with. */
#define EXAMPLE_OUTSIDE "internet"
#define EXAMPLE_EXTERNAL "1.2.3.4"

static int print_rules(const char *name, const struct nat_router *router, struct diag *d)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	const struct nat_named *named = nat_find(router->nat->name);
	int r = ruleset_build(router, &ruleset, d);

	if (r < 0)
		return r;
	printf("# %s", name);
	if (named)
		printf(": %s (%s)", named->summary, named->source);
	putchar('\n');
	return ruleset_print(ruleset, stdout);
}

static int rules_of_name(const char *name, struct diag *d)
{
	const struct nat_named *named = nat_find(name);
	struct nat_router router = {.outside = EXAMPLE_OUTSIDE, .external_count = 1};
	struct suggestion near = suggest_for(name);
	struct addr external;
	size_t i;

	if (named) {
		router.nat = &named->nat;
		addr_parse(EXAMPLE_EXTERNAL, &external);
		router.externals = &external;
		return print_rules(name, &router, d);
	}
	diag_error(d, EINVAL, "no NAT is called \"%s\"", name);
	for (i = 0; i < nat_names_count; i++)
		suggest(&near, nat_names[i].nat.name);
	if (near.best)
		diag_help(d, "did you mean \"%s\"?", near.best);
	else
		diag_help(d, "\"natsim rules --list\" lists them; FILE:ROUTER names a topology's");
	return -EINVAL;
}

/* Words for a router that has no rules to show. */
static int no_rules(const struct topo *topo, const char *file, const char *router, struct diag *d)
{
	struct suggestion near = suggest_for(router);
	size_t i;

	if (topo_find_node(topo, router) != TOPO_NONE)
		return diag_error(d, EINVAL, "%s: %s has no NAT", file, router);
	diag_error(d, EINVAL, "%s has no node called \"%s\"", file, router);
	for (i = 0; i < topo->node_count; i++)
		if (topo->nodes[i].has_nat)
			suggest(&near, topo->nodes[i].name);
	if (near.best)
		diag_help(d, "did you mean \"%s\"?", near.best);
	return -EINVAL;
}

/* The plan's own step, so that what is shown is what would be installed. */
static int rules_of_router(const char *file, const char *name, struct diag *d)
{
	CLEANUP(topo_free_cleanup) struct topo *topo = NULL;
	CLEANUP(plan_free_cleanup) struct plan *plan = NULL;
	const struct plan_step *step;
	struct nat_router router;
	size_t node, i;
	int r = topo_load(file, &topo, d);

	if (r < 0)
		return r;
	r = plan_make(topo, &plan);
	if (r < 0)
		return r;
	node = topo_find_node(topo, name);
	for (i = 0; node != TOPO_NONE && i < plan->step_count; i++) {
		step = &plan->steps[i];
		if (step->kind != PLAN_RULES || step->space != plan_space_of(plan, node))
			continue;
		router = (struct nat_router){.nat = step->rules.nat,
					     .outside = step->rules.outside,
					     .externals = step->rules.externals,
					     .external_count = step->rules.external_count};
		return print_rules(name, &router, d);
	}
	return no_rules(topo, file, name, d);
}

static int rules_of(const char *argument, struct diag *d)
{
	const char *colon = strrchr(argument, ':');
	AUTO_FREE char *file = NULL;

	if (!colon)
		return rules_of_name(argument, d);
	file = strndup(argument, (size_t)(colon - argument));
	return file ? rules_of_router(file, colon + 1, d) : -ENOMEM;
}

static void print_list(void)
{
	size_t i;

	for (i = 0; i < nat_names_count; i++)
		printf("%-23s %s\n", nat_names[i].nat.name, nat_names[i].summary);
}

static void print_help(void)
{
	puts("usage: natsim rules NAME | FILE:ROUTER\n"
	     "       natsim rules --list\n\n"
	     "Print the rules of a named NAT, or of a router in a topology, as commented nft\n"
	     "text: its tables of mappings, and its chains in the order a packet meets them.\n"
	     "What needs a register, for which nft's language has no word, is written $name.\n"
	     "nft-rules/README.md tells how to read them.\n\n"
	     "  -l, --list  the named NATs, one a line\n"
	     "      --help  this");
}

int cmd_rules(int argc, char **argv)
{
	static const struct option options[] = {
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	AUTO_DIAG struct diag d = {0};
	int option, r;

	while ((option = getopt_long(argc, argv, "lh", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			print_list();
			return STATUS_OK;
		case 'h':
			print_help();
			return STATUS_OK;
		default:
			return STATUS_USAGE; /* getopt has said why */
		}
	}
	if (argc - optind != 1) {
		fprintf(stderr,
			"natsim: error: rules needs a NAT; \"natsim rules --list\" lists them\n");
		return STATUS_USAGE;
	}
	r = rules_of(argv[optind], &d);
	diag_print(&d, stderr, term_colour(stderr));
	return r < 0 ? STATUS_USAGE : STATUS_OK;
}
