/* SPDX-License-Identifier: MIT */
/* What ICE knows of two peers (RFC 8445), and what the pair it selected says of the path. */
#ifndef NATSIM_AGENTS_ICE_PAIR_H
#define NATSIM_AGENTS_ICE_PAIR_H

#include <stdbool.h>

#include "base/addr.h"

/* RFC 8445 section 4. */
enum ice_type { ICE_HOST, ICE_SERVER_REFLEXIVE, ICE_PEER_REFLEXIVE, ICE_RELAYED };

/* What a peer announces: the first of each; port 0 for none. */
struct ice_candidates {
	size_t count; /* of all */
	struct endpoint host, reflexive, relayed;
};

/* The selected pair. */
struct ice_pair {
	enum ice_type local, remote;
	struct endpoint base;  /* our own socket */
	struct endpoint peer;  /* the peer's candidate */
	struct endpoint relay; /* whom we speak to, when it is a relay */
};

const char *ice_type_name(enum ice_type type);

/* How the world sees that peer: its reflexive candidate, or where nothing translates its host. */
struct endpoint ice_public(const struct ice_candidates *candidates);

bool ice_pair_is_relayed(const struct ice_pair *pair);

/*
 * What made the path, in the words of agents/README.md: turn, private, open, hairpin or punch.
 * Both peers say the same. Types of candidates tell no more: "open" has no NAT, but perhaps
 * filters that had to be opened, and "punch" is any path through a NAT.
 */
const char *ice_pair_technique(const struct ice_pair *pair, const struct ice_candidates *ours,
			       const struct ice_candidates *theirs);

#endif
