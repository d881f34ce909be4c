/* SPDX-License-Identifier: MIT */
#include "nft-rules/ir.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ruleset *ir_new(void)
{
	return calloc(1, sizeof(struct ruleset));
}

static void rule_clear(struct rule *rule)
{
	size_t i;

	for (i = 0; i < rule->statement_count; i++)
		free(rule->statements[i]);
	free(rule->statements);
	if (rule->rule)
		nftnl_rule_free(rule->rule);
}

void ruleset_free(struct ruleset *ruleset)
{
	struct chain *chain;
	size_t i, j;

	if (!ruleset)
		return;
	for (i = 0; i < ruleset->chain_count; i++) {
		chain = &ruleset->chains[i];
		for (j = 0; j < chain->rule_count; j++)
			rule_clear(&chain->rules[j]);
		free(chain->rules);
	}
	free(ruleset->rules);
	free(ruleset->text);
	free(ruleset);
}

void ir_add_interface(struct ruleset *ruleset, struct nftnl_expr *load, struct nftnl_expr *compare)
{
	if (ruleset->error)
		return;
	if (ruleset->interface_count == IR_INTERFACES_MAX) {
		ir_fail(ruleset, -E2BIG);
		return;
	}
	ruleset->interfaces[ruleset->interface_count++] = (struct interface_match){load, compare};
}

void ir_fail(struct ruleset *ruleset, int error)
{
	if (!ruleset->error)
		ruleset->error = error;
}

/* Copy what fits: names and comments are ours, and a test holds that all of them fit. */
static void copy_text(struct ruleset *ruleset, char *to, size_t size, const char *text)
{
	size_t length = strlen(text);

	if (length >= size) {
		ir_fail(ruleset, -ENAMETOOLONG);
		return;
	}
	memcpy(to, text, length + 1);
}

__attribute__((format(printf, 3, 0))) static void
format_name(struct ruleset *ruleset, char to[IR_NAME_MAX], const char *format, va_list args)
{
	int length = vsnprintf(to, IR_NAME_MAX, format, args);

	if (length < 0 || length >= IR_NAME_MAX)
		ir_fail(ruleset, -ENAMETOOLONG);
}

struct set *ir_add_set(struct ruleset *ruleset, const struct type *key, const struct type *data,
		       const char *comment, const char *name, ...)
{
	struct set *set;
	va_list args;

	if (ruleset->set_count == IR_SETS_MAX)
		ir_fail(ruleset, -E2BIG);
	if (ruleset->error)
		return NULL;
	set = &ruleset->sets[ruleset->set_count++];
	set->key = *key;
	if (data)
		set->data = *data;
	copy_text(ruleset, set->comment, sizeof(set->comment), comment);
	va_start(args, name);
	format_name(ruleset, set->name, name, args);
	va_end(args);
	return set;
}

const struct set *ir_find_set(const struct ruleset *ruleset, const char *name)
{
	size_t i;

	for (i = 0; i < ruleset->set_count; i++)
		if (strcmp(ruleset->sets[i].name, name) == 0)
			return &ruleset->sets[i];
	return NULL;
}

void ir_add_element(struct ruleset *ruleset, struct set *set, const uint32_t key[2],
		    const uint32_t data[2], const char *text, ...)
{
	struct element *element;
	va_list args;
	int length;

	if (ruleset->error)
		return;
	if (set->element_count == NAT_FORWARDS_MAX) {
		ir_fail(ruleset, -E2BIG);
		return;
	}
	set->fixed = true;
	element = &set->elements[set->element_count++];
	memcpy(element->key, key, sizeof(element->key));
	if (data)
		memcpy(element->data, data, sizeof(element->data));
	va_start(args, text);
	length = vsnprintf(element->text, sizeof(element->text), text, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(element->text))
		ir_fail(ruleset, -ENAMETOOLONG);
}

