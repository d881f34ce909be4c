/* SPDX-License-Identifier: MIT */
/*
 * When does plain UDP hole punching work?
 *
 * The rendezvous tells each peer the endpoint from which the other spoke to it: a for
 * A, b for B. Towards each other they may use others, a' and b': the same when the
 * mapping is endpoint-independent, unknown to everybody when it is not. Both send to
 * the endpoint they know. A packet B -> a passes A's NAT when a's filter admits it:
 *
 *     EIF   always
 *     ADF   if A has sent to B's address from a:   A's mapping is EI (else it sent from a')
 *     APDF  if A has sent to exactly b' from a:    A's mapping is EI, and b' = b, so B's is too
 *
 * If B's packet gets in, A sees b' and answers there. B has opened b' by sending to a,
 * so the answer gets in when it comes from a (A's mapping is EI), or when B's filter
 * does not mind the port (A's address it has sent to in any case). One side's packet
 * getting in and its answer getting back is a path.
 *
 * Hence the usual summary: one EI-mapping side with EIF or ADF is enough; EIM+APDF
 * against a dependent mapping needs a port guessed, two dependent sides need two
 * (RFC 5128 section 3.3; RFC 4787 sections 4.1 and 5 for the words). Guessing is
 * another technique and not part of this rule: it may find a path where the rule has
 * none, which is then proven like any other; and where it does not, proof_guess.c looks
 * into the tables for a guess that was right.
 *
 * A side that asked to be called (connection reversal) is silent: only a packet that gets in
 * without its having sent anything begins a path, and never one of its own.
 */
#include "verdict/theory.h"

struct theory_side theory_side(const struct topo *topo, const struct way *way)
{
	struct theory_side side = {.mapping = ENDPOINT_INDEPENDENT,
				   .filtering = ENDPOINT_INDEPENDENT};
	enum nat_dependence mapping, filtering;
	struct nat nat;
	size_t i;

	for (i = 0; i < way->count; i++) {
		nat = nat_promise(&topo->nodes[way->routers[i]].nat);
		side.guarded = true;
		if (nat.kind == NAT_CUSTOM) {
			side.unknown = true;
			continue;
		}
		/* A stateful firewall keeps every port and admits answers only. */
		mapping = nat.kind == NAT_FIREWALL ? ENDPOINT_INDEPENDENT : nat.mapping;
		filtering = nat.kind == NAT_FIREWALL ? ADDRESS_AND_PORT_DEPENDENT : nat.filtering;
		if (mapping > side.mapping)
			side.mapping = mapping;
		if (filtering > side.filtering)
			side.filtering = filtering;
		side.blocked |= nat.udp_blocked;
		side.mappable |= nat.port_mapping != 0;
	}
	return side;
}

enum theory_entry theory_entry(const struct theory_side *side, const struct theory_side *peer)
{
	if (side->blocked || peer->blocked)
		return ENTRY_BLOCKED;
	if (side->silent && side->filtering != ENDPOINT_INDEPENDENT)
		return ENTRY_SILENT;
	switch (side->filtering) {
	case ENDPOINT_INDEPENDENT:
		return ENTRY_OPEN;
	case ADDRESS_DEPENDENT:
		return side->mapping == ENDPOINT_INDEPENDENT ? ENTRY_ADDRESS : ENTRY_OTHER_MAPPING;
	case ADDRESS_AND_PORT_DEPENDENT:
		if (side->mapping != ENDPOINT_INDEPENDENT)
			return ENTRY_OTHER_MAPPING;
		return peer->mapping == ENDPOINT_INDEPENDENT ? ENTRY_ENDPOINT : ENTRY_OTHER_PORT;
	}
	return ENTRY_BLOCKED;
}

bool theory_enters(enum theory_entry entry)
{
	return entry == ENTRY_OPEN || entry == ENTRY_ADDRESS || entry == ENTRY_ENDPOINT;
}

/* @peer's packet gets in at @side, and @side's answer gets back. */
static bool opens(const struct theory_side *side, const struct theory_side *peer)
{
	return !peer->silent && theory_enters(theory_entry(side, peer)) &&
	       (side->mapping == ENDPOINT_INDEPENDENT ||
		peer->filtering != ADDRESS_AND_PORT_DEPENDENT);
}

bool theory_direct(const struct theory_side *a, const struct theory_side *b)
{
	return opens(a, b) || opens(b, a);
}
