/* SPDX-License-Identifier: MIT */
/*
 * How the absence of a path is proven for serverless traversal by ICMP (agents/icmp/knock.c).
 *
 * That nothing arrived is weak evidence, as in proof_none.c; so the kernel of the listener's
 * NAT must have seen the pings, and what the routers declare must explain the failure. One of
 * these does (RFC 5508 REQ-4 and REQ-5; the identifiers are RFC 4787's ports):
 *
 *   - the two peers ping, and quote, different addresses
 *   - a caller's NAT drops an ICMP error that belongs to no flow of its own, or lets it out with
 *     its private source, to which the listener's answer goes astray
 *   - a listener's NAT changes the echo's identifier, so that the quotation matches no mapping
 *   - a listener's NAT lets no ICMP errors in
 *   - a NAT on either side does not keep the UDP port that both agreed on
 *
 * If none does, nothing is proven: undecided.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "verdict/mapping.h"
#include "verdict/pair.h"
#include "verdict/proof.h"
#include "verdict/way.h"

static const char *option_of(const struct topo *topo, const struct peer *peer, const char *name)
{
	const struct program *program = &topo->steps[peer->run->step].programs[peer->run->index];
	size_t i;

	for (i = 0; i < program->option_count; i++)
		if (strcmp(program->options[i].name, name) == 0)
			return program->options[i].value;
	return NULL;
}

struct scene {
	const struct topo *topo;
	const struct router_view *views;
	size_t view_count;
	struct peer listener, caller;
	struct way listener_way, caller_way;
	struct proof *proof;
};

static const struct node *router_of(const struct scene *scene, const struct way *way, size_t i)
{
	return &scene->topo->nodes[way->routers[i]];
}

/* Where the agent pings, as its result or its options tell; the default is the agent's own. */
static struct addr target_of(const struct scene *scene, const struct peer *peer)
{
	const char *text = option_of(scene->topo, peer, "target");
	struct addr target = {0};

	(void)addr_parse(text ? text : "3.3.3.3", &target);
	return target;
}

/* The nearest NAT tracked the listener's echo requests. */
static int prove_tried(const struct scene *scene)
{
	const struct peer *listener = &scene->listener;
	struct addr target = target_of(scene, listener);
	const struct router_view *view;
	struct mapping mapping;
	char text[ADDR_TEXT_MAX];
	size_t i;

	if (!scene->listener_way.count)
		return proof_add(scene->proof, UNDECIDED, "tried",
				 "%s has no NAT before it that could hold a mapping",
				 listener->name);
	view = router_view_of(scene->views, scene->view_count, scene->listener_way.routers[0]);
	for (i = 0; view && i < view->flow_count; i++) {
		mapping = mapping_of(&view->flows[i]);
		if (mapping.protocol == IPPROTO_ICMP &&
		    addr_equal(&mapping.inside.addr, &listener->local.addr) &&
		    addr_equal(&mapping.remote.addr, &target))
			return proof_add(scene->proof, HELD, "tried",
					 "%s tracked %" PRIu64 " pings of %s to %s, and none was "
					 "answered",
					 router_of(scene, &scene->listener_way, 0)->name,
					 mapping.sent, listener->name, addr_format(&target, text));
	}
	return proof_add(scene->proof, UNDECIDED, "tried", "%s tracked no ping of %s to %s",
			 router_of(scene, &scene->listener_way, 0)->name, listener->name,
			 addr_format(&target, text));
}

static bool keeps_ports(const struct nat *nat)
{
	return nat->kind != NAT_TRANSLATE || nat->ports.allocation == PORTS_PRESERVING;
}

static int explain_targets(const struct scene *scene, bool *ret)
{
	struct addr pinged = target_of(scene, &scene->listener);
	struct addr quoted = target_of(scene, &scene->caller);
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];

	if (addr_equal(&pinged, &quoted))
		return 0;
	*ret = true;
	return proof_add(scene->proof, HELD, "theory",
			 "%s pings %s, but %s quotes a ping to %s: no mapping is meant by it",
			 scene->listener.name, addr_format(&pinged, a), scene->caller.name,
			 addr_format(&quoted, b));
}

