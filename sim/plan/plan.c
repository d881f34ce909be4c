/* SPDX-License-Identifier: MIT */
/*
 * How a picture becomes a lab
 *
 *       internet                 office                    home
 *
 *     node    node            node  node  node         node ---- node
 *       |      |                |    |    |
 *     (internet)              bridge "office"          one veth
 *                             in (switch)
 *
 * Every node is a namespace, and its interfaces are named after their networks.
 *
 * The internet is one more namespace that routes, so that a hop costs a TTL,
 * addresses need not share a subnet, and a packet to an address nobody has vanishes in a
 * blackhole. It speaks from 192.0.0.8 (RFC 7600). A LAN of any number of members but
 * two is a bridge; all bridges share one namespace, which is not the core's, so that
 * what is plugged in there is named after the node and clashes with nothing but
 * itself. A LAN of two is a single veth: a namespace and two links less, and nobody
 * could tell the difference. Isolation is the bridge's, port by port, as in an access point:
 * isolated ports reach those that are not, the routers', and no others.
 *
 * Order. Kernel settings come before links, since a link takes its settings from
 * "default" when it is made. A veth is made from its near end (in the core, the
 * switch, or the node with the lower index), which is up at once; its far end is brought
 * up with the rest of the far node, so near ends come first. Rules come last. A
 * packet that reached a router before them would be nobody's: no program runs in the
 * lab until the whole plan is done, and nothing in it speaks by itself, since IPv6,
 * which would, is off. Conntrack's settings come after the rules, because where it is a
 * module they exist only once a rule has needed it.
 */
#include "plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/builder.h"

static const struct prefix everything = {.addr = {.family = AF_INET}, .len = 0};

static size_t member_count(const struct topo *topo, size_t network)
{
	size_t i, count = 0;

	for (i = 0; i < topo->node_count; i++)
		if (topo_interface_on(&topo->nodes[i], network))
			count++;
	return count;
}

static bool needs_bridge(const struct topo *topo, size_t network)
{
	return topo->networks[network].type == NETWORK_LAN && member_count(topo, network) != 2;
}

static void name_space(struct builder *b, char *name, size_t node)
{
	if (!name && b->error == 0)
		b->error = -ENOMEM;
	if (b->error) {
		free(name);
		return;
	}
	b->plan->spaces[b->plan->space_count++] =
		(struct plan_namespace){.name = name, .node = node};
}

static char *core_name(const struct topo *topo)
{
	char *name;

	return asprintf(&name, "(%s)", topo->networks[topo->internet].name) < 0 ? NULL : name;
}

static void name_spaces(struct builder *b)
{
	const struct topo *topo = b->topo;
	size_t i;

	b->plan->spaces = calloc(topo->node_count + 2, sizeof(*b->plan->spaces));
	if (!b->plan->spaces) {
		b->error = -ENOMEM;
		return;
	}
	for (i = 0; i < topo->node_count; i++)
		name_space(b, strdup(topo->nodes[i].name), i);
	if (topo->internet != TOPO_NONE) {
		b->core = b->plan->space_count;
		name_space(b, core_name(topo), TOPO_NONE);
	}
	for (i = 0; i < topo->network_count && !needs_bridge(topo, i); i++)
		;
	if (i < topo->network_count) {
		b->switching = b->plan->space_count;
		name_space(b, strdup("(switch)"), TOPO_NONE);
	}
}

/*
 * A new namespace takes these from the host's first one, whatever an administrator
 * put there, so they are set also where the kernel's own default would do
 * (devinet_init_net(); IPv6 is different). "all" and "default", since the kernel
 * combines the value of "all" with each link's own.
 */
