/* SPDX-License-Identifier: MIT */
#include "verdict/way.h"

#include <errno.h>
#include <stdlib.h>

static bool interface_has(const struct interface *interface, const struct addr *addr)
{
	size_t i;

	for (i = 0; i < interface->address_count; i++)
		if (addr_equal(&interface->addresses[i], addr))
			return true;
	return false;
}

static bool network_has(const struct topo *topo, size_t network, const struct addr *addr)
{
	const struct interface *interface;
	size_t n;

	for (n = 0; n < topo->node_count; n++) {
		interface = topo_interface_on(&topo->nodes[n], network);
		if (interface && interface_has(interface, addr))
			return true;
	}
	return false;
}

size_t way_owner(const struct topo *topo, const struct addr *addr)
{
	const struct node *node;
	size_t n, i;

	for (n = 0; n < topo->node_count; n++) {
		node = &topo->nodes[n];
		for (i = 0; i < node->interface_count; i++)
			if (interface_has(&node->interfaces[i], addr))
				return n;
	}
	return TOPO_NONE;
}

bool way_translates(const struct node *router)
{
	return router->has_nat && router->nat.kind != NAT_FIREWALL;
}

/* Does @node stand on a network where somebody has @addr? */
static bool sees(const struct topo *topo, const struct node *node, const struct addr *addr)
{
	size_t i;

	for (i = 0; i < node->interface_count; i++)
		if (network_has(topo, node->interfaces[i].network, addr))
			return true;
	return false;
}

static int way_new(const struct topo *topo, struct way *ret)
{
	*ret = (struct way){.routers = calloc(topo->node_count, sizeof(*ret->routers))};
	return ret->routers ? 0 : -ENOMEM;
}

static void way_add(const struct topo *topo, struct way *way, size_t node)
{
	if (topo->nodes[node].has_nat && way->count < topo->node_count)
		way->routers[way->count++] = node;
}

int way_outward(const struct topo *topo, size_t node, const struct addr *to, struct way *ret)
{
	struct way way;
	size_t left = topo->node_count;
	int r = way_new(topo, &way);

	if (r)
		return r;
	while (left-- && !sees(topo, &topo->nodes[node], to)) {
		node = topo->nodes[node].gateway;
		if (node == TOPO_NONE)
			break;
		way_add(topo, &way, node);
	}
	*ret = way;
	return 0;
}

static size_t common_network(const struct node *a, const struct node *b)
{
	size_t i;

	for (i = 0; i < a->interface_count; i++)
		if (topo_interface_on(b, a->interfaces[i].network))
			return a->interfaces[i].network;
	return TOPO_NONE;
}

/*
 * The routers from @node to @last that are left by their outside on the way to @network.
 * @last itself may stand with its inside on @network: then it only passes things on.
 */
static int way_until(const struct topo *topo, size_t node, size_t last, size_t network,
		     struct way *ret)
{
	const struct node *router;
	size_t left = topo->node_count;
	int r = way_new(topo, ret);

	while (!r && left-- && node != last) {
		node = topo->nodes[node].gateway;
		router = &topo->nodes[node];
		if (node != last || (router->uplink != TOPO_NONE &&
				     router->interfaces[router->uplink].network == network))
			way_add(topo, ret, node);
	}
	return r;
}

/* The first node on the way outward from @b that shares a network with @node. */
static bool neighbour(const struct topo *topo, size_t node, size_t b, size_t *ret_node,
		      size_t *ret_network)
{
	size_t left = topo->node_count;

	for (; b != TOPO_NONE && left--; b = topo->nodes[b].gateway) {
		*ret_network = common_network(&topo->nodes[node], &topo->nodes[b]);
		*ret_node = b;
		if (*ret_network != TOPO_NONE)
			return true;
	}
	return false;
}

int way_meeting(const struct topo *topo, size_t a, size_t b, struct meeting *ret)
{
	struct meeting meeting = {.network = TOPO_NONE};
	size_t last_a = a, last_b = b, left = topo->node_count;
	int r;

	while (last_a != TOPO_NONE && left-- &&
	       !neighbour(topo, last_a, b, &last_b, &meeting.network))
		last_a = topo->nodes[last_a].gateway;
	if (meeting.network != TOPO_NONE) {
		r = way_until(topo, a, last_a, meeting.network, &meeting.a);
		if (!r)
			r = way_until(topo, b, last_b, meeting.network, &meeting.b);
		if (r) {
			meeting_clear(&meeting);
			return r;
		}
	}
	*ret = meeting;
	return 0;
}

void meeting_clear(struct meeting *meeting)
{
	free(meeting->a.routers);
	free(meeting->b.routers);
	*meeting = (struct meeting){.network = TOPO_NONE};
}

/* @node itself or the first of its gateways that is on @network; TOPO_NONE: none is. */
static size_t stands_by(const struct topo *topo, size_t node, size_t network)
{
	size_t left = topo->node_count;

	while (node != TOPO_NONE && left-- && !topo_interface_on(&topo->nodes[node], network))
		node = topo->nodes[node].gateway;
	return node;
}

bool way_is_kept_apart(const struct topo *topo, size_t network, size_t a, size_t b)
{
	a = stands_by(topo, a, network);
	b = stands_by(topo, b, network);
	return a != TOPO_NONE && b != TOPO_NONE && a != b && topo_is_kept_apart(topo, network, a) &&
	       topo_is_kept_apart(topo, network, b);
}
