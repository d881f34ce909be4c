/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "topo/loader.h"
#include "topo/scalar.h"
#include "topo/suggest.h"

/* Must stay what the plan gives the core: RFC 7600 section 4.8's dummy address. */
#define CORE_ADDRESS "192.0.0.8"

/* One address as written, to find those that are given twice. */
struct use {
	size_t network;
	struct addr addr;
	const struct yaml *value;
	size_t order;
};

struct uses {
	struct use *list;
	size_t count;
};

const struct yaml *interface_key(const struct loader *loader, size_t node, size_t i)
{
	const struct topo *topo = loader->topo;
	size_t network = topo->nodes[node].interfaces[i].network;

	return yaml_get_key(yaml_get(loader->nodes->items[node], "interfaces"),
			    topo->networks[network].name);
}

static void tell_unknown_network(struct loader *loader, const struct yaml *key)
{
	struct suggestion near = suggest_for(key->text);
	size_t i;

	/* Without any network it is these that are missing, which has been told. */
	if (loader->topo->network_count == 0)
		return;
	mistake(loader->source, key->span, "no network is called \"%.64s\"", key->text);
	for (i = 0; i < loader->topo->network_count; i++)
		suggest(&near, loader->topo->networks[i].name);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
}

/* Blocks that routers on the internet do not carry (RFC 6890's table). */
static const char *unroutable(const struct addr *addr)
{
	static const struct {
		const char *prefix, *why;
	} blocks[] = {
		{"0.0.0.0/8", "means \"this network\""},
		{"127.0.0.0/8", "is loopback"},
		{"169.254.0.0/16", "is link-local"},
		{"224.0.0.0/4", "is multicast"},
		{"240.0.0.0/4", "is reserved"},
		{"10.0.0.0/8", "is private (RFC 1918): the internet does not carry it"},
		{"172.16.0.0/12", "is private (RFC 1918): the internet does not carry it"},
		{"192.168.0.0/16", "is private (RFC 1918): the internet does not carry it"},
		{"100.64.0.0/10", "is a carrier's (RFC 6598): the internet does not carry it"},
		{CORE_ADDRESS "/32", "is the address the internet's core speaks from"},
	};
	struct prefix prefix;
	size_t i;

	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (prefix_parse(blocks[i].prefix, &prefix) && prefix_contains(&prefix, addr))
			return blocks[i].why;
	return NULL;
}

static bool internet_takes(struct loader *loader, const struct yaml *value, const struct addr *addr)
{
	const char *why = unroutable(addr);

	if (!why)
		return true;
	mistake(loader->source, value->span, "%s %s", value->text, why);
	return false;
}

static bool lan_takes(struct loader *loader, const struct network *network,
		      const struct yaml *value, const struct addr *addr)
{
	uint32_t host = ~(uint32_t)0 >> network->subnet.len;
	uint32_t bits = ntohl(addr_to_ipv4(addr)) & host;
	char text[PREFIX_TEXT_MAX];

	if (network->subnet.addr.family != AF_INET)
		return true; /* its subnet has been told to be wrong */
	prefix_format(&network->subnet, text);
	if (!prefix_contains(&network->subnet, addr))
		mistake(loader->source, value->span, "%s is not in %s, the subnet of \"%s\"",
			value->text, text, network->name);
	else if (bits == 0)
		mistake(loader->source, value->span,
			"%s names the whole of \"%s\" (%s), not a host", value->text, network->name,
			text);
	else if (bits == host)
		mistake(loader->source, value->span, "%s is the broadcast address of \"%s\" (%s)",
			value->text, network->name, text);
	else
		return true;
	return false;
}

static int load_address(struct loader *loader, const struct yaml *value,
			struct interface *interface, struct uses *uses)
{
	const struct network *network = &loader->topo->networks[interface->network];
	struct addr addr;
	struct use *use;
	bool taken;

	if (!read_address(loader->source, value, "an interface's address", &addr))
		return 0;
	if (network->type == NETWORK_INTERNET)
		taken = internet_takes(loader, value, &addr);
	else
		taken = lan_takes(loader, network, value, &addr);
	if (!taken)
		return 0;
	use = reallocarray(uses->list, uses->count + 1, sizeof(*use));
	if (!use)
		return -ENOMEM;
	uses->list = use;
	uses->list[uses->count] = (struct use){
		.network = interface->network,
		.addr = addr,
		.value = value,
		.order = uses->count,
	};
	uses->count++;
	interface->addresses[interface->address_count++] = addr;
	return 0;
}

