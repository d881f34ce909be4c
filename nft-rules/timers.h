/* SPDX-License-Identifier: MIT */
/* How long what lives, and what keeps it alive (struct nat_timers). Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_TIMERS_H
#define NATSIM_NFT_RULES_TIMERS_H

#include "nft-rules/translation.h"

/* Fill in the lives of @t, and add the sets only they need. */
void timers_init(struct translation *t, enum nat_protocol protocol);

/* Add t->keep, the chain for every packet that leaves. Does not come back. */
void timers_add_keep(struct translation *t);

/* Rules of the forward chain: what packets that arrive do to lives. */
void timers_add_forward(const struct translation *t, struct chain *forward);
/* A rule of `leave`, where no other chain need be hooked for it: a reset from outside (TCP). */
void timers_add_reset(const struct translation *t, struct chain *chain);
bool timers_need_forward(const struct nat *nat);

/*
 * What packets that arrive, or an error about them, load to name their session:
 * its key in REG_KEY, its external endpoint in REG_EXTERNAL, its peer behind that.
 */
enum direction { OUTBOUND, INBOUND };
void timers_load_session(const struct translation *t, struct builder *b, enum direction direction);

/* The session's mapping and permission end here and now. */
void timers_end_mapping(const struct translation *t, struct builder *b);

#endif
