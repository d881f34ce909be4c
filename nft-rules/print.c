/* SPDX-License-Identifier: MIT */
/* A ruleset as commented nft text. */
#include <errno.h>
#include <string.h>

#include "nft-rules/ir.h"

#define LINE_MAX_COLUMNS 96

static void print_comment(FILE *out, const char *indent, const char *comment)
{
	if (comment[0])
		fprintf(out, "%s# %s\n", indent, comment);
}

static void print_set(FILE *out, const struct set *set)
{
	char key[IR_TYPE_TEXT_MAX], data[IR_TYPE_TEXT_MAX];
	bool map = set->data.count > 0;
	size_t i;

	print_comment(out, "\t", set->comment);
	fprintf(out, "\t%s %s {\n", map ? "map" : "set", set->name);
	fprintf(out, "\t\ttype %s%s%s\n", ir_type_format(&set->key, key), map ? " : " : "",
		map ? ir_type_format(&set->data, data) : "");
	if (!set->fixed)
		fprintf(out, "\t\tflags dynamic,timeout\n");
	for (i = 0; i < set->element_count; i++)
		fprintf(out, "%s%s%s", i ? ",\n\t\t\t     " : "\t\telements = { ",
			set->elements[i].text, i + 1 == set->element_count ? " }\n" : "");
	fprintf(out, "\t}\n");
}

static size_t rule_columns(const struct rule *rule)
{
	size_t i, columns = (size_t)2 * 8;

	for (i = 0; i < rule->statement_count; i++)
		columns += strlen(rule->statements[i]) + 1;
	return columns;
}

static void print_rule(FILE *out, const struct rule *rule)
{
	const char *separator = rule_columns(rule) > LINE_MAX_COLUMNS ? " \\\n\t\t\t" : " ";
	size_t i;

	print_comment(out, "\t\t", rule->comment);
	fprintf(out, "\t\t");
	for (i = 0; i < rule->statement_count; i++)
		fprintf(out, "%s%s", i ? separator : "", rule->statements[i]);
	fputc('\n', out);
}

static void print_chain(FILE *out, const struct chain *chain)
{
	size_t i;

	print_comment(out, "\t", chain->comment);
	fprintf(out, "\tchain %s {\n", chain->name);
	if (chain->hook)
		fprintf(out, "\t\ttype %s hook %s priority %s; policy accept;\n", chain->hook->type,
			chain->hook->name, chain->hook->priority_name);
	for (i = 0; i < chain->rule_count; i++)
		print_rule(out, &chain->rules[i]);
	fprintf(out, "\t}\n");
}

int ruleset_print(const struct ruleset *ruleset, FILE *out)
{
	size_t i;

	if (ruleset->wordless && !ruleset->text)
		return -EINVAL;
	if (ruleset->text) {
		fputs(ruleset->text, out);
		return ferror(out) ? -EIO : 0;
	}
	fprintf(out, "table %s " IR_TABLE " {\n", ruleset->inet ? "inet" : "ip");
	for (i = 0; i < ruleset->set_count; i++) {
		if (i)
			fputc('\n', out);
		print_set(out, &ruleset->sets[i]);
	}
	for (i = 0; i < ruleset->chain_count; i++) {
		if (i || ruleset->set_count)
			fputc('\n', out);
		print_chain(out, &ruleset->chains[i]);
	}
	fprintf(out, "}\n");
	return ferror(out) ? -EIO : 0;
}
