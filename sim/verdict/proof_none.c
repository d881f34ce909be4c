/* SPDX-License-Identifier: MIT */
/*
 * How the absence of a path is proven.
 *
 * That no packet arrived is weak evidence: a broken agent sees the same. So three
 * things must come together. Both peers say "none". Both did try: each was told the
 * other's endpoint, and the kernel of a NAT before it saw packets go there. And the
 * declared NATs explain it (none_theory.c); the tables then show it in numbers: the
 * port that the rendezvous saw, and the other one that was used towards the peer.
 *
 * If the declarations allow a path and none was found, nothing is proven, whatever the
 * agents say: undecided.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "verdict/mapping.h"
#include "verdict/none_theory.h"
#include "verdict/proof_guess.h"

/* Borrows @way. */
static struct side side_make(const struct topo *topo, const struct peer *peer, struct way way)
{
	struct side side = {
		.peer = peer,
		.way = way,
		.theory = theory_side(topo, &way),
		.router = way.count ? topo->nodes[way.routers[0]].name : NULL,
	};

	if (is_tcp(peer)) {
		side.tcp = theory_tcp(topo, &way);
		side.theory = side.tcp.side;
	}
	side.theory.silent = peer->silent;
	return side;
}

/* --- report and tried ----------------------------------------------------------- */

static int prove_report(const struct scene *scene, bool *ret)
{
	const struct peer *a = &scene->pair.a, *b = &scene->pair.b;

	*ret = false;
	if (!scene->pair.complete)
		return proof_add(scene->proof, UNDECIDED, "report",
				 "no single other program takes part in %s's session", a->name);
	if (strcmp(b->path, "none") != 0)
		return proof_add(scene->proof, BROKEN, "report",
				 "%s reports no path, but %s reports %s%s%s", a->name, b->name,
				 b->path[0] ? "\"" : "", b->path[0] ? b->path : "nothing",
				 b->path[0] ? "\"" : "");
	*ret = true;
	return proof_add(scene->proof, HELD, "report", "both peers report that no path was found");
}

/* Where a NAT's reset has ended the kernel's memory of a SYN, who got it is the only witness. */
static int prove_reset(const struct scene *scene, const struct side *side, const char *told)
{
	const struct peer *peer = side->peer;
	const struct side *other = side == &scene->a ? &scene->b : &scene->a;
	json_int_t refused = json_integer_value(json_object_get(peer->run->result, "refused"));

	if (!is_tcp(peer) || other->tcp.resets == TOPO_NONE || refused < 1)
		return proof_add(scene->proof, UNDECIDED, "tried",
				 "%s was told %s, but %s tracked no packet to it", peer->name, told,
				 side->router);
	return proof_add(scene->proof, HELD, "tried",
			 "%s sent to %s, as told, and counted %lld resets; a reset ends what %s "
			 "tracks",
			 peer->name, told, (long long)refused, side->router);
}

/* Did @side's packets go to the endpoint it was told? A NAT before it has counted them. */
static int prove_tried(const struct scene *scene, const struct side *side)
{
	const struct peer *peer = side->peer;
	const struct router_view *view;
	struct mapping mapping;
	/* Where UDP does not pass, the rendezvous brings nobody together either. */
	bool blocked = scene->a.theory.blocked || scene->b.theory.blocked;
	char told[ENDPOINT_TEXT_MAX];

	if (!addr_bits(&peer->told.addr))
		return proof_add(scene->proof, blocked ? HELD : UNDECIDED, "tried",
				 "%s was never told its peer's endpoint%s%s", peer->name,
				 peer->reason[0] ? ": " : "", peer->reason);
	endpoint_format(&peer->told, told);
	if (peer->silent)
		return proof_add(scene->proof, HELD, "tried",
				 "%s was told %s, and asked to be called from there", peer->name,
				 told);
	if (!side->way.count)
		return proof_add(scene->proof, HELD, "tried",
				 "%s was told %s (no NAT before it that could count)", peer->name,
				 told);
	view = router_view_of(scene->views, scene->view_count, side->way.routers[0]);
	if (!view || view->problem)
		return proof_add(scene->proof, UNDECIDED, "tried", "%s: %s", side->router,
				 view ? view->problem : "its table was not read");
	if (!mapping_find(view, peer->protocol, &peer->local, &peer->told, &mapping))
		return prove_reset(scene, side, told);
	return proof_add(scene->proof, HELD, "tried",
			 "%s sent to %s, as told: %s tracked %" PRIu64 " packets out, %" PRIu64
			 " back",
			 peer->name, told, side->router, mapping.sent, mapping.received);
}

/* --- mapping ------------------------------------------------------------------------ */

/* "router1 maps a to X, as its rendezvous or STUN server saw it, but to Y towards b": the numbers.
 */
