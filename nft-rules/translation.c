/* SPDX-License-Identifier: MIT */
/* What the rules of one protocol load, and where: keys, claims, permissions. */
#include "nft-rules/translation.h"

/* How much of the peer a key or permission has in it: nothing, its address, its port too. */
unsigned int translation_peer_fields(enum nat_dependence dependence)
{
	switch (dependence) {
	case ENDPOINT_INDEPENDENT:
		return 0;
	case ADDRESS_DEPENDENT:
		return 1;
	case ADDRESS_AND_PORT_DEPENDENT:
		return 2;
	}
	return 0;
}

static void load_peer(struct builder *b, unsigned int reg, enum nat_dependence dependence,
		      enum field addr, enum field port)
{
	if (translation_peer_fields(dependence) > 0)
		expr_load_field(b, reg, addr);
	if (translation_peer_fields(dependence) > 1)
		expr_load_field(b, reg + 1, port);
}

/* Of a packet whose inside endpoint is in @own, and its peer in @peer. */
static void load_key(const struct translation *t, struct builder *b, unsigned int reg,
		     const enum field own[2], const enum field peer[2])
{
	expr_load_field(b, reg, own[0]);
	expr_load_field(b, reg + 1, own[1]);
	load_peer(b, reg + 2, t->mapping, peer[0], peer[1]);
	if (t->mapping == ADDRESS_DEPENDENT)
		expr_load_zero(b, reg + 3);
}

void translation_load_key(const struct translation *t, struct builder *b, unsigned int reg)
{
	load_key(t, b, reg, (enum field[]){FIELD_IP_SADDR, t->protocol->out_port},
		 (enum field[]){FIELD_IP_DADDR, t->protocol->out_peer});
}

void translation_load_key_in(const struct translation *t, struct builder *b, unsigned int reg)
{
	load_key(t, b, reg, (enum field[]){FIELD_IP_DADDR, t->protocol->in_port},
		 (enum field[]){FIELD_IP_SADDR, t->protocol->in_peer});
}

void translation_load_external(const struct translation *t, struct builder *b, enum field peer)
{
	if (t->spaced) {
		translation_map_out(t, b);
		/* The room before the endpoint is the end of a long key. */
		if (t->mapping == ADDRESS_DEPENDENT)
			expr_load_zero(b, REG_KEY + 3);
		if (t->mapping == ADDRESS_AND_PORT_DEPENDENT)
			expr_load_field(b, REG_KEY + 3, peer);
		return;
	}
	expr_map_named(b, REG_KEY, t->out, REG_PORT, "$port");
	expr_load_addr(b, REG_EXTERNAL, &t->router->externals[0]); /* nft asks where it is from */
}

unsigned int translation_key_fields(const struct translation *t)
{
	return t->mapping == ENDPOINT_INDEPENDENT ? 2 : 4;
}

unsigned int translation_claim(const struct translation *t)
{
	return t->pool ? REG_EXTERNAL : REG_PORT;
}

void translation_load_peer(const struct translation *t, struct builder *b)
{
	if (!t->overloading)
		return;
	load_peer(b, REG_PORT + 1, t->mapping, FIELD_IP_DADDR, t->protocol->out_peer);
	if (t->mapping == ADDRESS_DEPENDENT)
		expr_load_zero(b, REG_PORT + 2);
}

void translation_load_claim(const struct translation *t, struct builder *b)
{
	expr_load_field(b, REG_EXTERNAL, FIELD_IP_SADDR);
	expr_load_field(b, REG_PORT, t->protocol->out_port);
	translation_load_peer(t, b);
}

void translation_load_claimed(const struct translation *t, struct builder *b)
{
	if (t->pool)
		expr_load_field(b, REG_EXTERNAL, FIELD_IP_DADDR);
	expr_load_field(b, REG_PORT, t->protocol->in_port);
	if (!t->overloading)
		return;
	load_peer(b, REG_PORT + 1, t->mapping, FIELD_IP_SADDR, t->protocol->in_peer);
	if (t->mapping == ADDRESS_DEPENDENT)
		expr_load_zero(b, REG_PORT + 2);
}

unsigned int translation_owner_fields(const struct translation *t)
{
	return t->overloading ? 2 : translation_key_fields(t);
}

unsigned int translation_out_data(const struct translation *t, struct builder *b)
{
	if (!t->spaced)
		return REG_EXTERNAL;
	if (translation_key_fields(t) == 2) /* otherwise the key's end is there */
		expr_load_zero(b, REG_EXTERNAL - 1);
	return REG_EXTERNAL - 1;
}

void translation_map_key(const struct translation *t, struct builder *b, unsigned int key)
{
	if (!t->spaced) {
		expr_map(b, key, t->out, REG_EXTERNAL);
		return;
	}
	expr_map_named(b, key, t->out, REG_EXTERNAL, "$address . $port");
	expr_name(b, REG_EXTERNAL, "$address");
	expr_name(b, REG_PORT, "$port");
}

void translation_map_out(const struct translation *t, struct builder *b)
{
	translation_map_key(t, b, REG_KEY);
}

/* A permission is of an external endpoint: its port, and with a pool its address first. */
static unsigned int load_external(const struct translation *t, struct builder *b, unsigned int reg,
				  enum field addr, enum field port)
{
	if (t->pool)
		expr_load_field(b, reg++, addr);
	expr_load_field(b, reg, port);
	return reg + 1;
}

void translation_load_given(const struct translation *t, struct builder *b, unsigned int reg)
{
	reg = load_external(t, b, reg, FIELD_IP_SADDR, t->protocol->out_port);
	load_peer(b, reg, t->filtering, FIELD_IP_DADDR, t->protocol->out_peer);
}

void translation_load_needed(const struct translation *t, struct builder *b, unsigned int reg)
{
	reg = load_external(t, b, reg, FIELD_IP_DADDR, t->protocol->in_port);
	load_peer(b, reg, t->filtering, FIELD_IP_SADDR, t->protocol->in_peer);
}

/* Rules of a base chain that hand a protocol's packets to its chain. */
struct builder translation_rule(const struct translation *t, struct chain *chain,
				const char *comment)
{
	struct builder b = expr_rule(t->ruleset, chain, comment);

	expr_match_l4proto(&b, t->protocol->number);
	return b;
}

struct builder translation_echo_rule(const struct translation *t, struct chain *chain, uint8_t type,
				     const char *comment)
{
	struct builder b = translation_rule(t, chain, comment);

	expr_match_icmp_type(&b, type);
	return b;
}
