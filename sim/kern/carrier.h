/* SPDX-License-Identifier: MIT */
/* When a link that is up begins to carry packets. */
#ifndef NATSIM_KERN_CARRIER_H
#define NATSIM_KERN_CARRIER_H

#include "base/diag.h"
#include "kern/netns.h"

/*
 * Wait until the link with @index in @netns, which is up, carries packets.
 *
 * A veth's first end is up before its partner is. When the partner follows, the
 * kernel activates the first end's queue from a worker (net/core/link_watch.c), and
 * until that has run, the link looks up and drops what it is given. The end that
 * comes up second needs no waiting: it is activated at once, though its state may be
 * told up to a second later.
 *
 * Returns 0, or -errno with the reason in @d: -ETIMEDOUT after @timeout_ms.
 */
int carrier_await(struct netns *netns, int index, int timeout_ms, struct diag *d);

#endif
