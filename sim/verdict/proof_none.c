/* SPDX-License-Identifier: MIT */
/*
 * How the absence of a path is proven.
 *
 * That no packet arrived is weak evidence: a broken agent sees the same. So three
 * things must come together. Both peers say "none". Both did try: each was told the
 * other's endpoint, and the kernel of a NAT before it saw packets go there. And the
 * declared NATs explain it (verdict/theory.c); the tables then show it in numbers: the
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
#include "verdict/pair.h"
#include "verdict/proof.h"
#include "verdict/proof_guess.h"
#include "verdict/theory.h"
#include "verdict/theory_tcp.h"
#include "verdict/way.h"

/* One peer with what stands before it. */
struct side {
	const struct peer *peer;
	struct way way;
	struct theory_side theory;
	struct theory_tcp tcp; /* of a peer that says so */
	const char *router;    /* the first that filters or translates, for words; NULL for none */
};

struct scene {
	const struct topo *topo;
	const struct router_view *views;
	size_t view_count;
	struct pair pair;
	struct side a, b;
	size_t network; /* where their ways meet */
	struct proof *proof;
};

/* Who told @peer how the world sees it. */
static const char *mirror_of(const struct scene *scene, const struct peer *peer)
{
	const struct run *run = peer->run;
	const struct agent *agent = scene->topo->steps[run->step].programs[run->index].agent;

	return strcmp(agent->name, "ice") == 0 ? "its STUN server" : "the rendezvous";
}

static bool is_tcp(const struct peer *peer)
{
	return peer->protocol == IPPROTO_TCP;
}

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

/* The router that decides an axis: the first with the side's own, most restrictive value. */
static const char *deciding_filter(const struct scene *scene, const struct side *side)
{
	const struct nat *nat;
	size_t i;

	for (i = 0; i < side->way.count; i++) {
		nat = &scene->topo->nodes[side->way.routers[i]].nat;
		if (nat->kind == NAT_FIREWALL || nat->filtering == side->theory.filtering)
			return scene->topo->nodes[side->way.routers[i]].name;
	}
	return side->peer->name;
}

static const char *deciding_mapping(const struct scene *scene, const struct side *side)
{
	const struct nat *nat;
	size_t i;

	for (i = 0; i < side->way.count; i++) {
		nat = &scene->topo->nodes[side->way.routers[i]].nat;
		if (nat->kind != NAT_FIREWALL && nat->mapping == side->theory.mapping)
			return scene->topo->nodes[side->way.routers[i]].name;
	}
	return side->peer->name;
}

