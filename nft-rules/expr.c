/* SPDX-License-Identifier: MIT */
/* What all builders are made of: expressions, their attributes, and the text beside them. */
#include "nft-rules/expr.h"

#include <errno.h>
#include <libnftnl/expr.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nft-rules/expr_internal.h"

struct builder expr_rule(struct ruleset *ruleset, struct chain *chain, const char *comment)
{
	struct builder b;

	b.ruleset = ruleset;
	b.rule = ir_add_rule(ruleset, chain, comment);
	if (!ruleset->wordless)
		memset(b.registers, 0, sizeof(b.registers));
	return b;
}

uint32_t expr_register(unsigned int reg)
{
	return NFT_REG32_00 + reg;
}

/* Returns a new expression of the rule, or NULL once there was an error. */
struct nftnl_expr *expr_new(struct builder *b, const char *name)
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

/* Attributes, tolerating the NULL of expr_new(). */
void expr_set_u32(struct nftnl_expr *expr, uint16_t attribute, uint32_t value)
{
	if (expr)
		nftnl_expr_set_u32(expr, attribute, value);
}

void expr_set_u64(struct nftnl_expr *expr, uint16_t attribute, uint64_t value)
{
	if (expr)
		nftnl_expr_set_u64(expr, attribute, value);
}

void expr_set_data(struct builder *b, struct nftnl_expr *expr, uint16_t attribute, const void *data,
		   size_t length)
{
	if (expr && nftnl_expr_set(expr, attribute, data, (uint32_t)length) < 0)
		ir_fail(b->ruleset, -ENOMEM);
}

void expr_set_str(struct builder *b, struct nftnl_expr *expr, uint16_t attribute, const char *text)
{
	if (expr && nftnl_expr_set_str(expr, attribute, text) < 0)
		ir_fail(b->ruleset, -ENOMEM);
}

void expr_set_text(struct builder *b, unsigned int reg, const char *format, ...)
{
	va_list args;
	int length;

	if (b->ruleset->wordless)
		return;
	va_start(args, format);
	length = vsnprintf(b->registers[reg], EXPR_TEXT_MAX, format, args);
	va_end(args);
	if (length < 0 || length >= EXPR_TEXT_MAX)
		ir_fail(b->ruleset, -ENAMETOOLONG);
}

void expr_say(struct builder *b, const char *format, ...)
{
	char text[4 * EXPR_TEXT_MAX];
	va_list args;
	int length;

	if (b->ruleset->wordless)
		return;
	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(text))
		ir_fail(b->ruleset, -ENAMETOOLONG);
	ir_add_statement(b->ruleset, b->rule, text);
}

/* The texts of @count registers, joined as nft writes a concatenation. */
const char *expr_joined(const struct builder *b, unsigned int reg, size_t count,
			char text[EXPR_JOINED_MAX])
{
	size_t i, used = 0;
	const char *part;

	text[0] = '\0';
	for (i = 0; i < count && !b->ruleset->wordless; i++) {
		part = b->registers[reg + i];
		if (part[0] && used < EXPR_JOINED_MAX)
			used += (size_t)snprintf(text + used, EXPR_JOINED_MAX - used, "%s%s",
						 used ? " . " : "", part);
	}
	if (used >= EXPR_JOINED_MAX)
		ir_fail(b->ruleset, -ENAMETOOLONG);
	return text;
}

struct nftnl_expr *expr_compare(struct builder *b, unsigned int reg, const void *data,
				size_t length, bool equal)
{
	struct nftnl_expr *expr = expr_new(b, "cmp");

	expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, expr_register(reg));
	expr_set_u32(expr, NFTNL_EXPR_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
	expr_set_data(b, expr, NFTNL_EXPR_CMP_DATA, data, length);
	return expr;
}
