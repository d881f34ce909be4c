/* SPDX-License-Identifier: MIT */
/* Which routers a packet between two nodes has to pass, from the picture alone. */
#ifndef NATSIM_VERDICT_WAY_H
#define NATSIM_VERDICT_WAY_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/topo.h"

/* The nodes with a NAT on the way outward from a node, the nearest first. */
struct way {
	size_t *routers; /* freed with free() */
	size_t count;
};

/*
 * From @node outward through its gateways, until a network is reached on which
 * somebody has the address @to. Returns 0 or -ENOMEM.
 */
int way_outward(const struct topo *topo, size_t node, const struct addr *to, struct way *ret);

/* Where two nodes' ways outward meet: the first network they have in common. */
struct meeting {
	size_t network;  /* TOPO_NONE: nowhere */
	struct way a, b; /* what each passes through to the outside before it is there */
};

int way_meeting(const struct topo *topo, size_t a, size_t b, struct meeting *ret);
void meeting_clear(struct meeting *meeting);

/* Whether @network, where the ways of @a and @b outward meet, is isolated and keeps apart the two
 * by which they stand on it. */
bool way_is_kept_apart(const struct topo *topo, size_t network, size_t a, size_t b);

/* The node that has @addr on an interface; TOPO_NONE when none has. */
size_t way_owner(const struct topo *topo, const struct addr *addr);

/* This NAT changes addresses, rather than only filtering. */
bool way_translates(const struct node *router);

#endif
