/* SPDX-License-Identifier: MIT */
/*
 * Which external port a new mapping gets
 *
 * An attempt draws a candidate (attempts.c) and claims it (place.c). If the port is another's
 * the rule ends there, and the next attempt is made: attempts are a rule at the end of chains of
 * jumps to it.
 *
 *     udp_bind --> own port --> try_64 --> ... --> try    a random port, of whatever protocol
 *                           |                       `-> any_low    the same below 1024
 *                           `-> scan_64 --> ... --> scan    small ranges: in turn
 *
 * Where a protocol has several kinds of attempt they leave their candidate to one chain that
 * claims it (udp_place), and where that is drawn at random one draw serves all protocols.
 * A counter is each protocol's own: its next port depends on none but its own mappings.
 *
 * How often? A range of up to SCANNED ports is searched whole, so it can be used up to
 * the last port. In a larger one, 64 random attempts miss only if nearly all is taken.
 */
#include "nft-rules/ports.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "nft-rules/attempts.h"
#include "nft-rules/blocks.h"
#include "nft-rules/forwards.h"
#include "nft-rules/guard.h"
#include "nft-rules/pairs.h"
#include "nft-rules/place.h"
#include "nft-rules/pool.h"

enum {
	SCANNED = 1024,
	RANDOM_LEVELS = 3, /* 64 attempts */
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

/* Is a port below 1024 one of its own kind (RFC 4787 REQ-3a)? Not if a range was declared. */
static bool has_low(const struct translation *t)
{
	const struct nat_ports *ports = &t->router->nat->ports;

	return ports->allocation == PORTS_PRESERVING && !ports->first &&
	       t->protocol->number != IPPROTO_ICMP;
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
		.for_all = !sequential && draws_for_all(t),
	};

	if (sequential && small)
		attempt.levels = attempts_levels(count + (unsigned int)abs(ports->step));
	attempts_add(t, from, &attempt, "try other ports");
	if (!small)
		return;
	attempt = (struct attempt){
		.name = "scan",
		.range = range,
		.draw = DRAW_NEXT,
		.levels = attempts_levels(count),
		.pair = t->pair != NULL,
		.every_address = true,
	};
	attempts_add(t, from, &attempt, "a small range: try each of them");
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
