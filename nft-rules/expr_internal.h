/* SPDX-License-Identifier: MIT */
/*
 * What the builders of expr.h share among their files: expressions with their
 * attributes, and the text of each register. Every function tolerates what an earlier
 * error left behind (an expression that is NULL).
 */
#ifndef NATSIM_NFT_RULES_EXPR_INTERNAL_H
#define NATSIM_NFT_RULES_EXPR_INTERNAL_H

#include <libnftnl/expr.h>
#include <stddef.h>
#include <stdint.h>

#include "nft-rules/expr.h"

#define EXPR_JOINED_MAX ((size_t)2 * EXPR_TEXT_MAX)

/* The kernel's number of a register, and a new expression of the rule: NULL once there was an
 * error. */
uint32_t expr_register(unsigned int reg);
struct nftnl_expr *expr_new(struct builder *b, const char *name);
void expr_set_u32(struct nftnl_expr *expr, uint16_t attribute, uint32_t value);
void expr_set_u64(struct nftnl_expr *expr, uint16_t attribute, uint64_t value);
void expr_set_data(struct builder *b, struct nftnl_expr *expr, uint16_t attribute, const void *data,
		   size_t length);
void expr_set_str(struct builder *b, struct nftnl_expr *expr, uint16_t attribute, const char *text);
/* What is in a register, in words; a statement of the rule; @count registers as a concatenation. */
void expr_set_text(struct builder *b, unsigned int reg, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void expr_say(struct builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *expr_joined(const struct builder *b, unsigned int reg, size_t count,
			char text[EXPR_JOINED_MAX]);
struct nftnl_expr *expr_compare(struct builder *b, unsigned int reg, const void *data,
				size_t length, bool equal);
void expr_load_value(struct builder *b, unsigned int reg, uint32_t value);
void expr_change_bits(struct builder *b, unsigned int reg, uint32_t mask, uint32_t flip);
void expr_copy_bits(struct builder *b, unsigned int from, unsigned int to, uint32_t mask,
		    uint32_t flip);
void expr_draw_number(struct builder *b, unsigned int reg, enum draw draw, uint32_t modulus,
		      uint32_t offset);
struct nftnl_expr *expr_load_meta(struct builder *b, unsigned int reg, uint32_t key);
void expr_load_ct(struct builder *b, unsigned int reg, uint32_t key, int direction);

/* Where in the packet a payload expression reads or writes. */
void expr_set_place(struct nftnl_expr *expr, enum field field);

#endif
