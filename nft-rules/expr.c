/* SPDX-License-Identifier: MIT */
#include "nft-rules/expr.h"

#include <assert.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct builder expr_rule(struct ruleset *ruleset, struct chain *chain, const char *comment)
{
	return (struct builder){
		.ruleset = ruleset,
		.rule = ir_add_rule(ruleset, chain, comment),
	};
}

static uint32_t kernel_register(unsigned int reg)
{
	return NFT_REG32_00 + reg;
}

/* Returns a new expression of the rule, or NULL once there was an error. */
static struct nftnl_expr *add_expr(struct builder *b, const char *name)
{
	struct nftnl_expr *expr;

	if (b->ruleset->error)
		return NULL;
	expr = nftnl_expr_alloc(name);
	if (!expr) {
		ir_fail(b->ruleset, -ENOMEM);
		return NULL;
	}
	nftnl_rule_add_expr(b->rule->rule, expr);
	return expr;
}

/* Attributes, tolerating the NULL of add_expr(). */
static void set_u32(struct nftnl_expr *expr, uint16_t attribute, uint32_t value)
{
	if (expr)
		nftnl_expr_set_u32(expr, attribute, value);
}

static void set_u64(struct nftnl_expr *expr, uint16_t attribute, uint64_t value)
{
	if (expr)
		nftnl_expr_set_u64(expr, attribute, value);
}

static void set_data(struct builder *b, struct nftnl_expr *expr, uint16_t attribute,
		     const void *data, size_t length)
{
	if (expr && nftnl_expr_set(expr, attribute, data, (uint32_t)length) < 0)
		ir_fail(b->ruleset, -ENOMEM);
}

static void set_str(struct builder *b, struct nftnl_expr *expr, uint16_t attribute,
		    const char *text)
{
	if (expr && nftnl_expr_set_str(expr, attribute, text) < 0)
		ir_fail(b->ruleset, -ENOMEM);
}

__attribute__((format(printf, 3, 4))) static void set_text(struct builder *b, unsigned int reg,
							   const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(b->registers[reg], EXPR_TEXT_MAX, format, args);
	va_end(args);
	if (length < 0 || length >= EXPR_TEXT_MAX)
		ir_fail(b->ruleset, -ENAMETOOLONG);
}

__attribute__((format(printf, 2, 3))) static void say(struct builder *b, const char *format, ...)
{
	char text[4 * EXPR_TEXT_MAX];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(text))
		ir_fail(b->ruleset, -ENAMETOOLONG);
	ir_add_statement(b->ruleset, b->rule, text);
}

/* The texts of @count registers, joined as nft writes a concatenation. */
#define JOINED_MAX ((size_t)2 * EXPR_TEXT_MAX)
static const char *joined(const struct builder *b, unsigned int reg, size_t count,
			  char text[JOINED_MAX])
{
	size_t i, used = 0;
	const char *part;

	text[0] = '\0';
	for (i = 0; i < count; i++) {
		part = b->registers[reg + i];
		if (part[0] && used < JOINED_MAX)
			used += (size_t)snprintf(text + used, JOINED_MAX - used, "%s%s",
						 used ? " . " : "", part);
	}
	if (used >= JOINED_MAX)
		ir_fail(b->ruleset, -ENAMETOOLONG);
	return text;
}

static const struct {
	const char *name;
	uint32_t base, offset, length;
} fields[] = {
	[FIELD_IP_SADDR] = {"ip saddr", NFT_PAYLOAD_NETWORK_HEADER, 12, 4},
	[FIELD_IP_DADDR] = {"ip daddr", NFT_PAYLOAD_NETWORK_HEADER, 16, 4},
	[FIELD_UDP_SPORT] = {"udp sport", NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2},
	[FIELD_UDP_DPORT] = {"udp dport", NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2},
	[FIELD_TCP_SPORT] = {"tcp sport", NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2},
	[FIELD_TCP_DPORT] = {"tcp dport", NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2},
	[FIELD_ICMP_TYPE] = {"icmp type", NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1},
	[FIELD_ICMP_ID] = {"icmp id", NFT_PAYLOAD_TRANSPORT_HEADER, 4, 2},
	[FIELD_TCP_FLAGS] = {"tcp flags", NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1},
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

void expr_load_field(struct builder *b, unsigned int reg, enum field field)
{
	struct nftnl_expr *expr = add_expr(b, "payload");

	set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, fields[field].base);
	set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, fields[field].offset);
	set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, fields[field].length);
	set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, kernel_register(reg));
	set_text(b, reg, "%s", fields[field].name);
}