struct chain *ir_add_chain(struct ruleset *ruleset, const struct hook *hook, const char *comment,
			   const char *name, ...)
{
	struct chain *chain;
	va_list args;

	if (ruleset->chain_count == IR_CHAINS_MAX)
		ir_fail(ruleset, -E2BIG);
	if (ruleset->error)
		return NULL;
	chain = &ruleset->chains[ruleset->chain_count++];
	chain->hook = hook;
	copy_text(ruleset, chain->comment, sizeof(chain->comment), comment);
	va_start(args, name);
	format_name(ruleset, chain->name, name, args);
	va_end(args);
	return chain;
}

struct chain *ir_find_chain(struct ruleset *ruleset, const char *name)
{
	size_t i;

	for (i = 0; i < ruleset->chain_count; i++)
		if (strcmp(ruleset->chains[i].name, name) == 0)
			return &ruleset->chains[i];
	return NULL;
}

struct rule *ir_add_rule(struct ruleset *ruleset, struct chain *chain, const char *comment)
{
	struct rule *rules, *rule;

	if (ruleset->error)
		return NULL;
	/* Room for twice as many whenever a power of two is reached. */
	if ((chain->rule_count & (chain->rule_count - 1)) == 0) {
		rules = reallocarray(chain->rules, chain->rule_count ? 2 * chain->rule_count : 1,
				     sizeof(*rules));
		if (!rules) {
			ir_fail(ruleset, -ENOMEM);
			return NULL;
		}
		chain->rules = rules;
	}
	rule = &chain->rules[chain->rule_count++];
	*rule = (struct rule){.rule = nftnl_rule_alloc()};
	copy_text(ruleset, rule->comment, sizeof(rule->comment), comment ? comment : "");
	if (!rule->rule)
		ir_fail(ruleset, -ENOMEM);
	return ruleset->error ? NULL : rule;
}

void ir_add_statement(struct ruleset *ruleset, struct rule *rule, const char *text)
{
	char **statements;
	char *copy;

	if (ruleset->error)
		return;
	statements = reallocarray(rule->statements, rule->statement_count + 1, sizeof(*statements));
	if (statements)
		rule->statements = statements;
	copy = statements ? strdup(text) : NULL;
	if (!copy) {
		ir_fail(ruleset, -ENOMEM);
		return;
	}
	statements[rule->statement_count++] = copy;
}

/* nft's numbers for its types (enum datatypes in nftables' include/datatype.h) and their names. */
static const struct {
	const char *name;
	uint32_t number;
	unsigned int registers;
} datatypes[] = {
	[TYPE_ADDR] = {"ipv4_addr", 7, 1},
	[TYPE_PORT] = {"inet_service", 13, 1},
	[TYPE_KEY] = {"ipv6_addr", 8, 4},
	[TYPE_NUMBER] = {"mark", 19, 1},
};

const char *ir_type_format(const struct type *type, char text[IR_TYPE_TEXT_MAX])
{
	size_t i, used = 0;

	text[0] = '\0';
	for (i = 0; i < type->count; i++)
		used += (size_t)snprintf(text + used, IR_TYPE_TEXT_MAX - used, "%s%s",
					 i ? " . " : "", datatypes[type->fields[i]].name);
	return text;
}

unsigned int ir_type_registers(const struct type *type)
{
	unsigned int registers = 0;
	size_t i;

	for (i = 0; i < type->count; i++)
		registers += datatypes[type->fields[i]].registers;
	return registers;
}

/* A concatenation pads every field to a register; a lone port keeps its two bytes. */
uint32_t ir_type_length(const struct type *type)
{
	if (type->count == 1 && type->fields[0] == TYPE_PORT)
		return sizeof(uint16_t);
	return (uint32_t)(ir_type_registers(type) * sizeof(uint32_t));
}

/* Six bits a field, the first field highest (concat_subtype_add() in nftables). */
uint32_t ir_type_number(const struct type *type)
{
	uint32_t number = 0;
	size_t i;

	for (i = 0; i < type->count; i++)
		number = number << 6 | datatypes[type->fields[i]].number;
	return number;
}
