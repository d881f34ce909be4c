/* SPDX-License-Identifier: MIT */
/*
 * Known flows
 *
 * Most of what a packet costs in a router is conntrack's: to find its flow, to write down that
 * it was seen, and to look at it four times more for the sake of translation. A flow that goes on
 * gets the same answer every time. So what a UDP flow is translated to is written down, and
 * its next packets pass conntrack by:
 *
 *     arrive   X:x <- P:q in udp_known_in?  notrack, destination := the inside endpoint it says
 *              H:p -> P:q in udp_known?     notrack, mark := the external port it says
 *     leave    such a mark?                 source := the external address, and that port
 *
 * What they get is what conntrack gave the flow. Out: for a twentieth of a lifetime; then the entry
 * ends, and the next packet goes the long way, where conntrack sees it and `keep` refreshes
 * what it uses, so a known flow refreshes as often as any. In: for as long as that packet has
 * just permitted, or where what comes in refreshes too, for a twentieth of a lifetime. So
 * lifetimes are as exact as timers.c has them, and conntrack's own timer, which is as long, has the
 * flow yet: an ICMP error about such a packet, the router's own too, finds it there.
 *
 * What leaves learns, for it is what permits. A flow that comes in while nothing leaves learns from
 * one packet in HEARD_TURNS, for no longer than a quarter of a refresh: how long its permission
 * lives yet nobody can read, so this adds to its life, where a flow is that busy, 1.25 % at most.
 *
 * conntrack also counts packets, and a verdict is proven by its counts. So a direction is known
 * only once conntrack has counted RULESET_COUNTED packets of it. Where it does not count
 * (net.netfilter.nf_conntrack_acct), no flow ever is.
 *
 * The mark's other half says whose it is, so that no other mark is taken for a port.
 *
 * What is not like conntrack: a packet whose checksum or length is wrong is translated, and stays
 * as wrong as it came, where conntrack would not place it and the router drop it.
 */
#include "nft-rules/known.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include "nft-rules/fast.h"
#include "nft-rules/ruleset.h"
#include "nft-rules/timers.h"

/* A result may begin right before its key: the last of it takes the key's first place. */
enum { HEARD_TURNS = 256, DIRECTIONS = 2 };
enum { REG_FLOW = 0, REG_RESULT = 7, REG_PEER_FLOW = 8, REG_MARK = 8 };

