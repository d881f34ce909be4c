/* SPDX-License-Identifier: MIT */
/*
 * Blocks of ports, one for each subscriber (RFC 6888 section 2, RFC 7422)
 *
 * A subscriber is an inside address. Its first mapping, of whatever protocol, gives it
 * the next block that is nobody's; all its mappings are then made in this block, and when
 * they fill it, it gets no more. Who finds no block gets no port. Blocks are claimed as ports are:
 * "block_owner" says who was first, "block" what a subscriber has. Both live on with the
 * subscriber's mappings.
 *
 * A port is its block's first port and a place in the block. Blocks are powers of two and begin
 * at multiples of their size, so no bit comes from both; how they are put together see
 * expr_join_ports(). The place comes in the packet's mark, and there the port is left.
 */
#include "nft-rules/blocks.h"

#include "nft-rules/ports.h"

enum { SCAN_FANOUT = 4, BLOCKS_SCANNED = 1024 };

static unsigned int block_bits(const struct blocks *blocks)
{
	unsigned int bits = 0;

	while (1U << bits < blocks->size)
		bits++;
	return bits;
}

/* A subscriber has one block at most: an attempt that comes after it has one does nothing. */
static void return_owner(const struct blocks *blocks, struct chain *chain)
{
	struct builder b = expr_rule(blocks->ruleset, chain, "it has one");

	expr_load_field(&b, REG_KEY, FIELD_IP_SADDR);
	expr_match_key(&b, REG_KEY, blocks->block, REG_OWNER);
	expr_return(&b);
}

static struct chain *add_try(struct blocks *blocks, const struct nat_router *router,
			     const struct pool *pool, struct draw_port draw)
{
	const struct type hosts = {{TYPE_ADDR, TYPE_ADDR}, 2};
	const struct set *same =
		ir_add_set(blocks->ruleset, &hosts, NULL,
			   "pairs of equal hosts, to compare hosts with", "same_host");
	struct chain *chain =
		ir_add_chain(blocks->ruleset, NULL, "one attempt to get a block", "block_try");
	unsigned int claim = pool ? REG_EXTERNAL : REG_PORT;
	struct builder b;

	return_owner(blocks, chain);
	b = expr_rule(blocks->ruleset, chain,
		      "claim the next block, look who owns it; ours: have it");
	if (pool)
		pool_load_address(pool, &b);
	else
		expr_load_addr(&b, REG_EXTERNAL, &router->externals[0]);
	expr_draw_port(&b, REG_PORT, &draw);
	expr_load_addr(&b, REG_HOLD, &router->externals[0]);
	expr_load_field(&b, REG_KEY, FIELD_IP_SADDR);
	expr_add(&b, blocks->owner, claim, REG_HOLD, TRIAL_CLAIM_MS);
	expr_load_field(&b, REG_OWNER, FIELD_IP_SADDR);
	expr_load_field(&b, REG_OWNER + 1, FIELD_IP_SADDR);
	expr_update(&b, same, REG_OWNER, 0, SAME_MS);
	expr_map_named(&b, claim, blocks->owner, REG_OWNER, "$owner");
	expr_match_set(&b, REG_OWNER, same, true);
	expr_load_addr(&b, REG_EXTERNAL - 1, &router->externals[0]);
	expr_add(&b, blocks->block, REG_KEY, REG_EXTERNAL - 1, TRIAL_CLAIM_MS);
	return chain;
}

void blocks_init(struct blocks *blocks, struct ruleset *ruleset, const struct nat_router *router,
		 const struct pool *pool)
{
	const struct type host = {{TYPE_ADDR}, 1}, port = {{TYPE_PORT}, 1};
	const struct type endpoint = {{TYPE_ADDR, TYPE_PORT}, 2},
			  owner = {{TYPE_ADDR, TYPE_ADDR}, 2};
	const struct type block = {{TYPE_ADDR, TYPE_ADDR, TYPE_PORT}, 3};
	const struct nat_ports *ports = &router->nat->ports;
	unsigned int first = ports->first ? ports->first : PORTS_FIRST;
	unsigned int last = ports->first ? ports->last : PORTS_LAST, attempts = 1, i;
	struct draw_port draw = {.draw = DRAW_NEXT};
	struct chain *chain, *inner;
	struct builder b;

	*blocks = (struct blocks){.ruleset = ruleset, .size = ports->block};
	blocks->block = ir_add_set(ruleset, &host, &block,
				   "subscribers: their block's address and first port", "block");
	blocks->owner = ir_add_set(ruleset, pool ? &endpoint : &port, &owner,
				   "blocks: the subscriber who claimed it first", "block_owner");
	draw.offset = (first + blocks->size - 1) / blocks->size;
	draw.modulus = (last + 1) / blocks->size - draw.offset;
	draw.shift = block_bits(blocks);
	chain = add_try(blocks, router, pool, draw);
	while (attempts < draw.modulus && attempts < BLOCKS_SCANNED) {
		inner = chain;
		attempts *= SCAN_FANOUT;
		chain = ir_add_chain(ruleset, NULL, "more attempts", "block_try_%u", attempts);
		for (i = 0; i < SCAN_FANOUT; i++) {
			b = expr_rule(ruleset, chain, NULL);
			expr_jump(&b, inner);
		}
	}
	blocks->give = ir_add_chain(ruleset, NULL, "the block of a subscriber", "give_block");
	return_owner(blocks, blocks->give);
	b = expr_rule(ruleset, blocks->give, NULL);
	expr_jump(&b, chain);
	return_owner(blocks, blocks->give);
	ports_add_exhausted(ruleset, router, blocks->give, "no block is free, so no port is");
}

void blocks_add_jump(const struct blocks *blocks, struct chain *bind)
{
	struct builder b = expr_rule(blocks->ruleset, bind, "see that the host has a block");

	expr_jump(&b, blocks->give);
}

static void load_block(const struct blocks *blocks, struct builder *b)
{
	expr_load_field(b, REG_KEY, FIELD_IP_SADDR);
	expr_map_named(b, REG_KEY, blocks->block, REG_EXTERNAL, "$address . $first");
	expr_name(b, REG_EXTERNAL, "$address");
	expr_name(b, REG_PORT, "$first");
}

void blocks_add_join(const struct blocks *blocks, struct chain *chain)
{
	struct builder b = expr_rule(blocks->ruleset, chain, "from the place to the port");

	load_block(blocks, &b);
	if (blocks->size > 1) {
		expr_load_mark_port(&b, REG_PORT + 1);
		expr_join_ports(&b, REG_PORT, block_bits(blocks));
	}
	expr_mark_port(&b, REG_PORT);
}

void blocks_load_address(const struct blocks *blocks, struct builder *b)
{
	load_block(blocks, b);
}

void blocks_keep(const struct translation *t, struct builder *b)
{
	unsigned int block = t->pool ? REG_EXTERNAL : REG_PORT;

	expr_change_port(b, REG_PORT, (uint16_t) ~(t->blocks->size - 1), 0);
	expr_load_addr(b, REG_EXTERNAL - 1, &t->router->externals[0]);
	expr_update(b, t->blocks->block, REG_KEY, REG_EXTERNAL - 1, t->claim_life);
	expr_update(b, t->blocks->owner, block, REG_HOLD, t->claim_life);
}
