/* SPDX-License-Identifier: MIT */
/*
 * Attempts to get a port: the draws, and how they are repeated
 *
 * Sequential steps. nftables can count by one and cannot add. So a step of 3 is three
 * turns of the counter, and a second counter lets only the first of three attempts
 * through. A step down counts from 65535. Where step and range have a common divisor
 * the counter would come back to where it started with ports left out; so it counts
 * modulo a larger number, and what is beyond the range is passed over: 40000,
 * 40002, ..., 40098, 40001, 40003, ...
 *
 * Parity. Even and odd ports have a rule, and where sequential a counter, each: half the
 * numbers, doubled, and 1 flipped into the odd ones. A step counts ports of one parity.
 */
#include "nft-rules/attempts.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "nft-rules/pairs.h"
#include "nft-rules/place.h"
#include "nft-rules/pool.h"

enum {
	/* Ports below 1024 that cannot be kept get another one below (RFC 4787 section 4.2.2). */
	PORT_LOW_FIRST = 1,
	PORT_LOW_LAST = 1023,
	FANOUT = 4, /* of a level of jumps */
};

static struct chain *add_attempt_chain(const struct translation *t, const struct attempt *attempt);

/* RFC 4787 is about ports: identifiers of queries have no parity. */
static bool has_parity(const struct translation *t)
{
	return t->router->nat->ports.parity && !t->pair && t->protocol->number != IPPROTO_ICMP;
}

static unsigned int common_divisor(unsigned int a, unsigned int b)
{
	return b ? common_divisor(b, a % b) : a;
}

/* A number of the range's ports counts once: of those with the parity it is half the port. */
static struct draw_port draw_from(const struct range *range, enum draw draw, int step,
				  bool *ret_beyond)
{
	struct draw_port d = {.draw = draw, .down = step < 0};
	uint32_t first = range->first, last = range->last, distance = (uint32_t)abs(step);

	if (range->parity != ANY) {
		d.pairs = true;
		d.odd = range->parity == ODD;
		first = d.odd ? first / 2 : (first + 1) / 2;
		last = d.odd ? (last - 1) / 2 : last / 2;
	}
	d.modulus = last - first + 1;
	if (common_divisor(d.modulus, distance) != 1) /* so that a round ends one port further */
		d.modulus = (d.modulus / distance + 1) * distance - 1;
	d.offset = d.down ? 65535 - last : first;
	*ret_beyond = d.modulus > last - first + 1;
	return d;
}

/* Does a rule of this attempt claim the port itself, instead of leaving it to t->place? */
static bool claims_itself(const struct translation *t, const struct attempt *attempt)
{
	return !t->place ||
	       (t->pool && !t->blocks && pool_choices(t->pool, attempt->every_address) > 1);
}

/* The end of a rule: draw one port of the range, and claim it. */
static void draw_and_claim(const struct translation *t, struct builder *b,
			   const struct range *range, const struct attempt *attempt)
{
	const struct nat_ports *ports = &t->router->nat->ports;
	bool sequential = attempt->draw == DRAW_NEXT && ports->allocation == PORTS_SEQUENTIAL;
	int step = sequential && !attempt->every_address && ports->step ? ports->step : 1;
	struct draw_port port;
	bool beyond;

	port = draw_from(range, attempt->draw, step, &beyond);
	expr_draw_port(b, REG_PORT, &port);
	if (abs(step) > 1)
		expr_match_turn(b, (uint32_t)abs(step));
	if (beyond)
		expr_match_ports(b, REG_PORT, range->first, range->last);
	if (attempt->pair)
		pairs_finish_attempt(t, b);
	else if (claims_itself(t, attempt))
		place_claim(t, b);
	else
		place_leave_to(t->place, b);
}

static const char *describe(const struct translation *t, const struct attempt *attempt)
{
	return attempt->pair || claims_itself(t, attempt)
		       ? "draw a port, claim it, look who owns it; ours: map to it"
		       : "draw a port";
}

/* The rule of one attempt, which may have begun with a match of its own. */
static void try_one(const struct translation *t, struct builder b, const struct range *range,
		    const struct attempt *attempt, size_t address)
{
	bool itself = attempt->pair || claims_itself(t, attempt);

	if (range->parity != ANY && !attempt->pair)
		expr_match_parity(&b, t->protocol->out_port, range->parity == ODD);
	if (itself && t->pool && attempt->every_address)
		pool_load_choice(t->pool, &b, address);
	else if (itself && t->pool)
		pool_load_address(t->pool, &b);
	draw_and_claim(t, &b, range, attempt);
}

static void add_attempt(const struct translation *t, struct chain *chain, const struct range *range,
			const struct attempt *attempt, size_t address)
{
	try_one(t, expr_rule(t->ruleset, chain, describe(t, attempt)), range, attempt, address);
}

/* For those packets the attempt is another one. */
static void add_low(const struct translation *t, struct chain *chain)
{
	const struct attempt attempt = {
		.name = "low",
		.pair = t->pair != NULL,
		.range = {PORT_LOW_FIRST, PORT_LOW_LAST, ANY},
		.draw = DRAW_RANDOM,
	};
	struct builder b = expr_rule(t->ruleset, chain, "ports below 1024 stay below");

	expr_load_field(&b, REG_PORT, t->protocol->out_port);
	expr_match_ports(&b, REG_PORT, PORT_LOW_FIRST, PORT_LOW_LAST);
	expr_goto(&b, add_attempt_chain(t, &attempt));
}

