/* SPDX-License-Identifier: MIT */
/* Peers that write to a mapping which is not theirs, beside their own. Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_BESIDE_H
#define NATSIM_NFT_RULES_BESIDE_H

#include "nft-rules/translation.h"

/* The sets of it, where the NAT admits more peers than those whose mapping it is; else none. */
void beside_init(struct translation *t);

/* The end of a rule that extends a mapping: its key, from REG_KEY on, and its external endpoint are
 * remembered for as long as conntrack may know flows of it. */
void beside_remember(const struct translation *t, struct builder *b);

/* The base chain that keeps such packets apart. */
void beside_add(const struct translation *t);

#endif
