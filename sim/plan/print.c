/* SPDX-License-Identifier: MIT */
/* The plan as people read it: `natsim plan`, and "while building step 17 (...)". */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plan/plan.h"

enum { STEP_TEXT_MAX = 256 };

static int format_route(const char *space, const struct plan_step *step, char *text, size_t size)
{
	char to[PREFIX_TEXT_MAX] = "default", via[ADDR_TEXT_MAX];
	const char *device = step->route.device;
	const char *dev = device[0] ? " dev " : "";

	if (step->route.to.len)
		prefix_format(&step->route.to, to);
	if (step->route.via.family != AF_UNSPEC)
		return snprintf(text, size, "%s: route %s via %s%s%s", space, to,
				addr_format(&step->route.via, via), dev, device);
	if (device[0])
		return snprintf(text, size, "%s: route %s dev %s", space, to, device);
	return snprintf(text, size, "%s: route %s blackhole", space, to);
}

static int format_link(const struct plan *plan, const struct plan_step *step, char *text,
		       size_t size)
{
	const char *space = plan->spaces[step->space].name;
	const char *master = step->link.master;

	return snprintf(text, size, "%s: link %s to %s's %s%s%s%s", space, step->link.name,
			plan->spaces[step->link.peer_space].name, step->link.peer_name,
			master[0] ? ", in bridge " : "", master,
			step->link.isolated ? ", isolated" : "");
}

static int format_rules(const char *space, const struct plan_step *step, char *text, size_t size)
{
	char external[ADDR_TEXT_MAX];
	size_t i, used;
	const struct nat *nat = step->rules.nat;
	const char *slash = nat->rules ? strrchr(nat->rules, '/') : NULL;
	const char *file = slash ? slash + 1 : nat->rules;
	int n = snprintf(text, size, "%s: rules %s%s outside %s", space,
			 nat->kind == NAT_CUSTOM ? "of " : "",
			 nat->kind == NAT_CUSTOM ? file : nat->name, step->rules.outside);

	for (i = 0; n >= 0 && i < step->rules.external_count; i++) {
		used = (size_t)n < size ? (size_t)n : size;
		n += snprintf(text + used, size - used, " %s",
			      addr_format(&step->rules.externals[i], external));
	}
	if (n >= 0 && nat->port_mapping) {
		used = (size_t)n < size ? (size_t)n : size;
		n += snprintf(text + used, size - used, ", then miniupnpd");
	}
	return n;
}

int plan_step_format(const struct plan *plan, const struct plan_step *step, char *text, size_t size)
{
	const char *space = plan->spaces[step->space].name;
	char prefix[PREFIX_TEXT_MAX];

	switch (step->kind) {
	case PLAN_NAMESPACE:
		return snprintf(text, size, "%s: namespace", space);
	case PLAN_SYSCTL:
		return snprintf(text, size, "%s: set %s to \"%s\"%s", space, step->sysctl.key,
				step->sysctl.value,
				step->sysctl.optional ? " where there is one" : "");
	case PLAN_BRIDGE:
		return snprintf(text, size, "%s: bridge %s", space, step->bridge.name);
	case PLAN_LINK:
		return format_link(plan, step, text, size);
	case PLAN_ADDRESS:
		return snprintf(text, size, "%s: address %s on %s", space,
				prefix_format(&step->address.prefix, prefix), step->address.device);
	case PLAN_UP:
		return snprintf(text, size, "%s: up %s", space, step->up.device);
	case PLAN_ROUTE:
		return format_route(space, step, text, size);
	case PLAN_RULES:
		return format_rules(space, step, text, size);
	case PLAN_KINDS:
		break;
	}
	return -EINVAL;
}

int plan_print(const struct plan *plan, FILE *out)
{
	char text[STEP_TEXT_MAX];
	size_t i;

	for (i = 0; i < plan->step_count; i++) {
		plan_step_format(plan, &plan->steps[i], text, sizeof(text));
		if (fprintf(out, "%3zu  %s\n", i + 1, text) < 0)
			return -EIO;
	}
	return 0;
}