static void load_value(struct builder *b, unsigned int reg, uint32_t value)
{
	struct nftnl_expr *expr = add_expr(b, "immediate");

	set_u32(expr, NFTNL_EXPR_IMM_DREG, kernel_register(reg));
	set_data(b, expr, NFTNL_EXPR_IMM_DATA, &value, sizeof(value));
}

void expr_load_addr(struct builder *b, unsigned int reg, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	load_value(b, reg, addr_to_ipv4(addr));
	set_text(b, reg, "%s", addr_format(addr, text));
}

void expr_load_zero(struct builder *b, unsigned int reg)
{
	load_value(b, reg, 0);
	set_text(b, reg, "0");
}

/*
 * numgen leaves a number in host order, a port in a key is in network order: turn its
 * low two bytes round. They are the first two only on a little-endian machine.
 */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "big-endian: shift left by 16 instead of swapping bytes");

static void change_bits(struct builder *b, unsigned int reg, uint32_t mask, uint32_t flip)
{
	struct nftnl_expr *expr = add_expr(b, "bitwise");

	set_u32(expr, NFTNL_EXPR_BITWISE_SREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_BITWISE_DREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	set_data(b, expr, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
	set_data(b, expr, NFTNL_EXPR_BITWISE_XOR, &flip, sizeof(flip));
}

static void shift_left(struct builder *b, unsigned int reg, uint32_t bits)
{
	struct nftnl_expr *expr = add_expr(b, "bitwise");

	set_u32(expr, NFTNL_EXPR_BITWISE_SREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_BITWISE_DREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_BITWISE_LEN, sizeof(bits));
	set_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_LSHIFT);
	set_data(b, expr, NFTNL_EXPR_BITWISE_DATA, &bits, sizeof(bits));
}

static void draw_number(struct builder *b, unsigned int reg, enum draw draw, uint32_t modulus,
			uint32_t offset)
{
	struct nftnl_expr *expr = add_expr(b, "numgen");

	set_u32(expr, NFTNL_EXPR_NG_DREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_NG_TYPE, draw == DRAW_RANDOM ? NFT_NG_RANDOM : NFT_NG_INCREMENTAL);
	set_u32(expr, NFTNL_EXPR_NG_MODULUS, modulus);
	set_u32(expr, NFTNL_EXPR_NG_OFFSET, offset);
}

void expr_draw_port(struct builder *b, unsigned int reg, const struct draw_port *draw)
{
	struct nftnl_expr *expr;
	char shift[16] = "";

	draw_number(b, reg, draw->draw, draw->modulus, draw->offset);
	if (draw->down)
		change_bits(b, reg, 0xffff, 0xffff);
	if (draw->pairs)
		shift_left(b, reg, 1);
	if (draw->shift)
		shift_left(b, reg, draw->shift);
	if (draw->pairs) /* a number too large is a port out of range, but must stay a port */
		change_bits(b, reg, 0xffff, draw->odd);

	expr = add_expr(b, "byteorder");
	set_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	set_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, sizeof(uint16_t));
	set_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(uint16_t));

	if (draw->shift)
		snprintf(shift, sizeof(shift), " << %u", draw->shift);
	say(b, "$port = numgen %s mod %u offset %u%s%s%s%s",
	    draw->draw == DRAW_RANDOM ? "random" : "inc", draw->modulus, draw->offset,
	    draw->down ? " ^ 65535" : "", draw->pairs ? " << 1" : "", draw->odd ? " ^ 1" : "",
	    shift);
	set_text(b, reg, "$port");
}

/* A port fills the first two bytes of its register, in network order. */
void expr_change_port(struct builder *b, unsigned int reg, uint16_t mask, uint16_t flip)
{
	char before[EXPR_TEXT_MAX];

	memcpy(before, b->registers[reg], sizeof(before));
	change_bits(b, reg, htons(mask), htons(flip));
	if (mask != UINT16_MAX)
		set_text(b, reg, "%.64s & %u", before, mask);
	else
		set_text(b, reg, "%.64s ^ %u", before, flip);
}

