/* SPDX-License-Identifier: MIT */
/* From a declared NAT to its ruleset: what all kinds have in common, and the kinds without
 * mappings. */
#include "nft-rules/ruleset.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "nft-rules/check.h"
#include "nft-rules/custom.h"
#include "nft-rules/expr.h"
#include "nft-rules/guard.h"
#include "nft-rules/hooks.h"
#include "nft-rules/ir.h"
#include "nft-rules/port_mapping.h"
#include "nft-rules/translate.h"

const struct hook hook_arrive = {"filter", "prerouting", NF_INET_PRE_ROUTING, -300, "raw"};
const struct hook hook_dstnat = {"nat", "prerouting", NF_INET_PRE_ROUTING, -100, "dstnat"};
const struct hook hook_unmapped = {"filter", "prerouting", NF_INET_PRE_ROUTING, -90, "dstnat + 10"};
const struct hook hook_input = {"filter", "input", NF_INET_LOCAL_IN, 0, "filter"};
const struct hook hook_forward = {"filter", "forward", NF_INET_FORWARD, 0, "filter"};
const struct hook hook_srcnat = {"nat", "postrouting", NF_INET_POST_ROUTING, 100, "srcnat"};
const struct hook hook_leave = {"filter", "postrouting", NF_INET_POST_ROUTING, 110, "srcnat + 10"};

static struct chain *add_forward(struct ruleset *ruleset)
{
	return ir_add_chain(ruleset, &hook_forward, "from one side to the other", "forward");
}

static void add_udp_block(struct ruleset *ruleset, struct chain *chain,
			  const struct nat_router *router)
{
	struct builder b;

	b = expr_rule(ruleset, chain, "no UDP out");
	expr_match_oifname(&b, router->outside, true);
	expr_match_l4proto(&b, IPPROTO_UDP);
	expr_drop(&b);

	b = expr_rule(ruleset, chain, "and none in");
	expr_match_iifname(&b, router->outside, true);
	expr_match_l4proto(&b, IPPROTO_UDP);
	expr_drop(&b);
}

