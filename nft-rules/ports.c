/* SPDX-License-Identifier: MIT */
/*
 * Which external port a new mapping gets
 *
 * An attempt draws a candidate and claims it (finish_attempt()). If the port is another's
 * the rule ends there, and the next attempt is made: attempts are one rule in a chain of
 * its own, which is jumped to often, through chains of jumps to it.
 *
 *     udp_bind --> own port --> try_64 --> ... --> try --> udp_try    a random port, or the next
 *                           |                               `-> udp_low    the same below 1024
 *                           `-> scan_64 --> ... --> scan --> udp_scan    small ranges: in turn
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

/*
 * One attempt: claim the candidate endpoint in REG_EXTERNAL; if it is ours (now, or since an
 * earlier packet), make it the mapping and leave through the mapping. Two first
 * packets of one socket may both win a port; the mapping is the one that was
 * written first, and both leave through it.
 *
 * Is the key behind the claim our own? nftables cannot compare two registers, but it
 * can ask whether a pair is in a set that only ever holds equal pairs, and that holds
 * ours because we have just put it there.
 */
static void load_owner(const struct translation *t, struct builder *b, unsigned int reg)
{
	if (!t->overloading) {
		translation_load_key(t, b, reg);
		return;
	}
	expr_load_field(b, reg, FIELD_IP_SADDR);
	expr_load_field(b, reg + 1, t->protocol->out_port);
}

static void finish_attempt(const struct translation *t, struct builder *b)
{
	unsigned int owner = t->overloading ? REG_SHARER : REG_OWNER;
	unsigned int claim = translation_claim(t);

	guard_match_free(t, b);
	expr_load_addr(b, REG_HOLD, &t->router->externals[0]);
	translation_load_peer(t, b);
	expr_add(b, t->claim, claim, REG_HOLD, t->trial_claim_life);

	load_owner(t, b, owner);
	load_owner(t, b, owner + translation_owner_fields(t));
	expr_update(b, t->same, owner, 0, SAME_MS);
	expr_map_named(b, claim, t->claim, owner, "$owner");
	expr_match_set(b, owner, t->same, true);

	if (!t->pool)
		expr_load_addr(b, REG_EXTERNAL, &t->router->externals[0]);
	expr_add(b, t->out, REG_KEY, translation_out_data(t, b), t->trial_life);
	expr_add(b, t->in, claim, REG_KEY, t->trial_life);
	if (t->early) {
		expr_accept(b);
		return;
	}
	translation_map_out(t, b);
	expr_snat(b, REG_EXTERNAL);
}

static void add_attempt(const struct translation *t, struct chain *chain, const struct range *range,
			const struct attempt *attempt, size_t address)
{
	const struct nat_ports *ports = &t->router->nat->ports;
	bool sequential = attempt->draw == DRAW_NEXT && ports->allocation == PORTS_SEQUENTIAL;
	int step = sequential && !attempt->every_address && ports->step ? ports->step : 1;
	struct builder b = expr_rule(t->ruleset, chain,
				     "draw a port, claim it, look who owns it; ours: map to it");
	struct draw_port port;
	bool beyond;

	port = draw_from(range, attempt->draw, step, &beyond);
	if (range->parity != ANY && !attempt->pair)
		expr_match_parity(&b, t->protocol->out_port, range->parity == ODD);
	if (!t->blocks) { /* otherwise a place is drawn, and the block has an address */
		if (attempt->every_address && t->pool)
			pool_load_choice(t->pool, &b, address);
		else if (t->pool)
			pool_load_address(t->pool, &b);
		translation_load_key(t, &b, REG_KEY);
	}
	expr_draw_port(&b, REG_PORT, &port);
	if (abs(step) > 1)
		expr_match_turn(&b, (uint32_t)abs(step));
	if (beyond)
		expr_match_ports(&b, REG_PORT, range->first, range->last);
	if (attempt->pair) {
		pairs_finish_attempt(t, &b);
		return;
	}
	if (!t->blocks) {
		finish_attempt(t, &b);
		return;
	}
	expr_mark_port(&b, REG_PORT);
	expr_goto(&b, t->place);
}

/* From a place in the subscriber's block to the port, and the rest of the attempt. */
static void add_place(struct translation *t)
{
	struct builder b;

	t->place = blocks_add_place(t);
	b = expr_rule(t->ruleset, t->place, "claim the port, look who owns it; ours: map to it");
	blocks_load_candidate(t, &b);
	expr_load_mark_port(&b, REG_PORT);
	translation_load_key(t, &b, REG_KEY);
	finish_attempt(t, &b);
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

/* The chain of one attempt: a rule for each parity and external address. */
static struct chain *add_attempt_chain(const struct translation *t, const struct attempt *attempt)
{
	struct range range = attempt->range;
	size_t address, addresses = t->pool ? pool_choices(t->pool, attempt->every_address) : 1;
	struct chain *chain;

	chain = ir_add_chain(t->ruleset, NULL, "one attempt; comes back if the port is another's",
			     "%s_%s", t->protocol->name, attempt->name);
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

/* Make FANOUT ** levels attempts from @from. */
static void add_attempts(const struct translation *t, struct chain *from,
			 const struct attempt *attempt, const char *comment)
{
	unsigned int step = (unsigned int)abs(t->router->nat->ports.step);
	struct chain *chain = add_attempt_chain(t, attempt), *inner, *foot;
	char top[IR_NAME_MAX];
	struct builder b;

	if (attempt->draw == DRAW_NEXT && step > 1 && !attempt->every_address) {
		inner = chain;
		chain = ir_add_chain(t->ruleset, NULL, "one step: one of these is an attempt",
				     "%s_step", t->protocol->name);
		add_jumps(t, chain, inner, step);
	}
	foot = ir_find_chain(t->ruleset, attempt->name);
	if (!foot)
		foot = add_ladder(t, attempt);
	b = translation_rule(t, foot, NULL);
	expr_goto(&b, chain);

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

/* What a host hears that gets no port. */
static void exhaust(const struct translation *t, struct chain *chain)
{
	struct builder b =
		expr_rule(t->ruleset, chain, "no port is free: existing mappings come first");

	if (t->router->nat->ports.exhaustion == EXHAUSTION_ICMP)
		expr_reject_host(&b);
	else
		expr_drop(&b);
}

static void add_own(struct translation *t)
{
	const struct nat_ports *ports = &t->router->nat->ports;
	struct builder b = expr_rule(t->ruleset, t->bind,
				     "claim the own port, look who owns it; ours: map to it");

	if (t->pool)
		pool_load_address(t->pool, &b);
	translation_load_key(t, &b, REG_KEY);
	expr_load_field(&b, REG_PORT, t->protocol->out_port);
	if (ports->first)
		expr_match_ports(&b, REG_PORT, ports->first, ports->last);
	finish_attempt(t, &b);
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
		translation_load_key(t, &b, REG_KEY);
		finish_attempt(t, &b);
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
	if (t->blocks) {
		blocks_add_jump(t->blocks, t->bind);
		add_place(t);
	}
	if (ports->contiguous && t->protocol->number != IPPROTO_ICMP) {
		add_pairs(t);
	} else {
		if (preserving)
			add_own(t);
		add_draws(t, t->bind);
	}
	exhaust(t, t->bind);
	t->source = t->bind;
}
