/* SPDX-License-Identifier: MIT */
/*
 * Packets from the inside to an external endpoint
 *
 *     X1:x1 --> X2':x2'         who holds X2':x2'? X2:x2. Does it let X1':x1' in?
 *     X1':x1' --> X2:x2         external source (RFC 4787 REQ-9)
 *     X1:x1 --> X2:x2           internal source: X2 answers X1 past the NAT, from X2:x2
 *
 * Both hosts are served as if each were outside for the other: the sender gets a mapping
 * for this peer, the mapping and the permission it gives are refreshed by what it sends, and
 * the packet passes if the holder's permission admits the sender's external endpoint. A
 * host that sends to its own external endpoint is no exception.
 *
 * All this is decided before the destination is translated, where the packet still says
 * what was addressed ("hairpin", in the middle between conntrack and dstnat). What
 * is dropped there has no entry in conntrack yet. Against the flow's direction a sender is
 * not found by its key, for it may answer by a mapping that was made for another
 * peer: it sends as the external endpoint that the flow's first packet was addressed to.
 */
#include "nft-rules/hairpin.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include "nft-rules/blocks.h"
#include "nft-rules/forwards.h"
#include "nft-rules/hooks.h"
#include "nft-rules/pool.h"

static const struct hook hook_new = {"filter", "prerouting", NF_INET_PRE_ROUTING, -151,
				     "mangle - 1"};
static const struct hook hook_hairpin = {"filter", "prerouting", NF_INET_PRE_ROUTING, -150,
					 "mangle"};

bool hairpin_needs_room(const struct nat *nat)
{
	return nat->hairpinning != HAIRPINNING_OFF &&
	       (nat->forward_count > 0 || nat->ports.overloading || nat->ports.contiguous);
}

/* Where the sender's external endpoint has the addressed one before it. */
static unsigned int addressed(const struct translation *t)
{
	return t->pool ? REG_EXTERNAL - 2 : REG_EXTERNAL - 1;
}

static void load_addressed(const struct translation *t, struct builder *b)
{
	if (t->pool)
		expr_load_field(b, REG_EXTERNAL - 2, FIELD_IP_DADDR);
	expr_load_field(b, REG_EXTERNAL - 1, t->protocol->in_port);
}

/* The peer, where it is a part of the claim (which with overloading means its port, too) or of the
 * permission. */
static void load_peer(const struct translation *t, struct builder *b)
{
	if (t->overloading || t->filtering != ENDPOINT_INDEPENDENT)
		expr_load_field(b, REG_PORT + 1, FIELD_IP_DADDR);
	if (t->overloading || t->filtering == ADDRESS_AND_PORT_DEPENDENT)
		expr_load_field(b, REG_PORT + 2, t->protocol->out_peer);
}

/*
 * Both directions end in the same rule, which needs to be told no more than a port (in the
 * packet's mark) where there is one external address and no forwarded port.
 */
static bool ends_in_common(const struct translation *t)
{
	return !t->pool && !t->forwarded;
}

/* The sender's external endpoint is in REG_EXTERNAL: refresh what it uses, and look if it may. */
static void pass(const struct translation *t, struct builder *b)
{
	unsigned int claim = translation_claim(t);

	load_peer(t, b);
	expr_map_named(b, claim, t->claim, REG_KEY, "$key");
	if (t->overloading) { /* the claim's owner is the inside endpoint alone */
		expr_load_field(b, REG_KEY + 2, FIELD_IP_DADDR);
		expr_load_field(b, REG_KEY + 3, t->protocol->out_peer);
	}
	expr_load_field(b, REG_HOLD, FIELD_IP_DADDR);
	expr_update(b, t->claim, claim, REG_HOLD, t->claim_life);
	expr_update(b, t->out, REG_KEY, translation_out_data(t, b), t->life);
	expr_update(b, t->in, claim, REG_KEY, t->life);
	expr_update(b, t->permit, claim, 0, t->filter_life);
	if (ends_in_common(t) && t->blocks) {
		blocks_keep(t, b);
		expr_load_mark_port(b, REG_PORT);
	}
	load_addressed(t, b);
	expr_match_set(b, addressed(t), t->permit, true);
	if (ends_in_common(t))
		expr_set_mark(b, 0);
	expr_accept(b);
}

/* What else the sender's mapping stands on lives on, whether or not the packet passes. */
static void keep_address(const struct translation *t, struct builder *b)
{
	expr_load_addr(b, REG_HOLD, &t->router->externals[0]);
	pool_keep(t, b);
}

