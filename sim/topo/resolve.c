/* SPDX-License-Identifier: MIT */
/*
 * Which way is the internet? Nobody writes routes: they follow from the picture.
 *
 * How this works: a flood from the internet outward. Nodes on it are at distance 0;
 * in each round, every node that shares a network with a router settled in the
 * round before is settled one further away, that router being its gateway and that
 * network its uplink:
 *
 *     internet (0) -- carrier (0) -- home router (1) -- pc (2)
 *
 * Two routers that are equally near are a question only the file can answer with
 * `gateway:`; a node that answers waits for the one it names. What the flood never
 * reaches has no way to the internet, which is legal until it has a NAT.
 */
#include <errno.h>
#include <stdlib.h>

#include "topo/loader.h"

static void settle(struct topo *topo, size_t *distance, size_t node, size_t uplink, size_t gateway)
{
	const struct interface *there;
	struct node *n = &topo->nodes[node];

	n->uplink = uplink;
	n->gateway = gateway;
	distance[node] = 0;
	if (gateway == TOPO_NONE)
		return;
	there = topo_interface_on(&topo->nodes[gateway], n->interfaces[uplink].network);
	n->gateway_address = there->addresses[0];
	distance[node] = distance[gateway] + 1;
}

static const struct yaml *gateway_value(const struct loader *loader, size_t node)
{
	return yaml_get(loader->nodes->items[node], "gateway");
}

static void settle_internet(struct loader *loader, size_t *distance)
{
	struct topo *topo = loader->topo;
	size_t i, j;

	for (i = 0; i < topo->node_count; i++)
		for (j = 0; j < topo->nodes[i].interface_count; j++)
			if (topo->nodes[i].interfaces[j].network == topo->internet) {
				settle(topo, distance, i, j, TOPO_NONE);
				if (loader->wanted_gateways[i] != TOPO_NONE)
					mistake(loader->source, gateway_value(loader, i)->span,
						"\"%s\" is on the internet itself and needs no "
						"gateway",
						topo->nodes[i].name);
			}
}

/* The first interface of @node by which it reaches @router directly, or TOPO_NONE. */
static size_t shared_interface(const struct topo *topo, size_t node, size_t router)
{
	size_t j;

	for (j = 0; j < topo->nodes[node].interface_count; j++)
		if (topo_interface_on(&topo->nodes[router],
				      topo->nodes[node].interfaces[j].network))
			return j;
	return TOPO_NONE;
}

/* A candidate: settled at exactly @level, forwarding, and a neighbour. */
static bool is_candidate(const struct topo *topo, const size_t *distance, size_t router,
			 size_t node, size_t level)
{
	return distance[router] == level && topo->nodes[router].router &&
	       shared_interface(topo, node, router) != TOPO_NONE;
}

static void settle_nearest(struct loader *loader, size_t *distance, size_t node, size_t level)
{
	struct topo *topo = loader->topo;
	size_t first = TOPO_NONE, router;
	const struct yaml *key;

	for (router = 0; router < topo->node_count; router++) {
		if (!is_candidate(topo, distance, router, node, level))
			continue;
		if (first == TOPO_NONE) {
			first = router;
			continue;
		}
		key = loader->nodes->keys[node];
		mistake(loader->source, key->span,
			"\"%s\" and \"%s\" are equally near ways from \"%s\" to the internet",
			topo->nodes[first].name, topo->nodes[router].name, key->text);
		remedy(loader->source, "say which with \"gateway: %s\"", topo->nodes[first].name);
		break;
	}
	if (first != TOPO_NONE)
		settle(topo, distance, node, shared_interface(topo, node, first), first);
}

static void settle_wanted(struct loader *loader, size_t *distance, size_t node, size_t level)
{
	size_t gateway = loader->wanted_gateways[node];

	if (is_candidate(loader->topo, distance, gateway, node, level))
		settle(loader->topo, distance, node, shared_interface(loader->topo, node, gateway),
		       gateway);
}

/* Settle everybody one step beyond @level. Nobody settled here counts before the next round. */
static bool flood(struct loader *loader, size_t *distance, size_t level)
{
	bool reached = false;
	size_t i;

	for (i = 0; i < loader->topo->node_count; i++) {
		if (distance[i] != TOPO_NONE) {
			reached |= distance[i] == level;
			continue;
		}
		if (loader->wanted_gateways[i] != TOPO_NONE)
			settle_wanted(loader, distance, i, level);
		else
			settle_nearest(loader, distance, i, level);
	}
	return reached;
}

static void tell_useless_gateway(struct loader *loader, size_t node)
{
	const struct topo *topo = loader->topo;
	size_t gateway = loader->wanted_gateways[node];
	const struct yaml *value = gateway_value(loader, node);
	const char *name = topo->nodes[gateway].name;

	if (shared_interface(topo, node, gateway) == TOPO_NONE)
		mistake(loader->source, value->span, "\"%s\" and \"%s\" share no network",
			topo->nodes[node].name, name);
	else if (!topo->nodes[gateway].router)
		mistake(loader->source, value->span,
			"\"%s\" is no router: it has neither a NAT nor a second interface", name);
	else
		mistake(loader->source, value->span, "\"%s\" has no way to the internet itself",
			name);
}

static void tell_nat_without_outside(struct loader *loader, size_t node)
{
	const struct yaml *key = yaml_get_key(loader->nodes->items[node], "nat");
	const struct topo *topo = loader->topo;

	mistake(loader->source, key->span, "the NAT of \"%s\" has no outside",
		topo->nodes[node].name);
	if (topo->internet == TOPO_NONE)
		remedy(loader->source,
		       "the file has no internet: add a network with type: internet");
	else
		remedy(loader->source,
		       "no interface of it leads towards the internet: give it one there, or on a "
		       "network that has a router");
}

int resolve_uplinks(struct loader *loader)
{
	struct topo *topo = loader->topo;
	AUTO_FREE size_t *distance = calloc(topo->node_count + 1, sizeof(*distance));
	size_t i, level;

	if (!distance)
		return -ENOMEM;
	for (i = 0; i < topo->node_count; i++)
		distance[i] = TOPO_NONE;
	if (topo->internet != TOPO_NONE)
		settle_internet(loader, distance);
	for (level = 0; flood(loader, distance, level); level++)
		continue;
	for (i = 0; i < topo->node_count; i++) {
		if (distance[i] != TOPO_NONE)
			continue;
		if (loader->wanted_gateways[i] != TOPO_NONE)
			tell_useless_gateway(loader, i);
		else if (topo->nodes[i].has_nat)
			tell_nat_without_outside(loader, i);
	}
	return 0;
}
