/* SPDX-License-Identifier: MIT */
/*
 * How a relayed path is proven, and that there was none.
 *
 *     a --[router1]--> relay <--[router2]-- b        and nothing between a and b
 *
 *   report  both say "relayed" and how, and each counted what the other sent
 *   relay   the endpoints they name as the relay's are those of the node that the file gave them
 *           as relay, which is neither of the two
 *   flow    every NAT on the way to it tracked packets both ways, as many as messages
 *   direct  no router saw traffic both ways between the two, as much as messages: what was said
 *           to be relayed would have gone there
 *
 * A peer without a NAT is not counted by anybody; one that has one is enough, because what the
 * other sends comes through it.
 *
 * That no relay was found proves nothing about NATs; but both must say so, and have asked one:
 * a NAT on the way tracked it, unless UDP does not pass there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "verdict/mapping.h"
#include "verdict/pair.h"
#include "verdict/proof.h"
#include "verdict/theory.h"
#include "verdict/trail.h"
#include "verdict/way.h"

struct scene {
	struct trail trail; /* what all parts need, too */
	struct pair pair;
	struct meeting meeting;
	const struct router_view *before; /* tables from before the two began */
	size_t before_count;
};

static const char *node_name(const struct scene *scene, size_t node)
{
	return node == TOPO_NONE ? "nobody" : scene->trail.topo->nodes[node].name;
}

/* --- report ------------------------------------------------------------------- */

static int prove_report(const struct scene *scene, bool *ret)
{
	const struct peer *a = &scene->pair.a, *b = &scene->pair.b;
	struct proof *proof = scene->trail.proof;
	const char *how_a = pair_text(a, "technique");

	*ret = false;
	if (!scene->pair.complete)
		return proof_add(proof, UNDECIDED, "report",
				 "no single other program takes part in %s's session", a->name);
	if (strcmp(b->path, "relayed") != 0)
		return proof_add(proof, BROKEN, "report",
				 "%s reports a relayed path, but %s reports %s%s%s", a->name,
				 b->name, b->path[0] ? "\"" : "", b->path[0] ? b->path : "nothing",
				 b->path[0] ? "\"" : "");
	if (!how_a[0] || strcmp(how_a, pair_text(b, "technique")) != 0)
		return proof_add(proof, BROKEN, "report",
				 "%s says it was relayed by \"%s\", %s by \"%s\"", a->name, how_a,
				 b->name, pair_text(b, "technique"));
	if (a->sent != b->received || b->sent != a->received || !a->received || !b->received)
		return proof_add(proof, BROKEN, "report",
				 "the payload counts do not match: %s sent %" PRIu64
				 " and received %" PRIu64 " messages, %s sent %" PRIu64
				 " and received %" PRIu64,
				 a->name, a->sent, a->received, b->name, b->sent, b->received);
	*ret = true;
	return proof_add(proof, HELD, "report",
			 "both peers report a path relayed by \"%s\"; %" PRIu64
			 " messages reached %s from %s, and %" PRIu64 " came back",
			 how_a, b->received, b->name, a->name, a->received);
}

/* --- relay ---------------------------------------------------------------------- */

/* The node that "HOST[:PORT]" names, by its own name or an address. */
static size_t node_of(const struct topo *topo, const char *text)
{
	char host[64];
	struct addr addr;
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : strlen(text);

	if (length == 0 || length >= sizeof(host))
		return TOPO_NONE;
	memcpy(host, text, length);
	host[length] = '\0';
	return addr_parse(host, &addr) ? way_owner(topo, &addr) : topo_find_node(topo, host);
}

/* The node that the file gives @self, or if not @self its peer, as the relay of its technique. */
static size_t declared_relay(const struct scene *scene, const struct peer *self,
			     const struct peer *other)
{
	const char *option =
		strcmp(pair_text(self, "technique"), "turn") == 0 ? "turn" : "rendezvous";
	const char *value = pair_option(scene->trail.topo, self, option);

	if (!value[0])
		value = pair_option(scene->trail.topo, other, option);
	return node_of(scene->trail.topo, value);
}

/* Whose own server refused may be relayed by the other's. */
static bool may_relay(const struct scene *scene, size_t node, const struct peer *self,
		      const struct peer *other)
{
	return node != TOPO_NONE && (node == declared_relay(scene, self, other) ||
				     node == declared_relay(scene, other, self));
}

