/* SPDX-License-Identifier: MIT */
/*
 * `nat:` of a node: a name, or a map of axes over a base. `nats:` at the top of a file:
 * names of the user's own.
 *
 * How this works: a name is looked for among the user's, then among those everybody
 * has (no name is both). An entry of `nats:` is read when it is first asked for, so
 * their order does not matter, and one that is asked for while it is being read is
 * based on itself. What an entry says is copied, never linked: a router's NAT is one
 * plain value in the end.
 *
 * What has to do with the picture (who is inside, how many addresses there are outside)
 * is looked at once the ways to the internet are known: forwards.c.
 */
#include "topo/nat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topo/scalar.h"
#include "topo/suggest.h"

static int load_map(struct loader *loader, const struct yaml *map, bool shared, struct nat *nat);

static struct own_nat *find_own(const struct loader *loader, const char *name)
{
	size_t i;

	for (i = 0; i < loader->nat_count; i++)
		if (strcmp(loader->nats[i].key->text, name) == 0)
			return &loader->nats[i];
	return NULL;
}

static void tell_unknown_name(struct loader *loader, const struct yaml *value, const char *word)
{
	struct suggestion near = suggest_for(word);
	size_t i;

	mistake(loader->source, value->span, "no NAT is called \"%.64s\"", word);
	if (strcasecmp(word, "none") == 0 || strcasecmp(word, "no") == 0 ||
	    strcasecmp(word, "false") == 0) {
		remedy(loader->source, "a router without \"nat:\" only forwards");
		return;
	}
	near.best = nat_dialect(word);
	if (!near.best) {
		for (i = 0; i < nat_names_count; i++)
			suggest(&near, nat_names[i].nat.name);
		for (i = 0; i < loader->nat_count; i++)
			suggest(&near, loader->nats[i].key->text);
	}
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
	else
		remedy(loader->source, "\"natsim rules --list\" names all");
}

static int read_own(struct loader *loader, struct own_nat *own)
{
	int r = 0;

	own->state = OWN_READING;
	own->nat = nat_default();
	if (own->value->kind == YAML_MAPPING)
		r = load_map(loader, own->value, true, &own->nat);
	else
		mistake(loader->source, own->value->span,
			"an entry of nats is a map of axes, not %s", yaml_kind_name(own->value));
	snprintf(own->nat.name, sizeof(own->nat.name), "%s", own->key->text);
	own->state = OWN_READ;
	return r;
}

/* Copy the NAT that @value names over *ret; leave it alone after telling that there is none. */
static int load_named(struct loader *loader, const struct yaml *value, const char *what,
		      struct nat *ret)
{
	const struct nat_named *named;
	struct own_nat *own;
	const char *word;
	int r = 0;

	if (!read_text(loader->source, value, what, &word))
		return 0;
	own = find_own(loader, word);
	if (own) {
		own->used = true;
		if (own->state == OWN_READING) {
			mistake(loader->source, value->span, "\"%s\" is based on itself", word);
			return 0;
		}
		if (own->state == OWN_UNREAD)
			r = read_own(loader, own);
		*ret = own->nat;
		return r;
	}
	named = nat_find(word);
	if (named)
		*ret = named->nat;
	else
		tell_unknown_name(loader, value, word);
	return 0;
}

/* @path as the file means it: relative to where the file is. The model owns the text. */
static int keep_path(struct loader *loader, const char *path, const char **ret)
{
	struct topo *topo = loader->topo;
	const char *slash = strrchr(topo->file, '/');
	int directory = path[0] != '/' && slash ? (int)(slash - topo->file) + 1 : 0;
	char **files = array_add(topo->rule_files, &topo->rule_file_count, sizeof(*files));

	if (!files)
		return -ENOMEM;
	topo->rule_files = files;
	files += topo->rule_file_count - 1;
	if (asprintf(files, "%.*s%s", directory, topo->file, path) < 0) {
		topo->rule_file_count--;
		return -ENOMEM;
	}
	*ret = *files;
	return 0;
}

