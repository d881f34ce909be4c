/* SPDX-License-Identifier: MIT */
/* natsim plan: what would be done to the kernel, without doing it. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/term.h"
#include "cmd.h"
#include "plan/plan.h"
#include "topo/topo.h"
#include "usage.h"

static const char *const kind_names[] = {
	[PLAN_NAMESPACE] = "namespace", [PLAN_SYSCTL] = "sysctl",   [PLAN_BRIDGE] = "bridge",
	[PLAN_LINK] = "link",           [PLAN_ADDRESS] = "address", [PLAN_UP] = "up",
	[PLAN_ROUTE] = "route",         [PLAN_RULES] = "rules",
};
_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == PLAN_KINDS, "a name for each kind");

/* The fields that only steps of its kind have. */
static json_t *step_fields(const struct plan *plan, const struct plan_step *step)
{
	char to[PREFIX_TEXT_MAX], addr[ADDR_TEXT_MAX];
	const char *via = NULL;
	json_t *list;
	size_t i;

	switch (step->kind) {
	case PLAN_NAMESPACE:
		return json_object();
	case PLAN_SYSCTL:
		return json_pack("{s:s, s:s, s:b}", "key", step->sysctl.key, "value",
				 step->sysctl.value, "optional", step->sysctl.optional);
	case PLAN_BRIDGE:
		return json_pack("{s:s}", "device", step->bridge.name);
	case PLAN_LINK:
		return json_pack("{s:s, s:s, s:s, s:s?, s:b}", "device", step->link.name,
				 "peer_space", plan->spaces[step->link.peer_space].name,
				 "peer_device", step->link.peer_name, "bridge",
				 step->link.master[0] ? step->link.master : NULL, "isolated",
				 step->link.isolated);
	case PLAN_ADDRESS:
		return json_pack("{s:s, s:s}", "device", step->address.device, "address",
				 prefix_format(&step->address.prefix, to));
	case PLAN_UP:
		return json_pack("{s:s}", "device", step->up.device);
	case PLAN_ROUTE:
		if (step->route.via.family != AF_UNSPEC)
			via = addr_format(&step->route.via, addr);
		return json_pack("{s:s, s:s?, s:s?}", "to", prefix_format(&step->route.to, to),
				 "via", via, "device",
				 step->route.device[0] ? step->route.device : NULL);
	case PLAN_RULES:
		list = json_array();
		for (i = 0; i < step->rules.external_count; i++)
			json_array_append_new(
				list, json_string(addr_format(&step->rules.externals[i], addr)));
		return json_pack("{s:s, s:s, s:o}", "nat", step->rules.nat->name, "outside",
				 step->rules.outside, "externals", list);
	case PLAN_KINDS:
		break;
	}
	return NULL;
}

static json_t *step_json(const struct plan *plan, size_t index)
{
	const struct plan_step *step = &plan->steps[index];
	char text[256];
	json_t *object;

	plan_step_format(plan, step, text, sizeof(text));
	object = json_pack("{s:I, s:s, s:s, s:s}", "step", (json_int_t)(index + 1), "kind",
			   kind_names[step->kind], "space", plan->spaces[step->space].name, "text",
			   text);
	if (object && json_object_update_new(object, step_fields(plan, step)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int print_json(const struct topo *topo, const struct plan *plan)
{
	json_t *spaces = json_array(), *steps = json_array();
	json_t *document;
	size_t i;
	int r = 0;

	for (i = 0; i < plan->space_count; i++)
		r |= json_array_append_new(spaces, json_string(plan->spaces[i].name));
	for (i = 0; i < plan->step_count; i++)
		r |= json_array_append_new(steps, step_json(plan, i));
	document = json_pack("{s:s, s:s, s:o, s:o}", "natsim", NATSIM_VERSION, "name", topo->name,
			     "spaces", spaces, "steps", steps);
	if (r == 0)
		r = json_dumpf(document, stdout, JSON_INDENT(2));
	json_decref(document);
	if (r == 0)
		putchar('\n');
	return r;
}

static int print_plan(const char *path, bool json, struct diag *d)
{
	CLEANUP(topo_free_cleanup) struct topo *topo = NULL;
	CLEANUP(plan_free_cleanup) struct plan *plan = NULL;
	int r;

	r = topo_load(path, &topo, d);
	if (r < 0)
		return STATUS_USAGE;
	r = plan_make(topo, &plan);
	if (r == 0)
		r = json ? print_json(topo, plan) : plan_print(plan, stdout);
	if (r == 0 && fflush(stdout) == 0)
		return STATUS_OK;
	diag_error(d, EIO, "cannot print the plan of %s", path);
	return STATUS_LAB;
}

static void print_help(void)
{
	puts("usage: natsim plan [--format text|json] FILE\n\n"
	     "Print what would be done to the kernel to build the lab of FILE (\"-\" is standard\n"
	     "input), in order, one step a line. Needs no privilege and changes nothing.\n\n"
	     "Exit status: 0 printed, 2 wrong usage or topology.");
}

int cmd_plan(int argc, char **argv)
{
	static const struct option longs[] = {
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	AUTO_DIAG struct diag d = {0};
	bool json = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (option) {
		case 'f':
			if (usage_format("plan", optarg, &json) != STATUS_OK)
				return STATUS_USAGE;
			break;
		case 'h':
			print_help();
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	if (argc - optind != 1) {
		fprintf(stderr, "natsim: error: plan takes one file; \"natsim plan --help\"\n");
		return STATUS_USAGE;
	}
	status = print_plan(argv[optind], json, &d);
	diag_print(&d, stderr, term_colour(stderr));
	return status;
}
