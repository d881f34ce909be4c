/* SPDX-License-Identifier: MIT */
/* One function for each kind of step. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/builder.h"

static void append(struct builder *b, const struct plan_step *step)
{
	size_t room = b->room ? 2 * b->room : 64;
	struct plan_step *steps;

	if (b->error)
		return;
	if (b->plan->step_count == b->room) {
		steps = reallocarray(b->plan->steps, room, sizeof(*steps));
		if (!steps) {
			b->error = -ENOMEM;
			return;
		}
		b->plan->steps = steps;
		b->room = room;
	}
	b->plan->steps[b->plan->step_count++] = *step;
}

/* Names fit: the model allows no longer ones (TOPO_NAME_MAX). */
static void copy_name(char to[PLAN_IFNAME_MAX], const char *from)
{
	snprintf(to, PLAN_IFNAME_MAX, "%.*s", PLAN_IFNAME_MAX - 1, from);
}

static bool name_taken(const struct builder *b, size_t space, const char *name)
{
	const struct plan_step *step;
	size_t i;

	if (strcmp(name, "lo") == 0)
		return true;
	for (i = 0; i < b->plan->step_count; i++) {
		step = &b->plan->steps[i];
		if (step->kind == PLAN_BRIDGE && step->space == space &&
		    strcmp(step->bridge.name, name) == 0)
			return true;
		if (step->kind == PLAN_LINK && step->space == space &&
		    strcmp(step->link.name, name) == 0)
			return true;
	}
	return false;
}

/* @wanted, or with a number behind it, the end of @wanted giving way where there is no room. */
static void choose_name(const struct builder *b, size_t space, const char *wanted,
			char ret[PLAN_IFNAME_MAX])
{
	char suffix[PLAN_IFNAME_MAX];
	size_t kept, length;
	unsigned int i;

	copy_name(ret, wanted);
	for (i = 2; name_taken(b, space, ret); i++) {
		length = (size_t)snprintf(suffix, sizeof(suffix), "-%u", i);
		kept = strnlen(wanted, PLAN_IFNAME_MAX - 1 - length);
		memcpy(ret, wanted, kept);
		memcpy(ret + kept, suffix, length + 1);
	}
}

void add_namespace(struct builder *b, size_t space)
{
	append(b, &(struct plan_step){.kind = PLAN_NAMESPACE, .space = space});
}

void add_sysctl(struct builder *b, size_t space, const char *key, const char *value, bool optional)
{
	struct plan_step step = {.kind = PLAN_SYSCTL, .space = space};

	step.sysctl.key = key;
	step.sysctl.optional = optional;
	snprintf(step.sysctl.value, sizeof(step.sysctl.value), "%s", value);
	append(b, &step);
}

void add_bridge(struct builder *b, size_t space, const char *name)
{
	struct plan_step step = {.kind = PLAN_BRIDGE, .space = space};

	copy_name(step.bridge.name, name);
	append(b, &step);
}

void add_link(struct builder *b, size_t near, const char *near_name, const char *master, size_t far,
	      const char *far_name)
{
	struct plan_step step = {.kind = PLAN_LINK, .space = near};

	choose_name(b, near, near_name, step.link.name);
	copy_name(step.link.master, master);
	step.link.peer_space = far;
	copy_name(step.link.peer_name, far_name);
	append(b, &step);
}

void isolate_link(struct builder *b)
{
	if (b->error == 0)
		b->plan->steps[b->plan->step_count - 1].link.isolated = true;
}

const char *near_name_of(const struct builder *b, size_t far, const char *far_name)
{
	const struct plan_step *step;
	size_t i;

	for (i = 0; i < b->plan->step_count; i++) {
		step = &b->plan->steps[i];
		if (step->kind == PLAN_LINK && step->link.peer_space == far &&
		    strcmp(step->link.peer_name, far_name) == 0)
			return step->link.name;
	}
	return "";
}

void add_address(struct builder *b, size_t space, const char *device, const struct addr *addr,
		 uint8_t length)
{
	struct plan_step step = {.kind = PLAN_ADDRESS, .space = space};

	copy_name(step.address.device, device);
	step.address.prefix = (struct prefix){.addr = *addr, .len = length};
	append(b, &step);
}

void add_up(struct builder *b, size_t space, const char *device)
{
	struct plan_step step = {.kind = PLAN_UP, .space = space};

	copy_name(step.up.device, device);
	append(b, &step);
}

void add_route(struct builder *b, size_t space, const struct prefix *to, const struct addr *via,
	       const char *device)
{
	struct plan_step step = {.kind = PLAN_ROUTE, .space = space};

	step.route.to = *to;
	if (via)
		step.route.via = *via;
	copy_name(step.route.device, device);
	append(b, &step);
}

void add_rules(struct builder *b, size_t space, const struct node *node, const char *outside)
{
	const struct interface *uplink = &node->interfaces[node->uplink];
	struct plan_step step = {.kind = PLAN_RULES, .space = space};

	step.rules.nat = &node->nat;
	copy_name(step.rules.outside, outside);
	step.rules.externals = uplink->addresses;
	step.rules.external_count = uplink->address_count;
	append(b, &step);
}
