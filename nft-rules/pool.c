/* SPDX-License-Identifier: MIT */
/*
 * Which external address a new mapping gets, where there are several
 *
 * Arbitrary: any, for each mapping anew. The rules of an attempt are there once for each
 * address; the first of n lets one attempt in n through, the next one in n - 1 of the
 * rest, and so on, so each address is as likely as the others.
 *
 * Paired (RFC 4787 REQ-2): the first mapping of an inside host writes a random address into
 * "paired", which is where all attempts for this host read it, whatever the protocol.
 * Adding is atomic, and what is there stays, so a host never has two. When the ports of
 * this address are used up the host gets none of another (RFC 7857 section 4).
 */
#include "nft-rules/pool.h"

#include "nft-rules/blocks.h"
#include "nft-rules/pairs.h"
#include "nft-rules/ports.h"

static void match_chance(const struct pool *pool, struct builder *b, size_t number)
{
	uint32_t left = (uint32_t)(pool->router->external_count - number);

	if (left > 1)
		expr_match_chance(b, left);
}

void pool_init(struct pool *pool, struct ruleset *ruleset, const struct nat_router *router)
{
	const struct type address = {{TYPE_ADDR}, 1}, twice = {{TYPE_ADDR, TYPE_ADDR}, 2};
	struct builder b;
	size_t i;

	*pool = (struct pool){.ruleset = ruleset, .router = router};
	if (router->nat->pooling != POOLING_PAIRED)
		return;
	pool->paired = ir_add_set(ruleset, &address, &twice,
				  "inside hosts: (any,) their external address", "paired");
	pool->pair = ir_add_chain(ruleset, NULL, "the external address of an inside host", "pair");
	for (i = 0; i < router->external_count; i++) {
		b = expr_rule(ruleset, pool->pair, i ? NULL : "one at random, unless it has one");
		match_chance(pool, &b, i);
		expr_load_field(&b, REG_KEY, FIELD_IP_SADDR);
		expr_load_addr(&b, REG_EXTERNAL, &router->externals[i]);
		expr_load_addr(&b, REG_EXTERNAL + 1, &router->externals[i]);
		expr_add(&b, pool->paired, REG_KEY, REG_EXTERNAL, TRIAL_CLAIM_MS);
		expr_return(&b);
	}
}

void pool_add_jump(const struct pool *pool, struct chain *bind)
{
	struct builder b;

	if (!pool->paired)
		return;
	b = expr_rule(pool->ruleset, bind, "see that the host has an external address");
	expr_jump(&b, pool->pair);
}

size_t pool_choices(const struct pool *pool)
{
	return pool->paired ? 1 : pool->router->external_count;
}

void pool_match_address(const struct pool *pool, struct builder *b, size_t number)
{
	if (!pool->paired)
		match_chance(pool, b, number);
}

void pool_load_address(const struct pool *pool, struct builder *b, size_t number)
{
	if (!pool->paired) {
		expr_load_addr(b, REG_EXTERNAL, &pool->router->externals[number]);
		return;
	}
	expr_load_field(b, REG_KEY, FIELD_IP_SADDR);
	expr_map_named(b, REG_KEY, pool->paired, REG_EXTERNAL, "$address");
}

void pool_keep(const struct translation *t, struct builder *b)
{
	if (t->pool && t->pool->paired) {
		expr_load_addr(b, REG_EXTERNAL - 1, &t->router->externals[0]);
		expr_update(b, t->pool->paired, REG_KEY, REG_EXTERNAL - 1, t->claim_life);
	}
	if (t->blocks)
		blocks_keep(t, b);
	if (t->pair)
		pairs_keep(t, b);
}

struct chain *pool_add_gate(struct ruleset *ruleset, const struct nat_router *router,
			    struct chain *chain, enum field field, const char *name,
			    const char *comment)
{
	struct chain *inner;
	struct builder b;
	size_t i;

	if (router->external_count == 1) {
		b = expr_rule(ruleset, chain, comment);
		expr_match_addr(&b, field, &router->externals[0], false);
		expr_drop(&b);
		return chain;
	}
	inner = ir_add_chain(ruleset, NULL, "one of the external addresses", "%s", name);
	for (i = 0; i < router->external_count; i++) {
		b = expr_rule(ruleset, chain, NULL);
		expr_match_addr(&b, field, &router->externals[i], true);
		expr_goto(&b, inner);
	}
	b = expr_rule(ruleset, chain, comment);
	expr_drop(&b);
	return inner;
}
