/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo/loader.h"
#include "topo/scalar.h"
#include "topo/suggest.h"

enum {
	EXIT_STATUS_MAX = 255,
	EXPRESSION_MAX = 1024,       /* bytes */
	EXPRESSION_COPIES_MAX = 512, /* see copies() */
};

static const char *const common_keys[] = {"exit", "fails", "stdout", "stderr", NULL};

/*
 * How often the innermost part of an expression may come to be copied. glibc writes
 * {m,n} and the + of a group out, so a few nested ones ask for all the memory there is;
 * every factor is taken as nested, which errs on the safe side.
 */
static unsigned long copies(const char *text)
{
	unsigned long total = 1, low, high;
	const char *c;
	char *end;

	for (c = text; *c && total <= EXPRESSION_COPIES_MAX; c++) {
		if (*c == '+' && c > text && strchr(")+*?}", c[-1]))
			total *= 2;
		if (*c != '{')
			continue;
		low = strtoul(c + 1, &end, 10);
		high = *end == ',' ? strtoul(end + 1, NULL, 10) : low;
		high = high > low ? high : low;
		if (high > EXPRESSION_COPIES_MAX)
			return high;
		total *= high ? high : 1;
	}
	return total;
}

bool check_expression(struct loader *loader, const struct yaml *value, const char *text)
{
	char reason[128];
	regex_t expression;
	int r;

	if (strlen(text) > EXPRESSION_MAX) {
		mistake(loader->source, value->span,
			"a regular expression has at most %d characters", EXPRESSION_MAX);
		return false;
	}
	if (copies(text) > EXPRESSION_COPIES_MAX) {
		mistake(loader->source, value->span,
			"this regular expression repeats too much: its {m,n} multiply to more than "
			"%d",
			EXPRESSION_COPIES_MAX);
		return false;
	}
	r = regcomp(&expression, text, REG_EXTENDED | REG_NOSUB);
	if (r == 0) {
		regfree(&expression);
		return true;
	}
	regerror(r, &expression, reason, sizeof(reason));
	mistake(loader->source, value->span, "no POSIX extended regular expression: %s", reason);
	return false;
}

static bool read_field(struct loader *loader, const struct yaml *key, const struct yaml *value,
		       struct expectation *e)
{
	if (value->kind != YAML_SCALAR) {
		mistake(loader->source, value->span, "\"%.64s\" must be a value, not %s", key->text,
			yaml_kind_name(value));
		return false;
	}
	switch (scalar_type(value, &e->flag, &e->number)) {
	case SCALAR_NULL:
		mistake(loader->source, key->span, "nothing is expected of \"%.64s\"", key->text);
		return false;
	case SCALAR_BOOLEAN:
		e->type = EXPECT_BOOLEAN;
		break;
	case SCALAR_NUMBER:
		e->type = EXPECT_NUMBER;
		break;
	case SCALAR_TEXT:
		e->type = EXPECT_TEXT;
		break;
	}
	return true;
}

/* Whether the program can have this field; tells why not. */
static bool has_field(struct loader *loader, const struct yaml *key, const struct agent *agent)
{
	struct suggestion near = suggest_for(key->text);
	size_t i;

	if (agent && agent_has_field(agent, key->text))
		return true;
	if (agent)
		mistake(loader->source, key->span, "the result of \"%s\" has no field \"%.64s\"",
			agent->name, key->text);
	else
		mistake(loader->source, key->span,
			"\"%.64s\" cannot be expected of a command: it has no result fields",
			key->text);
	for (i = 0; agent && agent->fields[i]; i++)
		suggest(&near, agent->fields[i]);
	for (i = 0; common_keys[i]; i++)
		suggest(&near, common_keys[i]);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
	return false;
}