static void set_up_stack(struct builder *b, size_t space, bool forwards)
{
	add_namespace(b, space);
	/* First: changing it resets some of the others (inet_forward_change()). */
	add_sysctl(b, space, "net/ipv4/ip_forward", forwards ? "1" : "0", false);
	/* The same address may be behind any link; a NAT's filters are the router's rules. */
	add_sysctl(b, space, "net/ipv4/conf/all/rp_filter", "0", false);
	add_sysctl(b, space, "net/ipv4/conf/default/rp_filter", "0", false);
	/* A router that tells its neighbours shortcuts changes the picture. */
	add_sysctl(b, space, "net/ipv4/conf/all/accept_redirects", "0", false);
	add_sysctl(b, space, "net/ipv4/conf/default/accept_redirects", "0", false);
	if (forwards) {
		add_sysctl(b, space, "net/ipv4/conf/all/send_redirects", "0", false);
		add_sysctl(b, space, "net/ipv4/conf/default/send_redirects", "0", false);
	}
	/* A second probe to a closed port deserves the same answer as the first. */
	add_sysctl(b, space, "net/ipv4/icmp_ratelimit", "0", false);
	/* Links must not speak by themselves; absent when IPv6 is not built in. */
	add_sysctl(b, space, "net/ipv6/conf/default/disable_ipv6", "1", true);
}

static void set_up_spaces(struct builder *b)
{
	size_t i;

	for (i = 0; i < b->topo->node_count; i++) {
		set_up_stack(b, i, b->topo->nodes[i].router);
		/* Ping sockets for group 0, the only one that exists for sure when rootless. */
		add_sysctl(b, i, "net/ipv4/ping_group_range", "0 0", false);
	}
	if (b->core != TOPO_NONE)
		set_up_stack(b, b->core, true);
	if (b->switching != TOPO_NONE) {
		set_up_stack(b, b->switching, false);
		/* Bridged packets are nobody's to filter or translate (br_netfilter). */
		add_sysctl(b, b->switching, "net/bridge/bridge-nf-call-iptables", "0", true);
	}
}

static void route_in_core(struct builder *b, size_t node, const struct interface *interface)
{
	const char *name = b->topo->networks[b->topo->internet].name;
	const char *link = near_name_of(b, node, name);
	struct prefix to;
	size_t i;

	for (i = 0; i < interface->address_count; i++) {
		to = (struct prefix){interface->addresses[i], addr_bits(&interface->addresses[i])};
		add_route(b, b->core, &to, NULL, link);
	}
}

static void route_behind(struct builder *b, size_t space, const struct plan_route *routes,
			 size_t count)
{
	const struct plan_route *route;
	const char *device = "";
	size_t i;

	for (i = 0; i < count; i++) {
		route = &routes[i];
		if (route->space != space)
			continue;
		if (space == b->core) /* there a neighbour is a link, not an address in a subnet */
			device = near_name_of(b, route->router,
					      b->topo->networks[b->topo->internet].name);
		add_route(b, space, &route->to, &route->via, device);
	}
}

static void build_core(struct builder *b, const struct plan_route *routes, size_t count)
{
	const struct topo *topo = b->topo;
	const struct interface *interface;
	struct addr own;
	size_t i;

	addr_parse(PLAN_CORE_ADDRESS, &own);
	add_up(b, b->core, "lo");
	add_address(b, b->core, "lo", &own, addr_bits(&own));
	add_route(b, b->core, &everything, NULL, "");
	for (i = 0; i < topo->node_count; i++) {
		interface = topo_interface_on(&topo->nodes[i], topo->internet);
		if (!interface)
			continue;
		add_link(b, b->core, topo->nodes[i].name, "", i,
			 topo->networks[topo->internet].name);
		route_in_core(b, i, interface);
	}
	route_behind(b, b->core, routes, count);
}

static void build_switch(struct builder *b)
{
	const struct topo *topo = b->topo;
	const char *name;
	size_t i, n;

	for (i = 0; i < topo->network_count; i++) /* first: they get the names they want */
		if (needs_bridge(topo, i))
			add_bridge(b, b->switching, topo->networks[i].name);
	for (i = 0; i < topo->network_count; i++) {
		if (!needs_bridge(topo, i))
			continue;
		name = topo->networks[i].name;
		for (n = 0; n < topo->node_count; n++) {
			if (!topo_interface_on(&topo->nodes[n], i))
				continue;
			add_link(b, b->switching, topo->nodes[n].name, name, n, name);
			if (topo_is_kept_apart(topo, i, n))
				isolate_link(b);
		}
	}
}

