/* SPDX-License-Identifier: MIT */
/*
 * Which external address a new mapping gets, where there are several
 *
 * "externals" numbers them, so a random one is a random number looked up there.
 *
 * Arbitrary: any, for each mapping anew. Each attempt draws one. Where all ports are
 * tried in turn an attempt has a rule for each address instead.
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

#define ADDRESSES "external_addresses"

static void add_addresses(struct ruleset *ruleset, const struct nat_router *router)
{
	const struct type address = {{TYPE_ADDR}, 1};
	struct set *set = ir_add_set(ruleset, &address, NULL, "what the world knows", ADDRESSES);
	char text[ADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < router->external_count; i++) {
		const uint32_t key[2] = {addr_to_ipv4(&router->externals[i])};

		ir_add_element(ruleset, set, key, NULL, "%s",
			       addr_format(&router->externals[i], text));
	}
}

void pool_match_external(const struct nat_router *router, struct builder *b, enum field field,
			 bool external)
{
	if (router->external_count == 1) {
		expr_match_addr(b, field, &router->externals[0], external);
		return;
	}
	expr_load_field(b, 0, field);
	expr_match_set(b, 0, ir_find_set(b->ruleset, ADDRESSES), external);
}

void pool_match_addressed(const struct nat_router *router, struct builder *b, bool external)
{
	if (router->external_count == 1) {
		expr_match_original_daddr(b, &router->externals[0], external);
		return;
	}
	expr_load_original_daddr(b, 0);
	expr_match_set(b, 0, ir_find_set(b->ruleset, ADDRESSES), external);
}

/* Twice, because a result that becomes part of a key begins one register early. */
static const struct type address_twice = {{TYPE_ADDR, TYPE_ADDR}, 2};

static const struct set *add_externals(struct ruleset *ruleset, const struct nat_router *router)
{
	const struct type number = {{TYPE_NUMBER}, 1};
	struct set *set = ir_add_set(ruleset, &number, &address_twice,
				     "the external addresses: (any,) address", "externals");
	char text[ADDR_TEXT_MAX];
	uint32_t i;

	for (i = 0; i < router->external_count; i++) {
		const uint32_t key[2] = {i}, address = addr_to_ipv4(&router->externals[i]);
		const uint32_t data[2] = {address, address};

		addr_format(&router->externals[i], text);
		ir_add_element(ruleset, set, key, data, "0x%08x : %s . %s", i, text, text);
	}
	return set;
}

/* A random one goes to REG_EXTERNAL. */
static void draw_address(const struct pool *pool, struct builder *b)
{
	uint32_t count = (uint32_t)pool->router->external_count;

	expr_load_random(b, REG_KEY, count);
	expr_map_named(b, REG_KEY, pool->externals, REG_EXTERNAL, "$address");
}

void pool_init(struct pool *pool, struct ruleset *ruleset, const struct nat_router *router)
{
	const struct type address = {{TYPE_ADDR}, 1};
	struct builder b;

	*pool = (struct pool){.ruleset = ruleset, .router = router};
	add_addresses(ruleset, router);
	pool->externals = add_externals(ruleset, router);
	if (router->nat->pooling != POOLING_PAIRED)
		return;
	pool->paired = ir_add_set(ruleset, &address, &address_twice,
				  "inside hosts: (any,) their external address", "paired");
	pool->pair = ir_add_chain(ruleset, NULL, "the external address of an inside host", "pair");
	b = expr_rule(ruleset, pool->pair, "one at random, unless it has one");
	draw_address(pool, &b);
	expr_load_field(&b, REG_KEY, FIELD_IP_SADDR);
	expr_load_addr(&b, REG_EXTERNAL - 1, &router->externals[0]);
	expr_add(&b, pool->paired, REG_KEY, REG_EXTERNAL - 1, TRIAL_CLAIM_MS);
}

void pool_add_jump(const struct pool *pool, struct chain *bind)
{
	struct builder b;

	if (!pool->paired)
		return;
	b = expr_rule(pool->ruleset, bind, "see that the host has an external address");
	expr_jump(&b, pool->pair);
}

size_t pool_choices(const struct pool *pool, bool every_address)
{
	return every_address && !pool->paired ? pool->router->external_count : 1;
}

void pool_load_address(const struct pool *pool, struct builder *b)
{
	if (!pool->paired) {
		draw_address(pool, b);
		return;
	}
	expr_load_field(b, REG_KEY, FIELD_IP_SADDR);
	expr_map_named(b, REG_KEY, pool->paired, REG_EXTERNAL, "$address");
}

void pool_load_choice(const struct pool *pool, struct builder *b, size_t number)
{
	if (pool->paired)
		pool_load_address(pool, b);
	else
		expr_load_addr(b, REG_EXTERNAL, &pool->router->externals[number]);
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
