/* SPDX-License-Identifier: MIT */
/* From what a person writes on a command line to an endpoint. */
#ifndef NATSIM_AGENTS_NET_RESOLVE_H
#define NATSIM_AGENTS_NET_RESOLVE_H

#include "base/addr.h"
#include "base/diag.h"

/*
 * "server", "server:3479", "9.9.9.9", "9.9.9.9:3479", "::1", "[::1]:3479"; @port is
 * used where none is written. Returns 0, or -EINVAL / -ENOENT with the reason in @d.
 */
int resolve_endpoint(const char *text, uint16_t port, struct endpoint *ret, struct diag *d);

/* The same without a port. */
int resolve_address(const char *text, struct addr *ret, struct diag *d);

#endif
