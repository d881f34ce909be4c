/* SPDX-License-Identifier: MIT */
/*
 * Mappings made early
 *
 * Mostly a flow's first packet gets its mapping in srcnat: a nat chain, so the other
 * packets do not even look at it. But a nat chain can neither answer (a host that gets no
 * port should hear of it, RFC 6888 REQ-11) nor comes it before routing (a packet to one's own
 * external address, which is turned round there, needs its mapping earlier). Where this
 * is declared, filter chains send new flows to the same rules, which then accept instead
 * of translating, and srcnat only looks up what they have made.
 */
#include "nft-rules/claims.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include "nft-rules/forwards.h"
#include "nft-rules/guard.h"
#include "nft-rules/hairpin.h"
#include "nft-rules/hooks.h"

static const struct hook hook_forwarded = {"filter", "forward", NF_INET_FORWARD, 1, "filter + 1"};
static const struct hook hook_output = {"filter", "output", NF_INET_LOCAL_OUT, 1, "filter + 1"};
static const struct hook hook_leaving = {"filter", "postrouting", NF_INET_POST_ROUTING, 99,
					 "srcnat - 1"};

bool claims_early(const struct nat *nat)
{
	return nat->ports.exhaustion == EXHAUSTION_ICMP || nat->hairpinning != HAIRPINNING_OFF;
}

void claims_add_source(struct translation *t)
{
	struct builder b;

	t->source = ir_add_chain(t->ruleset, NULL, "leave through the mapping", "%s_source",
				 t->protocol->name);
	forwards_add_source(t, t->source);
	guard_add_moved_rule(t, t->source);
	b = expr_rule(t->ruleset, t->source, NULL);
	translation_load_key(t, &b, REG_KEY);
	translation_map_out(t, &b);
	expr_snat(&b, REG_EXTERNAL);

	b = expr_rule(t->ruleset, t->source, "a table is full");
	expr_drop(&b);
}

static void add_new(struct ruleset *ruleset, const struct hook *hook, const char *name,
		    const struct nat_router *router, const struct chain *new)
{
	struct chain *chain =
		ir_add_chain(ruleset, hook, "a mapping before the translation", "%s", name);
	struct builder b = expr_rule(ruleset, chain, NULL);

	expr_match_oifname(&b, router->outside, true);
	expr_match_ct_state(&b, NF_CT_STATE_BIT(IP_CT_NEW));
	expr_goto(&b, new);
}

void claims_add(struct ruleset *ruleset, const struct nat_router *router,
		const struct translation *protocols)
{
	struct chain *new =
		ir_add_chain(ruleset, NULL, "a new flow, still with its inside source", "new");
	struct builder b;

	b = translation_rule(&protocols[NAT_UDP], new, NULL);
	expr_goto(&b, protocols[NAT_UDP].bind);
	b = translation_rule(&protocols[NAT_TCP], new, NULL);
	expr_goto(&b, protocols[NAT_TCP].bind);
	b = translation_echo_rule(&protocols[NAT_ICMP], new, ICMP_ECHO_REQUEST_TYPE, NULL);
	expr_goto(&b, protocols[NAT_ICMP].bind);

	if (router->nat->ports.exhaustion == EXHAUSTION_ICMP) {
		/* The kernel rejects here, and no later. */
		add_new(ruleset, &hook_forwarded, "new_forwarded", router, new);
		add_new(ruleset, &hook_output, "new_own", router, new);
	} else {
		add_new(ruleset, &hook_leaving, "new_leaving", router, new);
	}
	if (router->nat->hairpinning != HAIRPINNING_OFF)
		hairpin_add(ruleset, router, protocols, new);
}
