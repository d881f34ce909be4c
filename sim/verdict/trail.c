/* SPDX-License-Identifier: MIT */
#include "verdict/trail.h"

#include <inttypes.h>

#include "verdict/mapping.h"

static const char *router_name(const struct trail *trail, size_t node)
{
	return trail->topo->nodes[node].name;
}

static int add_flow(const struct trail *trail, const struct peer *self, size_t router,
		    const struct mapping *mapping)
{
	const char *name = router_name(trail, router);
	char text[MAPPING_TEXT_MAX];
	uint64_t out = mapping_counted(mapping->protocol, self->last_sent);
	uint64_t back = mapping_counted(mapping->protocol, self->last_received);
	bool enough = mapping->sent >= out && mapping->received >= back;
	bool bounded = out < self->last_sent || back < self->last_received;

	mapping_format(mapping, text);
	if (!mapping->sent && !mapping->received)
		return proof_add(trail->proof, UNDECIDED, "flow",
				 "%s tracked %s, but its kernel counts no packets "
				 "(net.netfilter.nf_conntrack_acct)",
				 name, text);
	return proof_add(trail->proof, enough ? HELD : BROKEN, "flow",
			 "%s tracked %s: %" PRIu64 " packets out and %" PRIu64 " back%s %" PRIu64
			 " and %" PRIu64 " messages%s",
			 name, text, mapping->sent, mapping->received,
			 enough ? ", enough for" : ", too few for", self->last_sent,
			 self->last_received,
			 bounded ? " (of a busy flow no more is counted for sure)" : "");
}

int trail_follow(const struct trail *trail, const struct peer *self, const struct endpoint *remote,
		 const struct way *way, struct endpoint *ret, bool *ret_known)
{
	struct endpoint inside = self->local;
	const struct router_view *view;
	struct mapping mapping;
	char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];
	size_t i;
	int r;

	*ret_known = false;
	for (i = 0; i < way->count; i++) {
		view = router_view_of(trail->views, trail->view_count, way->routers[i]);
		if (!view || view->problem)
			return proof_add(trail->proof, UNDECIDED, "flow", "%s: %s",
					 router_name(trail, way->routers[i]),
					 view ? view->problem : "its table was not read");
		if (!mapping_find(view, self->protocol, &inside, remote, &mapping))
			return proof_add(trail->proof, BROKEN, "flow",
					 "%s tracked no packets between %s and %s",
					 router_name(trail, way->routers[i]),
					 endpoint_format(&inside, from),
					 endpoint_format(remote, to));
		r = add_flow(trail, self, way->routers[i], &mapping);
		if (r)
			return r;
		inside = mapping.outside;
	}
	*ret_known = true;
	*ret = inside;
	return 0;
}
