/* SPDX-License-Identifier: MIT */
/* What explains that there is no path: what proof_none.c and none_theory.c share. */
#ifndef NATSIM_VERDICT_NONE_THEORY_H
#define NATSIM_VERDICT_NONE_THEORY_H

#include <netinet/in.h>
#include <stdbool.h>

#include "verdict/pair.h"
#include "verdict/proof.h"
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

static inline bool is_tcp(const struct peer *peer)
{
	return peer->protocol == IPPROTO_TCP;
}

/* Who told @peer how the world sees it, in words. */
const char *none_mirror(const struct scene *scene, const struct peer *peer);

/* Do the ways meet before they reach the internet? */
bool none_is_inner(const struct scene *scene);

/* Is it filters that keep both out? Ports explain that, and only that. */
bool none_is_filtered(const struct scene *scene);

/* Say which declaration explains it; *ret_explained: one does. Returns 0 or -errno. */
int none_prove_theory(const struct scene *scene, bool *ret_explained);

#endif
