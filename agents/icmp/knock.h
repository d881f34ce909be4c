/* SPDX-License-Identifier: MIT */
/*
 * Traversal without a server as a state machine (the method of pwnat): the listener, whom
 * nobody can reach, pings an address that nobody answers from; the caller, who knows the
 * listener's public address, sends the error a router on that way would have sent. Fed with
 * time and datagrams, owns no socket and no clock.
 */
#ifndef NATSIM_AGENTS_ICMP_KNOCK_H
#define NATSIM_AGENTS_ICMP_KNOCK_H

#include "agents/icmp/packet.h"
#include "agents/net/say.h"
#include "agents/punch/path.h"

/* KNOCK_ICMP is a raw socket: it takes and gives what packet.h writes and reads. */
enum knock_socket { KNOCK_UDP, KNOCK_BLIND, KNOCK_ICMP };

struct knock_config {
	const char *session;  /* what both know, and nobody else shall */
	struct endpoint peer; /* the listener's public endpoint; no family: we are the listener */
	struct addr target;   /* who is pinged; both must name the same */
	uint16_t port;        /* both peers' UDP port */
	uint64_t interval;    /* nanoseconds between pings, and between errors */
	uint64_t timeout;     /* nanoseconds, from start to a settled path */
	struct talk_config talk;
	struct say say; /* what is going on, for people */
};

enum knock_phase {
	KNOCK_SEEKING,
	KNOCK_TALKING,
	KNOCK_DONE,   /* path "direct" */
	KNOCK_FAILED, /* path "none", see `reason` */
	KNOCK_LOST,   /* path "lost", see `reason` */
};

struct knock {
	struct knock_config config;
	enum knock_phase phase;
	uint64_t started, ended;
	uint8_t tag[ICMP_TAG_SIZE];
	struct path path;
	uint64_t next; /* ping, or error */
	unsigned int pings, errors;
	bool blind_due, blind; /* the negative control: to be sent; has arrived */
	unsigned int heard;    /* the peer's errors, at the listener */
	struct addr heard_from;
	bool replied; /* something came from the peer over UDP */
	char reason[160];
};

void knock_start(struct knock *knock, const struct knock_config *config, uint64_t now);

/* The next datagram to send at @now; call until false. */
bool knock_send(struct knock *knock, uint64_t now, struct datagram *ret);
uint64_t knock_due(const struct knock *knock);
bool knock_over(const struct knock *knock);
void knock_receive(struct knock *knock, enum knock_socket socket, const struct endpoint *from,
		   const void *bytes, size_t length, uint64_t now);

/* @to's own host answered that nobody listens there. */
void knock_refused(struct knock *knock, const struct endpoint *to, uint64_t now);

bool knock_is_listener(const struct knock *knock);

#endif
