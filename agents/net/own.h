/* SPDX-License-Identifier: MIT */
/* Under which addresses this host might be known to others near it. */
#ifndef NATSIM_AGENTS_NET_OWN_H
#define NATSIM_AGENTS_NET_OWN_H

#include <stddef.h>

#include "base/addr.h"

/*
 * Write @local, then its port on every other address of this host (of the same family, of links
 * that are up, neither loopback nor link-local), at most @max in all. Returns how many; what
 * cannot be listed is left out.
 */
size_t own_endpoints(const struct endpoint *local, struct endpoint *ret, size_t max);

#endif
