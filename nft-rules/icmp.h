/* SPDX-License-Identifier: MIT */
/* ICMP errors (struct nat_icmp). Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_ICMP_H
#define NATSIM_NFT_RULES_ICMP_H

#include "nft-rules/translation.h"

bool icmp_needs_forward(const struct nat *nat);

/* Of errors that go through, about flows: killing, and blocking. */
void icmp_add_forward(const struct translation protocols[NAT_PROTOCOLS], struct chain *forward);

/* Of packets that leave, before the private ones are dropped: errors about no flow. */
void icmp_add_leave(struct ruleset *ruleset, const struct nat_router *router, struct chain *leave);

#endif