static void check_rule_file(struct loader *loader, const struct yaml *value, const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0 || (S_ISREG(status.st_mode) && access(path, R_OK) < 0))
		mistake(loader->source, value->span, "cannot read %.256s: %s", path,
			strerror(errno));
	else if (!S_ISREG(status.st_mode))
		mistake(loader->source, value->span, "%.256s is no file", path);
	else
		return;
	remedy(loader->source, "the path starts where this file is");
}

/* What rules promise is declared, and no rules themselves; a server beside them is neither. */
static void refuse_beside_rules(struct loader *loader, const struct yaml *map)
{
	const struct yaml *key = yaml_get_key(map, "port-mapping");

	if (key)
		mistake(loader->source, key->span,
			"beside \"rules\" no port mapping can be set up: it works with natsim's "
			"own rules");
}

/*
 * The user's own rules. Alone they declare nothing. What is written beside them is what
 * they promise to be, as the same map without them would be; self-checks hold them to it.
 */
static int load_rules(struct loader *loader, const struct yaml *map, bool shared, struct nat *nat)
{
	const struct yaml *value = yaml_get(map, "rules"), *base = yaml_get(map, "base");
	const char *path;
	int r = 0;

	if (base)
		r = load_named(loader, base, "base", nat);
	*nat = nat_promise(nat);
	load_axes(loader, map, shared, nat);
	refuse_beside_rules(loader, map);
	nat->promised = nat->kind;
	nat->declares = map->count > 1;
	nat->kind = NAT_CUSTOM;
	snprintf(nat->name, sizeof(nat->name), "own-rules");
	if (r < 0 || !read_text(loader->source, value, "rules", &path))
		return r;
	r = keep_path(loader, path, &nat->rules);
	if (r == 0)
		check_rule_file(loader, value, nat->rules);
	return r;
}

static int load_map(struct loader *loader, const struct yaml *map, bool shared, struct nat *nat)
{
	const struct yaml *base = yaml_get(map, "base");
	int r = 0;

	if (yaml_get(map, "rules"))
		return load_rules(loader, map, shared, nat);
	if (base)
		r = load_named(loader, base, "base", nat);
	if (r == 0)
		load_axes(loader, map, shared, nat);
	return r;
}

int load_nat(struct loader *loader, const struct yaml *value, struct node *node)
{
	node->has_nat = true;
	node->nat = nat_default();
	if (value->kind == YAML_SCALAR)
		return load_named(loader, value, "nat", &node->nat);
	if (value->kind == YAML_MAPPING)
		return load_map(loader, value, false, &node->nat);
	mistake(loader->source, value->span, "nat is a name or a map of axes, not %s",
		yaml_kind_name(value));
	return 0;
}

int load_nats(struct loader *loader, const struct yaml *map)
{
	const char *name;
	size_t i;
	int r = 0;

	if (map->count > TOPO_NATS_MAX) {
		mistake(loader->source, map->keys[TOPO_NATS_MAX]->span,
			"a topology has at most %d NATs of its own", TOPO_NATS_MAX);
		return 0;
	}
	loader->nats = calloc(map->count + 1, sizeof(*loader->nats));
	if (!loader->nats)
		return -ENOMEM;
	for (i = 0; i < map->count; i++)
		loader->nats[loader->nat_count++] =
			(struct own_nat){.key = map->keys[i], .value = map->items[i]};
	for (i = 0; i < map->count; i++) {
		if (read_name(loader->source, map->keys[i], "a NAT's name", NAT_NAME_MAX - 1,
			      &name) &&
		    (nat_find(name) || strcmp(name, "custom") == 0 ||
		     strcmp(name, "own-rules") == 0))
			mistake(loader->source, map->keys[i]->span,
				"\"%s\" is a NAT that everybody knows: it cannot be another", name);
	}
	for (i = 0; i < map->count && r == 0; i++)
		if (loader->nats[i].state == OWN_UNREAD)
			r = read_own(loader, &loader->nats[i]);
	return r;
}

void check_unused_nats(struct loader *loader)
{
	size_t i;

	for (i = 0; i < loader->nat_count; i++)
		if (!loader->nats[i].used)
			doubt(loader->source, loader->nats[i].key->span, "no router is a \"%s\"",
			      loader->nats[i].key->text);
}