/* A forwarded port holds no claim, and needs none. */
static void pass_forwarded(const struct translation *t, struct chain *back)
{
	struct builder b;

	if (!t->forwarded)
		return;
	b = expr_rule(t->ruleset, back, "a forwarded port answers");
	expr_match_ct_mark(&b, CT_MARK_UNMAPPED, true);
	expr_load_original_daddr(&b, REG_EXTERNAL);
	expr_load_original_dport(&b, REG_PORT);
	load_addressed(t, &b);
	expr_match_set(&b, addressed(t), t->permit, true);
	expr_accept(&b);
}

static void refuse(const struct translation *t, struct chain *chain)
{
	struct builder b = expr_rule(t->ruleset, chain, "not admitted");

	expr_drop(&b);
}

static struct chain *add_common_end(const struct translation *t)
{
	struct chain *chain = ir_add_chain(t->ruleset, NULL, "who sends by the port in the mark",
					   "%s_hairpin_by", t->protocol->name);
	struct builder b = expr_rule(t->ruleset, chain, NULL);

	expr_load_mark_port(&b, REG_PORT);
	expr_load_addr(&b, REG_EXTERNAL, &t->router->externals[0]);
	pass(t, &b);
	refuse(t, chain);
	return chain;
}

static struct chain *add_back(const struct translation *t)
{
	struct chain *back = ir_add_chain(t->ruleset, NULL, "the one that was addressed first",
					  "%s_hairpin_back", t->protocol->name);
	struct builder b;

	pass_forwarded(t, back);
	b = expr_rule(t->ruleset, back, NULL);
	expr_load_original_daddr(&b, REG_EXTERNAL);
	expr_load_original_dport(&b, REG_PORT);
	pass(t, &b);
	refuse(t, back);
	return back;
}

static struct chain *add_protocol(const struct translation *t)
{
	bool common = ends_in_common(t);
	struct chain *end = common ? add_common_end(t) : add_back(t), *chain;
	struct builder b;

	chain = ir_add_chain(t->ruleset, NULL, "does the holder admit the sender's mapping?",
			     "%s_hairpin", t->protocol->name);
	b = expr_rule(t->ruleset, chain, "an answer is of the one that was addressed first");
	expr_match_direction(&b, true);
	if (common) {
		expr_load_original_dport(&b, REG_PORT);
		expr_mark_port(&b, REG_PORT);
	}
	expr_goto(&b, end);
	if (t->pool || t->pair || (t->blocks && !common)) {
		b = expr_rule(t->ruleset, chain, NULL);
		translation_load_key(t, &b, REG_KEY);
		translation_map_out(t, &b);
		keep_address(t, &b);
	}
	b = expr_rule(t->ruleset, chain, NULL);
	translation_load_key(t, &b, REG_KEY);
	if (t->spaced)
		translation_map_out(t, &b);
	else
		expr_map_named(&b, REG_KEY, t->out, REG_PORT, "$port");
	if (common) {
		expr_mark_port(&b, REG_PORT);
		expr_goto(&b, end);
	} else {
		pass(t, &b);
		forwards_add_arrive(t, chain);
	}
	refuse(t, chain);
	return chain;
}

/* A rule for what the inside, and not the router itself, sends to the external addresses. */
static struct builder from_inside(struct ruleset *ruleset, const struct nat_router *router,
				  struct chain *chain, const char *comment)
{
	struct builder b = expr_rule(ruleset, chain, comment);

	pool_match_external(router, &b, FIELD_IP_DADDR, true);
	expr_match_iifname(&b, router->outside, false);
	expr_match_iifname(&b, "lo", false);
	return b;
}

void hairpin_add(struct ruleset *ruleset, const struct nat_router *router,
		 const struct translation *protocols, const struct chain *new)
{
	const struct chain *udp = add_protocol(&protocols[NAT_UDP]);
	const struct chain *tcp = add_protocol(&protocols[NAT_TCP]);
	struct chain *chain, *inner;
	struct builder b;

	chain = ir_add_chain(ruleset, &hook_new, "the sender's mapping", "hairpin_new");
	b = from_inside(ruleset, router, chain, "an answer has one");
	expr_match_direction(&b, false);
	expr_goto(&b, new);

	inner = ir_add_chain(ruleset, NULL, "from the inside to an external endpoint",
			     "hairpinned");
	b = translation_rule(&protocols[NAT_UDP], inner, NULL);
	expr_goto(&b, udp);
	b = translation_rule(&protocols[NAT_TCP], inner, NULL);
	expr_goto(&b, tcp);
	if (!router->nat->icmp.errors_blocked) {
		b = translation_rule(&protocols[NAT_ICMP], inner,
				     "errors about such flows (RFC 5508 REQ-7)");
		expr_match_ct_state(&b, NF_CT_STATE_BIT(IP_CT_RELATED));
		expr_accept(&b);
	}
	b = expr_rule(ruleset, inner, "the router itself answers nobody");
	expr_drop(&b);

	chain = ir_add_chain(ruleset, &hook_hairpin,
			     "what the inside sends to an external endpoint", "hairpin");
	b = from_inside(ruleset, router, chain, NULL);
	expr_goto(&b, inner);
}

