/* SPDX-License-Identifier: MIT */
/*
 * Who needs a route that is not its default route
 *
 * A LAN behind a router that does not translate (a plain router, a firewall) can be
 * addressed from outside, so the nodes on the router's other networks need to know
 * that this router leads there; and the nodes one router further, and so on. Seen
 * from one LAN this is a breadth-first walk away from it:
 *
 *     LAN <- router -> network -> its nodes get "to LAN via router"
 *                      network <- router -> network -> its nodes get ...
 *
 * The walk does not cross a translating router from its inside to its uplink: what
 * is behind it is hidden, which is its purpose. It ends at the internet: there the core
 * learns the way, and everybody else's default route leads to the core.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "plan/builder.h"

struct walk {
	const struct builder *b;
	size_t lan; /* where it started */
	bool *networks_seen;
	bool *nodes_done; /* attached, or already told */
	size_t *queue;    /* networks */
	size_t head, tail;
	struct plan_route *routes;
	size_t count, room;
};

bool plan_translates(const struct node *node)
{
	return node->has_nat && node->nat.kind != NAT_FIREWALL;
}

static int add(struct walk *walk, size_t space, size_t router, const struct addr *via)
{
	size_t room = walk->room ? 2 * walk->room : 16;
	struct plan_route *routes;

	if (walk->count == walk->room) {
		routes = reallocarray(walk->routes, room, sizeof(*routes));
		if (!routes)
			return -ENOMEM;
		walk->routes = routes;
		walk->room = room;
	}
	walk->routes[walk->count++] = (struct plan_route){
		.space = space,
		.to = prefix_network(&walk->b->topo->networks[walk->lan].subnet),
		.via = *via,
		.router = router,
	};
	return 0;
}

/* Everybody on @network learns that the LAN is behind @via, unless they know better. */
static int tell(struct walk *walk, size_t network, size_t router, const struct addr *via)
{
	const struct topo *topo = walk->b->topo;
	const struct node *node;
	size_t i;
	int r = 0;

	if (network == topo->internet)
		return add(walk, walk->b->core, router, via);
	for (i = 0; r == 0 && i < topo->node_count; i++) {
		node = &topo->nodes[i];
		if (walk->nodes_done[i] || !topo_interface_on(node, network))
			continue;
		walk->nodes_done[i] = true;
		if (node->gateway == TOPO_NONE || !addr_equal(&node->gateway_address, via))
			r = add(walk, plan_space_of(walk->b->plan, i), router, via);
	}
	return r;
}

/* Go on from @network through @router to its other networks. */
static int cross(struct walk *walk, size_t network, size_t index)
{
	const struct node *router = &walk->b->topo->nodes[index];
	const struct interface *interface;
	size_t i;
	int r;

	for (i = 0; i < router->interface_count; i++) {
		interface = &router->interfaces[i];
		if (interface->network == network || walk->networks_seen[interface->network])
			continue;
		if (plan_translates(router) && router->uplink == i)
			continue;
		walk->networks_seen[interface->network] = true;
		r = tell(walk, interface->network, index, &interface->addresses[0]);
		if (r < 0)
			return r;
		if (interface->network != walk->b->topo->internet)
			walk->queue[walk->tail++] = interface->network;
	}
	return 0;
}

static int walk_from(struct walk *walk, size_t lan)
{
	const struct topo *topo = walk->b->topo;
	size_t i, network;
	int r = 0;

	walk->lan = lan;
	for (i = 0; i < topo->network_count; i++)
		walk->networks_seen[i] = i == lan;
	for (i = 0; i < topo->node_count; i++)
		walk->nodes_done[i] = topo_interface_on(&topo->nodes[i], lan) != NULL;
	walk->head = 0;
	walk->tail = 0;
	walk->queue[walk->tail++] = lan;
	while (r == 0 && walk->head < walk->tail) {
		network = walk->queue[walk->head++];
		for (i = 0; r == 0 && i < topo->node_count; i++)
			if (topo->nodes[i].router && topo_interface_on(&topo->nodes[i], network))
				r = cross(walk, network, i);
	}
	return r;
}

int plan_routes(const struct builder *b, struct plan_route **ret, size_t *ret_count)
{
	AUTO_FREE bool *networks_seen = calloc(b->topo->network_count + 1, sizeof(bool));
	AUTO_FREE bool *nodes_done = calloc(b->topo->node_count + 1, sizeof(bool));
	AUTO_FREE size_t *queue = calloc(b->topo->network_count + 1, sizeof(size_t));
	struct walk walk = {
		.b = b, .networks_seen = networks_seen, .nodes_done = nodes_done, .queue = queue};
	int r = networks_seen && nodes_done && queue ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; r == 0 && i < b->topo->network_count; i++)
		if (b->topo->networks[i].type == NETWORK_LAN)
			r = walk_from(&walk, i);
	if (r < 0) {
		free(walk.routes);
		return r;
	}
	*ret = walk.routes;
	*ret_count = walk.count;
	return 0;
}
