/* SPDX-License-Identifier: MIT */
/* Statements: what changes the packet, and what decides. */
#include "nft-rules/expr.h"

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>

#include "nft-rules/expr_internal.h"

void expr_set_mark(struct builder *b, uint32_t mark_value)
{
	struct nftnl_expr *expr;

	expr_load_value(b, 0, mark_value);
	expr = expr_new(b, "meta");
	expr_set_u32(expr, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	expr_set_u32(expr, NFTNL_EXPR_META_SREG, expr_register(0));
	expr_say(b, "meta mark set %u", mark_value);
}

void expr_set_ct_mark(struct builder *b, uint32_t mark_value)
{
	struct nftnl_expr *expr;

	expr_load_value(b, 0, mark_value);
	expr = expr_new(b, "ct");
	expr_set_u32(expr, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	expr_set_u32(expr, NFTNL_EXPR_CT_SREG, expr_register(0));
	expr_say(b, "ct mark set %u", mark_value);
}

/* The kernel reads the zone from the register's first two bytes, in its own order: any will do. */
void expr_set_ct_zone(struct builder *b, unsigned int reg)
{
	struct nftnl_expr *expr = expr_new(b, "ct");

	expr_set_u32(expr, NFTNL_EXPR_CT_KEY, NFT_CT_ZONE);
	expr_set_u32(expr, NFTNL_EXPR_CT_SREG, expr_register(reg));
	expr_say(b, "ct zone set %s", b->registers[reg]);
}

enum { HEADER_CHECKSUM = 10 }; /* RFC 791 section 3.1 */

static struct nftnl_expr *write_field(struct builder *b, enum field field, unsigned int reg)
{
	struct nftnl_expr *expr = expr_new(b, "payload");

	expr_set_place(expr, field);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_SREG, expr_register(reg));
	return expr;
}

/* The IP header's checksum is the only one that knows of it in ICMP. */
void expr_set_saddr(struct builder *b, const struct addr *addr)
{
	struct nftnl_expr *expr;
	char text[ADDR_TEXT_MAX];

	expr_load_value(b, 0, addr_to_ipv4(addr));
	expr = write_field(b, FIELD_IP_SADDR, 0);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, HEADER_CHECKSUM);
	expr_say(b, "ip saddr set %s", addr_format(addr, text));
}

/* An address, which UDP's checksum is of as well. */
static void write_addr(struct builder *b, enum field field, unsigned int reg)
{
	struct nftnl_expr *expr = write_field(b, field, reg);

	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, HEADER_CHECKSUM);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_FLAGS, NFT_PAYLOAD_L4CSUM_PSEUDOHDR);
}

/*
 * The kernel knows where UDP's checksum is, and whether there is one, only for what is part of
 * the pseudo-header. To the sum a port is no different.
 */
static void write_port(struct builder *b, enum field field, unsigned int reg)
{
	struct nftnl_expr *expr = write_field(b, field, reg);

	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_NONE);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, 0);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_FLAGS, NFT_PAYLOAD_L4CSUM_PSEUDOHDR);
}

void expr_set_source(struct builder *b, const struct addr *addr, unsigned int reg)
{
	char text[ADDR_TEXT_MAX];

	expr_load_value(b, 0, addr_to_ipv4(addr));
	write_addr(b, FIELD_IP_SADDR, 0);
	write_port(b, FIELD_UDP_SPORT, reg);
	expr_say(b, "ip saddr set %s", addr_format(addr, text));
	expr_say(b, "udp sport set %s", b->registers[reg]);
}

void expr_set_destination(struct builder *b, unsigned int reg)
{
	write_addr(b, FIELD_IP_DADDR, reg);
	write_port(b, FIELD_UDP_DPORT, reg + 1);
	expr_say(b, "ip daddr . udp dport set %s", b->registers[reg]);
}

void expr_notrack(struct builder *b)
{
	expr_new(b, "notrack");
	expr_say(b, "notrack");
}