static int prove_relay(const struct scene *scene, const struct peer *self, const struct peer *other)
{
	struct endpoint relay = pair_endpoint(self, "relay");
	size_t declared = declared_relay(scene, self, other);
	size_t owner = way_owner(scene->trail.topo, &relay.addr);
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(&relay, text);
	if (!may_relay(scene, owner, self, other))
		return proof_add(scene->trail.proof, BROKEN, "relay",
				 "%s says it was relayed by %s, an address of %s's, but its relay "
				 "is %s",
				 self->name, addr_bits(&relay.addr) ? text : "no endpoint",
				 node_name(scene, owner), node_name(scene, declared));
	if (owner == self->node || owner == other->node)
		return proof_add(scene->trail.proof, BROKEN, "relay",
				 "%s was relayed by %s, which is one of the two", self->name,
				 node_name(scene, owner));
	return proof_add(scene->trail.proof, HELD, "relay",
			 "%s was relayed by %s, an address of %s's, the relay it was given",
			 self->name, text, node_name(scene, owner));
}

/* --- flow ----------------------------------------------------------------------- */

static int prove_flow(const struct scene *scene, const struct peer *self)
{
	struct endpoint relay = pair_endpoint(self, "relay");
	struct endpoint outermost;
	struct way way = {0};
	bool known;
	int r = way_outward(scene->trail.topo, self->node, &relay.addr, &way);

	if (!r && way.count > 0)
		r = trail_follow(&scene->trail, self, &relay, &way, &outermost, &known);
	else if (!r)
		r = proof_add(scene->trail.proof, HELD, "flow",
			      "no NAT stands before %s that could count", self->name);
	free(way.routers);
	return r;
}

/* --- direct ---------------------------------------------------------------------- */

static bool node_has(const struct topo *topo, size_t node, const struct addr *addr)
{
	return way_owner(topo, addr) == node;
}

/* Is @addr one under which @self is known: its own, or that of a router before it? */
static bool stands_for(const struct scene *scene, const struct peer *self, const struct way *way,
		       const struct addr *addr)
{
	size_t i;

	if (node_has(scene->trail.topo, self->node, addr))
		return true;
	for (i = 0; i < way->count; i++)
		if (node_has(scene->trail.topo, way->routers[i], addr))
			return true;
	return false;
}

/* What of @flow's packets is new since the two began: they may have talked directly before. */
static void forget_before(const struct router_view *before, struct mapping *flow)
{
	struct mapping old;

	/* Fewer than before: it had been forgotten, and is another one. */
	if (!before || !mapping_find(before, flow->protocol, &flow->inside, &flow->remote, &old) ||
	    flow->sent < old.sent || flow->received < old.received)
		return;
	flow->sent -= old.sent;
	flow->received -= old.received;
}

/* What the routers of @way counted between @self and whatever stands for the @other. */
static void count_direct(const struct scene *scene, const struct peer *self, const struct way *way,
			 const struct peer *other, const struct way *other_way, uint64_t *ret_sent,
			 uint64_t *ret_received)
{
	/* The nearest one sees the peer's own address. */
	const struct router_view *view =
		router_view_of(scene->trail.views, scene->trail.view_count, way->routers[0]);
	const struct router_view *before =
		router_view_of(scene->before, scene->before_count, way->routers[0]);
	struct mapping mapping;
	size_t i;

	*ret_sent = *ret_received = 0;
	for (i = 0; view && !view->problem && i < view->flow_count; i++) {
		mapping = mapping_of(&view->flows[i]);
		forget_before(before, &mapping);
		if (!node_has(scene->trail.topo, self->node, &mapping.inside.addr) ||
		    !stands_for(scene, other, other_way, &mapping.remote.addr) || !mapping.sent ||
		    !mapping.received)
			continue; /* what was never answered carried nothing */
		*ret_sent += mapping.sent;
		*ret_received += mapping.received;
	}
}

static int prove_nothing_direct(const struct scene *scene, const struct peer *self,
				const struct way *way, const struct peer *other,
				const struct way *other_way)
{
	uint64_t sent, received;
	bool enough;

	if (!way->count)
		return 0;
	count_direct(scene, self, way, other, other_way, &sent, &received);
	enough = sent >= mapping_counted(self->protocol, self->sent) &&
		 received >= mapping_counted(self->protocol, self->received);
	return proof_add(scene->trail.proof, enough ? BROKEN : HELD, "direct",
			 "%s tracked %" PRIu64 " packets from %s to %s and %" PRIu64
			 " back without the relay%s",
			 node_name(scene, way->routers[0]), sent, self->name, other->name, received,
			 enough ? ", enough for the messages" : "");
}

