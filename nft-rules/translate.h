/* SPDX-License-Identifier: MIT */
/* The rules of a NAT that keeps mappings of its own. */
#ifndef NATSIM_NFT_RULES_TRANSLATE_H
#define NATSIM_NFT_RULES_TRANSLATE_H

#include "nft-rules/ir.h"

/* Shorter lifetimes get lost in the kernel's tick (10 ms at HZ=100). */
#define NAT_LIFETIME_MIN_MS 100U

/* Add the sets, chains and rules of a checked NAT_TRANSLATE router; errors stick to @ruleset. */
/* @forward: its forward chain, if it has one. */
void translate_build(struct ruleset *ruleset, const struct nat_router *router,
		     struct chain *forward);
bool translate_needs_forward(const struct nat *nat);

#endif
