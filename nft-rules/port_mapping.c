/* SPDX-License-Identifier: MIT */
/*
 * How a port mapping lives in a NAT that is shut
 *
 * What miniupnpd grants is a rule in a nat chain. But strangers are dropped long before any
 * nat chain, because a packet that conntrack confirms takes a host's place (guard.c). So where
 * port mapping is declared a packet that nothing admits is marked instead, and judged behind
 * dstnat, still before conntrack confirms it:
 *
 *     arrive      no permission: mark 3                       (of each packet, before conntrack)
 *     dstnat      mapped_to, by miniupnpd: "port 7777 is 192.168.1.1:5000's"; its flow gets mark 4
 *     unmapped    mark 3, and its flow has no mark 4: what guard.c does to a stranger
 *     forward     flow mark 4: mapped_pass, by miniupnpd, of every packet; else drop
 *     leave       flow mark 4: it uses none of our mappings, and refreshes none
 *
 * - A new flow from outside belongs to the port mapping first, to our own mapping of the same
 *   port second. A flow that conntrack knows stays whose it is.
 * - A mapping that is deleted or expires is shut at once, to established flows, too:
 *   `forward` asks for every packet, as `arrive` asks for the permission. Not so where the NAT is
 *   the kernel's masquerade: there what is established goes on, as on most routers.
 * - miniupnpd's rules ask for the outside interface, so a mapping is not reached from inside by
 *   hairpinning.
 * - Our attempts to find a free port cannot look into miniupnpd's chains. Who watches the router
 * puts a claim beside what it gives away (mapped.h). A port that a mapping has already can be given
 * away all the same: then flows of the mapping are its, strangers the other's.
 *
 * NAT-PMP and PCP are one service of the daemon, told apart by the first byte of a request.
 */
#include "nft-rules/port_mapping.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <string.h>

#include "nft-rules/guard.h"
#include "nft-rules/hooks.h"

enum { PCP_PORT = 5351, VERSION_NAT_PMP = 0, VERSION_PCP = 2 };

static bool declared(const struct nat_router *router)
{
	return router->nat->port_mapping != 0;
}

void port_mapping_init(struct ruleset *ruleset, const struct nat_router *router)
{
	if (!declared(router))
		return;
	ruleset->inet = true;
	ir_add_chain(ruleset, NULL, "miniupnpd: a mapped port, and whose it is", RULESET_MAPPED_TO);
	ir_add_chain(ruleset, NULL, "miniupnpd: what a mapping lets pass", RULESET_MAPPED_PASS);
	ir_add_chain(ruleset, NULL, "miniupnpd: what a flow asked for leaves by",
		     RULESET_MAPPED_FROM);
}

bool port_mapping_ask(const struct translation *t, struct builder *b)
{
	if (!declared(t->router) || t->protocol->number == IPPROTO_ICMP)
		return false;
	expr_set_mark(b, MARK_UNMAPPED);
	expr_accept(b);
	return true;
}

void port_mapping_add_dstnat(struct ruleset *ruleset, const struct nat_router *router,
			     struct chain *chain)
{
	const struct addr *external = &router->externals[0];
	struct builder b;

	if (!declared(router))
		return;
	b = expr_rule(ruleset, chain, "a port mapping");
	expr_match_addr(&b, FIELD_IP_DADDR, external, true);
	expr_set_ct_mark(&b, CT_MARK_PORT_MAPPED);
	expr_jump(&b, ir_find_chain(ruleset, RULESET_MAPPED_TO));
	b = expr_rule(ruleset, chain, NULL);
	expr_match_addr(&b, FIELD_IP_DADDR, external, true);
	expr_set_ct_mark(&b, 0);
	if (router->nat->kind != NAT_TRANSLATE)
		return;
	b = expr_rule(ruleset, chain, "none: it is judged behind this");
	expr_match_mark(&b, MARK_UNMAPPED, true);
	expr_accept(&b);
}