static void compare(struct builder *b, unsigned int reg, const void *data, size_t length,
		    bool equal)
{
	struct nftnl_expr *expr = add_expr(b, "cmp");

	set_u32(expr, NFTNL_EXPR_CMP_SREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
	set_data(b, expr, NFTNL_EXPR_CMP_DATA, data, length);
}

static void load_meta(struct builder *b, unsigned int reg, uint32_t key)
{
	struct nftnl_expr *expr = add_expr(b, "meta");

	set_u32(expr, NFTNL_EXPR_META_KEY, key);
	set_u32(expr, NFTNL_EXPR_META_DREG, kernel_register(reg));
}

static void match_interface(struct builder *b, uint32_t key, const char *key_name, const char *name,
			    bool equal)
{
	char padded[IFNAMSIZ] = "";

	snprintf(padded, sizeof(padded), "%s", name);
	load_meta(b, 0, key);
	compare(b, 0, padded, sizeof(padded), equal);
	say(b, "%s %s\"%s\"", key_name, equal ? "" : "!= ", name);
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
	load_meta(b, 0, NFT_META_L4PROTO);
	compare(b, 0, &protocol, sizeof(protocol), true);
	say(b, "meta l4proto %s", name);
}

void expr_match_addr(struct builder *b, enum field field, const struct addr *addr, bool equal)
{
	uint32_t value = addr_to_ipv4(addr);
	char text[ADDR_TEXT_MAX];

	expr_load_field(b, 0, field);
	compare(b, 0, &value, sizeof(value), equal);
	say(b, "%s %s%s", b->registers[0], equal ? "" : "!= ", addr_format(addr, text));
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
	compare(b, 0, &type, sizeof(type), true);
	say(b, "icmp type %s", icmp_type_name(type));
}

void expr_match_quoted_protocol(struct builder *b, uint8_t protocol)
{
	expr_load_field(b, 0, FIELD_QUOTED_PROTOCOL);
	compare(b, 0, &protocol, sizeof(protocol), true);
	say(b, "%s %u", b->registers[0], protocol);
}

static void mask(struct builder *b, unsigned int reg, const void *bits, size_t length)
{
	const uint32_t zero = 0;
	struct nftnl_expr *expr = add_expr(b, "bitwise");

	set_u32(expr, NFTNL_EXPR_BITWISE_SREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_BITWISE_DREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_BITWISE_LEN, (uint32_t)length);
	set_data(b, expr, NFTNL_EXPR_BITWISE_MASK, bits, length);
	set_data(b, expr, NFTNL_EXPR_BITWISE_XOR, &zero, length);
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

	expr_load_field(b, 0, FIELD_TCP_FLAGS);
	mask(b, 0, &bits, sizeof(bits));
	compare(b, 0, &value, sizeof(value), equal);
	say(b, "tcp flags & (%s) %s %s", tcp_flags_text(bits, bits_text),
	    equal ? "==" : "!=", tcp_flags_text(value, value_text));
}

/* @direction: IP_CT_DIR_..., or -1 for what has none. */
static void load_ct(struct builder *b, unsigned int reg, uint32_t key, int direction)
{
	struct nftnl_expr *expr = add_expr(b, "ct");

	set_u32(expr, NFTNL_EXPR_CT_KEY, key);
	set_u32(expr, NFTNL_EXPR_CT_DREG, kernel_register(reg));
	if (expr && direction >= 0)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_CT_DIR, (uint8_t)direction);
}

void expr_match_ct_assured(struct builder *b, bool assured)
{
	const uint32_t bit = IPS_ASSURED, zero = 0;

	load_ct(b, 0, NFT_CT_STATUS, -1);
	mask(b, 0, &bit, sizeof(bit));
	compare(b, 0, &zero, sizeof(zero), !assured);
	say(b, "ct status %sassured", assured ? "" : "! ");
}

void expr_match_ct_mark(struct builder *b, uint32_t mark_value, bool equal)
{
	load_ct(b, 0, NFT_CT_MARK, -1);
	compare(b, 0, &mark_value, sizeof(mark_value), equal);
	say(b, "ct mark %s%u", equal ? "" : "!= ", mark_value);
}

void expr_match_mark(struct builder *b, uint32_t mark_value, bool equal)
{
	load_meta(b, 0, NFT_META_MARK);
	compare(b, 0, &mark_value, sizeof(mark_value), equal);
	say(b, "meta mark %s%u", equal ? "" : "!= ", mark_value);
}

