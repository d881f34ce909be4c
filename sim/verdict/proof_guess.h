/* SPDX-License-Identifier: MIT */
/*
 * Peers that guessed ports and found no path: did none of their packets meet?
 *
 * What a plain punch cannot do says nothing about one that guesses. But every guess leaves a
 * flow in the tables of the NATs: from a port of the one to a port of the other. Two
 * flows that mirror each other are a path. If there are none, the guesses were wrong.
 */
#ifndef NATSIM_VERDICT_PROOF_GUESS_H
#define NATSIM_VERDICT_PROOF_GUESS_H

#include "verdict/pair.h"
#include "verdict/proof.h"

/* One peer and the tables of the only NAT before it. */
struct guesser {
	const struct peer *peer;
	const struct router_view *view; /* NULL: no NAT, several, or its table was not read */
	const char *router;
};

/* Did either of them guess, or give up guessing? */
bool guess_was_made(const struct peer *a, const struct peer *b);

/* Appends a line of the part "guess" for each peer. Returns 0 or -ENOMEM. */
int prove_guess(struct proof *proof, const struct guesser *a, const struct guesser *b);

#endif
