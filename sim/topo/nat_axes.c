/* SPDX-License-Identifier: MIT */
/*
 * The axes of a NAT, as rows: what they are called, of which kinds of NAT they can be
 * said, how their value is read and where it goes.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "nft-rules/check.h"
#include "nft-rules/words.h"
#include "topo/nat.h"
#include "topo/scalar.h"
#include "topo/suggest.h"

#define KIND(kind) (1U << (kind))
#define OF_MAPPINGS KIND(NAT_TRANSLATE) /* means nothing where the mappings are not ours */
#define OF_TRANSLATIONS (OF_MAPPINGS | KIND(NAT_MASQUERADE))
#define OF_ALL (OF_MAPPINGS | KIND(NAT_MASQUERADE) | KIND(NAT_FIREWALL))

struct axis {
	const char *name;
	unsigned int kinds;
	void (*read)(struct loader *loader, const struct axis *axis, const struct yaml *value,
		     struct nat *nat);
	size_t offset;                /* of the member in struct nat */
	const struct nat_word *words; /* of one that is a word */
	const struct axis *parts;     /* of one that is a map; ends with a NULL name */
};

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
	{"cgn", "rfc6888-cgn"},
	{"cgnat", "rfc6888-cgn"},
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
	{"deny", "drop"},
	{"allow", "allowed"},
	{"on", "external-source"},
	{"external", "external-source"},
	{"internal", "internal-source"},
	{"delayed", "delayed-icmp"},
	{"hairpin", "hairpinning"},
	{"loopback", "hairpinning"},
	{"lifetimes", "timers"},
	{"timeouts", "timers"},
	{"pooling", "pool"},
	{"port-forwarding", "forwards"},
	{"natpmp", "nat-pmp"},
	{"igd", "upnp"},
	{"upnp-igd", "upnp"},
	{"upnp", "port-mapping"},
	{"nat-pmp", "port-mapping"},
	{"pcp", "port-mapping"},
	{"portmapping", "port-mapping"},
};

const char *nat_dialect(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(dialect) / sizeof(dialect[0]); i++)
		if (strcasecmp(word, dialect[i].foreign) == 0)
			return dialect[i].ours;
	return NULL;
}

/* "a", "b" or "c" */
static void list_words(const struct nat_word *words, char *text, size_t size)
{
	size_t length = 0, i;
	const char *between;
	int n;

	text[0] = '\0';
	for (i = 0; words[i].word; i++) {
		between = i == 0 ? "" : words[i + 1].word ? ", " : " or ";
		n = snprintf(text + length, size - length, "%s%s", between, words[i].word);
		if (n < 0 || (size_t)n >= size - length)
			return;
		length += (size_t)n;
	}
}

static void tell_unknown_word(struct loader *loader, const struct axis *axis,
			      const struct yaml *value, const char *word)
{
	struct suggestion near = suggest_for(word);
	const char *ours = nat_dialect(word);
	char words[128];
	size_t i;

	list_words(axis->words, words, sizeof(words));
	mistake(loader->source, value->span, "%s is %s, not \"%.64s\"", axis->name, words, word);
	for (i = 0; axis->words[i].word; i++) {
		if (ours && strcmp(axis->words[i].word, ours) == 0)
			near.best = ours;
		if (!ours)
			suggest(&near, axis->words[i].word);
	}
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
}

static bool read_word(struct loader *loader, const struct axis *axis, const struct yaml *value,
		      unsigned int *ret)
{
	const char *word;
	size_t i;

	if (!read_text(loader->source, value, axis->name, &word))
		return false;
	for (i = 0; axis->words[i].word; i++) {
		if (strcmp(axis->words[i].word, word) == 0) {
			*ret = axis->words[i].value;
			return true;
		}
	}
	tell_unknown_word(loader, axis, value, word);
	return false;
}

static void read_choice(struct loader *loader, const struct axis *axis, const struct yaml *value,
			struct nat *nat)
{
	unsigned int choice;

	static_assert(sizeof(enum nat_hairpinning) == sizeof(choice), "the axes' enums are plain");
	if (read_word(loader, axis, value, &choice))
		memcpy((char *)nat + axis->offset, &choice, sizeof(choice));
}

/* One of two words, of which the second is true. */
static void read_either(struct loader *loader, const struct axis *axis, const struct yaml *value,
			struct nat *nat)
{
	unsigned int choice;

	if (read_word(loader, axis, value, &choice))
		*(bool *)((char *)nat + axis->offset) = choice;
}