static int load_interface(struct loader *loader, const struct yaml *key, const struct yaml *value,
			  struct interface *interface, struct uses *uses)
{
	struct source *source = loader->source;
	bool list = value->kind == YAML_SEQUENCE;
	size_t count = list ? value->count : 1;
	size_t i;
	int r = 0;

	interface->place = key->place;
	if (value->kind == YAML_MAPPING) {
		mistake(source, value->span, "an interface is an address or a list of addresses");
		return 0;
	}
	if (count == 0 || (!list && yaml_is_null(value))) {
		mistake(source, key->span, "the interface on \"%s\" has no address", key->text);
		return 0;
	}
	if (count > TOPO_ADDRESSES_MAX) {
		mistake(source, value->items[TOPO_ADDRESSES_MAX]->span,
			"an interface has at most %d addresses", TOPO_ADDRESSES_MAX);
		return 0;
	}
	interface->addresses = calloc(count, sizeof(*interface->addresses));
	if (!interface->addresses)
		return -ENOMEM;
	for (i = 0; i < count && r == 0; i++)
		r = load_address(loader, list ? value->items[i] : value, interface, uses);
	return r;
}

static size_t find_network(const struct topo *topo, const char *name)
{
	size_t i;

	for (i = 0; i < topo->network_count; i++)
		if (strcmp(topo->networks[i].name, name) == 0)
			return i;
	return TOPO_NONE;
}

static int load_interfaces(struct loader *loader, const struct yaml *key, const struct yaml *map,
			   struct node *node, struct uses *uses)
{
	struct source *source = loader->source;
	struct interface *interface;
	size_t i, network;
	int r = 0;

	if (!map || (map->kind == YAML_MAPPING && map->count == 0)) {
		mistake(source, key->span, "\"%s\" has no interfaces", key->text);
		remedy(source, "write, for example, interfaces: {internet: 1.2.3.4}");
		return 0;
	}
	if (!read_map(source, map, "interfaces"))
		return 0;
	if (map->count > TOPO_INTERFACES_MAX) {
		mistake(source, map->keys[TOPO_INTERFACES_MAX]->span,
			"a node has at most %d interfaces", TOPO_INTERFACES_MAX);
		return 0;
	}
	node->interfaces = calloc(map->count, sizeof(*node->interfaces));
	if (!node->interfaces)
		return -ENOMEM;
	for (i = 0; i < map->count && r == 0; i++) {
		network = find_network(loader->topo, map->keys[i]->text);
		if (network == TOPO_NONE) {
			tell_unknown_network(loader, map->keys[i]);
			continue;
		}
		interface = &node->interfaces[node->interface_count++];
		interface->network = network;
		r = load_interface(loader, map->keys[i], map->items[i], interface, uses);
	}
	return r;
}

static void load_gateway(struct loader *loader, const struct yaml *value, size_t index)
{
	struct topo *topo = loader->topo;
	struct suggestion near;
	const char *word;
	size_t i, gateway;

	if (!read_text(loader->source, value, "gateway", &word))
		return;
	gateway = topo_find_node(topo, word);
	if (gateway == index) {
		mistake(loader->source, value->span, "\"%s\" cannot be its own gateway", word);
	} else if (gateway != TOPO_NONE) {
		loader->wanted_gateways[index] = gateway;
	} else {
		mistake(loader->source, value->span, "no node is called \"%.64s\"", word);
		near = suggest_for(word);
		for (i = 0; i < topo->node_count; i++)
			suggest(&near, topo->nodes[i].name);
		if (near.best)
			remedy(loader->source, "did you mean \"%s\"?", near.best);
	}
}

