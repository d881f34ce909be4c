/* SPDX-License-Identifier: MIT */
/* Sets and maps: asked, and changed by packets. */
#include "nft-rules/expr.h"

#include <libnftnl/expr.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

#include "nft-rules/expr_internal.h"

static struct nftnl_expr *look_up(struct builder *b, unsigned int reg, const struct set *set)
{
	struct nftnl_expr *expr = expr_new(b, "lookup");

	expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, expr_register(reg));
	if (expr)
		expr_set_str(b, expr, NFTNL_EXPR_LOOKUP_SET, set->name);
	return expr;
}

void expr_match_set(struct builder *b, unsigned int reg, const struct set *set, bool member)
{
	struct nftnl_expr *expr = look_up(b, reg, set);
	char key[EXPR_JOINED_MAX];

	if (!expr)
		return;
	if (!member)
		expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	expr_say(b, "%s %s@%s", expr_joined(b, reg, ir_type_registers(&set->key), key),
		 member ? "" : "!= ", set->name);
}

void expr_match_key(struct builder *b, unsigned int reg, const struct set *map,
		    unsigned int scratch)
{
	struct nftnl_expr *expr = look_up(b, reg, map);
	char key[EXPR_JOINED_MAX];

	if (!expr)
		return;
	expr_set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, expr_register(scratch));
	expr_say(b, "%s @%s", expr_joined(b, reg, ir_type_registers(&map->key), key), map->name);
}

void expr_name(struct builder *b, unsigned int reg, const char *name)
{
	expr_set_text(b, reg, "%s", name);
}

void expr_map(struct builder *b, unsigned int reg, const struct set *map, unsigned int dest)
{
	struct nftnl_expr *expr = look_up(b, reg, map);
	char key[EXPR_JOINED_MAX];
	unsigned int i;

	if (!expr)
		return;
	expr_set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, expr_register(dest));
	expr_joined(b, reg, ir_type_registers(&map->key), key);
	for (i = 0; i < ir_type_registers(&map->data); i++)
		b->registers[dest + i][0] = '\0';
	expr_set_text(b, dest, "%s map @%s", key, map->name);
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
	char key[EXPR_JOINED_MAX];
	struct nftnl_expr *expr;

	if (b->ruleset->error)
		return;
	count = ir_type_registers(&map->data) - 1;
	for (i = 0; i < count; i++)
		expr_load_zero(b, dest + i);
	expr = look_up(b, reg, map);
	expr_set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, expr_register(dest - 1));
	expr_say(b, "_ . %s = %s map @%s", name,
		 expr_joined(b, reg, ir_type_registers(&map->key), key), map->name);
	for (i = 0; i < count; i++)
		b->registers[dest + i][0] = '\0';
	expr_set_text(b, dest, "%s", name);
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
	struct nftnl_expr *expr = expr_new(b, "dynset");
	char key_text[EXPR_JOINED_MAX], data_text[EXPR_JOINED_MAX] = "", time_text[32];
	bool map;

	if (!expr)
		return;
	map = set->data.count > 0;
	expr_set_str(b, expr, NFTNL_EXPR_DYNSET_SET_NAME, set->name);
	expr_set_u32(expr, NFTNL_EXPR_DYNSET_OP, operation);
	expr_set_u32(expr, NFTNL_EXPR_DYNSET_SREG_KEY, expr_register(key));
	if (map)
		expr_set_u32(expr, NFTNL_EXPR_DYNSET_SREG_DATA, expr_register(data));
	if (timeout_ms)
		expr_set_u64(expr, NFTNL_EXPR_DYNSET_TIMEOUT, timeout_ms);
	if (b->ruleset->wordless)
		return;
	if (map)
		expr_joined(b, data, ir_type_registers(&set->data), data_text);
	expr_say(b, "%s @%s { %s%s%s%s%s }", change_words[operation], set->name,
		 expr_joined(b, key, ir_type_registers(&set->key), key_text),
		 timeout_ms ? " timeout " : "", duration(timeout_ms, time_text), map ? " : " : "",
		 data_text);
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