static bool read_kind(struct loader *loader, const struct yaml *key, const struct yaml *value,
		      const struct agent *agent, struct expectation *e, const char **text)
{
	unsigned long number;

	if (strcmp(key->text, "exit") == 0) {
		e->kind = EXPECT_EXIT;
		e->type = EXPECT_NUMBER;
		if (!read_number(loader->source, value, "exit", EXIT_STATUS_MAX, &number))
			return false;
		e->number = (double)number;
		return true;
	}
	if (strcmp(key->text, "fails") == 0) {
		e->kind = EXPECT_FAILS;
		e->type = EXPECT_BOOLEAN;
		return read_boolean(loader->source, value, "fails", &e->flag);
	}
	if (strcmp(key->text, "stdout") == 0 || strcmp(key->text, "stderr") == 0) {
		e->kind = key->text[3] == 'o' ? EXPECT_STDOUT : EXPECT_STDERR;
		return read_text(loader->source, value, key->text, text) &&
		       check_expression(loader, value, *text);
	}
	e->kind = EXPECT_FIELD;
	if (!has_field(loader, key, agent) || !read_field(loader, key, value, e))
		return false;
	if (e->type == EXPECT_TEXT)
		*text = value->text;
	return true;
}

static bool same_value(const struct expectation *a, const struct expectation *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case EXPECT_TEXT:
		return strcmp(a->text, b->text) == 0;
	case EXPECT_NUMBER:
		return a->number == b->number;
	case EXPECT_BOOLEAN:
		return a->flag == b->flag;
	}
	return false;
}

/* Can both hold? (Two expressions can: both must match.) */
static bool contradict(const struct expectation *a, const struct expectation *b)
{
	if (a->kind == EXPECT_EXIT && b->kind == EXPECT_FAILS)
		return b->flag == (a->number == 0);
	if (a->kind == EXPECT_FAILS && b->kind == EXPECT_EXIT)
		return contradict(b, a);
	if (a->kind != b->kind || a->kind == EXPECT_STDOUT || a->kind == EXPECT_STDERR)
		return false;
	if (a->kind == EXPECT_FIELD && strcmp(a->field, b->field) != 0)
		return false;
	return !same_value(a, b);
}

static void tell_contradiction(struct loader *loader, const struct yaml *key,
			       const struct expectation *list, size_t count)
{
	size_t i;

	for (i = 0; i + 1 < count; i++) {
		if (!contradict(&list[i], &list[count - 1]))
			continue;
		mistake(loader->source, key->span,
			"this contradicts what line %u, column %u expects: both cannot hold",
			list[i].place.line, list[i].place.column);
		return;
	}
}

static int load_expectation(struct loader *loader, const struct yaml *key, const struct yaml *value,
			    const struct agent *agent, struct expectation **list, size_t *count)
{
	struct expectation e = {.place = key->place};
	struct expectation *grown;
	const char *text = NULL;

	if (*count == TOPO_EXPECTATIONS_MAX) {
		mistake(loader->source, key->span, "a program has at most %d expectations",
			TOPO_EXPECTATIONS_MAX);
		return 0;
	}
	if (!read_kind(loader, key, value, agent, &e, &text))
		return 0;
	grown = array_add(*list, count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*list = grown;
	if (e.kind == EXPECT_FIELD)
		e.field = strdup(key->text);
	if (text)
		e.text = strdup(text);
	grown[*count - 1] = e;
	if ((e.kind == EXPECT_FIELD && !e.field) || (text && !e.text))
		return -ENOMEM;
	tell_contradiction(loader, key, grown, *count);
	return 0;
}

int load_expectations(struct loader *loader, const struct yaml *value, const struct agent *agent,
		      struct expectation **list, size_t *count)
{
	static char fails_text[] = "fails", true_text[] = "true";
	struct yaml fails, yes;
	size_t i;
	int r = 0;

	if (!value)
		return 0;
	if (value->kind == YAML_SCALAR && strcmp(value->text, "fails") == 0) {
		/* The word alone is short for {fails: true}. */
		fails = *value;
		fails.text = fails_text;
		yes = fails;
		yes.text = true_text;
		yes.plain = true;
		return load_expectation(loader, &fails, &yes, agent, list, count);
	}
	if (value->kind != YAML_MAPPING) {
		mistake(loader->source, value->span,
			"expect must be a map, or the word fails, not %s",
			value->kind == YAML_SCALAR && !yaml_is_null(value) ? value->text
									   : yaml_kind_name(value));
		return 0;
	}
	for (i = 0; i < value->count && r == 0; i++)
		r = load_expectation(loader, value->keys[i], value->items[i], agent, list, count);
	return r;
}
