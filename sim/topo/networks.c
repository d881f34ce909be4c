/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "topo/loader.h"
#include "topo/scalar.h"
#include "topo/suggest.h"

/* Between these a subnet is of use: /31 and longer have no room, shorter than /8 is no LAN. */
enum { SUBNET_LENGTH_MIN = 8, SUBNET_LENGTH_MAX = 30 };

static void load_subnet(struct loader *loader, const struct yaml *value, struct network *network)
{
	struct source *source = loader->source;
	char text[PREFIX_TEXT_MAX];
	struct prefix subnet, clean;
	struct addr addr;
	const char *word;

	if (!read_text(source, value, "a subnet", &word))
		return;
	if (!prefix_parse(word, &subnet)) {
		mistake(source, value->span, "\"%.64s\" is no subnet", word);
		if (addr_parse(word, &addr) && addr.family == AF_INET)
			remedy(source, "say its length too, for example %s/24", word);
		else
			remedy(source, "write it like 192.168.1.0/24");
		return;
	}
	if (subnet.addr.family != AF_INET) {
		mistake(source, value->span, "IPv6 is not supported yet");
		return;
	}
	if (subnet.len < SUBNET_LENGTH_MIN || subnet.len > SUBNET_LENGTH_MAX) {
		mistake(source, value->span, "a subnet's length is from /%d to /%d, not /%u",
			SUBNET_LENGTH_MIN, SUBNET_LENGTH_MAX, subnet.len);
		return;
	}
	clean = prefix_network(&subnet);
	if (!addr_equal(&clean.addr, &subnet.addr)) {
		mistake(source, value->span, "%s has bits set behind its length of %u", word,
			subnet.len);
		remedy(source, "the subnet it lies in is %s", prefix_format(&clean, text));
		return;
	}
	/* RFC 6890: "this network", loopback, multicast and reserved space are nobody's LAN. */
	if (subnet.addr.bytes[0] == 0 || subnet.addr.bytes[0] == 127 ||
	    subnet.addr.bytes[0] >= 224) {
		mistake(source, value->span, "%s is not for hosts (RFC 6890)", word);
		return;
	}
	network->subnet = subnet;
}

static void load_internet(struct loader *loader, const struct yaml *key, const struct yaml *value,
			  size_t index)
{
	const struct yaml *subnet = yaml_get_key(value, "subnet");
	const struct yaml *isolated = yaml_get_key(value, "isolated");
	struct topo *topo = loader->topo;

	topo->networks[index].type = NETWORK_INTERNET;
	if (subnet) {
		mistake(loader->source, subnet->span, "the internet has no subnet");
		remedy(loader->source,
		       "its addresses are anybody's, each behind a link of its own");
	}
	if (isolated) {
		mistake(loader->source, isolated->span, "the internet isolates nobody");
		remedy(loader->source, "who must not be reached there gets a firewall");
	}
	if (topo->internet == TOPO_NONE) {
		topo->internet = index;
		return;
	}
	mistake(loader->source, key->span, "a second internet: there is only one");
	remedy(loader->source, "the first is \"%s\" on line %u",
	       topo->networks[topo->internet].name, topo->networks[topo->internet].place.line);
}

static void load_network(struct loader *loader, const struct yaml *key, const struct yaml *value,
			 size_t index)
{
	static const char *const known[] = {"type", "subnet", "isolated", NULL};
	static const char *const types[] = {"internet", "lan", NULL};
	const struct yaml *type = yaml_get(value, "type");
	const struct yaml *subnet = yaml_get(value, "subnet");
	const struct yaml *isolated = yaml_get(value, "isolated");
	struct source *source = loader->source;
	size_t before = source->mistakes;
	struct suggestion near;
	const char *word = "lan";

	if (!read_map(source, value, "a network"))
		return;
	refuse_unknown_keys(source, value, "a network", known);
	if (type && !read_text(source, type, "type", &word))
		return;
	if (strcmp(word, "internet") == 0) {
		load_internet(loader, key, value, index);
	} else if (strcmp(word, "lan") != 0) {
		mistake(source, type->span, "there is no network type \"%.64s\"", word);
		near = suggest_for(word);
		suggest(&near, types[0]);
		suggest(&near, types[1]);
		if (near.best)
			remedy(source, "did you mean \"%s\"?", near.best);
		else
			remedy(source, "it is internet or lan");
	} else if (!subnet) {
		/* Unless it may be there under a mistyped name. */
		if (source->mistakes == before)
			mistake(source, key->span, "\"%s\" has neither a subnet nor type: internet",
				key->text);
	} else {
		load_subnet(loader, subnet, &loader->topo->networks[index]);
		if (isolated)
			read_boolean(source, isolated, "isolated",
				     &loader->topo->networks[index].isolated);
	}
}

/* Where nobody is a router, nobody would reach anybody. */
static void check_isolated_network(struct loader *loader, size_t network)
{
	const struct topo *topo = loader->topo;
	size_t i, members = 0;

	for (i = 0; i < topo->node_count; i++) {
		if (!topo_interface_on(&topo->nodes[i], network))
			continue;
		if (!topo_is_kept_apart(topo, network, i))
			return;
		members++;
	}
	if (!members)
		return; /* which is told of it anyway */
	mistake(loader->source, yaml_get_key(loader->networks->items[network], "isolated")->span,
		"the hosts on \"%s\" would reach nobody: none of them is its router",
		topo->networks[network].name);
}

void check_isolated_networks(struct loader *loader)
{
	size_t i;

	for (i = 0; i < loader->topo->network_count; i++)
		if (loader->topo->networks[i].isolated)
			check_isolated_network(loader, i);
}

/* Names of devices that every namespace has, or that sysctl gives a meaning of its own. */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {"lo", "all", "default"};
	size_t i;

	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(name, reserved[i]) == 0)
			return true;
	return false;
}

int load_networks(struct loader *loader)
{
	const struct yaml *map = loader->networks;
	struct topo *topo = loader->topo;
	const char *name;
	size_t i;

	if (!map)
		return 0;
	if (map->count > TOPO_NETWORKS_MAX) {
		mistake(loader->source, map->keys[TOPO_NETWORKS_MAX]->span,
			"a topology has at most %d networks", TOPO_NETWORKS_MAX);
		loader->networks = NULL;
		return 0;
	}
	topo->networks = calloc(map->count + 1, sizeof(*topo->networks));
	if (!topo->networks)
		return -ENOMEM;
	for (i = 0; i < map->count; i++) {
		topo->networks[i].place = map->keys[i]->place;
		topo->networks[i].name = strdup(map->keys[i]->text);
		topo->network_count++;
		if (!topo->networks[i].name)
			return -ENOMEM;
		if (read_name(loader->source, map->keys[i], "a network's name", TOPO_NAME_MAX,
			      &name) &&
		    is_reserved(name))
			mistake(loader->source, map->keys[i]->span,
				"no network can be called \"%s\": the kernel uses that name", name);
		load_network(loader, map->keys[i], map->items[i], i);
	}
	return 0;
}