static int explain_caller(const struct scene *scene, const struct node *router, bool *ret)
{
	const struct nat *nat = &router->nat;
	bool leaks = nat->kind == NAT_MASQUERADE || nat->icmp.unmatched == UNMATCHED_LEAKED;

	if (nat->kind == NAT_CUSTOM || nat->kind == NAT_FIREWALL)
		return 0; /* not declared; or nothing to translate */
	if (!leaks && nat->icmp.unmatched == UNMATCHED_TRANSLATED)
		return 0;
	*ret = true;
	if (leaks)
		return proof_add(scene->proof, HELD, "theory",
				 "%s lets %s's ICMP error out with its private source (unmatched: "
				 "leaked), so %s does not learn where %s is",
				 router->name, scene->caller.name, scene->listener.name,
				 scene->caller.name);
	return proof_add(scene->proof, HELD, "theory",
			 "%s drops %s's ICMP error, which belongs to no flow (unmatched: dropped, "
			 "RFC 5508 REQ-5)",
			 router->name, scene->caller.name);
}

static int explain_listener(const struct scene *scene, const struct node *router, bool *ret)
{
	if (router->nat.kind == NAT_CUSTOM)
		return 0;
	if (router->nat.icmp.errors_blocked) {
		*ret = true;
		return proof_add(scene->proof, HELD, "theory",
				 "%s lets no ICMP error in (errors: blocked)", router->name);
	}
	if (keeps_ports(&router->nat))
		return 0;
	*ret = true;
	return proof_add(scene->proof, HELD, "theory",
			 "%s changes the identifier of %s's pings (%s ports), so %s's quotation "
			 "matches no mapping",
			 router->name, scene->listener.name,
			 nat_allocation_name(router->nat.ports.allocation), scene->caller.name);
}

/* The caller's UDP port; that the listener's changes has been told with its identifiers. */
static int explain_port(const struct scene *scene, const struct node *router, bool *ret)
{
	if (router->nat.kind == NAT_CUSTOM || keeps_ports(&router->nat))
		return 0;
	*ret = true;
	return proof_add(scene->proof, HELD, "theory",
			 "%s does not keep %s's UDP port (%s ports), which %s would have to know",
			 router->name, scene->caller.name,
			 nat_allocation_name(router->nat.ports.allocation), scene->listener.name);
}

typedef int (*explain_fn)(const struct scene *scene, const struct node *router, bool *ret);

static int explain_way(const struct scene *scene, const struct way *way, explain_fn explain,
		       bool *ret)
{
	size_t i;
	int r = 0;

	for (i = 0; i < way->count && !r; i++)
		r = explain(scene, router_of(scene, way, i), ret);
	return r;
}

static int prove(const struct scene *scene)
{
	bool explained = false;
	int r = prove_tried(scene);

	if (!r)
		r = explain_targets(scene, &explained);
	if (!r)
		r = explain_way(scene, &scene->listener_way, explain_listener, &explained);
	if (!r)
		r = explain_way(scene, &scene->caller_way, explain_caller, &explained);
	if (!r)
		r = explain_way(scene, &scene->caller_way, explain_port, &explained);
	if (r || explained)
		return r;
	return proof_add(scene->proof, UNDECIDED, "theory",
			 "what the NATs declare allows a path here, so nothing proves that there "
			 "is none%s%s",
			 scene->listener.reason[0] ? "; the agent says: " : "",
			 scene->listener.reason);
}

int proof_none_icmp(const struct topo *topo, const struct timeline *timeline, const struct run *run,
		    struct proof *proof)
{
	struct pair pair = pair_of(topo, timeline, run);
	struct scene scene = {.topo = topo, .proof = proof};
	struct addr nowhere = {0};
	bool a_calls;
	int r;

	if (!pair.complete)
		return proof_add(proof, UNDECIDED, "report",
				 "no single other program takes part in %s's session", pair.a.name);
	if (strcmp(pair.b.path, "none") != 0)
		return proof_add(proof, BROKEN, "report",
				 "%s reports no path, but %s reports \"%s\"", pair.a.name,
				 pair.b.name, pair.b.path);
	a_calls = option_of(topo, &pair.a, "peer");
	if (a_calls == !!option_of(topo, &pair.b, "peer"))
		return proof_add(proof, UNDECIDED, "report", "both peers %s",
				 a_calls ? "call, and none listens" : "listen, and none calls");
	r = proof_add(proof, HELD, "report", "both peers report that no path was found");
	if (r)
		return r;
	scene.listener = a_calls ? pair.b : pair.a;
	scene.caller = a_calls ? pair.a : pair.b;
	pair_tables(timeline, &pair, &scene.views, &scene.view_count);
	r = way_outward(topo, scene.listener.node, &nowhere, &scene.listener_way);
	if (!r)
		r = way_outward(topo, scene.caller.node, &nowhere, &scene.caller_way);
	if (!r)
		r = prove(&scene);
	free(scene.listener_way.routers);
	free(scene.caller_way.routers);
	return r;
}
