/* SPDX-License-Identifier: MIT */
/*
 * From a declared NAT to nftables objects, to text, to the kernel.
 *
 *     struct nat_router --ruleset_build--> struct ruleset --ruleset_print--> text
 *                                                         --ruleset_apply--> kernel
 *
 * Building and printing touch nothing; applying is one nf_tables transaction.
 */
#ifndef NATSIM_NFT_RULES_RULESET_H
#define NATSIM_NFT_RULES_RULESET_H

#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/diag.h"
#include "nft-rules/nat.h"

struct mnl_socket;

#define RULESET_TABLE "natsim"

/* The chains of it that miniupnpd fills where port mapping is declared: where a mapped port leads,
 * what may pass, and what a PCP PEER leaves by. */
#define RULESET_MAPPED_TO "mapped_to"
#define RULESET_MAPPED_PASS "mapped_pass"
#define RULESET_MAPPED_FROM "mapped_from"

/* The NFLOG group that hears of SYNs which are to be answered late (sim/lab/stray_answers.c); the
 * number of the RFC that asks for it. */
#define RULESET_STRAY_GROUP 5382

/* So many of a UDP flow's packets are counted by conntrack, each way; later ones may pass it by. */
#define RULESET_COUNTED 4096
/* So often, in milliseconds, a flow is looked at that might be so busy by now. */
#define RULESET_LOOK_AGAIN_MS 100

/* One router as its NAT sees it. All pointers are borrowed until ruleset_build() returns. */
struct nat_router {
	const struct nat *nat;
	const char *outside;          /* name of the interface towards the internet */
	const struct addr *externals; /* its addresses there, what the world sees: IPv4, at least
					 one unless NAT_FIREWALL; several are a pool */
	size_t external_count;
	bool wordless; /* the rules are to be applied, not printed: a third of the work */
};

struct ruleset;

/* Returns 0 and a ruleset the caller frees, or -errno with the reason in @d. */
int ruleset_build(const struct nat_router *router, struct ruleset **ret, struct diag *d);
void ruleset_free(struct ruleset *ruleset);
DEFINE_CLEANUP(struct ruleset *, ruleset_free)

/* Write the commented nft text: tables, sets, chains, rules in evaluation order. Returns 0 or
 * -errno: -EINVAL for what was built wordless. */
int ruleset_print(const struct ruleset *ruleset, FILE *out);

/*
 * Install the ruleset through @socket, a bound NETLINK_NETFILTER socket that was
 * opened in the router's namespace: one transaction, all or nothing.
 *
 * The interfaces that are there are matched by index, whatever their names become: a
 * ruleset is for one namespace, and who replaces its outside interface by one with
 * another index installs the rules anew.
 *
 * Returns 0 or -errno; @d then names the object the kernel refused and why.
 */
int ruleset_apply(const struct ruleset *ruleset, struct mnl_socket *socket, struct diag *d);

#endif
