/* SPDX-License-Identifier: MIT */
/* The least it can cost to build double-nat's namespaces, links, addresses and routes. */
#ifndef NATSIM_TESTS_BENCH_FLOOR_H
#define NATSIM_TESTS_BENCH_FLOOR_H

enum { FLOOR_SPACES = 6 };

struct floor_lab {
	int spaces[FLOOR_SPACES];  /* the namespaces */
	int sockets[FLOOR_SPACES]; /* NETLINK_ROUTE in each */
};

/*
 * Build it in new namespaces, held by the descriptors in *ret, and return to the one
 * in @home. No rules, no settings but forwarding, no checks but "it worked". Returns 0
 * or -errno; what was built until then stays until the process ends.
 */
int floor_build(int home, struct floor_lab *ret);

#endif
