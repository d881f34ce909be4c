/* SPDX-License-Identifier: MIT */
/*
 * How it is proven that no way at all leads from one to the other, of those that an agent tries
 * which tries all: one after the other. Over UDP as for one that knows only that. Over
 * TCP by what the NATs declare. And nobody relayed, because nobody was to be asked for it, or could
 * be reached: a relay that could have been used and was not leaves it undecided.
 */
#include <stdlib.h>
#include <string.h>

#include "verdict/pair.h"
#include "verdict/proof.h"
#include "verdict/theory.h"
#include "verdict/way.h"

struct scene {
	const struct topo *topo;
	const struct timeline *timeline;
	struct pair pair;
	struct proof *proof;
};

/* The first of the two that was given the flag @name; NULL for neither. */
static const char *given(const struct scene *scene, const char *name)
{
	if (pair_flag(scene->topo, &scene->pair.a, name))
		return scene->pair.a.name;
	return pair_flag(scene->topo, &scene->pair.b, name) ? scene->pair.b.name : NULL;
}

static int prove_tcp(const struct scene *scene)
{
	const char *unwilling = given(scene, "no-tcp");

	if (unwilling)
		return proof_add(scene->proof, HELD, "tcp", "%s was not to try TCP", unwilling);
	return proof_none_tcp(scene->topo, scene->timeline, scene->pair.a.run, scene->proof);
}

/* --- relay ------------------------------------------------------------------------- */

/* Does @peer's way to the internet let no UDP pass? */
static int is_blocked(const struct scene *scene, const struct peer *peer, bool *ret)
{
	const struct addr nowhere = {0};
	struct way way;
	int r = way_outward(scene->topo, peer->node, &nowhere, &way);

	if (r)
		return r;
	*ret = theory_side(scene->topo, &way).blocked;
	free(way.routers);
	return 0;
}

static bool has_option(const struct program *program, const char *name, const char *value)
{
	size_t i;

	for (i = 0; i < program->option_count; i++)
		if (strcmp(program->options[i].name, name) == 0)
			return strcmp(program->options[i].value, value) == 0;
	return false;
}

/* Was every rendezvous of the file told to relay nothing? */
static bool is_miserly(const struct topo *topo)
{
	const struct program *program;
	bool found = false;
	size_t i, k;

	for (i = 0; i < topo->step_count; i++) {
		for (k = 0; k < topo->steps[i].program_count; k++) {
			program = &topo->steps[i].programs[k];
			if (!program->agent || strcmp(program->agent->name, "rendezvous") != 0)
				continue;
			if (!has_option(program, "relay-rate", "0"))
				return false;
			found = true;
		}
	}
	return found;
}

static int prove_relay(const struct scene *scene)
{
	const struct peer *a = &scene->pair.a, *b = &scene->pair.b;
	const char *unwilling = given(scene, "no-relay");
	bool blocked_a, blocked_b = false;
	int r = is_blocked(scene, a, &blocked_a);

	if (!r)
		r = is_blocked(scene, b, &blocked_b);
	if (r)
		return r;
	if (unwilling)
		return proof_add(scene->proof, HELD, "relay", "%s was not to be relayed",
				 unwilling);
	if (blocked_a || blocked_b)
		return proof_add(scene->proof, HELD, "relay",
				 "UDP, by which relays are asked, does not pass before %s",
				 blocked_a ? a->name : b->name);
	if (!pair_option(scene->topo, a, "turn")[0] && !pair_option(scene->topo, b, "turn")[0] &&
	    is_miserly(scene->topo))
		return proof_add(scene->proof, HELD, "relay",
				 "the rendezvous relays nothing, and neither knows a TURN server");
	return proof_add(
		scene->proof, UNDECIDED, "relay",
		"a relay was to be tried, and nothing proves that there is none; %s says: %s",
		a->name, a->reason);
}

int proof_none_every(const struct topo *topo, const struct timeline *timeline,
		     const struct run *run, struct proof *proof)
{
	struct scene scene = {.topo = topo,
			      .timeline = timeline,
			      .pair = pair_of(topo, timeline, run),
			      .proof = proof};
	int r = proof_none(topo, timeline, run, proof);

	if (r || !scene.pair.complete || proof_outcome(proof) == BROKEN)
		return r;
	r = prove_tcp(&scene);
	return r ? r : prove_relay(&scene);
}
