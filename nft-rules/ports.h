/* SPDX-License-Identifier: MIT */
/* Which external port a new mapping gets (struct nat_ports). Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_PORTS_H
#define NATSIM_NFT_RULES_PORTS_H

#include "nft-rules/translation.h"

/*
 * What an attempt writes holds this long; the packet that made the attempt extends it
 * on its way out (see "keep"). What did not get that far is soon forgotten, the claim
 * last, so that nothing points to a port that is free again.
 */
#define TRIAL_MS 5000U
#define TRIAL_CLAIM_MS (2ULL * TRIAL_MS)
/* How long a comparison is remembered: it is used within the same rule. */
#define SAME_MS 1000U

/* Add the chain that gives a new flow its external endpoint: t->bind. */
void ports_add_bind(struct translation *t);

/* The rule at the end of a chain: what a host hears that gets none. */
void ports_add_exhausted(struct ruleset *ruleset, const struct nat_router *router,
			 struct chain *chain, const char *comment);

/* Ports given away where no range was declared (RFC 4787 section 4.2.2 keeps those below apart). */
enum { PORTS_FIRST = 1024, PORTS_LAST = 65535 };

/* A larger step takes too many turns of the counter (see expr_match_turn()). */
#define PORTS_STEP_MAX 64

#endif
