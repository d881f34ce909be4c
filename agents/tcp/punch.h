/* SPDX-License-Identifier: MIT */
/*
 * A TCP hole punch as a state machine: from a session's name to payload over a direct
 * connection. Fed with time and with what becomes of connections, owns no socket and no clock.
 */
#ifndef NATSIM_AGENTS_TCP_PUNCH_H
#define NATSIM_AGENTS_TCP_PUNCH_H

#include <assert.h>

#include "agents/net/say.h"
#include "agents/punch/path.h"
#include "agents/punch/punch.h"
#include "agents/rendezvous/meeting.h"
#include "agents/tcp/dial.h"

/* Connections are numbers: what dials has one of its own, what is accepted gets one. */
enum {
	TCP_RENDEZVOUS,
	TCP_BLIND, /* from a fresh port: the negative control */
	TCP_PEERS, /* one for each endpoint that the peer announced */
	TCP_ACCEPTED = TCP_PEERS + PRIVATE_MAX + 1,
	TCP_CONNECTIONS = TCP_ACCEPTED + 8,
};

struct tcp_punch_config {
	struct meeting_config meeting;
	struct talk_config talk;
	uint64_t timeout; /* nanoseconds, from start to a settled connection */
	uint64_t delay;   /* nanoseconds, from "go" to our own first SYN */
	struct say say;   /* what is going on, for people */
};

enum tcp_punch_phase {
	TCP_PUNCH_JOINING,  /* asking the rendezvous for the other peer */
	TCP_PUNCH_DIALLING, /* the blind dial, then waiting until both have dialled */
	TCP_PUNCH_PUNCHING,
	TCP_PUNCH_TALKING,
	TCP_PUNCH_DONE,   /* path "direct" */
	TCP_PUNCH_FAILED, /* path "none", see `reason` */
	TCP_PUNCH_LOST,   /* path "lost", see `reason` */
};

struct tcp_connection {
	bool open;
	bool abort_due, close_due;
	struct endpoint remote;
	uint64_t since; /* connected or accepted */
	bool heard;     /* the peer's own words came over it */
	size_t held_length;
	uint8_t held[SEALED_MAX]; /* came before we had the token to open it */
};

struct tcp_punch {
	struct tcp_punch_config config;
	enum tcp_punch_phase phase;
	uint64_t started, ended;

	struct meeting meeting;
	struct introduction peer; /* from DIALLING on */
	struct dial rendezvous;
	struct dial
		dials[PRIVATE_MAX + 1]; /* TCP_PEERS on; the last that is used is the public one */
	size_t dial_count;
	struct tcp_connection connections[TCP_CONNECTIONS];

	bool blind_due, blind_dialled;
	uint64_t blind_until; /* then the blind dial is given up */
	enum blind blind;
	uint64_t punched; /* our first SYN to the peer; 0 for none yet */

	bool leave_due;
	struct path path; /* from DIALLING on: connections as candidates */
	char reason[240];
};

enum tcp_action_kind {
	TCP_ACTION_CONNECT, /* a fresh socket; an old one of this number is given up */
	TCP_ACTION_SEND,
	TCP_ACTION_CLOSE, /* what was sent is delivered first */
	TCP_ACTION_ABORT,
};

struct tcp_action {
	enum tcp_action_kind kind;
	size_t connection;
	bool fresh_port;    /* CONNECT: not from the port that all others share */
	struct endpoint to; /* CONNECT */
	size_t length;      /* SEND */
	uint8_t bytes[LETTER_SEALED_MAX];
};

static_assert((int)LETTER_SEALED_MAX >= (int)JOIN_SIZE, "the longest of what is sent");

void tcp_punch_start(struct tcp_punch *punch, const struct tcp_punch_config *config, uint64_t now);

/* The next thing to be done at @now; call until false. */
bool tcp_punch_act(struct tcp_punch *punch, uint64_t now, struct tcp_action *ret);

/* When to call tcp_punch_act() again if nothing happens; UINT64_MAX when it is over. */
uint64_t tcp_punch_due(const struct tcp_punch *punch);
bool tcp_punch_over(const struct tcp_punch *punch);

/* It is not needed any more: all its connections are to be ended. */
void tcp_punch_abandon(struct tcp_punch *punch, uint64_t now);

/* What became of a CONNECT. */
void tcp_punch_connected(struct tcp_punch *punch, size_t connection, uint64_t now);
void tcp_punch_failed(struct tcp_punch *punch, size_t connection, const struct tcp_refusal *refusal,
		      uint64_t now);

/* Somebody connected to our port. Returns the number of the connection, or -1: not wanted. */
int tcp_punch_accepted(struct tcp_punch *punch, const struct endpoint *from, uint64_t now);

void tcp_punch_receive(struct tcp_punch *punch, size_t connection,
		       const struct stun_message *message, uint64_t now);

/* The other end has closed, or what came is no stream of messages. */
void tcp_punch_ended(struct tcp_punch *punch, size_t connection, uint64_t now);

/* The last word to the rendezvous of one that is interrupted; false when there is none to say. */
bool tcp_punch_leave(struct tcp_punch *punch, struct tcp_action *ret);

/* From a settled path on: "private", "hairpin", "tcp-crossed" or "tcp-connect". */
const char *tcp_punch_technique(const struct tcp_punch *punch);

/* Of all endpoints of the peer together. */
unsigned int tcp_punch_attempts(const struct tcp_punch *punch);
unsigned int tcp_punch_refused(const struct tcp_punch *punch);

#endif
