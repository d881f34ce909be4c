/* SPDX-License-Identifier: MIT */
/*
 * `nat:` of a node: a name, or a map of axes over a base.
 *
 * An axis is a row of the table below; one that comes later moves there from the
 * list of those that are known but not supported.
 */
#include "nft-rules/nat.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "topo/loader.h"
#include "topo/scalar.h"
#include "topo/suggest.h"

struct axis {
	const char *name;
	bool (*parse)(const char *word, struct nat *nat);
	const char *const *words; /* what may be said, ends with NULL */
	bool of_translation;      /* means nothing where we do not translate by our own rules */
};

static bool parse_mapping(const char *word, struct nat *nat)
{
	return nat_dependence_parse(word, &nat->mapping);
}

static bool parse_filtering(const char *word, struct nat *nat)
{
	return nat_dependence_parse(word, &nat->filtering);
}

static bool parse_ports(const char *word, struct nat *nat)
{
	return nat_allocation_parse(word, &nat->ports.allocation);
}

static bool parse_udp(const char *word, struct nat *nat)
{
	nat->udp_blocked = strcmp(word, "blocked") == 0;
	return nat->udp_blocked || strcmp(word, "allowed") == 0;
}

static const char *const dependence_words[] = {"endpoint-independent", "address-dependent",
					       "address-and-port-dependent", NULL};
static const char *const ports_words[] = {"preserving", "random", "sequential", NULL};
static const char *const udp_words[] = {"allowed", "blocked", NULL};

static const struct axis axes[] = {
	{"mapping", parse_mapping, dependence_words, true},
	{"filtering", parse_filtering, dependence_words, true},
	{"ports", parse_ports, ports_words, true},
	{"udp", parse_udp, udp_words, false},
};
enum { AXES = sizeof(axes) / sizeof(axes[0]) };

static const char *const later_axes[] = {"hairpinning", "unsolicited", "timers",  "pool",
					 "icmp",        "tcp",         "forward", "port-mapping"};

/* Words people bring from elsewhere. */
static const struct {
	const char *foreign, *ours;
} dialect[] = {
	{"masquerade", "linux-masquerade"},
	{"cone", "full-cone"},
	{"port-restricted", "port-restricted-cone"},
	{"restricted", "restricted-cone"},
	{"address-restricted", "restricted-cone"},
	{"address-restricted-cone", "restricted-cone"},
	{"eim", "endpoint-independent"},
	{"eif", "endpoint-independent"},
	{"independent", "endpoint-independent"},
	{"adm", "address-dependent"},
	{"adf", "address-dependent"},
	{"apdm", "address-and-port-dependent"},
	{"apdf", "address-and-port-dependent"},
	{"preserved", "preserving"},
	{"preserve", "preserving"},
	{"block", "blocked"},
	{"drop", "blocked"},
	{"allow", "allowed"},
};

static const char *translated(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(dialect) / sizeof(dialect[0]); i++)
		if (strcasecmp(word, dialect[i].foreign) == 0)
			return dialect[i].ours;
	return NULL;
}

static const struct nat_named *load_named(struct loader *loader, const struct yaml *value,
					  const char *what)
{
	const struct nat_named *named;
	struct suggestion near;
	const char *word;
	size_t i;

	if (!read_text(loader->source, value, what, &word))
		return NULL;
	named = nat_find(word);
	if (named)
		return named;
	mistake(loader->source, value->span, "no NAT is called \"%.64s\"", word);
	if (strcasecmp(word, "none") == 0 || strcasecmp(word, "no") == 0 ||
	    strcasecmp(word, "false") == 0) {
		remedy(loader->source, "a router without \"nat:\" only forwards");
		return NULL;
	}
	near = suggest_for(word);
	near.best = translated(word);
	for (i = 0; i < nat_names_count && !translated(word); i++)
		suggest(&near, nat_names[i].nat.name);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
	else
		remedy(loader->source, "\"natsim rules --list\" names all");
	return NULL;
}