static void read_flag(struct loader *loader, const struct axis *axis, const struct yaml *value,
		      struct nat *nat)
{
	read_boolean(loader->source, value, axis->name, (bool *)((char *)nat + axis->offset));
}

static void read_lifetime(struct loader *loader, const struct axis *axis, const struct yaml *value,
			  struct nat *nat)
{
	unsigned int *ms = (unsigned int *)((char *)nat + axis->offset);
	double seconds = 0;
	bool flag;

	if (value->kind == YAML_SCALAR && scalar_type(value, &flag, &seconds) == SCALAR_NUMBER &&
	    seconds >= 0.1 && seconds <= 86400)
		*ms = (unsigned int)(seconds * 1000 + 0.5);
	else
		mistake(loader->source, value->span,
			"the timer %s is a number of seconds from 0.1 to 86400 (a day), not %.64s",
			axis->name,
			value->kind == YAML_SCALAR && !yaml_is_null(value) ? value->text
									   : yaml_kind_name(value));
}

static void read_ports_range(struct loader *loader, const struct axis *axis,
			     const struct yaml *value, struct nat *nat)
{
	(void)axis;
	read_range(loader->source, value, &nat->ports);
}

static void read_ports_step(struct loader *loader, const struct axis *axis,
			    const struct yaml *value, struct nat *nat)
{
	(void)axis;
	read_step(loader->source, value, &nat->ports.step);
}

static void read_ports_block(struct loader *loader, const struct axis *axis,
			     const struct yaml *value, struct nat *nat)
{
	(void)axis;
	read_block(loader->source, value, &nat->ports.block);
}

static void read_forwards(struct loader *loader, const struct axis *axis, const struct yaml *value,
			  struct nat *nat)
{
	(void)axis;
	load_forwards(loader, value, nat);
}

static void read_dmz(struct loader *loader, const struct axis *axis, const struct yaml *value,
		     struct nat *nat)
{
	(void)axis;
	load_dmz(loader, value, nat);
}

/* One protocol, or a list of them. */
static void read_port_mapping(struct loader *loader, const struct axis *axis,
			      const struct yaml *value, struct nat *nat)
{
	const bool list = value->kind == YAML_SEQUENCE;
	const struct yaml *item = value;
	unsigned int protocol;
	size_t i;

	nat->port_mapping = 0;
	for (i = 0; i < (list ? value->count : 1); i++) {
		if (list)
			item = value->items[i];
		if (!read_word(loader, axis, item, &protocol))
			continue;
		if (nat->port_mapping & protocol)
			mistake(loader->source, item->span, "\"%s\" is in the list twice",
				item->text);
		nat->port_mapping |= protocol;
	}
}

static void read_parts(struct loader *loader, const struct axis *axis, const struct yaml *value,
		       struct nat *nat);

#define AT(member) offsetof(struct nat, member)

static const struct axis ports_parts[] = {
	{"allocation", OF_MAPPINGS, read_choice, AT(ports.allocation), nat_allocation_words, NULL},
	{"range", OF_MAPPINGS, read_ports_range, 0, NULL, NULL},
	{"step", OF_MAPPINGS, read_ports_step, 0, NULL, NULL},
	{"overloading", OF_MAPPINGS, read_flag, AT(ports.overloading), NULL, NULL},
	{"parity", OF_MAPPINGS, read_flag, AT(ports.parity), NULL, NULL},
	{"contiguous", OF_MAPPINGS, read_flag, AT(ports.contiguous), NULL, NULL},
	{"block", OF_MAPPINGS, read_ports_block, 0, NULL, NULL},
	{"exhaustion", OF_MAPPINGS, read_choice, AT(ports.exhaustion), nat_exhaustion_words, NULL},
	{0},
};

static const struct axis timers_parts[] = {
	{"udp", OF_ALL, read_lifetime, AT(timers.mapping[NAT_UDP]), NULL, NULL},
	{"tcp", OF_ALL, read_lifetime, AT(timers.mapping[NAT_TCP]), NULL, NULL},
	{"icmp", OF_ALL, read_lifetime, AT(timers.mapping[NAT_ICMP]), NULL, NULL},
	{"tcp-transitory", OF_MAPPINGS, read_lifetime, AT(timers.tcp_transitory), NULL, NULL},
	{"tcp-stray", OF_MAPPINGS, read_lifetime, AT(timers.stray_silence), NULL, NULL},
	{"udp-filter", OF_MAPPINGS, read_lifetime, AT(timers.filter[NAT_UDP]), NULL, NULL},
	{"tcp-filter", OF_MAPPINGS, read_lifetime, AT(timers.filter[NAT_TCP]), NULL, NULL},
	{"icmp-filter", OF_MAPPINGS, read_lifetime, AT(timers.filter[NAT_ICMP]), NULL, NULL},
	{"refresh", OF_MAPPINGS, read_choice, AT(timers.refresh), nat_refresh_words, NULL},
	{0},
};

