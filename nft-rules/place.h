/* SPDX-License-Identifier: MIT */
/* From a candidate to a mapping: the claim. Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_PLACE_H
#define NATSIM_NFT_RULES_PLACE_H

#include "nft-rules/translation.h"

/*
 * End a rule that has a candidate in REG_PORT (with a pool, its address in REG_EXTERNAL): it
 * becomes the mapping of the packet, or the rule ends and nothing has changed.
 */
void place_claim(const struct translation *t, struct builder *b);

/*
 * Add the chain that does this for any rule of the protocol: t->place; and, @for_all, have
 * it reached from the one that candidates of any protocol go to. Blocks need that, too.
 */
void place_add(struct translation *t, bool for_all);

/* That chain; NULL where there is none. */
struct chain *place_common(struct ruleset *ruleset);

/* End a rule with a candidate in REG_PORT: leave it to @place and come back, or not. */
void place_try(const struct chain *place, struct builder *b);
void place_leave_to(const struct chain *place, struct builder *b);

#endif
