/* SPDX-License-Identifier: MIT */
/* Whom to ask: the host's default route. */
#ifndef NATSIM_AGENTS_PORTMAP_GATEWAY_H
#define NATSIM_AGENTS_PORTMAP_GATEWAY_H

#include "base/addr.h"
#include "base/diag.h"

/* The next hop of the IPv4 default route with the lowest metric. -ENETUNREACH: there is none. */
int gateway_default(struct addr *ret, struct diag *d);

#endif
