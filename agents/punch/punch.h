/* SPDX-License-Identifier: MIT */
/*
 * A UDP hole punch as a state machine: from a session's name to payload over a direct
 * path. Fed with time and datagrams, owns no socket and no clock.
 */
#ifndef NATSIM_AGENTS_PUNCH_PUNCH_H
#define NATSIM_AGENTS_PUNCH_PUNCH_H

#include "agents/net/datagram.h"
#include "agents/punch/candidates.h"
#include "agents/punch/talk.h"
#include "agents/rendezvous/meeting.h"

enum punch_socket { PUNCH_MAIN, PUNCH_BLIND, PUNCH_SOCKETS };

struct punch_config {
	struct meeting_config meeting;
	uint32_t messages;
	uint64_t interval; /* nanoseconds, between messages */
	uint64_t timeout;  /* nanoseconds, from start to a settled path */
	void (*say)(void *context, const char *line); /* what is going on, for people; or NULL */
	void *say_context;
};

enum punch_phase {
	PHASE_JOINING,  /* asking the rendezvous for the other peer */
	PHASE_DIALLING, /* both known; the blind dial, then waiting until both have dialled */
	PHASE_PUNCHING,
	PHASE_TALKING,
	PHASE_DONE,   /* path "direct" */
	PHASE_FAILED, /* path "none", see `reason` */
	PHASE_LOST,   /* path "lost", see `reason` */
};

enum blind { BLIND_NONE, BLIND_RECEIVED, BLIND_LATE };

struct punch_reply {
	struct endpoint to;
	size_t length;
	uint8_t bytes[SEALED_MAX];
};

struct punch {
	struct punch_config config;
	enum punch_phase phase;
	uint64_t started, connected, ended;

	struct meeting meeting;
	struct seal seal; /* meaningful from PHASE_DIALLING on */
	bool blind_due, leave_due;
	enum blind blind;
	uint8_t held[SEALED_MAX]; /* came before we had the token to open it */
	size_t held_length;

	struct candidates candidates;
	struct talk talk;

	struct punch_reply replies[8]; /* answers waiting to be sent */
	size_t reply_first, reply_count;
	char reason[160];
};

void punch_start(struct punch *punch, const struct punch_config *config, uint64_t now);

/* The next datagram to send at @now; call until false. */
bool punch_send(struct punch *punch, uint64_t now, struct datagram *ret);

/* When to call punch_send() again if nothing arrives; UINT64_MAX when it is over. */
uint64_t punch_due(const struct punch *punch);

bool punch_over(const struct punch *punch);

/* A datagram came in on PUNCH_MAIN; answers to PUNCH_BLIND are of no interest. */
void punch_receive(struct punch *punch, const struct endpoint *from, const void *datagram,
		   size_t length, uint64_t now);

/* @to's own host answered that nobody listens there. */
void punch_refused(struct punch *punch, const struct endpoint *to, uint64_t now);

/* The last word to the rendezvous of one that is interrupted; false when there is none to say. */
bool punch_leave(struct punch *punch, struct datagram *ret);

const char *blind_name(enum blind blind);

#endif
