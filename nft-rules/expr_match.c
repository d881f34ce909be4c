/* SPDX-License-Identifier: MIT */
/* Matches: the rule ends here unless they hold. */
#include "nft-rules/expr.h"

#include <endian.h>
#include <inttypes.h>
#include <libnftnl/expr.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>

#include "nft-rules/expr_internal.h"

static void match_interface(struct builder *b, uint32_t key, const char *key_name, const char *name,
			    bool equal)
{
	char padded[IFNAMSIZ] = "";
	struct nftnl_expr *load, *compare;

	snprintf(padded, sizeof(padded), "%s", name);
	load = expr_load_meta(b, 0, key);
	compare = expr_compare(b, 0, padded, sizeof(padded), equal);
	ir_add_interface(b->ruleset, load, compare);
	expr_say(b, "%s %s\"%s\"", key_name, equal ? "" : "!= ", name);
}

void expr_match_iifname(struct builder *b, const char *name, bool equal)
{
	match_interface(b, NFT_META_IIFNAME, "iifname", name, equal);
}

void expr_match_oifname(struct builder *b, const char *name, bool equal)
{
	match_interface(b, NFT_META_OIFNAME, "oifname", name, equal);
}

void expr_match_l4proto(struct builder *b, uint8_t protocol)
{
	const char *name = "icmp";

	if (protocol != IPPROTO_ICMP)
		name = protocol == IPPROTO_UDP ? "udp" : "tcp";
	if (b->ruleset->inet) { /* IPv6 keeps it elsewhere */
		expr_load_meta(b, 0, NFT_META_L4PROTO);
		expr_set_text(b, 0, "meta l4proto");
	} else { /* a byte of the header costs the kernel less */
		expr_load_field(b, 0, FIELD_IP_PROTOCOL);
	}
	expr_compare(b, 0, &protocol, sizeof(protocol), true);
	expr_say(b, "%s %s", b->registers[0], name);
}

void expr_match_addr(struct builder *b, enum field field, const struct addr *addr, bool equal)
{
	uint32_t value = addr_to_ipv4(addr);
	char text[ADDR_TEXT_MAX];

	expr_load_field(b, 0, field);
	expr_compare(b, 0, &value, sizeof(value), equal);
	expr_say(b, "%s %s%s", b->registers[0], equal ? "" : "!= ", addr_format(addr, text));
}

static const char *icmp_type_name(uint8_t type)
{
	switch (type) {
	case 0:
		return "echo-reply";
	case 3:
		return "destination-unreachable";
	case 8:
		return "echo-request";
	case 11:
		return "time-exceeded";
	case 12:
		return "parameter-problem";
	default:
		return "?";
	}
}

void expr_match_icmp_type(struct builder *b, uint8_t type)
{
	expr_load_field(b, 0, FIELD_ICMP_TYPE);
	expr_compare(b, 0, &type, sizeof(type), true);
	expr_say(b, "icmp type %s", icmp_type_name(type));
}

void expr_match_quoted_protocol(struct builder *b, uint8_t protocol)
{
	expr_load_field(b, 0, FIELD_QUOTED_PROTOCOL);
	expr_compare(b, 0, &protocol, sizeof(protocol), true);
	expr_say(b, "%s %u", b->registers[0], protocol);
}

static void mask(struct builder *b, unsigned int reg, const void *bits, size_t length)
{
	const uint32_t zero = 0;
	struct nftnl_expr *expr = expr_new(b, "bitwise");

	expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, (uint32_t)length);
	expr_set_data(b, expr, NFTNL_EXPR_BITWISE_MASK, bits, length);
	expr_set_data(b, expr, NFTNL_EXPR_BITWISE_XOR, &zero, length);
}

static const char *const tcp_flag_names[] = {"fin", "syn", "rst", "psh", "ack"};

static const char *tcp_flags_text(uint8_t flags, char text[EXPR_TEXT_MAX])
{
	size_t i, used = 0;

	snprintf(text, EXPR_TEXT_MAX, "0");
	for (i = 0; i < sizeof(tcp_flag_names) / sizeof(tcp_flag_names[0]); i++)
		if (flags & (1U << i))
			used += (size_t)snprintf(text + used, EXPR_TEXT_MAX - used, "%s%s",
						 used ? " | " : "", tcp_flag_names[i]);
	return text;
}

void expr_match_tcp_flags(struct builder *b, uint8_t bits, uint8_t value, bool equal)
{
	char bits_text[EXPR_TEXT_MAX], value_text[EXPR_TEXT_MAX];

	/* The kernel is quickest with four bytes: the flags are the second of these. */
	expr_load_field(b, 0, FIELD_TCP_FLAGS);
	expr_change_bits(b, 0, (uint32_t)bits << 8, 0);
	expr_compare(b, 0, &(uint32_t){(uint32_t)value << 8}, sizeof(uint32_t), equal);
	expr_say(b, "tcp flags & (%s) %s %s", tcp_flags_text(bits, bits_text),
		 equal ? "==" : "!=", tcp_flags_text(value, value_text));
}

void expr_match_ct_assured(struct builder *b, bool assured)
{
	const uint32_t bit = IPS_ASSURED, zero = 0;

	expr_load_ct(b, 0, NFT_CT_STATUS, -1);
	mask(b, 0, &bit, sizeof(bit));
	expr_compare(b, 0, &zero, sizeof(zero), !assured);
	expr_say(b, "ct status %sassured", assured ? "" : "! ");
}

