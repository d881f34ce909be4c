/* SPDX-License-Identifier: MIT */
/* Routes of the main table. */
#ifndef NATSIM_KERN_ROUTE_H
#define NATSIM_KERN_ROUTE_H

#include <stddef.h>

#include "base/addr.h"
#include "kern/batch.h"

struct route {
	struct prefix to; /* length 0: the default route */
	struct addr via;  /* AF_UNSPEC: none, @to is reached directly on the device */
	int index; /* device; 0: with a gateway, the kernel finds it; without, drop silently */
};

/*
 * Add @route. A gateway with a device need not be inside any network of that device
 * (the "onlink" of ip-route(8)). Returns 0 or -ENOMEM.
 */
int route_add(struct batch *batch, size_t tag, const struct route *route);

#endif