void expr_set_mark(struct builder *b, uint32_t mark_value)
{
	struct nftnl_expr *expr;

	load_value(b, 0, mark_value);
	expr = add_expr(b, "meta");
	set_u32(expr, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	set_u32(expr, NFTNL_EXPR_META_SREG, kernel_register(0));
	say(b, "meta mark set %u", mark_value);
}

void expr_set_ct_mark(struct builder *b, uint32_t mark_value)
{
	struct nftnl_expr *expr;

	load_value(b, 0, mark_value);
	expr = add_expr(b, "ct");
	set_u32(expr, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	set_u32(expr, NFTNL_EXPR_CT_SREG, kernel_register(0));
	say(b, "ct mark set %u", mark_value);
}

/* The IP header's checksum is the only one that knows of it in ICMP. */
void expr_set_saddr(struct builder *b, const struct addr *addr)
{
	struct nftnl_expr *expr;
	char text[ADDR_TEXT_MAX];

	load_value(b, 0, addr_to_ipv4(addr));
	expr = add_expr(b, "payload");
	set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, fields[FIELD_IP_SADDR].base);
	set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, fields[FIELD_IP_SADDR].offset);
	set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, fields[FIELD_IP_SADDR].length);
	set_u32(expr, NFTNL_EXPR_PAYLOAD_SREG, kernel_register(0));
	set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, 10); /* RFC 791 section 3.1 */
	say(b, "ip saddr set %s", addr_format(addr, text));
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

	load_ct(b, 0, NFT_CT_STATE, -1);
	mask(b, 0, &states, sizeof(states));
	compare(b, 0, &zero, sizeof(zero), false);
	for (i = 0; i < sizeof(ct_states) / sizeof(ct_states[0]); i++)
		if (states & ct_states[i].bit)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
						 used ? "," : "", ct_states[i].name);
	say(b, "ct state %s", text);
}

static struct nftnl_expr *look_up(struct builder *b, unsigned int reg, const struct set *set)
{
	struct nftnl_expr *expr = add_expr(b, "lookup");

	set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, kernel_register(reg));
	if (expr)
		set_str(b, expr, NFTNL_EXPR_LOOKUP_SET, set->name);
	return expr;
}

void expr_match_set(struct builder *b, unsigned int reg, const struct set *set, bool member)
{
	struct nftnl_expr *expr = look_up(b, reg, set);
	char key[JOINED_MAX];

	if (!expr)
		return;
	if (!member)
		set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	say(b, "%s %s@%s", joined(b, reg, ir_type_registers(&set->key), key),
	    member ? "" : "!= ", set->name);
}

void expr_match_key(struct builder *b, unsigned int reg, const struct set *map,
		    unsigned int scratch)
{
	struct nftnl_expr *expr = look_up(b, reg, map);
	char key[JOINED_MAX];

	if (!expr)
		return;
	set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, kernel_register(scratch));
	say(b, "%s @%s", joined(b, reg, ir_type_registers(&map->key), key), map->name);
}

void expr_load_original_daddr(struct builder *b, unsigned int reg)
{
	load_ct(b, reg, NFT_CT_DST_IP, IP_CT_DIR_ORIGINAL);
	set_text(b, reg, "ct original ip daddr");
}

void expr_load_original_dport(struct builder *b, unsigned int reg)
{
	load_ct(b, reg, NFT_CT_PROTO_DST, IP_CT_DIR_ORIGINAL);
	set_text(b, reg, "ct original proto-dst");
}

void expr_match_original_daddr(struct builder *b, const struct addr *addr)
{
	uint32_t value = addr_to_ipv4(addr);
	char text[ADDR_TEXT_MAX];

	expr_load_original_daddr(b, 0);
	compare(b, 0, &value, sizeof(value), true);
	say(b, "ct original ip daddr %s", addr_format(addr, text));
}

void expr_name(struct builder *b, unsigned int reg, const char *name)
{
	set_text(b, reg, "%s", name);
}

void expr_match_bit(struct builder *b, unsigned int reg, uint16_t bit)
{
	const uint16_t zero = 0;

	change_bits(b, reg, htons(bit), 0);
	compare(b, reg, &zero, sizeof(zero), false);
	say(b, "%s & %u != 0", b->registers[reg], bit);
}

