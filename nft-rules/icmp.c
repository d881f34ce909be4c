/* SPDX-License-Identifier: MIT */
/*
 * ICMP errors quote the packet they are about. conntrack looks that one up: an error about
 * a live flow is RELATED and translated, inside and out, from whomever it comes (RFC 4787
 * REQ-12, RFC 5508 REQ-4, REQ-5); any other is INVALID and passes every nat chain as it is.
 *
 *     from inside, about nothing     INVALID, private source -> leave: drop it, or let it
 *                                    go as it is, or rewrite its source without conntrack
 *
 * The last is what serverless traversal (pwnat) needs of a client's NAT: the error names
 * a packet that never went through here, and only the outer source is the NAT's business.
 */
#include "nft-rules/icmp.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include "nft-rules/pool.h"
#include "nft-rules/timers.h"

/* Those that conntrack knows and hosts still send (RFC 5508 REQ-10 a, b). */
static const uint8_t error_types[] = {3, 11, 12};
enum { ERROR_TYPES = sizeof(error_types) };

bool icmp_needs_forward(const struct nat *nat)
{
	return nat->icmp.errors_blocked || nat->icmp.errors_kill;
}

/* The mapping of the quoted packet, which here, behind conntrack, is as the inside sent it. */
static void add_kill(const struct translation *t, struct chain *chain)
{
	bool echo = t->protocol->number == IPPROTO_ICMP;
	enum field port = echo ? FIELD_QUOTED_ID : FIELD_QUOTED_SPORT;
	enum field peer = echo ? FIELD_QUOTED_ID : FIELD_QUOTED_DPORT;
	struct builder b = expr_rule(t->ruleset, chain, NULL);

	expr_match_quoted_protocol(&b, t->protocol->number);
	expr_load_field(&b, REG_KEY, FIELD_QUOTED_SADDR);
	expr_load_field(&b, REG_KEY + 1, port);
	if (t->mapping != ENDPOINT_INDEPENDENT)
		expr_load_field(&b, REG_KEY + 2, FIELD_QUOTED_DADDR);
	if (t->mapping == ADDRESS_AND_PORT_DEPENDENT)
		expr_load_field(&b, REG_KEY + 3, peer);
	else if (t->mapping == ADDRESS_DEPENDENT)
		expr_load_zero(&b, REG_KEY + 3);
	translation_load_external(t, &b, peer);
	expr_load_field(&b, REG_PORT + 1, FIELD_QUOTED_DADDR);
	expr_load_field(&b, REG_PORT + 2, peer);
	timers_end_mapping(t, &b);
}

static void match_related_icmp(struct builder *b)
{
	expr_match_l4proto(b, IPPROTO_ICMP);
	expr_match_ct_state(b, NF_CT_STATE_BIT(IP_CT_RELATED));
}

void icmp_add_forward(const struct translation protocols[NAT_PROTOCOLS], struct chain *forward)
{
	struct ruleset *ruleset = protocols[NAT_UDP].ruleset;
	const struct nat_router *router = protocols[NAT_UDP].router;
	struct chain *kill;
	struct builder b;
	int i;

	if (router->nat->icmp.errors_kill) {
		kill = ir_add_chain(ruleset, NULL, "the mapping of a quoted packet ends",
				    "icmp_kill");
		for (i = 0; i < NAT_PROTOCOLS; i++)
			add_kill(&protocols[i], kill);
		b = expr_rule(ruleset, forward, "an error ends the mapping it is about");
		match_related_icmp(&b);
		expr_match_iifname(&b, router->outside, true);
		expr_jump(&b, kill);
	}
	if (router->nat->icmp.errors_blocked) {
		b = expr_rule(ruleset, forward, "errors do not pass, either way");
		match_related_icmp(&b);
		expr_drop(&b);
	}
}

void icmp_add_leave(struct ruleset *ruleset, const struct nat_router *router, struct chain *leave)
{
	enum nat_unmatched unmatched = router->nat->icmp.unmatched;
	struct builder b;
	size_t i;

	if (unmatched == UNMATCHED_DROPPED)
		return;
	for (i = 0; i < ERROR_TYPES; i++) {
		b = expr_rule(ruleset, leave, i ? NULL : "errors from inside about no flow");
		expr_match_l4proto(&b, IPPROTO_ICMP);
		expr_match_icmp_type(&b, error_types[i]);
		expr_match_ct_state(&b, NF_CT_STATE_INVALID_BIT);
		if (router->external_count > 1) /* the router's own name who was addressed */
			pool_match_external(router, &b, FIELD_IP_SADDR, false);
		if (unmatched == UNMATCHED_TRANSLATED)
			expr_set_saddr(&b, &router->externals[0]);
		expr_accept(&b);
	}
}