void expr_match_ct_mark(struct builder *b, uint32_t mark_value, bool equal)
{
	expr_load_ct(b, 0, NFT_CT_MARK, -1);
	expr_compare(b, 0, &mark_value, sizeof(mark_value), equal);
	expr_say(b, "ct mark %s%u", equal ? "" : "!= ", mark_value);
}

void expr_match_mark(struct builder *b, uint32_t mark_value, bool equal)
{
	expr_load_meta(b, 0, NFT_META_MARK);
	expr_compare(b, 0, &mark_value, sizeof(mark_value), equal);
	expr_say(b, "meta mark %s%u", equal ? "" : "!= ", mark_value);
}

static const struct {
	uint32_t bit;
	const char *name;
} ct_states[] = {
	{NF_CT_STATE_INVALID_BIT, "invalid"},
	{NF_CT_STATE_BIT(IP_CT_ESTABLISHED), "established"},
	{NF_CT_STATE_BIT(IP_CT_RELATED), "related"},
	{NF_CT_STATE_BIT(IP_CT_NEW), "new"},
};

void expr_match_ct_state(struct builder *b, uint32_t states)
{
	const uint32_t zero = 0;
	char text[EXPR_TEXT_MAX] = "";
	size_t i, used = 0;

	expr_load_ct(b, 0, NFT_CT_STATE, -1);
	mask(b, 0, &states, sizeof(states));
	expr_compare(b, 0, &zero, sizeof(zero), false);
	for (i = 0; i < sizeof(ct_states) / sizeof(ct_states[0]); i++)
		if (states & ct_states[i].bit)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
						 used ? "," : "", ct_states[i].name);
	expr_say(b, "ct state %s", text);
}

void expr_match_original_daddr(struct builder *b, const struct addr *addr, bool equal)
{
	uint32_t value = addr_to_ipv4(addr);
	char text[ADDR_TEXT_MAX];

	expr_load_original_daddr(b, 0);
	expr_compare(b, 0, &value, sizeof(value), equal);
	expr_say(b, "ct original ip daddr %s%s", equal ? "" : "!= ", addr_format(addr, text));
}

void expr_match_direction(struct builder *b, bool reply)
{
	const uint8_t direction = reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;

	expr_load_ct(b, 0, NFT_CT_DIRECTION, -1);
	expr_compare(b, 0, &direction, sizeof(direction), true);
	expr_say(b, "ct direction %s", reply ? "reply" : "original");
}

/* Counts are 64 bits in the processor's order, and are compared byte by byte. */
void expr_match_counted(struct builder *b, bool reply, uint64_t packets)
{
	const uint64_t count = htobe64(packets);
	struct nftnl_expr *expr;

	expr_load_ct(b, 0, NFT_CT_PKTS, reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL);
	expr = expr_new(b, "byteorder");
	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, expr_register(0));
	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, expr_register(0));
	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, sizeof(count));
	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(count));
	expr = expr_new(b, "cmp");
	expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, expr_register(0));
	expr_set_u32(expr, NFTNL_EXPR_CMP_OP, NFT_CMP_GTE);
	expr_set_data(b, expr, NFTNL_EXPR_CMP_DATA, &count, sizeof(count));
	expr_say(b, "ct %s packets >= %" PRIu64, reply ? "reply" : "original", packets);
}

void expr_match_brand(struct builder *b, unsigned int reg, uint32_t brand)
{
	const uint32_t upper = ~(uint32_t)UINT16_MAX;

	expr_load_mark_port(b, reg);
	expr_copy_bits(b, reg, 0, upper, 0);
	expr_compare(b, 0, &brand, sizeof(brand), true);
	expr_say(b, "%s & 0x%08x == 0x%08x", b->registers[reg], upper, brand);
}

void expr_match_parity(struct builder *b, enum field port, bool odd)
{
	uint16_t last_bit = odd ? htons(1) : 0;

	expr_load_field(b, 0, port);
	expr_change_bits(b, 0, htons(1), 0);
	expr_compare(b, 0, &last_bit, sizeof(last_bit), true);
	expr_say(b, "%s & 1 == %d", b->registers[0], odd);
}

static void compare_port(struct builder *b, unsigned int reg, uint32_t operation, uint16_t port)
{
	struct nftnl_expr *expr = expr_new(b, "cmp");
	uint16_t value = htons(port);

	expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_CMP_OP, operation);
	expr_set_data(b, expr, NFTNL_EXPR_CMP_DATA, &value, sizeof(value));
}

void expr_match_ports(struct builder *b, unsigned int reg, uint16_t first, uint16_t last)
{
	compare_port(b, reg, NFT_CMP_GTE, first);
	compare_port(b, reg, NFT_CMP_LTE, last);
	expr_say(b, "%s %u-%u", b->registers[reg], first, last);
}

void expr_match_request(struct builder *b, uint16_t port, uint8_t first)
{
	expr_load_field(b, 0, FIELD_UDP_DPORT);
	compare_port(b, 0, NFT_CMP_EQ, port);
	expr_load_field(b, 0, FIELD_UDP_FIRST);
	expr_compare(b, 0, &first, sizeof(first), true);
	expr_say(b, "udp dport %u @th,64,8 %u", port, first);
}

void expr_match_turn(struct builder *b, uint32_t turns)
{
	const uint32_t zero = 0;

	expr_draw_number(b, 0, DRAW_NEXT, turns, 0);
	expr_compare(b, 0, &zero, sizeof(zero), true);
	expr_say(b, "numgen inc mod %u 0", turns);
}