static void write_mark(struct builder *b, unsigned int reg)
{
	struct nftnl_expr *expr = add_expr(b, "meta");

	set_u32(expr, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	set_u32(expr, NFTNL_EXPR_META_SREG, kernel_register(reg));
}

void expr_mark_port(struct builder *b, unsigned int reg)
{
	write_mark(b, reg);
	say(b, "meta mark set %s", b->registers[reg]);
}

void expr_load_mark_port(struct builder *b, unsigned int reg)
{
	load_meta(b, reg, NFT_META_MARK);
	set_text(b, reg, "meta mark");
}

void expr_flip_mark(struct builder *b, uint16_t bit)
{
	load_meta(b, 0, NFT_META_MARK);
	change_bits(b, 0, UINT32_MAX, htons(bit));
	write_mark(b, 0);
	say(b, "meta mark set meta mark ^ %u", bit);
}

void expr_match_reply(struct builder *b)
{
	const uint8_t reply = IP_CT_DIR_REPLY;

	load_ct(b, 0, NFT_CT_DIRECTION, -1);
	compare(b, 0, &reply, sizeof(reply), true);
	say(b, "ct direction reply");
}

void expr_match_parity(struct builder *b, enum field port, bool odd)
{
	uint16_t last_bit = odd ? htons(1) : 0;

	expr_load_field(b, 0, port);
	change_bits(b, 0, htons(1), 0);
	compare(b, 0, &last_bit, sizeof(last_bit), true);
	say(b, "%s & 1 == %d", b->registers[0], odd);
}

static void compare_port(struct builder *b, unsigned int reg, uint32_t operation, uint16_t port)
{
	struct nftnl_expr *expr = add_expr(b, "cmp");
	uint16_t value = htons(port);

	set_u32(expr, NFTNL_EXPR_CMP_SREG, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_CMP_OP, operation);
	set_data(b, expr, NFTNL_EXPR_CMP_DATA, &value, sizeof(value));
}

void expr_match_ports(struct builder *b, unsigned int reg, uint16_t first, uint16_t last)
{
	compare_port(b, reg, NFT_CMP_GTE, first);
	compare_port(b, reg, NFT_CMP_LTE, last);
	say(b, "%s %u-%u", b->registers[reg], first, last);
}

static void match_number(struct builder *b, enum draw draw, uint32_t turns)
{
	const uint32_t zero = 0;

	draw_number(b, 0, draw, turns, 0);
	compare(b, 0, &zero, sizeof(zero), true);
	say(b, "numgen %s mod %u 0", draw == DRAW_RANDOM ? "random" : "inc", turns);
}

void expr_match_turn(struct builder *b, uint32_t turns)
{
	match_number(b, DRAW_NEXT, turns);
}

void expr_match_chance(struct builder *b, uint32_t turns)
{
	match_number(b, DRAW_RANDOM, turns);
}

void expr_map(struct builder *b, unsigned int reg, const struct set *map, unsigned int dest)
{
	struct nftnl_expr *expr = look_up(b, reg, map);
	char key[JOINED_MAX];
	unsigned int i;

	if (!expr)
		return;
	set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, kernel_register(dest));
	joined(b, reg, ir_type_registers(&map->key), key);
	for (i = 0; i < ir_type_registers(&map->data); i++)
		b->registers[dest + i][0] = '\0';
	set_text(b, dest, "%s map @%s", key, map->name);
}

/*
 * nft (1.0.6, and the sources of later ones) takes a map's result to be zero bytes long,
 * and aborts when it lists a rule in which such a result is part of a key. It does not
 * look behind the first register of the result, though, but shows what was loaded there
 * before. So the result begins one register early, with a field that is no part of any
 * key, and the others are loaded with zeros for nft to show.
 */
void expr_map_named(struct builder *b, unsigned int reg, const struct set *map, unsigned int dest,
		    const char *name)
{
	unsigned int i, count;
	char key[JOINED_MAX];
	struct nftnl_expr *expr;

	if (b->ruleset->error)
		return;
	count = ir_type_registers(&map->data) - 1;
	for (i = 0; i < count; i++)
		expr_load_zero(b, dest + i);
	expr = look_up(b, reg, map);
	set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, kernel_register(dest - 1));
	say(b, "_ . %s = %s map @%s", name, joined(b, reg, ir_type_registers(&map->key), key),
	    map->name);
	for (i = 0; i < count; i++)
		b->registers[dest + i][0] = '\0';
	set_text(b, dest, "%s", name);
}

/* "timeout 5s", "timeout 1s500ms" as nft takes it. */
static const char *duration(uint64_t ms, char text[32])
{
	char seconds[16] = "", rest[16] = "";

	if (ms >= 1000)
		snprintf(seconds, sizeof(seconds), "%us", (unsigned int)(ms / 1000));
	if (ms % 1000)
		snprintf(rest, sizeof(rest), "%ums", (unsigned int)(ms % 1000));
	snprintf(text, 32, "%s%s", seconds, rest);
	return text;
}

