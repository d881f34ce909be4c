/* SPDX-License-Identifier: MIT */
/*
 * The short way
 *
 * Nearly every packet belongs to a flow that is known: what arrives has its permission,
 * what leaves was refreshed a moment ago. A rule at the very beginning of `arrive`, and
 * one of `leave`, lets it pass, and no other of that chain is asked. They decide nothing that the
 * rules behind them would not decide the same way: they are those rules' commonest end, first.
 *
 * What costs is not the table (some 90 ns with its key) but each rule that is asked in vain, above
 * all one that asks for an interface's name: the kernel copies it. So the external address is
 * compared first; it tells the two directions apart at once.
 *
 * Where an axis wants to see every packet (a mapping that a reset kills, a DMZ host) or
 * there are several external addresses, there is no short way.
 */
#include "nft-rules/fast.h"

#include <netinet/in.h>

enum { TCP_FIN = 0x01, TCP_RST = 0x04 };

static bool has_short_way(const struct translation *t)
{
	const struct nat *nat = t->router->nat;

	return !t->pool && nat->forward_count == 0 && nat->dmz.family == AF_UNSPEC &&
	       !nat->icmp.errors_kill && !nat->tcp.rst_kills &&
	       nat->timers.refresh != REFRESH_INBOUND &&
	       (nat->unsolicited == UNSOLICITED_DROP || nat->unsolicited == UNSOLICITED_REJECT);
}

static struct builder begin(const struct translation *t, struct chain *chain, enum field external,
			    const char *comment)
{
	struct builder b = expr_rule(t->ruleset, chain, comment);

	expr_match_addr(&b, external, &t->router->externals[0], true);
	expr_match_l4proto(&b, t->protocol->number);
	return b;
}

static void arrives(const struct translation *t, struct chain *arrive, const char *comment)
{
	struct builder b = begin(t, arrive, FIELD_IP_DADDR, comment);

	expr_match_iifname(&b, t->router->outside, true);
	translation_load_needed(t, &b, REG_PERMISSION);
	expr_match_set(&b, REG_PERMISSION, t->permit, true);
	expr_accept(&b);
}

void fast_add_arrive(const struct translation protocols[NAT_PROTOCOLS], struct chain *arrive)
{
	if (!has_short_way(&protocols[NAT_UDP]))
		return;
	arrives(&protocols[NAT_UDP], arrive, "the short way: from outside, and permitted");
	arrives(&protocols[NAT_TCP], arrive, NULL);
}

/* To the inside, too, everything may leave, so the rule need not ask where it goes. */
static void leaves(const struct translation *t, struct chain *leave, const char *comment)
{
	struct builder b = begin(t, leave, FIELD_IP_SADDR, comment);

	if (t->protocol->number == IPPROTO_TCP)
		expr_match_tcp_flags(&b, TCP_FIN | TCP_RST, 0, true);
	translation_load_given(t, &b, 0);
	expr_match_set(&b, 0, t->fresh, true);
	expr_accept(&b);
}

void fast_add_leave(const struct translation protocols[NAT_PROTOCOLS], struct chain *leave)
{
	if (!has_short_way(&protocols[NAT_UDP]))
		return;
	leaves(&protocols[NAT_UDP], leave, "the short way: from outside's view, refreshed lately");
	leaves(&protocols[NAT_TCP], leave, NULL);
}
