/* SPDX-License-Identifier: MIT */
/* Blocks of ports, one for each subscriber (struct nat_ports). Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_BLOCKS_H
#define NATSIM_NFT_RULES_BLOCKS_H

#include "nft-rules/pool.h"
#include "nft-rules/translation.h"

struct blocks {
	struct ruleset *ruleset;
	unsigned int size;
	const struct set *block, *owner;
	struct chain *give;
};

/* Add what all protocols share. @pool: NULL where there is one external address. */
void blocks_init(struct blocks *blocks, struct ruleset *ruleset, const struct nat_router *router,
		 const struct pool *pool);

/* Where a new flow begins to be bound: see that the subscriber has a block. */
void blocks_add_jump(const struct blocks *blocks, struct chain *bind);

/* The rule that turns the place in a block (a port below the block's size) in the packet's mark
 * into the port. */
void blocks_add_join(const struct blocks *blocks, struct chain *chain);

/* The block's address to REG_EXTERNAL; spoils the registers before it, and the port. */
void blocks_load_address(const struct blocks *blocks, struct builder *b);

/* Keep the block of the inside address in REG_KEY, which has the port in REG_PORT; spoils that. */
void blocks_keep(const struct translation *t, struct builder *b);

#endif
