/* SPDX-License-Identifier: MIT */
/*
 * Where the other peer might be reached, and finding out where it can: the checks
 * of a hole punch as a state machine. A path leads from one of our sockets, which are
 * numbers here (0 is the main one), to a remote endpoint.
 */
#ifndef NATSIM_AGENTS_PUNCH_CANDIDATES_H
#define NATSIM_AGENTS_PUNCH_CANDIDATES_H

#include "agents/net/random.h"
#include "agents/punch/seal.h"
#include "agents/stun/transaction.h"

enum candidate_kind {
	CANDIDATE_PRIVATE,
	CANDIDATE_MAPPED, /* the peer asked its router for it */
	CANDIDATE_PUBLIC,
	CANDIDATE_REFLEXIVE, /* nobody announced it */
	CANDIDATE_PREDICTED, /* a public one with another port, as guessed from a pattern */
	CANDIDATE_DRAWN,     /* nobody announced it, while many ports were tried */
};

enum { CANDIDATES_MAX = 48 };

struct candidate {
	enum candidate_kind kind;
	size_t socket;
	struct endpoint to;
	uint8_t id[STUN_ID_SIZE];          /* of its checks */
	uint8_t nominate_id[STUN_ID_SIZE]; /* of its nomination */
	struct transaction checks;
	struct transaction nomination;
	uint64_t first_sent; /* of what is being asked now */
	bool heard;          /* an authentic check came from there: the way in works */
	bool confirmed;      /* our check was answered from there: both ways work */
	bool nominated;      /* by the controlling side */
};

struct candidates {
	struct candidate list[CANDIDATES_MAX];
	size_t count;
	struct transaction_timing timing;
	struct random_source random;
	enum peer_role role;
	enum candidate_kind unannounced; /* what an unknown source is: REFLEXIVE, unless the caller
					    says DRAWN */
	bool silent; /* ask only those who were heard: the other peer is to send first */
	struct candidate *nominee; /* of the controlling side */
	struct candidate *settled; /* works both ways, and both sides know */
	unsigned int sent;
	uint64_t round_trip; /* of the newest answer, from its request's first sending */
};

void candidates_start(struct candidates *candidates, enum peer_role role,
		      const struct random_source *random, const struct transaction_timing *timing);

/* Returns the candidate for @to, added if it is new and there is room; NULL otherwise. From the
 * main socket, or from @socket. */
struct candidate *candidates_add(struct candidates *candidates, enum candidate_kind kind,
				 const struct endpoint *to, uint64_t now);
struct candidate *candidates_add_on(struct candidates *candidates, size_t socket,
				    enum candidate_kind kind, const struct endpoint *to,
				    uint64_t now);

/* A check that is to be sent at @now; false when there is none until candidates_due(). */
struct candidate_check {
	const struct candidate *candidate;
	const uint8_t *id;
	bool nominate;
};
bool candidates_send(struct candidates *candidates, uint64_t now, struct candidate_check *ret);
uint64_t candidates_due(const struct candidates *candidates);

/* An authentic check came from @from to @socket (the caller answers it). */
void candidates_check(struct candidates *candidates, size_t socket, const struct endpoint *from,
		      bool nominated, uint64_t now);

/* An authentic reply with @id came from @from to @socket. */
void candidates_reply(struct candidates *candidates, size_t socket, const struct endpoint *from,
		      const uint8_t id[STUN_ID_SIZE], uint64_t now);

/* The peer talks from @from already: it has settled there, so we do too. */
void candidates_settle(struct candidates *candidates, size_t socket, const struct endpoint *from);

bool candidates_heard(const struct candidates *candidates);

const char *candidate_kind_name(enum candidate_kind kind);

#endif
