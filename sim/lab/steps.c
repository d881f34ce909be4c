/* SPDX-License-Identifier: MIT */
/*
 * How a plan is executed
 *
 * Each kind of step has a row in a table: how it is done and how it is undone. Most
 * are only written down when their turn comes, as netlink messages for their
 * namespace, and take effect together when the plan turns to another namespace or
 * kind (kern/batch.c). The message carries the number of its step, so that a
 * refusal, late as it comes, names the right one.
 *
 * Undoing is nearly always the kernel's work: what is in a namespace dies with it.
 * The table says so for each kind, rather than leaving a NULL that could be an oversight.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kern/address.h"
#include "kern/batch.h"
#include "kern/link.h"
#include "kern/route.h"
#include "lab/internal.h"
#include "nft-rules/ruleset.h"

struct execution {
	struct lab *lab;
	struct batch *batch;
	size_t batch_space; /* whose messages are in the batch; TOPO_NONE when it is empty */
};

static int device_add(struct space *space, const char *name)
{
	size_t room = space->device_room ? 2 * space->device_room : 8;
	char(*devices)[IFNAMSIZ];

	if (space->device_count == space->device_room) {
		devices = reallocarray(space->devices, room, sizeof(*devices));
		if (!devices)
			return -ENOMEM;
		space->devices = devices;
		space->device_room = room;
	}
	snprintf(space->devices[space->device_count], IFNAMSIZ, "%.*s", IFNAMSIZ - 1, name);
	return LINK_FIRST_FREE + (int)space->device_count++;
}

int device_index(const struct space *space, const char *name)
{
	size_t i;

	if (name[0] == '\0')
		return 0;
	if (strcmp(name, "lo") == 0)
		return LINK_LOOPBACK;
	for (i = space->device_count; i-- > 0;) /* the newest is the likeliest */
		if (strcmp(space->devices[i], name) == 0)
			return LINK_FIRST_FREE + (int)i;
	return -ENODEV;
}

static int end_add(struct space *space, const char *name, struct link_end *ret)
{
	ret->index = device_add(space, name);
	snprintf(ret->name, sizeof(ret->name), "%.*s", IFNAMSIZ - 1, name);
	return ret->index < 0 ? ret->index : 0;
}

static int do_namespace(struct execution *e, const struct plan_step *step, size_t number,
			struct diag *d)
{
	(void)number;
	return netns_new(&e->lab->spaces[step->space].netns, d);
}

static void undo_namespace(struct space *space)
{
	netns_free(space->netns);
	free(space->devices);
	*space = (struct space){0};
}

static int do_sysctl(struct execution *e, const struct plan_step *step, size_t number,
		     struct diag *d)
{
	int r = netns_sysctl(e->lab->spaces[step->space].netns, step->sysctl.key,
			     step->sysctl.value);

	(void)number;
	if (r == -ENOENT && step->sysctl.optional)
		return 0;
	if (r < 0)
		diag_system(d, -r, "cannot write /proc/sys/%s", step->sysctl.key);
	if (r == -EROFS)
		diag_help(d, "a container made /proc/sys read-only: start it with --privileged");
	return r;
}

static int do_bridge(struct execution *e, const struct plan_step *step, size_t number,
		     struct diag *d)
{
	struct link_end bridge = {0};
	int r = end_add(&e->lab->spaces[step->space], step->bridge.name, &bridge);

	(void)d;
	return r < 0 ? r : link_add_bridge(e->batch, number, &bridge);
}

static int do_link(struct execution *e, const struct plan_step *step, size_t number, struct diag *d)
{
	struct space *near_space = &e->lab->spaces[step->space];
	struct space *far_space = &e->lab->spaces[step->link.peer_space];
	int master = device_index(near_space, step->link.master);
	struct link_end near = {0}, far = {0};
	int r = end_add(near_space, step->link.name, &near);

	(void)d;
	if (r == 0)
		r = end_add(far_space, step->link.peer_name, &far);
	if (r == 0)
		r = link_add_veth(e->batch, number, &near, master, &far, far_space->netns->fd);
	if (r == 0 && step->link.isolated)
		r = link_isolate(e->batch, number, near.index);
	return r;
}

static int do_address(struct execution *e, const struct plan_step *step, size_t number,
		      struct diag *d)
{
	int index = device_index(&e->lab->spaces[step->space], step->address.device);

	(void)d;
	return address_add(e->batch, number, index, &step->address.prefix);
}

