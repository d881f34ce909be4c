/* SPDX-License-Identifier: MIT */
/* Loads: what fills a register. */
#include "nft-rules/expr.h"

#include <assert.h>
#include <libnftnl/expr.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "nft-rules/expr_internal.h"

static const struct {
	const char *name;
	uint32_t base, offset, length;
} fields[] = {
	[FIELD_IP_SADDR] = {"ip saddr", NFT_PAYLOAD_NETWORK_HEADER, 12, 4},
	[FIELD_IP_DADDR] = {"ip daddr", NFT_PAYLOAD_NETWORK_HEADER, 16, 4},
	[FIELD_IP_PROTOCOL] = {"ip protocol", NFT_PAYLOAD_NETWORK_HEADER, 9, 1},
	[FIELD_UDP_SPORT] = {"udp sport", NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2},
	[FIELD_UDP_DPORT] = {"udp dport", NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2},
	[FIELD_TCP_SPORT] = {"tcp sport", NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2},
	[FIELD_TCP_DPORT] = {"tcp dport", NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2},
	[FIELD_TH_SPORT] = {"th sport", NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2},
	[FIELD_ICMP_TYPE] = {"icmp type", NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1},
	[FIELD_ICMP_ID] = {"icmp id", NFT_PAYLOAD_TRANSPORT_HEADER, 4, 2},
	[FIELD_TCP_FLAGS] = {"tcp flags", NFT_PAYLOAD_TRANSPORT_HEADER, 12, 4},
	[FIELD_UDP_FIRST] = {"@th,64,8", NFT_PAYLOAD_TRANSPORT_HEADER, 8, 1},
	/* nft has no names for these: 8 bytes of ICMP and 20 of IP come before the ports. */
	[FIELD_QUOTED_SADDR] = {"@th,160,32", NFT_PAYLOAD_TRANSPORT_HEADER, 20, 4},
	[FIELD_QUOTED_DADDR] = {"@th,192,32", NFT_PAYLOAD_TRANSPORT_HEADER, 24, 4},
	[FIELD_QUOTED_SPORT] = {"@th,224,16", NFT_PAYLOAD_TRANSPORT_HEADER, 28, 2},
	[FIELD_QUOTED_DPORT] = {"@th,240,16", NFT_PAYLOAD_TRANSPORT_HEADER, 30, 2},
	[FIELD_QUOTED_ID] = {"@th,256,16", NFT_PAYLOAD_TRANSPORT_HEADER, 32, 2},
	[FIELD_QUOTED_PROTOCOL] = {"@th,136,8", NFT_PAYLOAD_TRANSPORT_HEADER, 17, 1},
};
static_assert(sizeof(fields) / sizeof(fields[0]) == FIELD_QUOTED_PROTOCOL + 1,
	      "a field is missing");

void expr_set_place(struct nftnl_expr *expr, enum field field)
{
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, fields[field].base);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, fields[field].offset);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, fields[field].length);
}

void expr_load_field(struct builder *b, unsigned int reg, enum field field)
{
	struct nftnl_expr *expr = expr_new(b, "payload");

	expr_set_place(expr, field);
	expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, expr_register(reg));
	expr_set_text(b, reg, "%s", fields[field].name);
}

void expr_load_value(struct builder *b, unsigned int reg, uint32_t value)
{
	struct nftnl_expr *expr = expr_new(b, "immediate");

	expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, expr_register(reg));
	expr_set_data(b, expr, NFTNL_EXPR_IMM_DATA, &value, sizeof(value));
}

void expr_load_addr(struct builder *b, unsigned int reg, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	expr_load_value(b, reg, addr_to_ipv4(addr));
	if (!b->ruleset->wordless)
		expr_set_text(b, reg, "%s", addr_format(addr, text));
}

void expr_load_zero(struct builder *b, unsigned int reg)
{
	expr_load_value(b, reg, 0);
	expr_set_text(b, reg, "0");
}

/*
 * numgen leaves a number in host order, a port in a key is in network order: turn its
 * low two bytes round. They are the first two only on a little-endian machine.
 */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "big-endian: shift left by 16 instead of swapping bytes");

void expr_change_bits(struct builder *b, unsigned int reg, uint32_t mask, uint32_t flip)
{
	expr_copy_bits(b, reg, reg, mask, flip);
}

void expr_copy_bits(struct builder *b, unsigned int from, unsigned int to, uint32_t mask,
		    uint32_t flip)
{
	struct nftnl_expr *expr = expr_new(b, "bitwise");

	expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, expr_register(from));
	expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, expr_register(to));
	expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	expr_set_data(b, expr, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
	expr_set_data(b, expr, NFTNL_EXPR_BITWISE_XOR, &flip, sizeof(flip));
}

/* Of @count registers, as of one long number. */
static void shift(struct builder *b, unsigned int reg, uint32_t count, uint32_t operation,
		  uint32_t bits)
{
	struct nftnl_expr *expr = expr_new(b, "bitwise");

	expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, count * (uint32_t)sizeof(bits));
	expr_set_u32(expr, NFTNL_EXPR_BITWISE_OP, operation);
	expr_set_data(b, expr, NFTNL_EXPR_BITWISE_DATA, &bits, sizeof(bits));
}

static void shift_left(struct builder *b, unsigned int reg, uint32_t bits)
{
	shift(b, reg, 1, NFT_BITWISE_LSHIFT, bits);
}