static const struct axis icmp_parts[] = {
	{"errors", OF_MAPPINGS, read_either, AT(icmp.errors_blocked), nat_icmp_errors_words, NULL},
	{"kills", OF_MAPPINGS, read_flag, AT(icmp.errors_kill), NULL, NULL},
	{"unmatched", OF_MAPPINGS, read_choice, AT(icmp.unmatched), nat_unmatched_words, NULL},
	{0},
};

static const struct axis tcp_parts[] = {
	{"rst", OF_MAPPINGS, read_either, AT(tcp.rst_kills), nat_rst_words, NULL},
	{"simultaneous-open", OF_MAPPINGS, read_either, AT(tcp.strict_syn), nat_open_words, NULL},
	{0},
};

static const struct axis axes[] = {
	{"mapping", OF_MAPPINGS, read_choice, AT(mapping), nat_dependence_words, NULL},
	{"filtering", OF_MAPPINGS, read_choice, AT(filtering), nat_dependence_words, NULL},
	{"ports", OF_MAPPINGS, read_parts, AT(ports.allocation), nat_allocation_words, ports_parts},
	{"hairpinning", OF_MAPPINGS, read_choice, AT(hairpinning), nat_hairpinning_words, NULL},
	{"unsolicited", OF_ALL, read_choice, AT(unsolicited), nat_unsolicited_words, NULL},
	{"timers", OF_ALL, read_parts, 0, NULL, timers_parts},
	{"pool", OF_MAPPINGS, read_choice, AT(pooling), nat_pooling_words, NULL},
	{"icmp", OF_MAPPINGS, read_parts, 0, NULL, icmp_parts},
	{"tcp", OF_MAPPINGS, read_parts, 0, NULL, tcp_parts},
	{"forwards", OF_MAPPINGS, read_forwards, 0, NULL, NULL},
	{"dmz", OF_MAPPINGS, read_dmz, 0, NULL, NULL},
	{"port-mapping", OF_TRANSLATIONS, read_port_mapping, 0, nat_port_mapping_words, NULL},
	{"udp", OF_ALL, read_either, AT(udp_blocked), nat_udp_words, NULL},
	{0},
};

static const struct axis *find_axis(const struct axis *list, const char *name)
{
	for (; list->name; list++)
		if (strcmp(list->name, name) == 0)
			return list;
	return NULL;
}

/* @parent is the axis whose part this would be, NULL at the top. */
static void tell_unknown_axis(struct loader *loader, const struct axis *list,
			      const struct axis *parent, const struct yaml *key)
{
	struct suggestion near = suggest_for(key->text);
	const char *ours = nat_dialect(key->text);

	if (parent)
		mistake(loader->source, key->span, "%s has no key \"%.64s\"", parent->name,
			key->text);
	else
		mistake(loader->source, key->span, "a NAT has no axis \"%.64s\"", key->text);
	if (!parent) {
		suggest(&near, "base");
		suggest(&near, "rules");
	}
	if (ours && find_axis(list, ours))
		near.best = ours;
	else
		for (; list->name; list++)
			suggest(&near, list->name);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
}

/* Whether @axis can be said of a NAT of this kind; tells why not. */
static bool applies(struct loader *loader, const struct axis *axis, const struct yaml *key,
		    const struct nat *base)
{
	const char *why = "its behaviour is the kernel's";

	if (axis->kinds & KIND(base->kind))
		return true;
	if (base->kind == NAT_FIREWALL)
		why = "it does not translate";
	if (base->kind == NAT_CUSTOM)
		why = "what it does is in its file of rules";
	mistake(loader->source, key->span, "the %s of \"%s\" cannot be declared: %s", axis->name,
		base->name, why);
	remedy(loader->source, "leave \"%s\" out, or start from another base", axis->name);
	return false;
}

static void load_axis(struct loader *loader, const struct axis *list, const struct axis *parent,
		      const struct yaml *key, const struct yaml *value, struct nat *nat)
{
	const struct axis *axis = find_axis(list, key->text);

	if (!axis)
		tell_unknown_axis(loader, list, parent, key);
	else if (applies(loader, axis, key, nat))
		axis->read(loader, axis, value, nat);
}

/* An axis that is a map; where it has words too, one of them says the most important part. */
static void read_parts(struct loader *loader, const struct axis *axis, const struct yaml *value,
		       struct nat *nat)
{
	size_t i;

