/* SPDX-License-Identifier: MIT */
/* What nothing admits: strangers, and what they hear (enum nat_unsolicited). Private to nft-rules.
 */
#ifndef NATSIM_NFT_RULES_GUARD_H
#define NATSIM_NFT_RULES_GUARD_H

#include "nft-rules/translation.h"

/* Add the sets that only strangers need. */
void guard_init(struct translation *t);

/* Rules of the chain every packet from outside goes through before conntrack sees it. */
void guard_add_arrive(const struct translation protocols[NAT_PROTOCOLS], struct chain *chain);

/* What a stranger's packet of this protocol hears: the end of a rule. */
void guard_answer_stranger(const struct translation *t, struct builder *b);

/* The first rules of a nat chain: what is not for the holder of the port. */
void guard_add_dstnat(const struct translation protocols[NAT_PROTOCOLS], struct chain *chain);

/* For the router itself: answers to it, and nothing else but what is declared. */
void guard_add_input(struct ruleset *ruleset, const struct nat_router *router);

/* Of packets that go through: what conntrack still knows, but no permission admits. */
void guard_add_forward(struct ruleset *ruleset, const struct nat_router *router,
		       struct chain *forward);

/* Of packets that leave: those that use no mapping. */
void guard_add_leave(struct ruleset *ruleset, const struct nat_router *router, struct chain *leave);

/* The candidate in REG_PORT is not given away, and conntrack has no stranger's flow in its place.
 */
void guard_match_free(const struct translation *t, struct builder *b);

/* Add the chain for flows whose mapping's port has such a flow in its place; NULL: none can. */
struct chain *guard_add_moved(const struct translation *t);
void guard_add_moved_rule(const struct translation *t, struct chain *source);

#endif
