/* SPDX-License-Identifier: MIT */
/*
 * SYNs that cross
 *
 * A SYN that comes while an own one is on its way to where it came from makes a simultaneous open
 * (RFC 9293 section 3.5). Two axes look at that:
 *
 *     tcp.simultaneous-open: refused   The SYN is dropped. conntrack knows it by its direction: it
 *             goes against the packet that opened the flow. But conntrack has the own SYN's flow
 * only once that has left, and its permission is there a moment sooner: on another processor the
 * peer's SYN may slip in between, as a flow of its own. So own SYNs are noted before they permit
 * anything (`tcp_syn`, for a second), and what comes is asked for its permission first and for such
 * a note then: who finds the one finds the other.
 *
 *     unsolicited: delayed-icmp        A stray SYN is noted too (`tcp_stray`); an own one that
 * crosses it takes the note away, and it will hear nothing (guard.c).
 */
#include "nft-rules/crossing.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

enum { REG_PEER = REG_PORT + 1, NOTED_MS = 1000 };

void crossing_init(struct translation *t)
{
	const struct type of_one = {{TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 3};
	const struct type of_pool = {{TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 4};
	const struct nat *nat = t->router->nat;

	if (t->protocol->number != IPPROTO_TCP)
		return;
	if (nat->tcp.strict_syn)
		t->syns = ir_add_set(t->ruleset, t->pool ? &of_pool : &of_one, NULL,
				     "own SYNs that have just left", "%s_syn", t->protocol->name);
	if (nat->unsolicited == UNSOLICITED_DELAYED)
		t->strays = ir_add_set(t->ruleset, t->pool ? &of_pool : &of_one, NULL,
				       "SYNs that nothing admits, and that no own SYN has crossed",
				       "%s_stray", t->protocol->name);
}

static void match_syn(struct builder *b)
{
	expr_match_tcp_flags(b, TH_SYN | TH_ACK | TH_RST | TH_FIN, TH_SYN, true);
}

void crossing_add_leave(const struct translation *t, struct chain *leave)
{
	struct builder b;

	if (!t->strays && !t->syns)
		return;
	b = translation_rule(t, leave,
			     t->strays ? "an own SYN: the stray one that it crosses hears nothing"
				       : "an own SYN: none may cross it");
	match_syn(&b);
	if (t->pool)
		expr_load_field(&b, REG_EXTERNAL, FIELD_IP_SADDR);
	expr_load_field(&b, REG_PORT, t->protocol->out_port);
	expr_load_field(&b, REG_PEER, FIELD_IP_DADDR);
	expr_load_field(&b, REG_PEER + 1, t->protocol->out_peer);
	if (t->syns)
		expr_update(&b, t->syns, translation_claim(t), 0, NOTED_MS);
	if (t->strays)
		expr_delete(&b, t->strays, translation_claim(t), 0);
}

void crossing_add_arrive(const struct translation *t, struct chain *arrive)
{
	struct builder b;

	if (!t->syns)
		return;
	b = translation_rule(t, arrive, "no simultaneous open: an own SYN has just left");
	match_syn(&b);
	if (t->pool)
		expr_load_field(&b, REG_EXTERNAL, FIELD_IP_DADDR);
	expr_load_field(&b, REG_PORT, t->protocol->in_port);
	expr_load_field(&b, REG_PEER, FIELD_IP_SADDR);
	expr_load_field(&b, REG_PEER + 1, t->protocol->in_peer);
	expr_match_set(&b, translation_claim(t), t->syns, true);
	expr_drop(&b);
}

void crossing_add_forward(const struct translation *t, struct chain *forward)
{
	struct builder b;

	if (!t->syns)
		return;
	b = translation_rule(t, forward, "no simultaneous open");
	expr_match_tcp_flags(&b, TH_SYN | TH_ACK, TH_SYN, true);
	expr_match_iifname(&b, t->router->outside, true);
	expr_match_direction(&b, true);
	expr_drop(&b);
}
