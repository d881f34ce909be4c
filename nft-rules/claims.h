/* SPDX-License-Identifier: MIT */
/* Mappings made before srcnat, where something must be said or known before. Private to nft-rules.
 */
#ifndef NATSIM_NFT_RULES_CLAIMS_H
#define NATSIM_NFT_RULES_CLAIMS_H

#include "nft-rules/translation.h"

/* Does this NAT need it? */
bool claims_early(const struct nat *nat);

/* Add the chain of srcnat that only looks mappings up: t->source. */
void claims_add_source(struct translation *t);

/* Add the chains that send first packets to t->bind. */
void claims_add(struct ruleset *ruleset, const struct nat_router *router,
		const struct translation *protocols);

#endif
