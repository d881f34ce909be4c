/* SPDX-License-Identifier: MIT */
/* Ports that are one inside endpoint's by declaration (struct nat_forward). Private to nft-rules.
 */
#ifndef NATSIM_NFT_RULES_FORWARDS_H
#define NATSIM_NFT_RULES_FORWARDS_H

#include "nft-rules/translation.h"

/* Add the sets of this protocol's forwards, if it has any. */
void forwards_init(struct translation *t, enum nat_protocol protocol);

void forwards_add_arrive(const struct translation *t, struct chain *chain); /* anyone may come in */
void forwards_add_dstnat(const struct translation *t, struct chain *chain);
void forwards_add_source(const struct translation *t, struct chain *chain); /* and it leaves so */

#endif