static void find_holder(const struct translation *t, struct chain *chain)
{
	struct builder b = translation_rule(t, chain, NULL);
	unsigned int key = translation_claim(t);

	if (t->overloading) { /* the peer is who the sender is outside */
		translation_load_key(t, &b, REG_KEY);
		translation_map_out(t, &b);
		load_addressed(t, &b);
		key = addressed(t);
	} else {
		translation_load_claimed(t, &b);
	}
	expr_map(&b, key, t->in, REG_INSIDE);
	expr_dnat(&b, REG_INSIDE);
}

void hairpin_add_destination(struct ruleset *ruleset, const struct nat_router *router,
			     const struct translation *protocols, struct chain *dstnat)
{
	struct chain *holder =
		ir_add_chain(ruleset, NULL, "from the inside to the port's holder", "holder");
	struct builder b;

	forwards_add_dstnat(&protocols[NAT_UDP], holder);
	forwards_add_dstnat(&protocols[NAT_TCP], holder);
	find_holder(&protocols[NAT_UDP], holder);
	find_holder(&protocols[NAT_TCP], holder);
	b = expr_rule(ruleset, dstnat, NULL);
	expr_match_iifname(&b, router->outside, false);
	pool_match_external(router, &b, FIELD_IP_DADDR, true);
	expr_goto(&b, holder);
}

static void accept_inside(struct ruleset *ruleset, const struct nat_router *router,
			  struct chain *srcnat)
{
	struct builder b = expr_rule(ruleset, srcnat, NULL);

	expr_match_oifname(&b, router->outside, false);
	expr_accept(&b);
}

/* The key as it was before the destination was translated. */
static void translate_source(const struct translation *t, struct chain *chain)
{
	struct builder b = translation_rule(t, chain, NULL);

	expr_load_field(&b, REG_KEY, FIELD_IP_SADDR);
	expr_load_field(&b, REG_KEY + 1, t->protocol->out_port);
	if (t->mapping != ENDPOINT_INDEPENDENT)
		expr_load_original_daddr(&b, REG_KEY + 2);
	if (t->mapping == ADDRESS_DEPENDENT)
		expr_load_zero(&b, REG_KEY + 3);
	if (t->mapping == ADDRESS_AND_PORT_DEPENDENT)
		expr_load_original_dport(&b, REG_KEY + 3);
	translation_map_out(t, &b);
	expr_snat(&b, REG_EXTERNAL);
}

/*
 * A hairpinned packet leaves through the mapping by the same rule as what leaves outside, where
 * the mapping does not depend on what was addressed, and nothing comes before mappings.
 */
static bool leaves_alike(const struct translation *t)
{
	return t->mapping == ENDPOINT_INDEPENDENT && t->router->nat->forward_count == 0 &&
	       !t->stolen;
}

void hairpin_add_source(struct ruleset *ruleset, const struct nat_router *router,
			const struct translation *protocols, struct chain *srcnat)
{
	struct chain *chain;
	struct builder b;

	if (router->nat->hairpinning != HAIRPINNING_EXTERNAL_SOURCE) {
		accept_inside(ruleset, router, srcnat);
		return;
	}
	if (leaves_alike(&protocols[NAT_UDP]) && leaves_alike(&protocols[NAT_TCP])) {
		b = expr_rule(ruleset, srcnat, "from outside");
		expr_match_iifname(&b, router->outside, true);
		expr_accept(&b);
		b = expr_rule(ruleset, srcnat, "the router to itself");
		expr_match_oifname(&b, "lo", true);
		expr_accept(&b);
		b = expr_rule(ruleset, srcnat, "to the inside, and not turned round");
		expr_match_oifname(&b, router->outside, false);
		pool_match_addressed(router, &b, false);
		expr_accept(&b);
		return;
	}
	chain = ir_add_chain(ruleset, NULL, "turned round: from the sender's mapping",
			     "hairpin_source");
	translate_source(&protocols[NAT_UDP], chain);
	translate_source(&protocols[NAT_TCP], chain);
	b = expr_rule(ruleset, srcnat, NULL);
	expr_match_oifname(&b, router->outside, false);
	pool_match_addressed(router, &b, true);
	expr_goto(&b, chain);
	accept_inside(ruleset, router, srcnat);
}