static void write_mark(struct builder *b, unsigned int reg)
{
	struct nftnl_expr *expr = expr_new(b, "meta");

	expr_set_u32(expr, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	expr_set_u32(expr, NFTNL_EXPR_META_SREG, expr_register(reg));
}

void expr_mark_port(struct builder *b, unsigned int reg)
{
	write_mark(b, reg);
	expr_say(b, "meta mark set %s", b->registers[reg]);
}

static void translate(struct builder *b, uint32_t type, const char *word, unsigned int reg)
{
	struct nftnl_expr *expr = expr_new(b, "nat");
	char text[EXPR_JOINED_MAX];

	expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, type);
	expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN, expr_register(reg + 1));
	expr_set_u32(expr, NFTNL_EXPR_NAT_FLAGS,
		     NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED);
	expr_say(b, "%s ip to %s", word, expr_joined(b, reg, 2, text));
}

void expr_snat(struct builder *b, unsigned int reg)
{
	translate(b, NFT_NAT_SNAT, "snat", reg);
}

void expr_dnat(struct builder *b, unsigned int reg)
{
	translate(b, NFT_NAT_DNAT, "dnat", reg);
}

void expr_dnat_addr(struct builder *b, unsigned int reg)
{
	struct nftnl_expr *expr = expr_new(b, "nat");

	expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS);
	expr_say(b, "dnat to %s", b->registers[reg]);
}

static void reject(struct builder *b, uint32_t type, uint8_t code, const char *text)
{
	struct nftnl_expr *expr = expr_new(b, "reject");

	expr_set_u32(expr, NFTNL_EXPR_REJECT_TYPE, type);
	if (expr)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, code);
	expr_say(b, "%s", text);
}

void expr_reject(struct builder *b)
{
	reject(b, NFT_REJECT_ICMP_UNREACH, 3, "reject with icmp port-unreachable");
}

void expr_reject_tcp(struct builder *b)
{
	reject(b, NFT_REJECT_TCP_RST, 0, "reject with tcp reset");
}

void expr_log(struct builder *b, uint16_t group)
{
	struct nftnl_expr *expr = expr_new(b, "log");

	if (expr)
		nftnl_expr_set_u16(expr, NFTNL_EXPR_LOG_GROUP, group);
	expr_say(b, "log group %u", group);
}

void expr_masquerade(struct builder *b)
{
	expr_new(b, "masq");
	expr_say(b, "masquerade");
}

void expr_masquerade_random(struct builder *b)
{
	expr_set_u32(expr_new(b, "masq"), NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM);
	expr_say(b, "masquerade random");
}

static void decide(struct builder *b, int verdict, const char *word, const struct chain *chain)
{
	struct nftnl_expr *expr = expr_new(b, "immediate");

	expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (expr && chain)
		expr_set_str(b, expr, NFTNL_EXPR_IMM_CHAIN, chain->name);
	if (expr)
		expr_say(b, "%s%s%s", word, chain ? " " : "", chain ? chain->name : "");
}

void expr_accept(struct builder *b)
{
	decide(b, NF_ACCEPT, "accept", NULL);
}

void expr_drop(struct builder *b)
{
	decide(b, NF_DROP, "drop", NULL);
}

void expr_reject_host(struct builder *b)
{
	struct nftnl_expr *expr = expr_new(b, "reject");

	expr_set_u32(expr, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
	if (expr)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, ICMP_HOST_UNREACH);
	expr_say(b, "reject with icmp host-unreachable");
}

void expr_return(struct builder *b)
{
	decide(b, NFT_RETURN, "return", NULL);
}

void expr_jump(struct builder *b, const struct chain *chain)
{
	decide(b, NFT_JUMP, "jump", chain);
}

void expr_goto(struct builder *b, const struct chain *chain)
{
	decide(b, NFT_GOTO, "goto", chain);
}
