/* SPDX-License-Identifier: MIT */
/*
 * Two peers that talk by way of a relay, as a state machine: from a session's name to payload.
 * Fed with time and datagrams, owns no socket and no clock.
 */
#ifndef NATSIM_AGENTS_RELAY_RELAY_H
#define NATSIM_AGENTS_RELAY_RELAY_H

#include "agents/net/datagram.h"
#include "agents/net/say.h"
#include "agents/punch/path.h"
#include "agents/relay/carrier.h"

struct relay_config {
	struct meeting_config meeting;
	bool with_turn;
	struct turn_config turn;   /* its `random` is the meeting's */
	bool channels;             /* bind one to the peer */
	struct talk_config talk;   /* its `random` is the meeting's */
	uint64_t timeout;          /* nanoseconds, from start to a settled path */
	uint64_t allocates_within; /* then go on without, as when it is refused; 0: rather fail */
	struct say say;            /* what is going on, for people */
};

enum relay_phase {
	RELAY_MEETING,   /* until both know of each other, and have what they want to offer */
	RELAY_ADMITTING, /* our TURN server is asked to let the other in */
	RELAY_SEEKING,   /* does it get through? */
	RELAY_TALKING,
	RELAY_DONE,   /* path "relayed" */
	RELAY_FAILED, /* path "none", see `reason` */
	RELAY_LOST,   /* path "lost", see `reason` */
};

/* Not to be moved once started: it points into itself. */
struct relay {
	struct relay_config config;
	enum relay_phase phase;
	uint64_t started, ended;
	struct meeting meeting;
	struct turn turn;       /* closed from the start without one */
	bool offered;           /* an allocation, so it is one to be used */
	struct carrier carrier; /* from ADMITTING on */
	struct path path;       /* from SEEKING on */
	bool leave_due;
	char reason[240];
};

void relay_start(struct relay *relay, const struct relay_config *config, uint64_t now);

/* The next datagram to send at @now; call until false. There is one socket, number 0. */
bool relay_send(struct relay *relay, uint64_t now, struct datagram *ret);
uint64_t relay_due(const struct relay *relay);
bool relay_over(const struct relay *relay);

void relay_receive(struct relay *relay, const struct endpoint *from, const void *datagram,
		   size_t length, uint64_t now);

/* @to's own host answered that nobody listens there. */
void relay_refused(struct relay *relay, const struct endpoint *to);

/* It is not needed any more: only what it holds at the servers is to be given back. */
void relay_abandon(struct relay *relay, uint64_t now);

/* The last words of one that is interrupted; call until false. */
bool relay_leave(struct relay *relay, uint64_t now, struct datagram *ret);

#endif
