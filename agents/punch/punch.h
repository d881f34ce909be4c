/* SPDX-License-Identifier: MIT */
/*
 * A UDP hole punch as a state machine: from a session's name to payload over a direct
 * path. Fed with time and datagrams, owns no socket and no clock.
 */
#ifndef NATSIM_AGENTS_PUNCH_PUNCH_H
#define NATSIM_AGENTS_PUNCH_PUNCH_H

#include "agents/net/datagram.h"
#include "agents/net/say.h"
#include "agents/punch/aim.h"
#include "agents/punch/path.h"
#include "agents/punch/technique.h"
#include "agents/rendezvous/meeting.h"

/* Those from PUNCH_SOCKETS on are for guessing (aim.h). */
enum punch_socket { PUNCH_MAIN, PUNCH_BLIND, PUNCH_SOCKETS };

struct punch_config {
	struct meeting_config meeting;
	struct talk_config talk; /* its random source is the meeting's */
	uint64_t timeout;  /* nanoseconds, from start to a settled path; also to find it again */
	uint64_t patience; /* the same, to wait for the peer: `timeout` begins then; 0: at once */
	uint32_t repunch;  /* how often a path that died is punched again */
	struct aim_config aim;
	struct endpoint mapped; /* what our router granted us; no family: nothing */
	bool call_me;           /* connection reversal: send nothing before the other has */
	struct say say;         /* what is going on, for people */
};

enum punch_phase {
	PHASE_JOINING,  /* asking the rendezvous for the other peer */
	PHASE_DIALLING, /* both known; the blind dial, then waiting until both have dialled */
	PHASE_PUNCHING, /* seeking a path, for the first time or again */
	PHASE_TALKING,
	PHASE_DONE,   /* path "direct" */
	PHASE_FAILED, /* path "none", see `reason` */
	PHASE_LOST,   /* path "lost", see `reason` */
};

enum blind { BLIND_NONE, BLIND_RECEIVED, BLIND_LATE };

struct punch {
	struct punch_config config;
	enum punch_phase phase;
	uint64_t started, ended;
	uint64_t deadline; /* of what is being sought */

	struct meeting meeting;
	struct introduction peer; /* the newest that is known; `stage` tells how much */
	bool blind_due, leave_due;
	enum blind blind;
	uint8_t held[SEALED_MAX]; /* came before we had the token to open it */
	size_t held_length;

	struct aim aim;     /* meaningful from PHASE_DIALLING on */
	struct path path;   /* the same */
	bool meeting_again; /* the rendezvous has been asked for the peer's new endpoints */
	uint64_t meet_at;   /* when it is to be */
	char reason[200];
};

void punch_start(struct punch *punch, const struct punch_config *config, uint64_t now);

/* The next datagram to send at @now; call until false. */
bool punch_send(struct punch *punch, uint64_t now, struct datagram *ret);

/* When to call punch_send() again if nothing arrives; UINT64_MAX when it is over. */
uint64_t punch_due(const struct punch *punch);

bool punch_over(const struct punch *punch);

/* A datagram came in on any socket but PUNCH_BLIND: answers to that are of no interest. */
void punch_receive(struct punch *punch, size_t socket, const struct endpoint *from,
		   const void *datagram, size_t length, uint64_t now);

/* @to's own host answered that nobody listens there. */
void punch_refused(struct punch *punch, const struct endpoint *to, uint64_t now);

/* The last word to the rendezvous of one that is interrupted; false when there is none to say. */
bool punch_leave(struct punch *punch, struct datagram *ret);

/* It is not needed any more: only a last word to the rendezvous may be left to send. */
void punch_abandon(struct punch *punch, uint64_t now);

/* What made the path; meaningful once it has been settled. */
enum technique punch_technique(const struct punch *punch);

const char *blind_name(enum blind blind);

#endif
