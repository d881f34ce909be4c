/* SPDX-License-Identifier: MIT */
/* Flows in the test bed that are so busy that the NAT's rules know them (nft-rules/known.c). */
#ifndef TESTS_SUPPORT_BUSY_FLOW_H
#define TESTS_SUPPORT_BUSY_FLOW_H

#include "support/natbed.h"

/* Between whom. */
#define HOST "192.168.1.1:5000"
#define PEER "9.9.9.9:1000"

/* Packets that conntrack has seen of that flow. */
struct counts {
	uint64_t out, back;
};
struct counts busy_counted(struct natbed *bed);

/* Two endpoints are the same, or the test fails: "@what 1.2.3.4:5, not 1.2.3.4:6". */
void busy_same(const struct endpoint *a, const struct endpoint *b, const char *what);

/* Many datagrams from @from to @to, which all arrive at @at, from @expected. */
void busy_pass(int from, const struct endpoint *to, int at, const struct endpoint *expected);
enum { BUSY_MANY = 100, BUSY_PATIENCE = 50 /* times RULESET_COUNTED */ };

/* Exchange datagrams with PEER, whose socket is @peer, until conntrack sees no more of them.
 * Returns the external endpoint. */
struct endpoint busy_make(struct natbed *bed, int host, int peer);

#endif
