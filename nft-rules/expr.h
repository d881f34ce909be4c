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
	FIELD_UDP_SPORT,
	FIELD_UDP_DPORT,
	FIELD_TCP_SPORT,
	FIELD_TCP_DPORT,
	FIELD_ICMP_TYPE,
	FIELD_ICMP_ID,
};

/* Loads. @reg counts from 0. */
void expr_load_field(struct builder *b, unsigned int reg, enum field field);
void expr_load_addr(struct builder *b, unsigned int reg, const struct addr *addr);
void expr_load_zero(struct builder *b, unsigned int reg);

/* "$port": a port drawn from @first..@first + @count - 1, in network order. */
enum draw { DRAW_RANDOM, DRAW_NEXT };
void expr_draw_port(struct builder *b, unsigned int reg, enum draw draw, uint16_t first,
		    uint16_t count);

/* Matches: the rule ends here unless they hold. */
void expr_match_iifname(struct builder *b, const char *name, bool equal);
void expr_match_oifname(struct builder *b, const char *name, bool equal);
void expr_match_l4proto(struct builder *b, uint8_t protocol);
void expr_match_addr(struct builder *b, enum field field, const struct addr *addr, bool equal);
void expr_match_icmp_type(struct builder *b, uint8_t type);
void expr_match_ct_state(struct builder *b, uint32_t states); /* any of NF_CT_STATE_BIT()... */
void expr_match_set(struct builder *b, unsigned int reg, const struct set *set, bool member);

/*
 * What @map holds for the key in @reg goes to @dest; the rule ends when it holds nothing.
 * The text of @dest is the lookup itself. A result that becomes a part of a key must have
 * a name instead: "_ . $owner = KEY map @claim"; then only what follows the map's first
 * field goes to @dest, the first one to the register before it.
 */
void expr_map(struct builder *b, unsigned int reg, const struct set *map, unsigned int dest);
void expr_map_named(struct builder *b, unsigned int reg, const struct set *map, unsigned int dest,
		    const char *name);

/* Add an element, or add it or else set its timer anew. A full set ends the rule. */
void expr_add(struct builder *b, const struct set *set, unsigned int key, unsigned int data,
	      uint64_t timeout_ms);
void expr_update(struct builder *b, const struct set *set, unsigned int key, unsigned int data,
		 uint64_t timeout_ms);

/* Statements that decide. The endpoint to translate to is in @reg (address) and @reg + 1 (port). */
void expr_snat(struct builder *b, unsigned int reg);
void expr_dnat(struct builder *b, unsigned int reg);
void expr_masquerade(struct builder *b);
void expr_accept(struct builder *b);
void expr_drop(struct builder *b);
void expr_jump(struct builder *b, const struct chain *chain);
void expr_goto(struct builder *b, const struct chain *chain); /* does not come back */

#endif
