/* SPDX-License-Identifier: MIT */
/*
 * An internet gateway device (UPnP IGD; RFC 6970 section 4) whose description is known,
 * through libminiupnpc. Calls block, each for some seconds at most.
 */
#ifndef NATSIM_AGENTS_PORTMAP_IGD_H
#define NATSIM_AGENTS_PORTMAP_IGD_H

#include "agents/portmap/wire.h"
#include "base/cleanup.h"
#include "base/diag.h"

struct igd;

/* Read the description at @url. Returns 0 and a device the caller frees, or -errno. */
int igd_open(const char *url, struct igd **ret, struct diag *d);
void igd_free(struct igd *igd);
DEFINE_CLEANUP(struct igd *, igd_free)

/*
 * Map a port to this host. The external one is the wished one, or, where that is 0, the
 * internal one or any other that is free. A device that grants no lease but a permanent one
 * gives *ret_lifetime 0. Returns 0, -EACCES when it refuses, or another -errno.
 */
int igd_map(struct igd *igd, const struct portmap_wish *wish, struct endpoint *ret_external,
	    uint32_t *ret_lifetime, struct diag *d);

/* Returns 0, also when there was none, or as igd_map(). */
int igd_unmap(struct igd *igd, bool tcp, uint16_t external, struct diag *d);

#endif