/* The direct veths of which @node is the near end: those to nodes after it. */
static void link_directly(struct builder *b, size_t node)
{
	const struct topo *topo = b->topo;
	const struct interface *interface;
	const char *name;
	size_t i, far;

	for (i = 0; i < topo->nodes[node].interface_count; i++) {
		interface = &topo->nodes[node].interfaces[i];
		if (topo->networks[interface->network].type != NETWORK_LAN ||
		    needs_bridge(topo, interface->network))
			continue;
		name = topo->networks[interface->network].name;
		for (far = node + 1; far < topo->node_count; far++)
			if (topo_interface_on(&topo->nodes[far], interface->network))
				add_link(b, node, name, "", far, name);
	}
}

static void address_interface(struct builder *b, size_t node, const struct interface *interface)
{
	const struct network *network = &b->topo->networks[interface->network];
	const struct addr *addr;
	size_t i;

	for (i = 0; i < interface->address_count; i++) {
		addr = &interface->addresses[i];
		add_address(b, node, network->name, addr,
			    network->type == NETWORK_LAN ? network->subnet.len : addr_bits(addr));
	}
}

static void route_out(struct builder *b, size_t index)
{
	const struct node *node = &b->topo->nodes[index];
	struct addr core;

	if (node->uplink == TOPO_NONE)
		return;
	if (node->gateway != TOPO_NONE) {
		add_route(b, index, &everything, &node->gateway_address, "");
		return;
	}
	addr_parse(PLAN_CORE_ADDRESS, &core);
	add_route(b, index, &everything, &core,
		  b->topo->networks[node->interfaces[node->uplink].network].name);
}

static void build_node(struct builder *b, size_t index, const struct plan_route *routes,
		       size_t count)
{
	const struct node *node = &b->topo->nodes[index];
	size_t i;

	link_directly(b, index);
	add_up(b, index, "lo");
	for (i = 0; i < node->interface_count; i++) {
		add_up(b, index, b->topo->networks[node->interfaces[i].network].name);
		address_interface(b, index, &node->interfaces[i]);
	}
	route_out(b, index);
	route_behind(b, index, routes, count);
}

static void set_rules(struct builder *b, size_t index)
{
	const struct node *node = &b->topo->nodes[index];
	struct nat_sysctl timers[NAT_SYSCTLS_MAX];
	size_t i, count;

	if (!node->has_nat || node->uplink == TOPO_NONE)
		return;
	add_rules(b, index, node, b->topo->networks[node->interfaces[node->uplink].network].name);
	/* Packets counted per flow are evidence that a verdict stands on. */
	add_sysctl(b, index, "net/netfilter/nf_conntrack_acct", "1", false);
	count = nat_sysctls(&node->nat, timers);
	for (i = 0; i < count; i++)
		add_sysctl(b, index, timers[i].key, timers[i].value, false);
}

static void build(struct builder *b)
{
	AUTO_FREE struct plan_route *routes = NULL;
	size_t i, count = 0;

	name_spaces(b);
	if (b->error == 0)
		b->error = plan_routes(b, &routes, &count);
	if (b->error)
		return;
	set_up_spaces(b);
	if (b->core != TOPO_NONE)
		build_core(b, routes, count);
	if (b->switching != TOPO_NONE)
		build_switch(b);
	for (i = 0; i < b->topo->node_count; i++)
		build_node(b, i, routes, count);
	for (i = 0; i < b->topo->node_count; i++)
		set_rules(b, i);
}

int plan_make(const struct topo *topo, struct plan **ret)
{
	CLEANUP(plan_free_cleanup) struct plan *plan = calloc(1, sizeof(*plan));
	struct builder b = {.topo = topo, .plan = plan, .core = TOPO_NONE, .switching = TOPO_NONE};

	if (!plan)
		return -ENOMEM;
	build(&b);
	if (b.error)
		return b.error;
	*ret = STEAL(plan);
	return 0;
}

void plan_free(struct plan *plan)
{
	size_t i;

	if (!plan)
		return;
	for (i = 0; i < plan->space_count; i++)
		free(plan->spaces[i].name);
	free(plan->spaces);
	free(plan->steps);
	free(plan);
}

size_t plan_space_of(const struct plan *plan, size_t node)
{
	(void)plan; /* nodes come first, in the model's order */
	return node;
}
