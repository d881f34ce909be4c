/* SPDX-License-Identifier: MIT */
/*
 * Neighbouring ports that stay neighbours (RFC 4787 section 4.2.3: RTP and RTCP)
 *
 * An inside endpoint with an even port and the next one are a pair; whichever sends
 * first claims two external ports for both, an even one and the next. Pairs have tables of
 * their own, in which ports are even: the last bit of the inside port and of the external
 * one is masked off in keys and values. An attempt for one port then has a single
 * candidate, the half of the pair with its own last bit, and nobody else claims that.
 */
#include "nft-rules/pairs.h"

#include "nft-rules/guard.h"
#include "nft-rules/ports.h"

enum { EVEN_MASK = 0xfffe, ALL_BITS = 0xffff };

static void load_pair_key(const struct translation *t, struct builder *b, unsigned int reg)
{
	translation_load_key(t, b, reg);
	expr_change_port(b, reg + 1, EVEN_MASK, 0);
}

void pairs_init(struct translation *t)
{
	const struct type port = {{TYPE_PORT}, 1}, endpoint = {{TYPE_ADDR, TYPE_PORT}, 2};
	const struct type endpoints = {{TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 4};
	const struct type place = {{TYPE_ADDR, TYPE_ADDR, TYPE_PORT}, 3};
	const struct type short_hold = {{TYPE_ADDR, TYPE_ADDR, TYPE_PORT}, 3};
	const struct type long_hold = {{TYPE_ADDR, TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 5};
	const char *name = t->protocol->name;
	bool is_short = translation_key_fields(t) == 2;

	t->pair = ir_add_set(t->ruleset, is_short ? &endpoint : &endpoints, &place,
			     "pairs as the inside sees them", "%s_pair", name);
	t->pair_claim = ir_add_set(
		t->ruleset, t->pool ? &endpoint : &port, is_short ? &short_hold : &long_hold,
		"even external port: who claimed it and the next one first", "%s_pair_claim", name);
	t->give_pair =
		ir_add_chain(t->ruleset, NULL, "a pair of external ports", "%s_give_pair", name);
}

void pairs_finish_attempt(const struct translation *t, struct builder *b)
{
	unsigned int claim = translation_claim(t);
	unsigned int own = REG_OWNER + translation_key_fields(t);

	guard_match_free(t, b);
	expr_change_port(b, REG_PORT, ALL_BITS, 1);
	guard_match_free(t, b);
	expr_change_port(b, REG_PORT, ALL_BITS, 1);
	expr_load_addr(b, REG_HOLD, &t->router->externals[0]);
	load_pair_key(t, b, REG_KEY);
	expr_add(b, t->pair_claim, claim, REG_HOLD, TRIAL_CLAIM_MS);

	load_pair_key(t, b, REG_OWNER);
	load_pair_key(t, b, own);
	expr_update(b, t->same, REG_OWNER, 0, SAME_MS);
	expr_map_named(b, claim, t->pair_claim, REG_OWNER, "$owner");
	expr_match_set(b, REG_OWNER, t->same, true);

	if (!t->pool)
		expr_load_addr(b, REG_EXTERNAL, &t->router->externals[0]);
	if (translation_key_fields(t) == 2)
		expr_load_zero(b, REG_EXTERNAL - 1);
	expr_add(b, t->pair, REG_KEY, REG_EXTERNAL - 1, TRIAL_CLAIM_MS);
	expr_return(b);
}

void pairs_add_return(const struct translation *t, struct chain *chain)
{
	struct builder b = expr_rule(t->ruleset, chain, "it has one");

	load_pair_key(t, &b, REG_KEY);
	expr_match_key(&b, REG_KEY, t->pair, REG_OWNER);
	expr_return(&b);
}

void pairs_load_candidate(const struct translation *t, struct builder *b, bool odd)
{
	load_pair_key(t, b, REG_KEY);
	expr_map_named(b, REG_KEY, t->pair, REG_EXTERNAL, "$address . $pair");
	expr_name(b, REG_EXTERNAL, "$address");
	expr_name(b, REG_PORT, "$pair");
	if (odd)
		expr_change_port(b, REG_PORT, ALL_BITS, 1);
}

void pairs_keep(const struct translation *t, struct builder *b)
{
	expr_change_port(b, REG_KEY + 1, EVEN_MASK, 0);
	expr_change_port(b, REG_PORT, EVEN_MASK, 0);
	expr_load_zero(b, REG_EXTERNAL - 1); /* also a long key's end */
	expr_update(b, t->pair, REG_KEY, REG_EXTERNAL - 1, t->claim_life);
	expr_update(b, t->pair_claim, translation_claim(t), REG_HOLD, t->claim_life);
}