static int do_up(struct execution *e, const struct plan_step *step, size_t number, struct diag *d)
{
	(void)d;
	return link_set_up(e->batch, number,
			   device_index(&e->lab->spaces[step->space], step->up.device));
}

static int do_route(struct execution *e, const struct plan_step *step, size_t number,
		    struct diag *d)
{
	struct route route = {
		.to = step->route.to,
		.via = step->route.via,
		.index = device_index(&e->lab->spaces[step->space], step->route.device),
	};

	(void)d;
	return route_add(e->batch, number, &route);
}

static int do_rules(struct execution *e, const struct plan_step *step, size_t number,
		    struct diag *d)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	struct nat_router router = {
		.nat = step->rules.nat,
		.outside = step->rules.outside,
		.externals = step->rules.externals,
		.external_count = step->rules.external_count,
		.wordless = true,
	};
	struct mnl_socket *socket;
	int r;

	(void)number;
	r = netns_netfilter(e->lab->spaces[step->space].netns, &socket, d);
	if (r == 0)
		r = ruleset_build(&router, &ruleset, d);
	if (r == 0)
		r = ruleset_apply(ruleset, socket, d);
	return r;
}

static void goes_with_its_namespace(struct space *space)
{
	(void)space;
}

static const struct {
	int (*perform)(struct execution *e, const struct plan_step *step, size_t number,
		       struct diag *d);
	void (*undo)(struct space *space);
	bool batched; /* `perform` only writes it down; batch_commit() does it */
} actions[] = {
	[PLAN_NAMESPACE] = {do_namespace, undo_namespace, false},
	[PLAN_SYSCTL] = {do_sysctl, goes_with_its_namespace, false},
	[PLAN_BRIDGE] = {do_bridge, goes_with_its_namespace, true},
	[PLAN_LINK] = {do_link, goes_with_its_namespace, true},
	[PLAN_ADDRESS] = {do_address, goes_with_its_namespace, true},
	[PLAN_UP] = {do_up, goes_with_its_namespace, true},
	[PLAN_ROUTE] = {do_route, goes_with_its_namespace, true},
	[PLAN_RULES] = {do_rules, goes_with_its_namespace, false},
};
_Static_assert(sizeof(actions) / sizeof(actions[0]) == PLAN_KINDS,
	       "each kind of step needs a row that says how it is done and undone");

/* Put "while building step 17 (router1: up home1): " in front of the story. */
static int blame(const struct execution *e, size_t number, int error, struct diag *d)
{
	const struct plan *plan = e->lab->plan;
	char text[256];

	plan_step_format(plan, &plan->steps[number - 1], text, sizeof(text));
	diag_while(d, "while building step %zu (%s)", number, text);
	return error;
}

static int flush(struct execution *e, struct diag *d)
{
	struct netns *netns;
	size_t number = 0;
	int r;

	if (e->batch_space == TOPO_NONE)
		return 0;
	netns = e->lab->spaces[e->batch_space].netns;
	e->batch_space = TOPO_NONE;
	r = batch_commit(e->batch, netns, &number, d);
	return r < 0 ? blame(e, number, r, d) : 0;
}

static int step_do(struct execution *e, size_t number, struct diag *d)
{
	const struct plan_step *step = &e->lab->plan->steps[number - 1];
	bool batched = actions[step->kind].batched;
	int r = 0;

	if (!batched || e->batch_space != step->space)
		r = flush(e, d);
	if (r < 0)
		return r;
	if (number == e->lab->options.fail_step) {
		r = flush(e, d);
		if (r == 0)
			r = diag_system(d, EPERM, "refused on request");
		return r < 0 ? blame(e, number, r, d) : r;
	}
	if (batched)
		e->batch_space = step->space;
	r = actions[step->kind].perform(e, step, number, d);
	if (r == -ENOMEM)
		diag_system(d, ENOMEM, "cannot go on");
	return r < 0 ? blame(e, number, r, d) : 0;
}

int steps_do(struct lab *lab, struct diag *d)
{
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	struct execution e = {.lab = lab, .batch_space = TOPO_NONE};
	size_t number;
	int r = batch_new(&batch);

	e.batch = batch;
	for (number = 1; r == 0 && number <= lab->plan->step_count; number++)
		r = step_do(&e, number, d);
	return r < 0 ? r : flush(&e, d);
}

void steps_undo(struct lab *lab)
{
	const struct plan_step *step;
	size_t i;

	for (i = lab->plan->step_count; i-- > 0;) {
		step = &lab->plan->steps[i];
		actions[step->kind].undo(&lab->spaces[step->space]);
	}
}