static void swap_port(struct builder *b, unsigned int reg)
{
	struct nftnl_expr *expr = expr_new(b, "byteorder");

	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, sizeof(uint16_t));
	expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(uint16_t));
}

void expr_draw_number(struct builder *b, unsigned int reg, enum draw draw, uint32_t modulus,
		      uint32_t offset)
{
	struct nftnl_expr *expr = expr_new(b, "numgen");

	expr_set_u32(expr, NFTNL_EXPR_NG_DREG, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_NG_TYPE,
		     draw == DRAW_RANDOM ? NFT_NG_RANDOM : NFT_NG_INCREMENTAL);
	expr_set_u32(expr, NFTNL_EXPR_NG_MODULUS, modulus);
	expr_set_u32(expr, NFTNL_EXPR_NG_OFFSET, offset);
}

void expr_load_random(struct builder *b, unsigned int reg, uint32_t modulus)
{
	expr_draw_number(b, reg, DRAW_RANDOM, modulus, 0);
	expr_set_text(b, reg, "numgen random mod %u", modulus);
}

void expr_draw_port(struct builder *b, unsigned int reg, const struct draw_port *draw)
{
	char shifted[16] = "";

	expr_draw_number(b, reg, draw->draw, draw->modulus, draw->offset);
	if (draw->down)
		expr_change_bits(b, reg, 0xffff, 0xffff);
	if (draw->pairs)
		shift_left(b, reg, 1);
	if (draw->shift)
		shift_left(b, reg, draw->shift);
	if (draw->pairs) /* a number too large is a port out of range, but must stay a port */
		expr_change_bits(b, reg, 0xffff, draw->odd);

	swap_port(b, reg);

	if (draw->shift)
		snprintf(shifted, sizeof(shifted), " << %u", draw->shift);
	expr_say(b, "$port = numgen %s mod %u offset %u%s%s%s%s",
		 draw->draw == DRAW_RANDOM ? "random" : "inc", draw->modulus, draw->offset,
		 draw->down ? " ^ 65535" : "", draw->pairs ? " << 1" : "", draw->odd ? " ^ 1" : "",
		 shifted);
	expr_set_text(b, reg, "$port");
}

/*
 * nftables cannot add what is in two registers, but a shift goes through several as through one
 * long number: what leaves the second at its upper end enters the first at its lower one.
 *
 *     reg      0 ... 0 block            0 ... block place
 *     reg + 1  place 0 ... 0     -->    0 ... 0
 */
void expr_join_ports(struct builder *b, unsigned int reg, uint32_t bits)
{
	char first[EXPR_TEXT_MAX];

	memcpy(first, b->registers[reg], sizeof(first));
	swap_port(b, reg);
	swap_port(b, reg + 1);
	shift(b, reg, 1, NFT_BITWISE_RSHIFT, bits);
	shift(b, reg + 1, 1, NFT_BITWISE_LSHIFT, 32 - bits);
	shift(b, reg, 2, NFT_BITWISE_LSHIFT, bits);
	swap_port(b, reg);
	expr_set_text(b, reg, "%.40s + %.40s", first, b->registers[reg + 1]);
}

/* A port fills the first two bytes of its register, in network order. */
void expr_change_port(struct builder *b, unsigned int reg, uint16_t mask, uint16_t flip)
{
	char before[EXPR_TEXT_MAX];

	memcpy(before, b->registers[reg], sizeof(before));
	expr_change_bits(b, reg, htons(mask), htons(flip));
	if (mask != UINT16_MAX)
		expr_set_text(b, reg, "%.64s & %u", before, mask);
	else
		expr_set_text(b, reg, "%.64s ^ %u", before, flip);
}

void expr_brand_port(struct builder *b, unsigned int reg, uint32_t brand)
{
	char before[EXPR_TEXT_MAX];

	memcpy(before, b->registers[reg], sizeof(before));
	expr_change_bits(b, reg, UINT16_MAX, brand);
	expr_set_text(b, reg, "%.64s | 0x%08x", before, brand);
}

struct nftnl_expr *expr_load_meta(struct builder *b, unsigned int reg, uint32_t key)
{
	struct nftnl_expr *expr = expr_new(b, "meta");

	expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
	expr_set_u32(expr, NFTNL_EXPR_META_DREG, expr_register(reg));
	return expr;
}

/* @direction: IP_CT_DIR_..., or -1 for what has none. */
void expr_load_ct(struct builder *b, unsigned int reg, uint32_t key, int direction)
{
	struct nftnl_expr *expr = expr_new(b, "ct");

	expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
	expr_set_u32(expr, NFTNL_EXPR_CT_DREG, expr_register(reg));
	if (expr && direction >= 0)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_CT_DIR, (uint8_t)direction);
}

void expr_load_original_daddr(struct builder *b, unsigned int reg)
{
	expr_load_ct(b, reg, NFT_CT_DST_IP, IP_CT_DIR_ORIGINAL);
	expr_set_text(b, reg, "ct original ip daddr");
}

void expr_load_original_dport(struct builder *b, unsigned int reg)
{
	expr_load_ct(b, reg, NFT_CT_PROTO_DST, IP_CT_DIR_ORIGINAL);
	expr_set_text(b, reg, "ct original proto-dst");
}

void expr_load_mark_port(struct builder *b, unsigned int reg)
{
	expr_load_meta(b, reg, NFT_META_MARK);
	expr_set_text(b, reg, "meta mark");
}