	if (value->kind == YAML_SCALAR && axis->words) {
		read_choice(loader, axis, value, nat);
		return;
	}
	if (value->kind != YAML_MAPPING && axis->words)
		mistake(loader->source, value->span, "%s is a word or a map, not %s", axis->name,
			yaml_kind_name(value));
	else if (read_map(loader->source, value, axis->name))
		for (i = 0; i < value->count; i++)
			load_axis(loader, axis->parts, axis, value->keys[i], value->items[i], nat);
}

/* What was inherited gives way to what was written, where a shorter lifetime bounds another. */
static void settle_timers(const struct yaml *timers, struct nat *nat)
{
	static const char *const filters[NAT_PROTOCOLS] = {"udp-filter", "tcp-filter",
							   "icmp-filter"};
	unsigned int *lifetime;
	int i;

	for (i = 0; i < NAT_PROTOCOLS; i++) {
		lifetime = &nat->timers.filter[i];
		if (!yaml_get(timers, filters[i]) && *lifetime > nat->timers.mapping[i])
			*lifetime = nat->timers.mapping[i];
	}
	lifetime = &nat->timers.tcp_transitory;
	if (!yaml_get(timers, "tcp-transitory") && *lifetime > nat->timers.mapping[NAT_TCP])
		*lifetime = nat->timers.mapping[NAT_TCP];
}

/* The key in @map that says @axis ("ports.step", or "ports" when that is a word), or NULL. */
static const struct yaml *axis_key(const struct yaml *map, const char *axis)
{
	const char *dot = strchr(axis, '.');
	char name[32];
	const struct yaml *key, *value;

	if (!dot)
		return yaml_get_key(map, axis);
	snprintf(name, sizeof(name), "%.*s", (int)(dot - axis), axis);
	value = yaml_get(map, name);
	key = yaml_get_key(value, dot + 1);
	if (!key && value && value->kind == YAML_SCALAR && strcmp(axis, "ports.allocation") == 0)
		key = yaml_get_key(map, name);
	return key;
}

static void tell_flaws(struct loader *loader, const struct yaml *map, const struct nat *nat)
{
	struct nat_flaw flaws[NAT_FLAWS_MAX];
	size_t i, count = nat_flaws(nat, flaws);
	const struct yaml *place;

	for (i = 0; i < count; i++) {
		place = axis_key(map, flaws[i].axis);
		if (!place && flaws[i].other)
			place = axis_key(map, flaws[i].other);
		mistake(loader->source, place ? place->span : map->span, "%s", flaws[i].why);
	}
}

/* `parity: false` cannot be seen in the value: contiguous pairs have it anyway (RFC 4787 4.2.3). */
static void check_parity(struct loader *loader, const struct yaml *ports, const struct nat *nat)
{
	const struct yaml *value = yaml_get(ports, "parity");
	double number;
	bool parity = true;

	if (value && nat->ports.contiguous &&
	    scalar_type(value, &parity, &number) == SCALAR_BOOLEAN && !parity)
		mistake(loader->source, yaml_get_key(ports, "parity")->span,
			"neighbours keep their parity: the lower one of a pair is even");
}

/* Hosts are of one router: what several may be called cannot name them. */
static void refuse_hosts(struct loader *loader, const struct yaml *map)
{
	static const char *const hosts[] = {"forwards", "dmz"};
	size_t i;

	for (i = 0; i < 2; i++)
		if (yaml_get(map, hosts[i]))
			mistake(loader->source, yaml_get_key(map, hosts[i])->span,
				"%s belongs to one router: say it there, over the base of this "
				"name",
				hosts[i]);
}

void load_axes(struct loader *loader, const struct yaml *map, bool shared, struct nat *nat)
{
	size_t before = loader->source->mistakes, i;
	struct nat_flaw flaws[NAT_FLAWS_MAX];
	bool inherited = nat_flaws(nat, flaws) > 0; /* and told where they were written */

	for (i = 0; i < map->count; i++)
		if (strcmp(map->keys[i]->text, "base") != 0 &&
		    strcmp(map->keys[i]->text, "rules") != 0)
			load_axis(loader, axes, NULL, map->keys[i], map->items[i], nat);
	if (shared)
		refuse_hosts(loader, map);
	if (nat->kind == NAT_TRANSLATE)
		settle_timers(yaml_get(map, "timers"), nat);
	/* What follows from a mistake would bury it. */
	if (loader->source->mistakes > before || inherited)
		return;
	check_parity(loader, yaml_get(map, "ports"), nat);
	tell_flaws(loader, map, nat);
}