void known_init(struct translation *t)
{
	const struct type flow = {{TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 4};
	const struct type back = {{TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 3};
	const struct type endpoint = {{TYPE_ADDR, TYPE_PORT}, 2}, mark = {{TYPE_NUMBER}, 1};

	if (t->protocol->number != IPPROTO_UDP || !fast_has_way(t))
		return;
	t->known = ir_add_set(t->ruleset, &flow, &mark,
			      "flows that leave without conntrack: a mark with their port",
			      "%s_known", t->protocol->name);
	t->known_in = ir_add_set(t->ruleset, &back, &endpoint,
				 "flows that come in without conntrack: for whom they are",
				 "%s_known_in", t->protocol->name);
	t->known_life = t->fresh_life;
	t->heard_life = t->known_life / 4;
	if (t->heard_life > RULESET_LOOK_AGAIN_MS)
		t->heard_life = RULESET_LOOK_AGAIN_MS;
	if (t->fresh_life > RULESET_LOOK_AGAIN_MS)
		t->fresh_life = RULESET_LOOK_AGAIN_MS;
}

void known_add_arrive(const struct translation *t, struct chain *chain)
{
	struct builder b;

	if (!t->known)
		return;
	b = expr_rule(t->ruleset, chain, "of a known flow: without conntrack");
	expr_match_addr(&b, FIELD_IP_DADDR, &t->router->externals[0], true);
	expr_match_l4proto(&b, t->protocol->number);
	expr_load_field(&b, REG_PEER_FLOW, t->protocol->in_port);
	expr_load_field(&b, REG_PEER_FLOW + 1, FIELD_IP_SADDR);
	expr_load_field(&b, REG_PEER_FLOW + 2, t->protocol->in_peer);
	expr_map(&b, REG_PEER_FLOW, t->known_in, REG_RESULT);
	expr_notrack(&b);
	expr_set_destination(&b, REG_RESULT);
	expr_accept(&b);
}

void known_add_depart(const struct translation *t, struct chain *chain)
{
	struct builder b;

	if (!t->known)
		return;
	b = translation_rule(t, chain, "from inside, of a known flow: without conntrack");
	expr_load_field(&b, REG_FLOW, FIELD_IP_SADDR);
	expr_load_field(&b, REG_FLOW + 1, t->protocol->out_port);
	expr_load_field(&b, REG_FLOW + 2, FIELD_IP_DADDR);
	expr_load_field(&b, REG_FLOW + 3, t->protocol->out_peer);
	expr_map(&b, REG_FLOW, t->known, REG_MARK);
	expr_mark_port(&b, REG_MARK);
	expr_notrack(&b);
	expr_accept(&b);
}

void known_add_leave(const struct translation *t, struct chain *chain)
{
	struct builder b;

	if (!t->known)
		return;
	b = expr_rule(t->ruleset, chain, "of a known flow: translate it here");
	expr_match_brand(&b, REG_MARK, MARK_KNOWN);
	expr_set_source(&b, &t->router->externals[0], REG_MARK);
	expr_accept(&b);
}

/* No longer than it admits, nor than an inbound packet may stay unseen where those refresh, too. */
static uint64_t inbound_life(const struct translation *t)
{
	uint64_t life = t->life < t->filter_life ? t->life : t->filter_life;

	return t->router->nat->timers.refresh & REFRESH_INBOUND ? t->known_life : life;
}

static struct chain *add_learn_out(const struct translation *t)
{
	struct chain *chain = ir_add_chain(t->ruleset, NULL, "what leaves is known", "%s_learn_out",
					   t->protocol->name);
	struct builder b = expr_rule(t->ruleset, chain, NULL);

	timers_load_session(t, &b, OUTBOUND);
	expr_load_field(&b, REG_KEY + 2, FIELD_IP_DADDR);
	expr_load_field(&b, REG_KEY + 3, t->protocol->out_peer);
	expr_brand_port(&b, REG_PORT, MARK_KNOWN);
	expr_update(&b, t->known, REG_KEY, REG_PORT, t->known_life);
	return chain;
}

static struct chain *add_learn_in(const struct translation *t)
{
	struct chain *chain = ir_add_chain(t->ruleset, NULL, "what comes in is known",
					   "%s_learn_in", t->protocol->name);
	struct builder b = expr_rule(t->ruleset, chain, NULL);

	timers_load_session(t, &b, OUTBOUND);
	expr_update(&b, t->known_in, REG_PORT, REG_KEY, inbound_life(t));
	return chain;
}

/* @reply: the packets that leave are replies to what opened the flow. */
static void learn(const struct translation *t, struct chain *chain, bool reply,
		  const struct chain *out, const struct chain *in)
{
	struct builder b = expr_rule(t->ruleset, chain, NULL);

	expr_match_counted(&b, reply, RULESET_COUNTED);
	expr_jump(&b, out);
	b = expr_rule(t->ruleset, chain, NULL);
	expr_match_counted(&b, !reply, RULESET_COUNTED);
	expr_jump(&b, in);
	b = expr_rule(t->ruleset, chain, NULL);
	expr_accept(&b);
}

struct chain *known_add_learn(const struct translation *t)
{
	const struct chain *out = add_learn_out(t), *in = add_learn_in(t);
	struct chain *back = ir_add_chain(t->ruleset, NULL, "the same of a flow from outside",
					  "%s_learn_back", t->protocol->name);
	struct chain *chain =
		ir_add_chain(t->ruleset, NULL, "conntrack has counted enough of it: a known flow",
			     "%s_learn", t->protocol->name);
	struct builder b = expr_rule(t->ruleset, chain, NULL);

	expr_match_direction(&b, true);
	expr_goto(&b, back);
	learn(t, chain, false, out, in);
	learn(t, back, true, out, in);
	return chain;
}

static struct chain *add_hear(const struct translation *t)
{
	struct chain *chain = ir_add_chain(t->ruleset, NULL, "what comes in is known, for a moment",
					   "%s_hear", t->protocol->name);
	struct builder b = expr_rule(t->ruleset, chain, NULL);

	timers_load_session(t, &b, INBOUND);
	expr_update(&b, t->known_in, REG_PORT, REG_KEY, t->heard_life);
	return chain;
}

void known_add_heard(const struct translation *t, struct chain *leave)
{
	const struct chain *hear;
	struct chain *chain;
	struct builder b;
	int reply;

	/* With mappings beside the own one nothing here tells by which of them it came. */
	if (!t->known || t->own)
		return;
	hear = add_hear(t);
	chain = ir_add_chain(t->ruleset, NULL, "what comes in, and may be answered by nothing",
			     "%s_heard_often", t->protocol->name);
	b = expr_rule(t->ruleset, chain, NULL);
	expr_match_iifname(&b, t->router->outside, false);
	expr_return(&b);
	for (reply = 0; reply < DIRECTIONS; reply++) { /* whoever opened it */
		b = expr_rule(t->ruleset, chain, NULL);
		expr_match_direction(&b, reply);
		expr_match_counted(&b, reply, RULESET_COUNTED);
		expr_jump(&b, hear);
	}
	b = translation_rule(t, leave, "now and then: is it a known flow?");
	expr_match_ct_state(&b, NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
	expr_match_turn(&b, HEARD_TURNS);
	expr_jump(&b, chain);
}
