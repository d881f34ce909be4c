/* SPDX-License-Identifier: MIT */
/*
 * A forward is a mapping that nobody has to make: it is in sets that the rules only
 * read. It needs no permission, no claim (no attempt may take its port: see
 * guard_match_free()) and no timer. Its flows carry a mark, so that `leave` asks no
 * mapping about them. What its inside endpoint sends by itself leaves by the port, too.
 */
#include "nft-rules/forwards.h"

#include <arpa/inet.h>

static bool repeated(const struct nat *nat, size_t index)
{
	const struct nat_forward *forward = &nat->forwards[index];
	size_t i;

	for (i = 0; i < index; i++)
		if (nat->forwards[i].protocol == forward->protocol &&
		    endpoint_equal(&nat->forwards[i].to, &forward->to))
			return true;
	return false;
}

static void add_elements(const struct translation *t, struct set *forwarded, struct set *to,
			 struct set *from, enum nat_protocol protocol)
{
	const struct nat *nat = t->router->nat;
	const struct addr *external = &t->router->externals[0];
	char external_text[ADDR_TEXT_MAX], inside_text[ADDR_TEXT_MAX];
	const struct nat_forward *forward;
	uint32_t port[2] = {0}, inside[2], outside[2];
	size_t i;

	addr_format(external, external_text);
	for (i = 0; i < nat->forward_count; i++) {
		forward = &nat->forwards[i];
		if (forward->protocol != protocol)
			continue;
		addr_format(&forward->to.addr, inside_text);
		port[0] = htons(forward->port);
		inside[0] = addr_to_ipv4(&forward->to.addr);
		inside[1] = htons(forward->to.port);
		outside[0] = addr_to_ipv4(external);
		outside[1] = htons(forward->port);
		ir_add_element(t->ruleset, forwarded, port, NULL, "%u", forward->port);
		ir_add_element(t->ruleset, to, port, inside, "%u : %s . %u", forward->port,
			       inside_text, forward->to.port);
		if (!repeated(nat, i))
			ir_add_element(t->ruleset, from, inside, outside, "%s . %u : %s . %u",
				       inside_text, forward->to.port, external_text, forward->port);
	}
}

static bool any(const struct nat *nat, enum nat_protocol protocol)
{
	size_t i;

	for (i = 0; i < nat->forward_count; i++)
		if (nat->forwards[i].protocol == protocol)
			return true;
	return false;
}

void forwards_init(struct translation *t, enum nat_protocol protocol)
{
	const struct type port = {{TYPE_PORT}, 1}, endpoint = {{TYPE_ADDR, TYPE_PORT}, 2};
	const char *name = t->protocol->name;
	struct set *forwarded, *to, *from;

	if (!any(t->router->nat, protocol))
		return;
	t->forwarded = forwarded = ir_add_set(
		t->ruleset, &port, NULL, "external ports that are forwarded", "%s_forwarded", name);
	t->forwards = to = ir_add_set(t->ruleset, &port, &endpoint, "where they are forwarded to",
				      "%s_forward_in", name);
	t->forwarded_out = from =
		ir_add_set(t->ruleset, &endpoint, &endpoint, "and what these endpoints leave by",
			   "%s_forward_out", name);
	add_elements(t, forwarded, to, from, protocol);
}

void forwards_add_arrive(const struct translation *t, struct chain *chain)
{
	struct builder b;

	if (!t->forwarded)
		return;
	b = translation_rule(t, chain, "a forwarded port is open to anyone");
	expr_load_field(&b, REG_PORT, t->protocol->in_port);
	expr_match_set(&b, REG_PORT, t->forwarded, true);
	expr_accept(&b);
}

void forwards_add_dstnat(const struct translation *t, struct chain *chain)
{
	struct builder b;

	if (!t->forwarded)
		return;
	b = translation_rule(t, chain, "a forwarded port");
	expr_load_field(&b, REG_PORT, t->protocol->in_port);
	expr_map(&b, REG_PORT, t->forwards, REG_INSIDE);
	expr_set_ct_mark(&b, CT_MARK_UNMAPPED);
	expr_dnat(&b, REG_INSIDE);
}

void forwards_add_source(const struct translation *t, struct chain *chain)
{
	struct builder b;

	if (!t->forwarded)
		return;
	b = expr_rule(t->ruleset, chain, "what a port is forwarded to leaves by it");
	expr_load_field(&b, REG_KEY, FIELD_IP_SADDR);
	expr_load_field(&b, REG_KEY + 1, t->protocol->out_port);
	expr_map(&b, REG_KEY, t->forwarded_out, REG_EXTERNAL);
	expr_set_ct_mark(&b, CT_MARK_UNMAPPED);
	expr_snat(&b, REG_EXTERNAL);
}
