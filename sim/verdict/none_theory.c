/* SPDX-License-Identifier: MIT */
/* What is declared, as the reason why two do not meet, in words. */
#include "verdict/none_theory.h"

#include <string.h>

const char *none_mirror(const struct scene *scene, const struct peer *peer)
{
	const struct run *run = peer->run;
	const struct agent *agent = scene->topo->steps[run->step].programs[run->index].agent;

	return strcmp(agent->name, "ice") == 0 ? "its STUN server" : "the rendezvous";
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
				 none_mirror(scene, side->peer),
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

bool none_is_filtered(const struct scene *scene)
{
	const struct theory_tcp *a = &scene->a.tcp, *b = &scene->b.tcp;

	return !is_tcp(scene->a.peer) ||
	       (theory_syn(a, b) == SYN_FILTERED && theory_syn(b, a) == SYN_FILTERED);
}

bool none_is_inner(const struct scene *scene)
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

int none_prove_theory(const struct scene *scene, bool *ret_explained)
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
	if (none_is_inner(scene) &&
	    (a->theory.guarded || b->theory.guarded || is_kept_apart(scene)))
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
