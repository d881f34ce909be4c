/* SPDX-License-Identifier: MIT */
/*
 * One peer's side of a rendezvous as a state machine: from a session's name to the other
 * peer, and to the moment at which both may begin. Fed with time and datagrams.
 *
 *     JOINING   Join(joined), again and again, until the other peer is there too
 *     PAIRED    both are known to each other; now is the time to do what must be done before
 *               either has sent anything to the other (blind dial, measuring)
 *     DIALLED   meeting_dialled(): Join(dialled) until the other has dialled too
 *     GO        both have; the rendezvous is not needed any more
 */
#ifndef NATSIM_AGENTS_RENDEZVOUS_MEETING_H
#define NATSIM_AGENTS_RENDEZVOUS_MEETING_H

#include "agents/net/random.h"
#include "agents/rendezvous/offer.h"
#include "agents/stun/transaction.h"

struct meeting_config {
	struct endpoint rendezvous;
	const char *session; /* 1 to SESSION_NAME_MAX bytes */
	struct endpoint privates[PRIVATE_MAX];
	size_t private_count;
	struct offer offer; /* what the other peer is to know from the first on */
	struct random_source random;
};

enum meeting_phase {
	MEETING_JOINING,
	MEETING_PAIRED,
	MEETING_DIALLED,
	MEETING_GO,
	MEETING_REFUSED, /* `refusal` says why */
};

struct meeting {
	struct endpoint rendezvous;
	enum meeting_phase phase;
	struct random_source random;
	struct offer offer; /* as configured */
	struct join join;
	uint8_t id[STUN_ID_SIZE]; /* of the Joins of this stage */
	struct transaction joining;
	uint64_t first_sent;
	uint64_t round_trip; /* to the rendezvous; 0 while unknown */
	bool welcomed;       /* the rendezvous has answered */
	bool left;
	struct introduction peer; /* `mapped` once welcomed, the rest from PAIRED on */
	char refusal[100];
};

void meeting_start(struct meeting *meeting, const struct meeting_config *config, uint64_t now);

/* What the other peer shall know besides (offer.h); goes with the next Join. In all at most
 * OFFER_MAX bytes: what does not fit is left out. */
void meeting_offer(struct meeting *meeting, const void *offer, size_t length);

/* All is done that had to come first. Only when PAIRED. */
void meeting_dialled(struct meeting *meeting, uint64_t now);

/* Write what is to be sent to the rendezvous at @now into JOIN_SIZE bytes; returns the length,
 * 0 for nothing until meeting_due(). */
size_t meeting_send(struct meeting *meeting, uint64_t now, void *buffer);
uint64_t meeting_due(const struct meeting *meeting);

/* Takes what the rendezvous says to us; false for anything else. */
bool meeting_receive(struct meeting *meeting, const struct endpoint *from,
		     const struct stun_message *message, uint64_t now);

/* The last word to the rendezvous; 0 when there is none to say (any more). */
size_t meeting_leave(struct meeting *meeting, void *buffer);

#endif
