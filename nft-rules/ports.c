/* SPDX-License-Identifier: MIT */
/*
 * Which external port a new mapping gets
 *
 * An attempt draws a candidate and claims it (place.c). If the port is another's
 * the rule ends there, and the next attempt is made: attempts are one rule in a chain of
 * its own, which is jumped to often, through chains of jumps to it.
 *
 *     udp_bind --> own port --> try_64 --> ... --> try    a random port, of whatever protocol
 *                           |                       `-> any_low    the same below 1024
 *                           `-> scan_64 --> ... --> scan --> udp_scan    small ranges: in turn
 *
 * Where a protocol has several kinds of attempt they leave their candidate to one chain that
 * claims it (udp_place), and where that is drawn at random one draw serves all protocols.
 * A counter is each protocol's own: its next port depends on none but its own mappings.
 *
 * How often? A range of up to SCANNED ports is searched whole, so it can be used up to
 * the last port. In a larger one, 64 random attempts miss only if nearly all is taken.
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
#include "nft-rules/ports.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "nft-rules/blocks.h"
#include "nft-rules/forwards.h"
#include "nft-rules/guard.h"
#include "nft-rules/pairs.h"
#include "nft-rules/place.h"
#include "nft-rules/pool.h"

/* Ports given away where the own one is taken or not wanted (RFC 4787 section 4.2.2). */
enum {
	PORT_LOW_FIRST = 1,
	PORT_LOW_LAST = 1023,
	SCANNED = 1024,
	RANDOM_LEVELS = 3, /* FANOUT ** 3 attempts */
	FANOUT = 4,
};

/* The ports a rule may draw: of one parity, or any. */
enum parity { ANY, EVEN, ODD };
struct range {
	uint16_t first, last;
	enum parity parity;
};

/* One way to find a port. */
struct attempt {
	const char *name; /* of its chains */
	struct range range;
	enum draw draw;
	unsigned int levels; /* FANOUT ** levels attempts */
	bool pair;           /* of ports: the even one is drawn */
	bool low;            /* not for ports below 1024, which stay below */
	bool every_address;  /* of a pool, one after the other, instead of one at random */
};

static struct range declared_range(const struct translation *t)
{
	const struct nat_ports *ports = &t->router->nat->ports;

	if (t->blocks) /* places in a block */
		return (struct range){0, (uint16_t)(ports->block - 1), ANY};
	if (ports->first)
		return (struct range){ports->first, ports->last, ANY};
	return (struct range){PORTS_FIRST, PORTS_LAST, ANY};
}

/* RFC 4787 is about ports: identifiers of queries have no parity. */
static bool has_parity(const struct translation *t)
{
	return t->router->nat->ports.parity && !t->pair && t->protocol->number != IPPROTO_ICMP;
}

static unsigned int common_divisor(unsigned int a, unsigned int b)
{
	return b ? common_divisor(b, a % b) : a;
}

/* Are there several rules that find a candidate? A half of a pair has one alone. */
static bool has_several(const struct translation *t)
{
	const struct nat_ports *ports = &t->router->nat->ports;
	struct range range = declared_range(t);

	if (ports->contiguous && t->protocol->number != IPPROTO_ICMP)
		return false;
	return ports->allocation == PORTS_PRESERVING || ports->parity || t->blocks ||
	       range.last - range.first < SCANNED;
}