static int prove_direct(const struct scene *scene)
{
	const struct peer *a = &scene->pair.a, *b = &scene->pair.b;
	const struct way *way_a = &scene->meeting.a, *way_b = &scene->meeting.b;
	int r;

	if (!way_a->count && !way_b->count)
		return proof_add(scene->trail.proof, UNDECIDED, "direct",
				 "no NAT stands between %s and %s that would have seen them talk "
				 "without the relay",
				 a->name, b->name);
	r = prove_nothing_direct(scene, a, way_a, b, way_b);
	return r ? r : prove_nothing_direct(scene, b, way_b, a, way_a);
}

/* --- none ------------------------------------------------------------------------ */

/* Was a relay asked? */
static int prove_asked(const struct scene *scene, const struct peer *self)
{
	struct endpoint relay = pair_endpoint(self, "relay");
	const struct router_view *view;
	struct mapping mapping;
	struct way way = {0};
	char text[ENDPOINT_TEXT_MAX];
	bool blocked, found;
	int r = way_outward(scene->trail.topo, self->node, &relay.addr, &way);

	if (r)
		return r;
	endpoint_format(&relay, text);
	blocked = theory_side(scene->trail.topo, &way).blocked;
	view = way.count
		       ? router_view_of(scene->trail.views, scene->trail.view_count, way.routers[0])
		       : NULL;
	found = view && mapping_find(view, self->protocol, &self->local, &relay, &mapping);
	free(way.routers);
	if (blocked)
		return proof_add(scene->trail.proof, HELD, "asked",
				 "%s could not ask %s: UDP does not pass before it", self->name,
				 text);
	if (found)
		return proof_add(scene->trail.proof, HELD, "asked",
				 "%s asked %s: %s tracked %" PRIu64 " packets out, %" PRIu64
				 " back; it says: %s",
				 self->name, text, node_name(scene, view->node), mapping.sent,
				 mapping.received, self->reason);
	return proof_add(scene->trail.proof, UNDECIDED, "asked",
			 "nothing shows that %s asked %s; it says: %s", self->name, text,
			 self->reason);
}

static int prove_none(const struct scene *scene)
{
	const struct peer *a = &scene->pair.a, *b = &scene->pair.b;
	int r;

	if (!scene->pair.complete)
		return proof_add(scene->trail.proof, UNDECIDED, "report",
				 "no single other program takes part in %s's session", a->name);
	if (strcmp(b->path, "none") != 0)
		return proof_add(scene->trail.proof, BROKEN, "report",
				 "%s reports no path, but %s reports %s%s%s", a->name, b->name,
				 b->path[0] ? "\"" : "", b->path[0] ? b->path : "nothing",
				 b->path[0] ? "\"" : "");
	r = proof_add(scene->trail.proof, HELD, "report",
		      "both peers report that nobody relayed for them");
	if (!r)
		r = prove_asked(scene, a);
	return r ? r : prove_asked(scene, b);
}

/* --- all ------------------------------------------------------------------------- */

static int scene_make(const struct topo *topo, const struct timeline *timeline,
		      const struct run *run, struct proof *proof, struct scene *ret)
{
	*ret = (struct scene){
		.trail = {.topo = topo, .proof = proof},
		.pair = pair_of(topo, timeline, run),
		.meeting = {.network = TOPO_NONE},
	};
	pair_tables(timeline, &ret->pair, &ret->trail.views, &ret->trail.view_count);
	pair_tables_before(timeline, &ret->pair, &ret->before, &ret->before_count);
	return ret->pair.complete
		       ? way_meeting(topo, ret->pair.a.node, ret->pair.b.node, &ret->meeting)
		       : 0;
}

static int prove_relayed(const struct scene *scene)
{
	const struct peer *a = &scene->pair.a, *b = &scene->pair.b;
	bool reported;
	int r = prove_report(scene, &reported);

	if (r || !reported)
		return r;
	r = prove_relay(scene, a, b);
	if (!r)
		r = prove_relay(scene, b, a);
	if (!r)
		r = prove_flow(scene, a);
	if (!r)
		r = prove_flow(scene, b);
	return r ? r : prove_direct(scene);
}

int proof_relayed(const struct topo *topo, const struct timeline *timeline, const struct run *run,
		  struct proof *proof)
{
	struct scene scene;
	int r = scene_make(topo, timeline, run, proof, &scene);

	if (!r)
		r = prove_relayed(&scene);
	meeting_clear(&scene.meeting);
	return r;
}

int proof_none_relayed(const struct topo *topo, const struct timeline *timeline,
		       const struct run *run, struct proof *proof)
{
	struct scene scene;
	int r = scene_make(topo, timeline, run, proof, &scene);

	if (!r)
		r = prove_none(&scene);
	meeting_clear(&scene.meeting);
	return r;
}
