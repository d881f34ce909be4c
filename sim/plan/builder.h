/* SPDX-License-Identifier: MIT */
/* A plan in the making: what the files of this folder share. */
#ifndef NATSIM_PLAN_BUILDER_H
#define NATSIM_PLAN_BUILDER_H

#include <stdbool.h>

#include "plan/plan.h"

struct builder {
	const struct topo *topo;
	struct plan *plan;
	size_t room;      /* for how many steps plan->steps has memory */
	size_t core;      /* index of its space, TOPO_NONE without an internet */
	size_t switching; /* the same for the bridges, TOPO_NONE when no LAN needs one */
	int error;        /* the first failure; everything after it does nothing */
};

/* A route that some space needs and that its default route does not cover. */
struct plan_route {
	size_t space;
	struct prefix to;
	struct addr via;
	size_t router; /* index of the node that has @via */
};

/*
 * All routes to LANs behind routers that do not hide them. Returns 0 and an array of
 * *ret_count routes that the caller frees, or -ENOMEM.
 */
int plan_routes(const struct builder *b, struct plan_route **ret, size_t *ret_count);

/* Whether packets that leave @node towards its uplink get its address as their source. */
bool plan_translates(const struct node *node);

/* Append one step. They all do nothing once b->error is set. */
void add_namespace(struct builder *b, size_t space);
void add_sysctl(struct builder *b, size_t space, const char *key, const char *value, bool optional);
void add_bridge(struct builder *b, size_t space, const char *name);
void add_address(struct builder *b, size_t space, const char *device, const struct addr *addr,
		 uint8_t length);
void add_up(struct builder *b, size_t space, const char *device);
/* @via NULL: directly on @device; @device "": found by the kernel, or with both missing a blackhole
 */
void add_route(struct builder *b, size_t space, const struct prefix *to, const struct addr *via,
	       const char *device);
void add_rules(struct builder *b, size_t space, const struct node *node, const char *outside);

/*
 * The link that was added last, which is in a bridge, is isolated: such ports of a bridge do not
 * hear each other.
 */
void isolate_link(struct builder *b);

/*
 * A veth from @near, there called after @near_name and put into the bridge @master
 * unless that is "", to @far, there called @far_name. Where an interface in @near has that
 * name already it gets a number: "NAME-2".
 */
void add_link(struct builder *b, size_t near, const char *near_name, const char *master, size_t far,
	      const char *far_name);

/* What the near end of the link whose far end is @far_name in @far came to be called. */
const char *near_name_of(const struct builder *b, size_t far, const char *far_name);

#endif
