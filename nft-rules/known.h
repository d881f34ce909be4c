/* SPDX-License-Identifier: MIT */
/* UDP flows that need conntrack no more, for a while. Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_KNOWN_H
#define NATSIM_NFT_RULES_KNOWN_H

#include "nft-rules/translation.h"

/* Where @t is of UDP and has a short way: its tables, t->known and t->known_in. */
void known_init(struct translation *t);

/* What is done where: before conntrack, for packets to an external endpoint, and for others where
 * none is from outside; then for those that leave. */
void known_add_arrive(const struct translation *t, struct chain *chain);
void known_add_depart(const struct translation *t, struct chain *chain);
void known_add_leave(const struct translation *t, struct chain *chain);
void known_add_heard(const struct translation *t, struct chain *leave); /* to the inside */

/* Where `keep` goes when it has refreshed what a flow uses: is it a known one now? And it accepts.
 */
struct chain *known_add_learn(const struct translation *t);

#endif