/* A reset belongs, for conntrack, to the flow it answers, whose own source nobody must translate.
 */
static bool answers_by_reset(const struct nat_router *router)
{
	return declared(router) && router->nat->kind == NAT_TRANSLATE &&
	       router->nat->unsolicited == UNSOLICITED_REJECT;
}

void port_mapping_add_srcnat(struct ruleset *ruleset, const struct nat_router *router,
			     struct chain *chain)
{
	struct builder b;

	if (!answers_by_reset(router))
		return;
	b = expr_rule(ruleset, chain, "the router's own resets to strangers");
	expr_match_ct_mark(&b, CT_MARK_UNMAPPED, true);
	expr_accept(&b);
}

void port_mapping_add_judgement(const struct translation protocols[NAT_PROTOCOLS])
{
	struct ruleset *ruleset = protocols[NAT_UDP].ruleset;
	struct chain *chain;
	struct builder b;
	int i;

	if (!declared(protocols[NAT_UDP].router))
		return;
	chain = ir_add_chain(ruleset, &hook_unmapped, "no permission; a port mapping?", "unmapped");
	b = expr_rule(ruleset, chain, NULL);
	expr_match_mark(&b, MARK_UNMAPPED, false);
	expr_accept(&b);
	b = expr_rule(ruleset, chain, "yes");
	expr_match_ct_mark(&b, CT_MARK_PORT_MAPPED, true);
	expr_set_mark(&b, 0);
	expr_accept(&b);
	for (i = NAT_UDP; i <= NAT_TCP; i++) {
		b = translation_rule(&protocols[i], chain, i == NAT_UDP ? "no: a stranger" : NULL);
		if (answers_by_reset(protocols[i].router) && i == NAT_TCP)
			expr_set_ct_mark(&b, CT_MARK_UNMAPPED);
		guard_answer_stranger(&protocols[i], &b);
	}
}

static struct builder mapped_rule(struct ruleset *ruleset, const struct nat_router *router,
				  struct chain *chain, const char *comment)
{
	struct builder b = expr_rule(ruleset, chain, comment);

	expr_match_iifname(&b, router->outside, true);
	expr_match_ct_mark(&b, CT_MARK_PORT_MAPPED, true);
	return b;
}

void port_mapping_add_forward(struct ruleset *ruleset, const struct nat_router *router,
			      struct chain *forward)
{
	struct builder b;

	if (!declared(router))
		return;
	b = mapped_rule(ruleset, router, forward, "errors about what a port mapping let in");
	expr_match_ct_state(&b, NF_CT_STATE_BIT(IP_CT_RELATED));
	expr_accept(&b);
	b = mapped_rule(ruleset, router, forward, "let in by a port mapping, while that lives");
	expr_jump(&b, ir_find_chain(ruleset, RULESET_MAPPED_PASS));
	b = mapped_rule(ruleset, router, forward, NULL);
	expr_drop(&b);
}

static void refuse_version(struct ruleset *ruleset, const struct nat_router *router,
			   struct chain *input, uint8_t version, const char *comment)
{
	struct builder b = expr_rule(ruleset, input, comment);

	expr_match_iifname(&b, router->outside, false);
	expr_match_l4proto(&b, IPPROTO_UDP);
	expr_match_request(&b, PCP_PORT, version);
	expr_reject(&b);
}

void port_mapping_add_input(struct ruleset *ruleset, const struct nat_router *router,
			    struct chain *input)
{
	unsigned int protocols = router->nat->port_mapping;

	if (!declared(router))
		return;
	if (!(protocols & PORT_MAPPING_NAT_PMP))
		refuse_version(ruleset, router, input, VERSION_NAT_PMP, "NAT-PMP is not spoken");
	if (!(protocols & PORT_MAPPING_PCP))
		refuse_version(ruleset, router, input, VERSION_PCP, "PCP is not spoken");
}