/* One attempt: a rule for each parity and external address. */
static void add_rules(const struct translation *t, struct chain *chain,
		      const struct attempt *attempt)
{
	struct range range = attempt->range;
	size_t address, addresses = t->pool ? pool_choices(t->pool, attempt->every_address) : 1;

	if (attempt->pair) {
		pairs_add_return(t, chain);
		range.parity = EVEN;
		range.last--; /* the other one must be in the range, too */
	}
	if (attempt->low)
		add_low(t, chain);
	for (address = 0; address < addresses; address++) {
		if (attempt->pair || !has_parity(t)) {
			add_attempt(t, chain, &range, attempt, address);
			continue;
		}
		range.parity = EVEN;
		add_attempt(t, chain, &range, attempt, address);
		range.parity = ODD;
		add_attempt(t, chain, &range, attempt, address);
	}
}

static struct chain *add_attempt_chain(const struct translation *t, const struct attempt *attempt)
{
	struct chain *chain =
		ir_add_chain(t->ruleset, NULL, "one attempt; comes back if the port is another's",
			     "%s_%s", t->protocol->name, attempt->name);

	add_rules(t, chain, attempt);
	return chain;
}

static void add_jumps(const struct translation *t, struct chain *chain, const struct chain *to,
		      unsigned int count)
{
	struct builder b;
	unsigned int i;

	for (i = 0; i < count; i++) {
		b = expr_rule(t->ruleset, chain, NULL);
		expr_jump(&b, to);
	}
}

/* Chains of jumps to chains of jumps to the chain @name, which all protocols have in common. */
static struct chain *add_ladder(const struct translation *t, const struct attempt *attempt)
{
	static const char *const comments[] = {"four attempts", "sixteen attempts",
					       "64 attempts",   "256 attempts",
					       "1024 attempts", "4096 attempts"};
	struct chain *chain, *inner, *foot;
	unsigned int level, count = 1;

	foot = chain = ir_add_chain(t->ruleset, NULL, "one attempt; comes back if it fails", "%s",
				    attempt->name);
	for (level = 0; level < attempt->levels; level++) {
		inner = chain;
		count *= FANOUT;
		chain = ir_add_chain(t->ruleset, NULL, comments[level], "%s_%u", attempt->name,
				     count);
		add_jumps(t, chain, inner, FANOUT);
	}
	return foot;
}

/* The attempt of all protocols, made once, with what belongs to the first of them. */
static void add_common(const struct translation *t, struct chain *foot,
		       const struct attempt *attempt)
{
	static const struct protocol any = {.name = "any", .out_port = FIELD_TH_SPORT};
	struct translation all = *t;
	struct builder b;

	all.protocol = &any;
	all.place = place_common(t->ruleset);
	if (attempt->low || has_parity(t)) {
		b = expr_rule(t->ruleset, foot, "identifiers are all alike");
		expr_match_l4proto(&b, IPPROTO_ICMP);
		draw_and_claim(&all, &b, &attempt->range, attempt);
	}
	add_rules(&all, foot, attempt);
}

static bool is_one_rule(const struct translation *t, const struct attempt *attempt)
{
	return !attempt->pair && !attempt->low && !has_parity(t) &&
	       (!t->pool || pool_choices(t->pool, attempt->every_address) == 1);
}

/* The attempt of one protocol, where the protocols' ways part. */
static void add_own_attempt(const struct translation *t, struct chain *foot,
			    const struct attempt *attempt)
{
	unsigned int step = (unsigned int)abs(t->router->nat->ports.step);
	bool steps = attempt->draw == DRAW_NEXT && step > 1 && !attempt->every_address;
	struct chain *chain, *inner;
	struct builder b;

	if (!steps && is_one_rule(t, attempt)) {
		try_one(t, translation_rule(t, foot, describe(t, attempt)), &attempt->range,
			attempt, 0);
		return;
	}
	chain = add_attempt_chain(t, attempt);
	if (steps) {
		inner = chain;
		chain = ir_add_chain(t->ruleset, NULL, "one step: one of these is an attempt",
				     "%s_step", t->protocol->name);
		add_jumps(t, chain, inner, step);
	}
	b = translation_rule(t, foot, NULL);
	expr_goto(&b, chain);
}

void attempts_add(const struct translation *t, struct chain *from, const struct attempt *attempt,
		  const char *comment)
{
	struct chain *foot = ir_find_chain(t->ruleset, attempt->name);
	bool first = !foot;
	char top[IR_NAME_MAX];
	struct builder b;

	if (first)
		foot = add_ladder(t, attempt);
	if (!attempt->for_all)
		add_own_attempt(t, foot, attempt);
	else if (first)
		add_common(t, foot, attempt);

	snprintf(top, sizeof(top), "%s_%u", attempt->name, 1U << (2 * attempt->levels));
	b = expr_rule(t->ruleset, from, comment);
	expr_jump(&b, ir_find_chain(t->ruleset, top));
}
static_assert(FANOUT == 4, "a level of jumps is two bits of their number");

unsigned int attempts_levels(unsigned int count)
{
	unsigned int levels = 1, attempts = FANOUT;

	while (attempts < count) {
		attempts *= FANOUT;
		levels++;
	}
	return levels;
}
