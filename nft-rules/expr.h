/* SPDX-License-Identifier: MIT */
/*
 * One builder per nftables expression.
 *
 * An nftables rule is a small program over sixteen 32-bit registers: loads fill them,
 * matches and statements consume them. The builders keep, beside each register, the
 * text of what is in it; whoever consumes a register writes that text into the rule.
 * So `load ip saddr; load udp sport; look up @permit` reads "ip saddr . udp sport @permit".
 *
 * nft's language has no word for a register. Where a value must be kept (a random
 * number must not be drawn twice) the text names it: "$port = numgen random ...".
 *
 * A ruleset that is only to be applied is built without any text.
 *
 * Errors stick to the ruleset (ruleset->error); builders after the first do nothing.
 */
#ifndef NATSIM_NFT_RULES_EXPR_H
#define NATSIM_NFT_RULES_EXPR_H

#include "nft-rules/ir.h"

enum {
	EXPR_REGISTERS = 16,
	EXPR_TEXT_MAX = 96, /* bytes of a register's text; two interface names fit with room */
};

struct builder {
	struct ruleset *ruleset;
	struct rule *rule;
	char registers[EXPR_REGISTERS]
		      [EXPR_TEXT_MAX]; /* "" for one that continues the one before */
};

/* Begin the next rule of @chain. */
struct builder expr_rule(struct ruleset *ruleset, struct chain *chain, const char *comment);

/* Fields of a packet, by the name nft gives them. */
enum field {
	FIELD_IP_SADDR,
	FIELD_IP_DADDR,
	FIELD_IP_PROTOCOL,
	FIELD_UDP_SPORT,
	FIELD_UDP_DPORT,
	FIELD_TCP_SPORT,
	FIELD_TCP_DPORT,
	FIELD_TH_SPORT, /* of either */
	FIELD_ICMP_TYPE,
	FIELD_ICMP_ID,
	FIELD_TCP_FLAGS,
	FIELD_UDP_FIRST, /* the first byte of the data */
	/* Of the packet that an ICMP error quotes, where its IP header has no options. */
	FIELD_QUOTED_SADDR,
	FIELD_QUOTED_DADDR,
	FIELD_QUOTED_SPORT,
	FIELD_QUOTED_DPORT,
	FIELD_QUOTED_ID,
	FIELD_QUOTED_PROTOCOL,
};

/* Loads. @reg counts from 0. */
void expr_load_field(struct builder *b, unsigned int reg, enum field field);
void expr_load_addr(struct builder *b, unsigned int reg, const struct addr *addr);
void expr_load_zero(struct builder *b, unsigned int reg);

void expr_load_random(struct builder *b, unsigned int reg, uint32_t modulus);

/* What the flow's first packet was addressed to. */
void expr_load_original_daddr(struct builder *b, unsigned int reg);
void expr_load_original_dport(struct builder *b, unsigned int reg);

/*
 * "$port": a port, in network order. A number is drawn from @modulus ones, from @offset
 * on; `down` then counts down from 65535 instead of up from 0, `pairs` doubles it, and
 * `odd` adds one to an even number.
 */
enum draw { DRAW_RANDOM, DRAW_NEXT };
struct draw_port {
	enum draw draw;
	uint32_t modulus, offset;
	bool down, pairs, odd;
	uint32_t shift; /* to the left, where many ports make one block */
};
void expr_draw_port(struct builder *b, unsigned int reg, const struct draw_port *draw);

/* Matches: the rule ends here unless they hold. */
void expr_match_iifname(struct builder *b, const char *name, bool equal);
void expr_match_oifname(struct builder *b, const char *name, bool equal);
void expr_match_l4proto(struct builder *b, uint8_t protocol);
void expr_match_addr(struct builder *b, enum field field, const struct addr *addr, bool equal);
/* UDP to @port whose data begins with @first. */
void expr_match_request(struct builder *b, uint16_t port, uint8_t first);
void expr_match_icmp_type(struct builder *b, uint8_t type);
void expr_match_ct_state(struct builder *b, uint32_t states); /* any of NF_CT_STATE_BIT()... */
void expr_match_ct_assured(struct builder *b, bool assured);
void expr_match_ct_mark(struct builder *b, uint32_t mark, bool equal);
void expr_match_mark(struct builder *b, uint32_t mark, bool equal);
void expr_match_tcp_flags(struct builder *b, uint8_t mask, uint8_t value, bool equal);
void expr_match_quoted_protocol(struct builder *b, uint8_t protocol);
void expr_match_set(struct builder *b, unsigned int reg, const struct set *set, bool member);
void expr_match_key(struct builder *b, unsigned int reg, const struct set *map,
		    unsigned int scratch); /* the map has the key */
