/* SPDX-License-Identifier: MIT */
/*
 * A router between two veths, whose rules are exchanged: what NATs are compared on.
 *
 *     inside                  router                   outside
 *     192.168.1.1  ----  192.168.1.254 | 1.2.3.4  ----  9.9.9.9
 */
#ifndef NATSIM_TESTS_BENCH_NAT_BED_H
#define NATSIM_TESTS_BENCH_NAT_BED_H

#include <netinet/in.h>

#include "base/diag.h"
#include "kern/netns.h"
#include "nft-rules/nat.h"

enum nat_side { NAT_INSIDE, NAT_OUTSIDE, NAT_ROUTER, NAT_SIDES };

struct nat_bed {
	struct netns *side[NAT_SIDES];
};

/* Returns 0 or -errno with the story in @d; the process's end takes the bed away. */
int nat_bed_new(struct nat_bed *ret, struct diag *d);

/*
 * Give the router the rules of @nat, or, where that is NULL, one rule that
 * masquerades and no other; what it had is gone. Flows that are known go on.
 */
int nat_bed_install(struct nat_bed *bed, const struct nat *nat, struct diag *d);

/* The same with a pool of @count addresses, and how many milliseconds it took from the declaration
 * to the rules in force. */
int nat_bed_time_install(struct nat_bed *bed, const struct nat *nat, size_t count, double *ret_ms,
			 struct diag *d);

/* Conntrack forgets everything. */
int nat_bed_forget(struct nat_bed *bed, struct diag *d);

/* A socket on that side, bound to its address and @port. Descriptor or -errno. */
int nat_bed_socket(struct nat_bed *bed, enum nat_side side, int type, uint16_t port);

struct sockaddr_in nat_bed_address(enum nat_side side, uint16_t port);

#endif