static const char *deciding_block(const struct scene *scene, const struct side *side)
{
	size_t i;

	for (i = 0; side->theory.blocked && i < side->way.count; i++)
		if (scene->topo->nodes[side->way.routers[i]].nat.udp_blocked)
			return scene->topo->nodes[side->way.routers[i]].name;
	return NULL;
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

/* --- theory ------------------------------------------------------------------------ */

/* How @peer's packets fare at @side, in words. */
static int explain_entry(const struct scene *scene, const struct side *side,
			 const struct side *other)
{
	const char *self = side->peer->name, *peer = other->peer->name;
	const char *filter = deciding_filter(scene, side);
	enum theory_entry entry = theory_entry(&side->theory, &other->theory);

	if (other->theory.silent)
		return proof_add(scene->proof, HELD, "theory",
				 "%s sends nothing to %s before it has heard from it: it asked to "
				 "be called",
				 peer, self);
	switch (entry) {
	case ENTRY_OPEN:
	case ENTRY_ADDRESS:
	case ENTRY_ENDPOINT:
		return proof_add(scene->proof, HELD, "theory",
				 "%s's packets get in at %s, but %s's answers leave from another "
				 "port (%s: %s mapping), which %s does not admit (%s filtering)",
				 peer, self, self, deciding_mapping(scene, side),
				 nat_dependence_name(side->theory.mapping),
				 deciding_filter(scene, other),
				 nat_dependence_name(other->theory.filtering));
	case ENTRY_OTHER_MAPPING:
		return proof_add(scene->proof, HELD, "theory",
				 "%s's packets do not get in at %s: %s opens another port for each "
				 "destination (%s mapping), and the one %s was told admits nobody "
				 "but %s (%s filtering)",
				 peer, self, deciding_mapping(scene, side),
				 nat_dependence_name(side->theory.mapping), peer,
				 mirror_of(scene, side->peer),
				 nat_dependence_name(side->theory.filtering));
	case ENTRY_OTHER_PORT:
		return proof_add(
			scene->proof, HELD, "theory",
			"%s's packets do not get in at %s: %s admits only the port that %s "
			"was told (%s filtering), and %s sends from another (%s mapping)",
			peer, self, filter, self, nat_dependence_name(side->theory.filtering),
			deciding_mapping(scene, other), nat_dependence_name(other->theory.mapping));
	case ENTRY_SILENT:
		return proof_add(scene->proof, HELD, "theory",
				 "%s's packets do not get in at %s: %s asked to be called and has "
				 "sent nothing, so %s has no reason to admit them (%s filtering)",
				 peer, self, self, filter,
				 nat_dependence_name(side->theory.filtering));
	case ENTRY_BLOCKED:
		break;
	}
	return 0;
}

/* How @other's SYN fares at @side, in words. */
static int explain_syn(const struct scene *scene, const struct side *side, const struct side *other)
{
	const char *self = side->peer->name, *peer = other->peer->name;
	const struct node *nodes = scene->topo->nodes;

	switch (theory_syn(&side->tcp, &other->tcp)) {
	case SYN_FILTERED:
		return explain_entry(scene, side, other);
	case SYN_FORGOTTEN:
		return proof_add(scene->proof, HELD, "theory",
				 "%s's SYN does not get in at %s: %s's own has opened the way, but "
				 "%s answers it with a reset, at which %s forgets it",
				 peer, self, self, nodes[other->tcp.resets].name,
				 nodes[side->tcp.forgets].name);
	case SYN_CROSSING:
		return proof_add(scene->proof, HELD, "theory",
				 "%s's SYN does not get in at %s: it crosses %s's own, and %s "
				 "drops it for that (no simultaneous open)",
				 peer, self, self, nodes[side->tcp.strict].name);
	case SYN_ENTERS:
		break;
	}
	return 0;
}

/* Ports explain what filters keep out, and only that. */
static bool is_filtered(const struct scene *scene)
{
	const struct theory_tcp *a = &scene->a.tcp, *b = &scene->b.tcp;

	return !is_tcp(scene->a.peer) ||
	       (theory_syn(a, b) == SYN_FILTERED && theory_syn(b, a) == SYN_FILTERED);
}

/* Do the ways meet before they reach the internet? */
static bool is_inner(const struct scene *scene)
{
	return scene->network != TOPO_NONE &&
	       scene->topo->networks[scene->network].type != NETWORK_INTERNET;
}

/* Do the ways meet where hosts are kept apart? */
static bool is_kept_apart(const struct scene *scene)
{
	return scene->network != TOPO_NONE &&
	       way_is_kept_apart(scene->topo, scene->network, scene->pair.a.node,
				 scene->pair.b.node);
}

/* Does the NAT that has the address @peer was told turn packets from its inside round? */
static bool is_turned_round(const struct scene *scene, const struct peer *peer)
{
	size_t owner = way_owner(scene->topo, &peer->told.addr);
	const struct node *node;

	if (owner == TOPO_NONE)
		return false;
	node = &scene->topo->nodes[owner];
	return way_translates(node) && (nat_promise(&node->nat).kind == NAT_CUSTOM ||
					node->nat.hairpinning != HAIRPINNING_OFF);
}

static int tell_unexplained(const struct scene *scene, const char *why)
{
	const char *reason = scene->a.peer->reason;

	return proof_add(scene->proof, UNDECIDED, "theory",
			 "%s, so nothing proves that there is no path%s%s", why,
			 reason[0] ? "; the agent says: " : "", reason);
}

/* The ways meet before the internet, and by what is known there the peers do not. */
static int prove_inner(const struct scene *scene, bool *ret_explained)
{
	const struct side *a = &scene->a, *b = &scene->b;
	const char *network = scene->topo->networks[scene->network].name;

	*ret_explained = !is_turned_round(scene, a->peer);
	if (!*ret_explained)
		return tell_unexplained(scene, "their common NAT turns packets round");
	if (is_kept_apart(scene))
		return proof_add(
			scene->proof, HELD, "theory",
			"%s and %s meet in network %s, which keeps its hosts apart "
			"(isolated), and no NAT turns their packets round (no hairpinning)",
			a->peer->name, b->peer->name, network);
	return proof_add(scene->proof, HELD, "theory",
			 "%s and %s meet in network %s, behind a common NAT that does not "
			 "turn packets round (no hairpinning)",
			 a->peer->name, b->peer->name, network);
}

static int prove_theory(const struct scene *scene, bool *ret_explained)
{
	const struct side *a = &scene->a, *b = &scene->b;
	const char *block = deciding_block(scene, a);
	int r;

	*ret_explained = true;
	if (!block)
		block = deciding_block(scene, b);
	if (scene->network == TOPO_NONE)
		return proof_add(scene->proof, HELD, "theory",
				 "the picture connects %s and %s nowhere", a->peer->name,
				 b->peer->name);
	if (block)
		return proof_add(scene->proof, HELD, "theory", "%s lets no UDP pass", block);
	/* Each knows the other's address inside its home and that of the outermost NAT, but
	 * not the one in between, where their ways meet. */
	if (is_inner(scene) && (a->theory.guarded || b->theory.guarded || is_kept_apart(scene)))
		return prove_inner(scene, ret_explained);
	*ret_explained = is_tcp(a->peer) ? !theory_tcp_direct(&a->tcp, &b->tcp)
					 : !theory_direct(&a->theory, &b->theory);
	if (a->theory.unknown || b->theory.unknown) {
		*ret_explained = false;
		return tell_unexplained(scene, "what a router's own rules do is not declared");
	}
	if (!*ret_explained)
		return tell_unexplained(scene, "what the NATs declare allows a direct path here");
	r = is_tcp(a->peer) ? explain_syn(scene, a, b) : explain_entry(scene, a, b);
	if (r)
		return r;
	return is_tcp(a->peer) ? explain_syn(scene, b, a) : explain_entry(scene, b, a);
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
			side->router, local, seen, mirror_of(scene, peer), told);
	if (side->way.count > 1)
		return 0;
	return proof_add(scene->proof, HELD, "mapping",
			 "%s maps %s to %s towards %s, but to %s towards %s", side->router, local,
			 seen, mirror_of(scene, peer), used, told);
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
		r = prove_theory(scene, &explained);
	/* Where the ways meet before the internet, the nearest NAT's ports explain nothing. */
	if (r || !explained || is_inner(scene) || !is_filtered(scene))
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

	return !is_inner(scene) && scene->network != TOPO_NONE && !a->theory.unknown &&
	       !b->theory.unknown && is_filtered(scene) &&
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
		r = prove_theory(&scene, &explained);
	meeting_clear(&meeting);
	return r;
}
