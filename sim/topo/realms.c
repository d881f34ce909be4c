/* SPDX-License-Identifier: MIT */
/*
 * Who sees whose addresses? Networks that routers join without translating form a
 * realm, in which an address must mean one host. Between realms stands a NAT, and
 * the same private subnet on both sides is what real homes look like (RFC 5128
 * section 3.3.2: a private address may well belong to an unrelated host).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "topo/loader.h"

/* The representative of @network's realm. */
static size_t realm_of(const size_t *parents, size_t network)
{
	while (parents[network] != network)
		network = parents[network];
	return network;
}

/* Whether @node translates what crosses between interface @i and its others. */
static bool translates(const struct node *node, size_t i)
{
	return node->has_nat && node->nat.kind != NAT_FIREWALL && node->uplink == i;
}

static void join_realms(const struct topo *topo, size_t *parents)
{
	const struct node *node;
	size_t i, first;

	for (i = 0; i < topo->network_count; i++)
		parents[i] = i;
	for (node = topo->nodes; node < topo->nodes + topo->node_count; node++) {
		first = TOPO_NONE;
		for (i = 0; i < node->interface_count; i++) {
			if (translates(node, i))
				continue;
			if (first == TOPO_NONE)
				first = realm_of(parents, node->interfaces[i].network);
			else
				parents[realm_of(parents, node->interfaces[i].network)] = first;
		}
	}
}

static const struct yaml *subnet_value(const struct loader *loader, size_t network)
{
	return yaml_get(loader->networks->items[network], "subnet");
}

/* A router that is on both networks could not tell them apart, whatever it translates. */
static const struct node *shared_node(const struct topo *topo, size_t a, size_t b)
{
	const struct node *node;

	for (node = topo->nodes; node < topo->nodes + topo->node_count; node++)
		if (topo_interface_on(node, a) && topo_interface_on(node, b))
			return node;
	return NULL;
}

static void check_pair(struct loader *loader, const size_t *parents, size_t a, size_t b)
{
	const struct topo *topo = loader->topo;
	const struct network *first = &topo->networks[a], *second = &topo->networks[b];
	const struct node *shared;
	char text[PREFIX_TEXT_MAX];

	if (!prefix_overlap(&first->subnet, &second->subnet))
		return;
	shared = shared_node(topo, a, b);
	if (!shared && realm_of(parents, a) != realm_of(parents, b))
		return;
	mistake(loader->source, subnet_value(loader, b)->span,
		"the subnet of \"%s\" overlaps that of \"%s\" (%s, line %u)", second->name,
		first->name, prefix_format(&first->subnet, text), first->place.line);
	if (shared)
		remedy(loader->source, "\"%s\" is on both and could not tell them apart",
		       shared->name);
	else
		remedy(loader->source, "networks may use the same addresses only if every way "
				       "between them passes a "
				       "translating NAT");
}

/* Addresses on the internet that fall into a LAN's subnet. */
static void check_internet(struct loader *loader, const size_t *parents, size_t lan)
{
	const struct topo *topo = loader->topo;
	const struct network *network = &topo->networks[lan];
	const struct interface *there;
	char text[ADDR_TEXT_MAX];
	size_t i, j;

	for (i = 0; i < topo->node_count; i++) {
		there = topo_interface_on(&topo->nodes[i], topo->internet);
		for (j = 0; there && j < there->address_count; j++) {
			if (!prefix_contains(&network->subnet, &there->addresses[j]))
				continue;
			addr_format(&there->addresses[j], text);
			if (realm_of(parents, lan) == realm_of(parents, topo->internet))
				mistake(loader->source, subnet_value(loader, lan)->span,
					"the subnet of \"%s\" overlaps %s, which \"%s\" has on the "
					"internet (line %u)",
					network->name, text, topo->nodes[i].name,
					there->place.line);
			else
				doubt(loader->source, subnet_value(loader, lan)->span,
				      "hosts on \"%s\" cannot reach \"%s\": its address %s is in "
				      "their "
				      "own subnet",
				      network->name, topo->nodes[i].name, text);
			return;
		}
	}
}

static bool is_private(const struct prefix *subnet)
{
	static const char *const blocks[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
					     "100.64.0.0/10"};
	struct prefix block;
	size_t i;

	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (prefix_parse(blocks[i], &block) && prefix_overlap(&block, subnet))
			return true;
	return false;
}

/* Private addresses that meet the internet untranslated: the router's NAT was forgotten. */
static void check_private(struct loader *loader, const size_t *parents, size_t lan)
{
	const struct topo *topo = loader->topo;

	if (!is_private(&topo->networks[lan].subnet) ||
	    realm_of(parents, lan) != realm_of(parents, topo->internet))
		return;
	doubt(loader->source, subnet_value(loader, lan)->span,
	      "the private addresses of \"%s\" meet the internet untranslated",
	      topo->networks[lan].name);
	remedy(loader->source, "no router on the way translates them: is a \"nat:\" missing?");
}

int check_realms(struct loader *loader)
{
	const struct topo *topo = loader->topo;
	AUTO_FREE size_t *parents = calloc(topo->network_count + 1, sizeof(*parents));
	size_t a, b;

	if (!parents)
		return -ENOMEM;
	join_realms(topo, parents);
	for (b = 0; b < topo->network_count; b++) {
		if (topo->networks[b].type != NETWORK_LAN)
			continue;
		for (a = 0; a < b; a++)
			if (topo->networks[a].type == NETWORK_LAN)
				check_pair(loader, parents, a, b);
		if (topo->internet == TOPO_NONE)
			continue;
		check_internet(loader, parents, b);
		check_private(loader, parents, b);
	}
	return 0;
}
