/* SPDX-License-Identifier: MIT */
/* Reading what the kernel of every router remembers. */
#ifndef NATSIM_OBSERVE_SNAPSHOT_H
#define NATSIM_OBSERVE_SNAPSHOT_H

#include <stdbool.h>

#include "lab/lab.h"
#include "observe/timeline.h"

/*
 * The tables of every node with a NAT, and their rules as text when @rules.
 *
 * A router that cannot be read has its `problem` set and spoils nothing else: half
 * the evidence is better than none. Returns 0 or -ENOMEM.
 */
int snapshot_take(struct lab *lab, const struct topo *topo, bool rules, struct router_view **ret,
		  size_t *ret_count);

#endif