static const char *const change_words[] = {
	[NFT_DYNSET_OP_ADD] = "add",
	[NFT_DYNSET_OP_UPDATE] = "update",
	[NFT_DYNSET_OP_DELETE] = "delete",
};

static void change_set(struct builder *b, uint32_t operation, const struct set *set,
		       unsigned int key, unsigned int data, uint64_t timeout_ms)
{
	struct nftnl_expr *expr = add_expr(b, "dynset");
	char key_text[JOINED_MAX], data_text[JOINED_MAX] = "", time_text[32];
	bool map;

	if (!expr)
		return;
	map = set->data.count > 0;
	set_str(b, expr, NFTNL_EXPR_DYNSET_SET_NAME, set->name);
	set_u32(expr, NFTNL_EXPR_DYNSET_OP, operation);
	set_u32(expr, NFTNL_EXPR_DYNSET_SREG_KEY, kernel_register(key));
	if (map)
		set_u32(expr, NFTNL_EXPR_DYNSET_SREG_DATA, kernel_register(data));
	if (timeout_ms)
		set_u64(expr, NFTNL_EXPR_DYNSET_TIMEOUT, timeout_ms);
	if (map)
		joined(b, data, ir_type_registers(&set->data), data_text);
	say(b, "%s @%s { %s%s%s%s%s }", change_words[operation], set->name,
	    joined(b, key, ir_type_registers(&set->key), key_text), timeout_ms ? " timeout " : "",
	    duration(timeout_ms, time_text), map ? " : " : "", data_text);
}

void expr_add(struct builder *b, const struct set *set, unsigned int key, unsigned int data,
	      uint64_t timeout_ms)
{
	change_set(b, NFT_DYNSET_OP_ADD, set, key, data, timeout_ms);
}

void expr_update(struct builder *b, const struct set *set, unsigned int key, unsigned int data,
		 uint64_t timeout_ms)
{
	change_set(b, NFT_DYNSET_OP_UPDATE, set, key, data, timeout_ms);
}

void expr_delete(struct builder *b, const struct set *set, unsigned int key, unsigned int data)
{
	change_set(b, NFT_DYNSET_OP_DELETE, set, key, data, 0);
}

static void translate(struct builder *b, uint32_t type, const char *word, unsigned int reg)
{
	struct nftnl_expr *expr = add_expr(b, "nat");
	char text[JOINED_MAX];

	set_u32(expr, NFTNL_EXPR_NAT_TYPE, type);
	set_u32(expr, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN, kernel_register(reg + 1));
	set_u32(expr, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED);
	say(b, "%s ip to %s", word, joined(b, reg, 2, text));
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
	struct nftnl_expr *expr = add_expr(b, "nat");

	set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	set_u32(expr, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, kernel_register(reg));
	set_u32(expr, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS);
	say(b, "dnat to %s", b->registers[reg]);
}

static void reject(struct builder *b, uint32_t type, uint8_t code, const char *text)
{
	struct nftnl_expr *expr = add_expr(b, "reject");

	set_u32(expr, NFTNL_EXPR_REJECT_TYPE, type);
	if (expr)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, code);
	say(b, "%s", text);
}

void expr_reject(struct builder *b)
{
	reject(b, NFT_REJECT_ICMP_UNREACH, 3, "reject with icmp port-unreachable");
}

void expr_reject_tcp(struct builder *b)
{
	reject(b, NFT_REJECT_TCP_RST, 0, "reject with tcp reset");
}

void expr_masquerade(struct builder *b)
{
	add_expr(b, "masq");
	say(b, "masquerade");
}

void expr_masquerade_random(struct builder *b)
{
	set_u32(add_expr(b, "masq"), NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM);
	say(b, "masquerade random");
}

static void decide(struct builder *b, int verdict, const char *word, const struct chain *chain)
{
	struct nftnl_expr *expr = add_expr(b, "immediate");

	set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (expr && chain)
		set_str(b, expr, NFTNL_EXPR_IMM_CHAIN, chain->name);
	if (expr)
		say(b, "%s%s%s", word, chain ? " " : "", chain ? chain->name : "");
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
	struct nftnl_expr *expr = add_expr(b, "reject");

	set_u32(expr, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
	if (expr)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, ICMP_HOST_UNREACH);
	say(b, "reject with icmp host-unreachable");
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
