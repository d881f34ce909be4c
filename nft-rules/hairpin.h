/* SPDX-License-Identifier: MIT */
/* Packets from the inside to an external endpoint (enum nat_hairpinning). Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_HAIRPIN_H
#define NATSIM_NFT_RULES_HAIRPIN_H

#include "nft-rules/translation.h"

/* Is what a mapping leaves by looked up as a part of a key? (struct translation's `spaced`) */
bool hairpin_needs_room(const struct nat *nat);

/* Add the chains that turn them round; for a NAT that is declared to. */
void hairpin_add(struct ruleset *ruleset, const struct nat_router *router,
		 const struct translation *protocols, const struct chain *new);

/* In srcnat, what a turned packet's source becomes, where it is declared to change; the source of
 * all else that goes to the inside stays. */
void hairpin_add_source(struct ruleset *ruleset, const struct nat_router *router,
			const struct translation *protocols, struct chain *srcnat);

/* In dstnat, where only packets from the inside are looked at: who holds the port. */
void hairpin_add_destination(struct ruleset *ruleset, const struct nat_router *router,
			     const struct translation *protocols, struct chain *dstnat);

#endif
