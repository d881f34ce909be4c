/* SPDX-License-Identifier: MIT */
/* A raw socket for ICMP: what is sent is given its IPv4 header, what comes has one. */
#ifndef NATSIM_AGENTS_NET_ICMP_H
#define NATSIM_AGENTS_NET_ICMP_H

#include "base/diag.h"

/*
 * Takes destination unreachable and time exceeded, nothing else. Returns the descriptor,
 * non-blocking and close-on-exec, or -errno with the reason in @d (-EPERM without CAP_NET_RAW).
 */
int icmp_open(struct diag *d);

#endif
