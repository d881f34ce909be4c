/* SPDX-License-Identifier: MIT */
/* The kernel's table of tracked flows, read as plain values. */
#ifndef NATSIM_KERN_CONNTRACK_H
#define NATSIM_KERN_CONNTRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/diag.h"
#include "kern/netns.h"

/*
 * One flow through a router. Ports are ICMP identifiers for ICMP.
 *
 *     source ---- original ----> [router] ----> destination
 *     reply_destination: whom the far end answers, i.e. the external endpoint after source NAT
 *     reply_source:      who answers, i.e. the internal endpoint after destination NAT
 */
struct flow {
	uint8_t protocol; /* IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, ... */
	struct endpoint source, destination;
	struct endpoint reply_source, reply_destination;
	bool seen_reply, assured;
	uint64_t packets, reply_packets; /* 0 unless accounting is on */
	uint64_t bytes, reply_bytes;
	uint32_t timeout;  /* seconds until the kernel forgets it */
	const char *state; /* TCP: "ESTABLISHED" ...; else "" */
};

/* Returns 0 and an array of *ret_count flows the caller frees with free(), or -errno. */
int conntrack_dump(struct netns *netns, struct flow **ret, size_t *ret_count, struct diag *d);

#endif
