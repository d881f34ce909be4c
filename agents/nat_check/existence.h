/* SPDX-License-Identifier: MIT */
/*
 * The role "existence" of nat-check: whoever is seen under an address that is none of its own is
 * behind a NAT. And, as long as it is told to, it stays reachable where it was seen.
 */
#ifndef NATSIM_AGENTS_NAT_CHECK_EXISTENCE_H
#define NATSIM_AGENTS_NAT_CHECK_EXISTENCE_H

#include "agents/detect/notes.h"
#include "agents/detect/probe.h"
#include "agents/nat_check/wire.h"
#include "agents/net/say.h"

enum { OWN_MAX = 64 };

struct existence_config {
	struct endpoint server;       /* any STUN server */
	struct endpoint own[OWN_MAX]; /* our addresses, the socket's own first */
	size_t own_count;
	uint64_t timeout; /* for the server's answer; nanoseconds */
	uint64_t wait;    /* for strangers, after that */
	struct random_source random;
	struct say say; /* what is going on, for people */
};

struct existence {
	struct existence_config config;
	struct probe probe;
	bool over;
	bool translated;          /* meaningful when the probe was answered */
	unsigned int strangers;   /* Knocks that came in */
	struct endpoint stranger; /* whence the last of them */
	bool owes_answer;         /* to it */
	uint8_t knock_id[STUN_ID_SIZE];
	struct notes notes;
};

void existence_start(struct existence *existence, const struct existence_config *config,
		     uint64_t now);
bool existence_send(struct existence *existence, uint64_t now, struct datagram *ret);
uint64_t existence_due(const struct existence *existence);
void existence_receive(struct existence *existence, const struct endpoint *from, const void *bytes,
		       size_t length, uint64_t now);

#endif
