/* SPDX-License-Identifier: MIT */
/* Neighbouring ports that stay neighbours (contiguous in struct nat_ports). Private to nft-rules.
 */
#ifndef NATSIM_NFT_RULES_PAIRS_H
#define NATSIM_NFT_RULES_PAIRS_H

#include "nft-rules/translation.h"

/* Add the sets and the (still empty) chain t->give_pair. */
void pairs_init(struct translation *t);

/* End a rule that has the key's register free and a candidate, even, in REG_EXTERNAL. */
void pairs_finish_attempt(const struct translation *t, struct builder *b);

/* The first rule of a chain of attempts: who has a pair needs none. */
void pairs_add_return(const struct translation *t, struct chain *chain);

/* The port of the own pair to REG_EXTERNAL, for even ports or odd ones. */
void pairs_load_candidate(const struct translation *t, struct builder *b, bool odd);

/* Keep the pair of the key in REG_KEY, at REG_EXTERNAL. Spoils both. */
void pairs_keep(const struct translation *t, struct builder *b);

#endif