static int show_mapping(const struct scene *scene, const struct side *side)
{
	const struct peer *peer = side->peer;
	const struct router_view *view;
	struct mapping mapping;
	char local[ENDPOINT_TEXT_MAX], seen[ENDPOINT_TEXT_MAX], used[ENDPOINT_TEXT_MAX],
		told[ENDPOINT_TEXT_MAX];

	if (!side->way.count || !addr_bits(&peer->seen.addr))
		return 0;
	view = router_view_of(scene->views, scene->view_count, side->way.routers[0]);
	if (!view || !mapping_find(view, peer->protocol, &peer->local, &peer->told, &mapping))
		return 0;
	endpoint_format(&peer->local, local);
	endpoint_format(&peer->seen, seen);
	endpoint_format(&mapping.outside, used);
	endpoint_format(&peer->told, told);
	if (endpoint_equal(&mapping.outside, &peer->seen))
		return proof_add(
			scene->proof, HELD, "mapping",
			"%s maps %s to %s towards %s and towards %s alike, and admits what "
			"comes from there",
			side->router, local, seen, none_mirror(scene, peer), told);
	if (side->way.count > 1)
		return 0;
	return proof_add(scene->proof, HELD, "mapping",
			 "%s maps %s to %s towards %s, but to %s towards %s", side->router, local,
			 seen, none_mirror(scene, peer), used, told);
}

static struct guesser guesser_of(const struct scene *scene, const struct side *side)
{
	const struct router_view *view = NULL;

	if (side->way.count == 1)
		view = router_view_of(scene->views, scene->view_count, side->way.routers[0]);
	return (struct guesser){.peer = side->peer,
				.view = view && !view->problem ? view : NULL,
				.router = side->router};
}

/* What the rules of a plain punch explain, a guess might have overcome. */
static int show_guess(const struct scene *scene)
{
	struct guesser a = guesser_of(scene, &scene->a), b = guesser_of(scene, &scene->b);

	return prove_guess(scene->proof, &a, &b);
}

static int prove(struct scene *scene)
{
	bool reported, explained = false;
	int r = prove_report(scene, &reported);

	if (r || !reported)
		return r;
	r = prove_tried(scene, &scene->a);
	if (!r)
		r = prove_tried(scene, &scene->b);
	if (!r)
		r = none_prove_theory(scene, &explained);
	/* Where the ways meet before the internet, the nearest NAT's ports explain nothing. */
	if (r || !explained || none_is_inner(scene) || !none_is_filtered(scene))
		return r;
	if (guess_was_made(scene->a.peer, scene->b.peer))
		r = show_guess(scene);
	if (!r)
		r = show_mapping(scene, &scene->a);
	return r ? r : show_mapping(scene, &scene->b);
}

/* The scene with what two that used @protocol met. Returns 0 or -errno; @meeting owns the ways. */
static int scene_make(const struct topo *topo, const struct timeline *timeline,
		      const struct run *run, struct proof *proof, uint8_t protocol,
		      struct meeting *meeting, struct scene *ret)
{
	struct scene scene = {.topo = topo,
			      .pair = pair_of(topo, timeline, run),
			      .network = TOPO_NONE,
			      .proof = proof};
	int r = 0;

	*meeting = (struct meeting){.network = TOPO_NONE};
	*ret = scene;
	if (!scene.pair.complete)
		return 0;
	r = way_meeting(topo, scene.pair.a.node, scene.pair.b.node, meeting);
	if (r)
		return r;
	if (protocol)
		ret->pair.a.protocol = ret->pair.b.protocol = protocol;
	ret->network = meeting->network;
	ret->a = side_make(topo, &ret->pair.a, meeting->a);
	ret->b = side_make(topo, &ret->pair.b, meeting->b);
	pair_tables(timeline, &ret->pair, &ret->views, &ret->view_count);
	return 0;
}

int proof_none(const struct topo *topo, const struct timeline *timeline, const struct run *run,
	       struct proof *proof)
{
	struct meeting meeting;
	struct scene scene;
	int r = scene_make(topo, timeline, run, proof, 0, &meeting, &scene);

	if (!r)
		r = prove(&scene);
	meeting_clear(&meeting);
	return r;
}

/* The reasons why datagrams do not get in, which have been told, are those why SYNs do not. */
static bool is_told(const struct scene *scene)
{
	const struct side *a = &scene->a, *b = &scene->b;

	return !none_is_inner(scene) && scene->network != TOPO_NONE && !a->theory.unknown &&
	       !b->theory.unknown && none_is_filtered(scene) &&
	       !theory_side(scene->topo, &a->way).blocked &&
	       !theory_side(scene->topo, &b->way).blocked;
}

int proof_none_tcp(const struct topo *topo, const struct timeline *timeline, const struct run *run,
		   struct proof *proof)
{
	struct meeting meeting;
	struct scene scene;
	bool explained;
	int r = scene_make(topo, timeline, run, proof, IPPROTO_TCP, &meeting, &scene);

	if (!r && scene.pair.complete && is_told(&scene))
		r = proof_add(proof, HELD, "theory",
			      "SYNs fare no better: what keeps datagrams out filters them too");
	else if (!r && scene.pair.complete)
		r = none_prove_theory(&scene, &explained);
	meeting_clear(&meeting);
	return r;
}
