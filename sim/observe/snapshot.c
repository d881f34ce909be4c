/* SPDX-License-Identifier: MIT */
#include "observe/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nft-rules/ruleset.h"
#include "observe/memstream.h"

/* Printed from the declaration: the same objects that were installed. */
static int rules_text(const struct topo *topo, const struct node *node, char **ret, struct diag *d)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	const struct interface *outside = &node->interfaces[node->uplink];
	AUTO_FREE char *text = NULL;
	struct nat_router router = {
		.nat = &node->nat,
		.outside = topo->networks[outside->network].name,
		.externals = outside->addresses,
		.external_count = outside->address_count,
	};
	size_t size;
	FILE *out;
	int r = ruleset_build(&router, &ruleset, d);

	if (r)
		return r;
	out = open_memstream(&text, &size);
	if (!out)
		return -ENOMEM;
	r = ruleset_print(ruleset, out);
	if (memstream_close(out) != 0)
		r = -ENOMEM;
	if (!r)
		*ret = STEAL(text);
	return r;
}

/* Keep the newest words of @d as the view's problem. */
static int problem_keep(struct router_view *view, const char *what, const struct diag *d, int error)
{
	const char *words = NULL;

	if (error == -ENOMEM)
		return error;
	if (d->count)
		words = d->entries[d->count - 1].message;
	free(view->problem);
	view->problem = NULL;
	if (asprintf(&view->problem, "%s: %s", what, words ? words : strerror(-error)) < 0) {
		view->problem = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* One of @node's own addresses inside, or a group of the link there. */
static bool is_inside_itself(const struct node *node, const struct addr *addr)
{
	const struct interface *interface;
	size_t i;

	if (IN_MULTICAST(ntohl(addr_to_ipv4(addr))))
		return true;
	for (interface = node->interfaces; interface < node->interfaces + node->interface_count;
	     interface++)
		for (i = 0; i < interface->address_count; i++)
			if (interface != &node->interfaces[node->uplink] &&
			    addr_equal(addr, &interface->addresses[i]))
				return true;
	return false;
}

/* What a router says to its own inside (a daemon's business, a ping) is nobody's mapping. */
static void forget_own_talk(const struct node *node, struct router_view *view)
{
	const struct flow *flow;
	size_t i, kept = 0;

	for (i = 0; i < view->flow_count; i++) {
		flow = &view->flows[i];
		if (!is_inside_itself(node, &flow->source.addr) &&
		    !is_inside_itself(node, &flow->destination.addr))
			view->flows[kept++] = *flow;
	}
	view->flow_count = kept;
}

static int view_take(struct lab *lab, const struct topo *topo, bool rules, struct router_view *view)
{
	AUTO_DIAG struct diag d = {0};
	struct netns *netns = lab_netns(lab, view->node);
	int r = conntrack_dump(netns, &view->flows, &view->flow_count, &d);

	if (r)
		r = problem_keep(view, "its table of flows could not be read", &d, r);
	else
		forget_own_talk(&topo->nodes[view->node], view);
	if (r || !rules)
		return r;
	r = rules_text(topo, &topo->nodes[view->node], &view->rules, &d);
	if (r)
		r = problem_keep(view, "its rules could not be printed", &d, r);
	return r;
}

int snapshot_take(struct lab *lab, const struct topo *topo, bool rules, struct router_view **ret,
		  size_t *ret_count)
{
	struct router_view *views;
	size_t n, count = 0;
	int r;

	views = calloc(topo->node_count + 1, sizeof(*views));
	if (!views)
		return -ENOMEM;
	for (n = 0; n < topo->node_count; n++) {
		if (!topo->nodes[n].has_nat)
			continue;
		views[count++].node = n;
		r = view_take(lab, topo, rules, &views[count - 1]);
		if (r) {
			router_views_free(views, count);
			return r;
		}
	}
	*ret = views;
	*ret_count = count;
	return 0;
}