static int load_node(struct loader *loader, size_t index, struct uses *uses)
{
	static const char *const known[] = {"interfaces", "nat", "gateway", NULL};
	const struct yaml *key = loader->nodes->keys[index];
	const struct yaml *value = loader->nodes->items[index];
	struct node *node = &loader->topo->nodes[index];
	const struct yaml *interfaces;
	int r;

	if (!read_map(loader->source, value, "a node"))
		return 0;
	refuse_unknown_keys(loader->source, value, "a node", known);
	interfaces = yaml_get(value, "interfaces");
	r = load_interfaces(loader, key, interfaces, node, uses);
	if (r < 0)
		return r;
	if (yaml_get(value, "nat")) {
		r = load_nat(loader, yaml_get(value, "nat"), node);
		if (r < 0)
			return r;
	}
	if (yaml_get(value, "gateway"))
		load_gateway(loader, yaml_get(value, "gateway"), index);
	node->router = node->has_nat || node->interface_count > 1;
	if (node->has_nat && interfaces && interfaces->kind == YAML_MAPPING &&
	    interfaces->count == 1) {
		mistake(loader->source, yaml_get_key(value, "nat")->span,
			"\"%s\" has a NAT but one interface only: nobody is behind it", key->text);
		remedy(loader->source, "give it an interface on the network whose hosts it serves");
	}
	return 0;
}

static int compare_uses(const void *left, const void *right)
{
	const struct use *a = left, *b = right;
	int r;

	if (a->network != b->network)
		return a->network < b->network ? -1 : 1;
	r = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
	if (r)
		return r;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void tell_duplicates(struct loader *loader, struct uses *uses)
{
	const struct use *use, *first = uses->list;
	size_t i;

	if (uses->count == 0)
		return;
	qsort(uses->list, uses->count, sizeof(*uses->list), compare_uses);
	for (i = 1; i < uses->count; i++) {
		use = &uses->list[i];
		if (use->network != first->network || !addr_equal(&use->addr, &first->addr)) {
			first = use;
			continue;
		}
		mistake(loader->source, use->value->span, "%s is given twice on \"%s\"",
			use->value->text, loader->topo->networks[use->network].name);
		remedy(loader->source, "it is first given on line %u", first->value->place.line);
	}
}

/* All names first: a gateway may be a node further down. */
static int load_names(struct loader *loader)
{
	const struct yaml *map = loader->nodes;
	struct topo *topo = loader->topo;
	const char *name;
	size_t i;

	for (i = 0; i < map->count; i++) {
		topo->nodes[i].uplink = topo->nodes[i].gateway = TOPO_NONE;
		topo->nodes[i].place = map->keys[i]->place;
		topo->nodes[i].name = strdup(map->keys[i]->text);
		topo->node_count++;
		if (!topo->nodes[i].name)
			return -ENOMEM;
		loader->wanted_gateways[i] = TOPO_NONE;
		if (read_name(loader->source, map->keys[i], "a node's name", TOPO_NAME_MAX,
			      &name) &&
		    strcmp(name, "localhost") == 0)
			mistake(loader->source, map->keys[i]->span,
				"no node can be called \"localhost\": that is every node's name "
				"for "
				"itself");
	}
	return 0;
}

int load_nodes(struct loader *loader)
{
	const struct yaml *map = loader->nodes;
	struct topo *topo = loader->topo;
	struct uses uses = {0};
	size_t i;
	int r;

	if (!map)
		return 0;
	if (map->count > TOPO_NODES_MAX) {
		mistake(loader->source, map->keys[TOPO_NODES_MAX]->span,
			"a topology has at most %d nodes", TOPO_NODES_MAX);
		loader->nodes = NULL;
		return 0;
	}
	topo->nodes = calloc(map->count + 1, sizeof(*topo->nodes));
	loader->wanted_gateways = calloc(map->count + 1, sizeof(*loader->wanted_gateways));
	if (!topo->nodes || !loader->wanted_gateways)
		return -ENOMEM;
	r = load_names(loader);
	for (i = 0; i < map->count && r == 0; i++)
		r = load_node(loader, i, &uses);
	if (r == 0)
		tell_duplicates(loader, &uses);
	free(uses.list);
	return r;
}

void check_unused_networks(struct loader *loader)
{
	const struct topo *topo = loader->topo;
	size_t i, n;

	for (n = 0; n < topo->network_count; n++) {
		for (i = 0; i < topo->node_count; i++)
			if (topo_interface_on(&topo->nodes[i], n))
				break;
		if (i == topo->node_count)
			doubt(loader->source, loader->networks->keys[n]->span,
			      "nobody is on network \"%s\"", topo->networks[n].name);
	}
}