static const struct axis *find_axis(const char *name)
{
	size_t i;

	for (i = 0; i < AXES; i++)
		if (strcmp(axes[i].name, name) == 0)
			return &axes[i];
	return NULL;
}

static void tell_unknown_axis(struct loader *loader, const struct yaml *key)
{
	struct suggestion near = suggest_for(key->text);
	size_t i;

	for (i = 0; i < sizeof(later_axes) / sizeof(later_axes[0]); i++) {
		if (strcmp(later_axes[i], key->text) != 0)
			continue;
		mistake(loader->source, key->span, "the axis \"%s\" is not supported yet",
			key->text);
		return;
	}
	mistake(loader->source, key->span, "a NAT has no axis \"%.64s\"", key->text);
	suggest(&near, "base");
	for (i = 0; i < AXES; i++)
		suggest(&near, axes[i].name);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
}

/* "a", "b" or "c" */
static void list_words(const char *const words[], char *text, size_t size)
{
	size_t length = 0, i;
	const char *between;
	int n;

	text[0] = '\0';
	for (i = 0; words[i]; i++) {
		between = i == 0 ? "" : words[i + 1] ? ", " : " or ";
		n = snprintf(text + length, size - length, "%s%s", between, words[i]);
		if (n < 0 || (size_t)n >= size - length)
			return;
		length += (size_t)n;
	}
}

/* Whether @axis can be said of a NAT of this kind; tells why not. */
static bool applies(struct loader *loader, const struct axis *axis, const struct yaml *key,
		    const struct nat *base)
{
	if (!axis->of_translation || base->kind == NAT_TRANSLATE)
		return true;
	if (base->kind == NAT_MASQUERADE)
		mistake(loader->source, key->span,
			"the %s of \"%s\" cannot be declared: its behaviour is the kernel's",
			axis->name, base->name);
	else
		mistake(loader->source, key->span,
			"the %s of \"%s\" cannot be declared: it does not translate", axis->name,
			base->name);
	remedy(loader->source, "leave \"%s\" out, or start from another base", axis->name);
	return false;
}

static void load_axis(struct loader *loader, const struct yaml *key, const struct yaml *value,
		      struct nat *nat)
{
	const struct axis *axis = find_axis(key->text);
	struct suggestion near;
	char words[128];
	const char *word;
	size_t i;

	if (!axis) {
		tell_unknown_axis(loader, key);
		return;
	}
	if (!applies(loader, axis, key, nat) ||
	    !read_text(loader->source, value, axis->name, &word) || axis->parse(word, nat))
		return;
	list_words(axis->words, words, sizeof(words));
	mistake(loader->source, value->span, "%s is %s, not \"%.64s\"", axis->name, words, word);
	near = suggest_for(word);
	near.best = translated(word);
	for (i = 0; axis->words[i] && !translated(word); i++)
		suggest(&near, axis->words[i]);
	for (i = 0; axis->words[i]; i++)
		if (near.best && strcmp(axis->words[i], near.best) == 0)
			remedy(loader->source, "did you mean \"%s\"?", near.best);
}

void load_nat(struct loader *loader, const struct yaml *value, struct node *node)
{
	const struct nat_named *named = NULL;
	const struct yaml *base;
	size_t i;

	node->has_nat = true;
	node->nat = nat_default();
	if (value->kind == YAML_SCALAR) {
		named = load_named(loader, value, "nat");
		if (named)
			node->nat = named->nat;
		return;
	}
	if (value->kind != YAML_MAPPING) {
		mistake(loader->source, value->span, "nat is a name or a map of axes, not %s",
			yaml_kind_name(value));
		return;
	}
	base = yaml_get(value, "base");
	if (base) {
		named = load_named(loader, base, "base");
		if (named)
			node->nat = named->nat;
	}
	for (i = 0; i < value->count; i++)
		if (value->items[i] != base || strcmp(value->keys[i]->text, "base") != 0)
			load_axis(loader, value->keys[i], value->items[i], &node->nat);
}