void expr_match_direction(struct builder *b,
			  bool reply); /* with its flow's first packet, or against it */
/* conntrack has counted @packets at least of its flow, of those that go with the first one, or
 * against. */
void expr_match_counted(struct builder *b, bool reply, uint64_t packets);
void expr_match_parity(struct builder *b, enum field port, bool odd);
void expr_match_ports(struct builder *b, unsigned int reg, uint16_t first, uint16_t last);

void expr_match_original_daddr(struct builder *b, const struct addr *addr, bool equal);

/* Once in @turns evaluations: the first, and then in turn. */
void expr_match_turn(struct builder *b, uint32_t turns);

/*
 * What @map holds for the key in @reg goes to @dest; the rule ends when it holds nothing.
 * The text of @dest is the lookup itself. A result that becomes a part of a key must have
 * a name instead: "_ . $owner = KEY map @claim"; then only what follows the map's first
 * field goes to @dest, the first one to the register before it.
 */
void expr_map(struct builder *b, unsigned int reg, const struct set *map, unsigned int dest);
void expr_map_named(struct builder *b, unsigned int reg, const struct set *map, unsigned int dest,
		    const char *name);
void expr_name(struct builder *b, unsigned int reg, const char *name); /* a part of such a result */

/* The port in @reg becomes (port & @mask) ^ @flip. */
void expr_change_port(struct builder *b, unsigned int reg, uint16_t mask, uint16_t flip);

/* The sum of the port in @reg, a multiple of 1 << @bits, and the one in @reg + 1, which is below
 * that and is spoilt. */
void expr_join_ports(struct builder *b, unsigned int reg, uint32_t bits);

/* The packet's mark carries a port from one rule to the next. */
void expr_mark_port(struct builder *b, unsigned int reg);
void expr_load_mark_port(struct builder *b, unsigned int reg);
/* The port in @reg becomes a mark that carries it, and says with its upper half, @brand, whose it
 * is. */
void expr_brand_port(struct builder *b, unsigned int reg, uint32_t brand);
void expr_match_brand(struct builder *b, unsigned int reg,
		      uint32_t brand); /* @reg: the mark, and a port again */

/* Add an element, or add it or else set its timer anew. A full set ends the rule. */
void expr_add(struct builder *b, const struct set *set, unsigned int key, unsigned int data,
	      uint64_t timeout_ms);
void expr_update(struct builder *b, const struct set *set, unsigned int key, unsigned int data,
		 uint64_t timeout_ms);

void expr_delete(struct builder *b, const struct set *set, unsigned int key, unsigned int data);

/* Statements that leave something on the packet or its flow. */
void expr_set_mark(struct builder *b, uint32_t mark);
void expr_set_ct_mark(struct builder *b, uint32_t mark);
void expr_set_ct_zone(struct builder *b, unsigned int reg);      /* a port; before conntrack only */
void expr_set_saddr(struct builder *b, const struct addr *addr); /* without conntrack */
/* The same of UDP, with the port in @reg. A checksum that is not there is not made. */
void expr_set_source(struct builder *b, const struct addr *addr, unsigned int reg);
/* The destination, of UDP, becomes what is in @reg (address) and @reg + 1 (port). */
void expr_set_destination(struct builder *b, unsigned int reg);
void expr_notrack(struct builder *b); /* conntrack does not look at it; before conntrack only */

/* Statements that decide. The endpoint to translate to is in @reg (address) and @reg + 1 (port). */
void expr_snat(struct builder *b, unsigned int reg);
void expr_dnat(struct builder *b, unsigned int reg);
void expr_dnat_addr(struct builder *b, unsigned int reg); /* the port stays */
void expr_masquerade(struct builder *b);
/* A port drawn by the kernel for every flow, also where the host's own is free. */
void expr_masquerade_random(struct builder *b);
void expr_accept(struct builder *b);
void expr_drop(struct builder *b);
void expr_return(struct builder *b);
void expr_log(struct builder *b, uint16_t group); /* tell who listens to this NFLOG group */
void expr_reject_host(struct builder *b);         /* ICMP destination unreachable: host */
void expr_reject(struct builder *b);              /* ICMP port unreachable */
void expr_reject_tcp(struct builder *b);          /* a reset */
void expr_jump(struct builder *b, const struct chain *chain);
void expr_goto(struct builder *b, const struct chain *chain); /* does not come back */

#endif
