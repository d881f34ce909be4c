/* SPDX-License-Identifier: MIT */
/*
 * Beside one's own mapping
 *
 * Where the mapping depends on more than the filter asks for, a peer P:q that has a mapping of its
 * own, m1, may write to another one of the same socket, m2:
 *
 *     H:p --> P:q        leaves by X:m1       conntrack: H:p -> P:q,   answers P:q -> X:m1
 *     P:q --> X:m2       admitted, for H:p    conntrack: P:q -> X:m2,  answers H:p -> P:q: taken
 *
 * One tuple cannot be in two flows, so conntrack would make room by another source port, and
 * the inside would meet a peer that there is not. A NAT translates by its mappings alone: the
 * packet comes from P:q, and what H:p has to say to P:q leaves by m1, whoever wrote where.
 *
 * So such packets get a zone of conntrack's own, before it sees them; a zone for each external
 * port, lest two others' mappings get in each other's way. What leaves is in no zone and finds m1's
 * flow.
 *
 *     udp_keys    is there a mapping for H:p and this peer ...
 *     udp_own     ... and is it this one?
 *
 * Both live as long as claims do, for a flow that conntrack still knows is in the way, too.
 *
 * UDP only. In a TCP connection both directions must be of one flow, and the socket has but one
 * connection to P:q in any case; queries and replies of ICMP are never of one tuple.
 */
#include "nft-rules/beside.h"

#include <linux/netfilter.h>
#include <netinet/in.h>

#include "nft-rules/hooks.h"

static const struct hook hook_beside = {"filter", "prerouting", NF_INET_PRE_ROUTING, -299,
					"raw + 1"};

/* With overloading an external port is found together with the peer, so it is always the own. */
static bool admits_others(const struct translation *t)
{
	return t->protocol->number == IPPROTO_UDP && t->filtering < t->mapping && !t->overloading;
}

void beside_init(struct translation *t)
{
	const struct type own = {{TYPE_KEY, TYPE_ADDR, TYPE_PORT}, 3};

	if (!admits_others(t))
		return;
	t->own = ir_add_set(t->ruleset, &own, NULL, "a key, and the external endpoint it claimed",
			    "%s_own", t->protocol->name);
}

void beside_remember(const struct translation *t, struct builder *b)
{
	if (!t->own)
		return;
	expr_update(b, t->own, REG_KEY, 0, t->claim_life);
}

void beside_add(const struct translation *t)
{
	struct chain *chain;
	struct builder b;

	if (!t->own)
		return;
	chain = ir_add_chain(t->ruleset, &hook_beside,
			     "a peer with a mapping writes to another's: a flow apart", "beside");
	b = translation_rule(t, chain, NULL);
	expr_match_iifname(&b, t->router->outside, true);
	expr_match_mark(&b, 0, true);
	translation_load_claimed(t, &b);
	if (!t->pool)
		expr_load_field(&b, REG_EXTERNAL, FIELD_IP_DADDR);
	expr_map_named(&b, translation_claim(t), t->claim, REG_KEY, "$holder");
	expr_load_field(&b, REG_KEY + 2, FIELD_IP_SADDR);
	if (t->mapping == ADDRESS_DEPENDENT)
		expr_load_zero(&b, REG_KEY + 3);
	else
		expr_load_field(&b, REG_KEY + 3, t->protocol->in_peer);
	expr_match_set(&b, REG_KEY, t->own, false);
	expr_set_ct_zone(&b, REG_PORT);
}
