/* SPDX-License-Identifier: MIT */
#include "topo/scalar.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "topo/suggest.h"

bool read_text(struct source *source, const struct yaml *node, const char *what, const char **ret)
{
	if (node->kind != YAML_SCALAR || yaml_is_null(node)) {
		mistake(source, node->span, "%s must be text, not %s", what, yaml_kind_name(node));
		return false;
	}
	*ret = node->text;
	return true;
}

bool read_name(struct source *source, const struct yaml *node, const char *what, size_t max,
	       const char **ret)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	static const char others[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const char *text;

	if (!read_text(source, node, what, &text))
		return false;
	if (text[0] == '\0' || !strchr(letters, text[0]) || text[strspn(text, others)] != '\0') {
		mistake(source, node->span, "\"%.64s\" cannot be %s", text, what);
		remedy(source, "use lower-case letters, digits and dashes, a letter first");
		return false;
	}
	if (strlen(text) > max) {
		mistake(source, node->span, "\"%.64s\" is too long for %s", text, what);
		remedy(source, "at most %zu characters", max);
		return false;
	}
	*ret = text;
	return true;
}

static bool boolean_word(const char *text, bool *ret)
{
	static const char *const words[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
	size_t i;

	for (i = 0; i < 6; i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = i < 3;
			return true;
		}
	}
	return false;
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, or 0o and 0x whole numbers.
 */
static bool number_word(const char *text, double *ret)
{
	const char *c = text;
	size_t whole, fraction = 0;

	if (text[0] == '0' && text[1] == 'x' && isxdigit((unsigned char)text[2]) &&
	    text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0') {
		*ret = strtod(text, NULL);
		return true;
	}
	if (text[0] == '0' && text[1] == 'o' && strspn(text + 2, "01234567") > 0 &&
	    text[2 + strspn(text + 2, "01234567")] == '\0') {
		*ret = (double)strtoull(text + 2, NULL, 8);
		return true;
	}
	c += *c == '-' || *c == '+';
	whole = digits(c);
	c += whole;
	if (*c == '.') {
		fraction = digits(++c);
		c += fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*c == 'e' || *c == 'E') {
		c++;
		c += *c == '-' || *c == '+';
		if (digits(c) == 0)
			return false;
		c += digits(c);
	}
	if (*c != '\0')
		return false;
	*ret = strtod(text, NULL);
	return isfinite(*ret);
}

enum scalar_type scalar_type(const struct yaml *node, bool *ret_flag, double *ret_number)
{
	if (yaml_is_null(node))
		return SCALAR_NULL;
	if (!node->plain)
		return SCALAR_TEXT;
	if (boolean_word(node->text, ret_flag))
		return SCALAR_BOOLEAN;
	return number_word(node->text, ret_number) ? SCALAR_NUMBER : SCALAR_TEXT;
}

/* What a value is, when it is not what it should be. */
static const char *found(const struct yaml *node)
{
	return node->kind == YAML_SCALAR && !yaml_is_null(node) ? node->text : yaml_kind_name(node);
}

bool read_boolean(struct source *source, const struct yaml *node, const char *what, bool *ret)
{
	double number;
	bool flag;

	if (node->kind == YAML_SCALAR && scalar_type(node, &flag, &number) == SCALAR_BOOLEAN) {
		*ret = flag;
		return true;
	}
	mistake(source, node->span, "%s must be true or false, not %.64s", what, found(node));
	return false;
}

bool read_number(struct source *source, const struct yaml *node, const char *what,
		 unsigned long max, unsigned long *ret)
{
	const char *text = node->kind == YAML_SCALAR ? node->text : "";
	size_t length = digits(text);
	unsigned long number;

	/* 18 digits fit in any unsigned long that has 64 bits. */
	if (length > 0 && length <= 18 && text[length] == '\0') {
		number = strtoul(text, NULL, 10);
		if (number <= max) {
			*ret = number;
			return true;
		}
	}
	mistake(source, node->span, "%s must be a whole number from 0 to %lu, not %.64s", what, max,
		found(node));
	return false;
}

bool read_deadline(struct source *source, const struct yaml *node, const char *what,
		   unsigned int *ret_ms)
{
	const double max = TOPO_DEADLINE_MAX_MS / 1000.0;
	double seconds = 0;
	bool flag;

	if (node->kind == YAML_SCALAR && scalar_type(node, &flag, &seconds) == SCALAR_NUMBER &&
	    seconds * 1000 >= 1 && seconds <= max) {
		*ret_ms = (unsigned int)(seconds * 1000 + 0.5);
		return true;
	}
	mistake(source, node->span, "%s must be a number of seconds from 0.001 to %.0f, not %.64s",
		what, max, found(node));
	return false;
}

bool read_address(struct source *source, const struct yaml *node, const char *what,
		  struct addr *ret)
{
	struct prefix prefix;
	struct addr addr;
	const char *text;

	if (!read_text(source, node, what, &text))
		return false;
	if (prefix_parse(text, &prefix)) {
		mistake(source, node->span, "%s is an address alone, without \"/%u\"", what,
			prefix.len);
		remedy(source, "the network's subnet says the length");
		return false;
	}
	if (!addr_parse(text, &addr)) {
		mistake(source, node->span, "\"%.64s\" is no IPv4 address", text);
		return false;
	}
	if (addr.family != AF_INET) {
		mistake(source, node->span, "IPv6 is not supported yet");
		return false;
	}
	*ret = addr;
	return true;
}

bool read_map(struct source *source, const struct yaml *node, const char *what)
{
	if (node->kind == YAML_MAPPING)
		return true;
	mistake(source, node->span, "%s must be a map, not %s", what, yaml_kind_name(node));
	return false;
}

bool read_list(struct source *source, const struct yaml *node, const char *what)
{
	if (node->kind == YAML_SEQUENCE)
		return true;
	mistake(source, node->span, "%s must be a list, not %s", what, yaml_kind_name(node));
	return false;
}

static bool is_known(const char *word, const char *const known[])
{
	for (; *known; known++)
		if (strcmp(word, *known) == 0)
			return true;
	return false;
}

void refuse_unknown_keys(struct source *source, const struct yaml *map, const char *what,
			 const char *const known[])
{
	struct suggestion near;
	size_t i, j;

	for (i = 0; i < map->count; i++) {
		if (is_known(map->keys[i]->text, known))
			continue;
		mistake(source, map->keys[i]->span, "%s has no key \"%.64s\"", what,
			map->keys[i]->text);
		near = suggest_for(map->keys[i]->text);
		for (j = 0; known[j]; j++)
			suggest(&near, known[j]);
		if (near.best)
			remedy(source, "did you mean \"%s\"?", near.best);
	}
}