/* Does one draw serve all protocols? Only numbers that come from no counter are nobody's. */
static bool draws_for_all(const struct translation *t)
{
	const struct nat_ports *ports = &t->router->nat->ports;

	return ports->allocation != PORTS_SEQUENTIAL && !ports->contiguous && has_several(t);
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

static struct chain *add_attempt_chain(const struct translation *t, const struct attempt *attempt);

/* Is a port below 1024 one of its own kind (RFC 4787 REQ-3a)? Not if a range was declared. */
static bool has_low(const struct translation *t)
{
	const struct nat_ports *ports = &t->router->nat->ports;

	return ports->allocation == PORTS_PRESERVING && !ports->first &&
	       t->protocol->number != IPPROTO_ICMP;
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

/* Make FANOUT ** levels attempts from @from. */
static void add_attempts(const struct translation *t, struct chain *from,
			 const struct attempt *attempt, const char *comment)
{
	struct chain *foot = ir_find_chain(t->ruleset, attempt->name);
	bool first = !foot;
	char top[IR_NAME_MAX];
	struct builder b;

	if (first)
		foot = add_ladder(t, attempt);
	if (attempt->draw == DRAW_NEXT || !draws_for_all(t))
		add_own_attempt(t, foot, attempt);
	else if (first)
		add_common(t, foot, attempt);

	snprintf(top, sizeof(top), "%s_%u", attempt->name, 1U << (2 * attempt->levels));
	b = expr_rule(t->ruleset, from, comment);
	expr_jump(&b, ir_find_chain(t->ruleset, top));
}
static_assert(FANOUT == 4, "a level of jumps is two bits of their number");

/* So many that each port of a small range gets its turn. */
static unsigned int scan_levels(unsigned int count)
{
	unsigned int levels = 1, attempts = FANOUT;

	while (attempts < count) {
		attempts *= FANOUT;
		levels++;
	}
	return levels;
}

static void add_draws(const struct translation *t, struct chain *from)
{
	struct range range = declared_range(t);
	unsigned int count = (unsigned int)(range.last - range.first) + 1;
	const struct nat_ports *ports = &t->router->nat->ports;
	bool sequential = ports->allocation == PORTS_SEQUENTIAL;
	bool small = count <= SCANNED;
	struct attempt attempt = {
		.name = "try",
		.range = range,
		.draw = sequential ? DRAW_NEXT : DRAW_RANDOM,
		.levels = small ? 2 : RANDOM_LEVELS,
		.pair = t->pair != NULL,
		.low = has_low(t),
	};

	if (sequential && small)
		attempt.levels = scan_levels(count + (unsigned int)abs(ports->step));
	add_attempts(t, from, &attempt, "try other ports");
	if (!small)
		return;
	attempt = (struct attempt){
		.name = "scan",
		.range = range,
		.draw = DRAW_NEXT,
		.levels = scan_levels(count),
		.pair = t->pair != NULL,
		.every_address = true,
	};
	add_attempts(t, from, &attempt, "a small range: try each of them");
}

void ports_add_exhausted(struct ruleset *ruleset, const struct nat_router *router,
			 struct chain *chain, const char *comment)
{
	struct builder b = expr_rule(ruleset, chain, comment);

	if (router->nat->ports.exhaustion == EXHAUSTION_ICMP)
		expr_reject_host(&b);
	else
		expr_drop(&b);
}

static void add_own(struct translation *t)
{
	const struct nat_ports *ports = &t->router->nat->ports;
	struct builder b = expr_rule(t->ruleset, t->bind, "the own port");

	expr_load_field(&b, REG_PORT, t->protocol->out_port);
	if (ports->first)
		expr_match_ports(&b, REG_PORT, ports->first, ports->last);
	place_try(t->place, &b);
}

/* See that there is a pair for both neighbours: their own ports, or others. */
static void add_pairs(struct translation *t)
{
	const struct nat_ports *ports = &t->router->nat->ports;
	struct builder b;
	int odd;

	pairs_init(t);
	pairs_add_return(t, t->give_pair);
	b = expr_rule(t->ruleset, t->give_pair,
		      "claim the own ports, look who owns them; ours: have them");
	if (t->pool)
		pool_load_address(t->pool, &b);
	expr_load_field(&b, REG_PORT, t->protocol->out_port);
	expr_change_port(&b, REG_PORT, 0xfffe, 0);
	if (ports->first)
		expr_match_ports(&b, REG_PORT, ports->first, (uint16_t)(ports->last - 1));
	pairs_finish_attempt(t, &b);
	add_draws(t, t->give_pair);

	b = expr_rule(t->ruleset, t->bind, "see that it and its neighbour have ports");
	expr_jump(&b, t->give_pair);
	for (odd = 0; odd < 2; odd++) {
		b = expr_rule(t->ruleset, t->bind,
			      "claim its half, look who owns it; ours: map to it");
		expr_match_parity(&b, t->protocol->out_port, odd);
		pairs_load_candidate(t, &b, odd);
		place_claim(t, &b);
	}
}

/* The first packet of a flow that leaves: give it its external endpoint. */
void ports_add_bind(struct translation *t)
{
	const struct nat_ports *ports = &t->router->nat->ports;
	bool preserving = ports->allocation == PORTS_PRESERVING;
	struct builder b;

	t->bind = ir_add_chain(t->ruleset, NULL, "the external endpoint of a new flow", "%s_bind",
			       t->protocol->name);
	if (!t->early) {
		forwards_add_source(t, t->bind);
		guard_add_moved_rule(t, t->bind);
	}
	b = expr_rule(t->ruleset, t->bind, "there is a mapping: leave through it");
	translation_load_key(t, &b, REG_KEY);
	if (t->early) {
		expr_match_key(&b, REG_KEY, t->out, REG_OWNER);
		expr_accept(&b);
	} else {
		translation_map_out(t, &b);
		expr_snat(&b, REG_EXTERNAL);
	}
	if (t->pool)
		pool_add_jump(t->pool, t->bind);
	if (t->blocks)
		blocks_add_jump(t->blocks, t->bind);
	if (has_several(t))
		place_add(t, t->blocks || draws_for_all(t));
	if (ports->contiguous && t->protocol->number != IPPROTO_ICMP) {
		add_pairs(t);
	} else {
		if (preserving)
			add_own(t);
		add_draws(t, t->bind);
	}
	ports_add_exhausted(t->ruleset, t->router, t->bind,
			    "no port is free: existing mappings come first");
	t->source = t->bind;
}
