/* SPDX-License-Identifier: MIT */
/*
 * The rendezvous without its socket: a bounded table of sessions, fed with time and
 * datagrams, that says what to send to whom.
 */
#ifndef NATSIM_AGENTS_RENDEZVOUS_SERVER_H
#define NATSIM_AGENTS_RENDEZVOUS_SERVER_H

#include "agents/net/random.h"
#include "agents/rendezvous/protocol.h"
#include "base/cleanup.h"

struct rendezvous;

struct rendezvous_config {
	size_t sessions;     /* at most at one time */
	uint64_t idle;       /* nanoseconds after which a session nobody spoke of is forgotten */
	uint64_t relay_rate; /* bytes a second passed on for each session, in bursts of as many */
	struct random_source random;
};

struct rendezvous_datagram {
	struct endpoint to;
	size_t length;
	uint8_t bytes[RELAYED_MAX];
};

enum { RENDEZVOUS_OUT_MAX = 2 }; /* the answer, and a push to the other peer; or one passed on */

/* Returns 0, -ENOMEM, or -EINVAL for no sessions or more than 32 bits can number. */
int rendezvous_new(const struct rendezvous_config *config, struct rendezvous **ret);
void rendezvous_free(struct rendezvous *rendezvous);
DEFINE_CLEANUP(struct rendezvous *, rendezvous_free)

/* Take in a datagram; returns how many are to be sent, written into @out. */
size_t rendezvous_receive(struct rendezvous *rendezvous, const struct endpoint *from,
			  const void *datagram, size_t length, uint64_t now,
			  struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX]);

/* Forget what is idle at @now. Returns when to call again, UINT64_MAX with no session. */
uint64_t rendezvous_expire(struct rendezvous *rendezvous, uint64_t now);

size_t rendezvous_sessions(const struct rendezvous *rendezvous);

#endif
