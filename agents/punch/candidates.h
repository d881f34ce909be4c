/* SPDX-License-Identifier: MIT */
/*
 * Where the other peer might be reached, and finding out where it can: the checks
 * of a hole punch as a state machine. One local socket, so a remote endpoint is a path.
 */
#ifndef NATSIM_AGENTS_PUNCH_CANDIDATES_H
#define NATSIM_AGENTS_PUNCH_CANDIDATES_H

#include "agents/net/random.h"
#include "agents/punch/seal.h"
#include "agents/stun/transaction.h"

enum candidate_kind { CANDIDATE_PRIVATE, CANDIDATE_PUBLIC, CANDIDATE_REFLEXIVE };

enum { CANDIDATES_MAX = 12 };

struct candidate {
	enum candidate_kind kind;
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
	bool silent; /* ask only those who were heard: the other peer is to send first */
	struct candidate *nominee; /* of the controlling side */
	struct candidate *settled; /* works both ways, and both sides know */
	unsigned int sent;
	uint64_t round_trip; /* of the newest answer, from its request's first sending */
};

void candidates_start(struct candidates *candidates, enum peer_role role,
		      const struct random_source *random, const struct transaction_timing *timing);

/* Returns the candidate for @to, added if it is new and there is room; NULL otherwise. */
struct candidate *candidates_add(struct candidates *candidates, enum candidate_kind kind,
				 const struct endpoint *to, uint64_t now);

/* A check that is to be sent at @now; false when there is none until candidates_due(). */
struct candidate_check {
	const struct candidate *candidate;
	const uint8_t *id;
	bool nominate;
};
bool candidates_send(struct candidates *candidates, uint64_t now, struct candidate_check *ret);
uint64_t candidates_due(const struct candidates *candidates);

/* An authentic check came from @from (the caller answers it). */
void candidates_check(struct candidates *candidates, const struct endpoint *from, bool nominated,
		      uint64_t now);

/* An authentic reply with @id came from @from. */
void candidates_reply(struct candidates *candidates, const struct endpoint *from,
		      const uint8_t id[STUN_ID_SIZE], uint64_t now);

/* The peer talks from @from already: it has settled there, so we do too. */
void candidates_settle(struct candidates *candidates, const struct endpoint *from);

bool candidates_heard(const struct candidates *candidates);

const char *candidate_kind_name(enum candidate_kind kind);

#endif