/* What comes in through conntrack alone: answers, and nothing else. */
static void add_stateful_forward(struct ruleset *ruleset, const struct nat_router *router)
{
	struct chain *chain = add_forward(ruleset);
	struct builder b;

	if (router->nat->udp_blocked)
		add_udp_block(ruleset, chain, router);

	b = expr_rule(ruleset, chain, "answers, and errors about what went out");
	expr_match_iifname(&b, router->outside, true);
	expr_match_ct_state(&b,
			    NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	expr_accept(&b);

	port_mapping_add_forward(ruleset, router, chain);
	b = expr_rule(ruleset, chain, "strangers");
	expr_match_iifname(&b, router->outside, true);
	expr_drop(&b);

	b = expr_rule(ruleset, chain, "what conntrack cannot place would leave as it is");
	expr_match_oifname(&b, router->outside, true);
	expr_match_ct_state(&b, NF_CT_STATE_INVALID_BIT);
	expr_drop(&b);
}

static void build_firewall(struct ruleset *ruleset, const struct nat_router *router)
{
	guard_add_input(ruleset, router);
	add_stateful_forward(ruleset, router);
}

static void add_masquerade_dstnat(struct ruleset *ruleset, const struct nat_router *router)
{
	struct chain *chain;
	struct builder b;

	if (!router->nat->port_mapping)
		return;
	chain = ir_add_chain(ruleset, &hook_dstnat, "a flow the outside opens", "dstnat");
	b = expr_rule(ruleset, chain, NULL);
	expr_match_iifname(&b, router->outside, false);
	expr_accept(&b);
	port_mapping_add_dstnat(ruleset, router, chain);
}

static void build_masquerade(struct ruleset *ruleset, const struct nat_router *router)
{
	struct chain *chain;
	struct builder b;

	port_mapping_init(ruleset, router);
	guard_add_input(ruleset, router);
	add_stateful_forward(ruleset, router);
	add_masquerade_dstnat(ruleset, router);

	chain = ir_add_chain(ruleset, &hook_srcnat, "the inside's addresses become the router's",
			     "srcnat");
	if (router->nat->ports.allocation == PORTS_RANDOM) {
		b = expr_rule(ruleset, chain, "each flow gets a port that none to its peer has");
		expr_match_oifname(&b, router->outside, true);
		expr_masquerade_random(&b);
		return;
	}
	b = expr_rule(ruleset, chain, "a port is free if no flow to the same peer has it");
	expr_match_oifname(&b, router->outside, true);
	expr_masquerade(&b);
}

static void build_translate(struct ruleset *ruleset, const struct nat_router *router)
{
	struct chain *forward = NULL;

	port_mapping_init(ruleset, router);
	if (router->nat->udp_blocked || translate_needs_forward(router->nat))
		forward = add_forward(ruleset);
	if (router->nat->udp_blocked)
		add_udp_block(ruleset, forward, router);
	translate_build(ruleset, router, forward);
	guard_add_input(ruleset, router);
}

static int check_externals(const struct nat_router *router, struct diag *d)
{
	size_t i;

	if (router->nat->kind == NAT_FIREWALL || router->nat->kind == NAT_CUSTOM)
		return 0;
	if (router->external_count == 0)
		return diag_error(d, EINVAL, "a NAT needs an address on its outside");
	if (router->external_count > NAT_POOL_MAX)
		return diag_error(d, E2BIG, "a pool has at most %d addresses, not %zu",
				  NAT_POOL_MAX, router->external_count);
	if (router->external_count > 1 && router->nat->kind == NAT_MASQUERADE)
		return diag_error(d, EINVAL, "%s uses one outside address, and there are %zu",
				  router->nat->name, router->external_count);
	for (i = 0; i < router->external_count; i++) {
		if (router->externals[i].family == AF_INET6)
			return diag_error(d, EAFNOSUPPORT,
					  "NAT rules are for IPv4; the outside address is IPv6");
		if (router->externals[i].family != AF_INET)
			return diag_error(d, EINVAL, "a NAT needs an address on its outside");
	}
	return 0;
}

/* Contradictions are errors, never silently another NAT. */
static int check(const struct nat_router *router, struct diag *d)
{
	const struct nat *nat = router->nat;
	int protocol, r;

	if (!router->outside || !router->outside[0] || strlen(router->outside) >= IFNAMSIZ ||
	    strpbrk(router->outside, "\"\n"))
		return diag_error(d, EINVAL, "a NAT needs the name of its outside interface");
	r = check_externals(router, d);
	if (r < 0)
		return r;
	for (protocol = 0; protocol < NAT_PROTOCOLS && nat->kind != NAT_CUSTOM; protocol++)
		if (nat->timers.mapping[protocol] < NAT_LIFETIME_MIN_MS)
			return diag_error(d, EINVAL, "a mapping must live at least %u ms, not %u",
					  NAT_LIFETIME_MIN_MS, nat->timers.mapping[protocol]);
	return nat_check(nat, d);
}

int ruleset_build(const struct nat_router *router, struct ruleset **ret, struct diag *d)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	int r = check(router, d);

	if (r < 0)
		return r;
	ruleset = ir_new();
	if (!ruleset)
		return -ENOMEM;
	ruleset->wordless = router->wordless;
	switch (router->nat->kind) {
	case NAT_TRANSLATE:
		build_translate(ruleset, router);
		break;
	case NAT_MASQUERADE:
		build_masquerade(ruleset, router);
		break;
	case NAT_FIREWALL:
		build_firewall(ruleset, router);
		break;
	case NAT_CUSTOM:
		ruleset->rules = strdup(router->nat->rules);
		if (!ruleset->rules)
			return -ENOMEM;
		r = custom_read(ruleset->rules, &ruleset->text, d);
		if (r < 0)
			return r;
		break;
	}
	if (ruleset->error)
		return diag_system(d, -ruleset->error, "while writing the rules of %s",
				   router->nat->name);
	*ret = STEAL(ruleset);
	return 0;
}
