/* SPDX-License-Identifier: MIT */
/* Which external address a new mapping gets, where there are several. Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_POOL_H
#define NATSIM_NFT_RULES_POOL_H

#include "nft-rules/translation.h"

struct pool {
	struct ruleset *ruleset;
	const struct nat_router *router;
	const struct set *externals;
	const struct set *paired; /* NULL: arbitrary */
	struct chain *pair;
};

/* Add what all protocols share. @pool must live as long as the translations. */
void pool_init(struct pool *pool, struct ruleset *ruleset, const struct nat_router *router);

/* Where a new flow begins to be bound. */
void pool_add_jump(const struct pool *pool, struct chain *bind);

/* The host's address or, where none is its own, a random one to REG_EXTERNAL; spoils the registers
 * before it. */
void pool_load_address(const struct pool *pool, struct builder *b);

/*
 * Where each of several addresses is to be tried, a rule has to be written pool_choices()
 * times, and loads one of them each time.
 */
size_t pool_choices(const struct pool *pool, bool every_address);
void pool_load_choice(const struct pool *pool, struct builder *b, size_t number);

/* The packet's @field is one of the external addresses, however many, or none of them. Spoils
 * register 0. */
void pool_match_external(const struct nat_router *router, struct builder *b, enum field field,
			 bool external);

/* The same of what the flow's first packet was addressed to. */
void pool_match_addressed(const struct nat_router *router, struct builder *b, bool external);

/*
 * Keep what the mapping of the inside address in REG_KEY to REG_EXTERNAL stands on. Last of
 * a rule: it spoils the register before the external address, and the port.
 */
void pool_keep(const struct translation *t, struct builder *b);

#endif
