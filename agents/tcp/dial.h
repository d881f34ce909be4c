/* SPDX-License-Identifier: MIT */
/*
 * Dialling one endpoint again and again until somebody answers: when to call connect(),
 * and when to give an attempt up for a fresh one. Fed with time, owns no socket.
 */
#ifndef NATSIM_AGENTS_TCP_DIAL_H
#define NATSIM_AGENTS_TCP_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "agents/net/tcp.h"

enum dial_state {
	DIAL_IDLE,
	DIAL_WAITING,  /* until `due` for the next attempt */
	DIAL_DIALLING, /* the attempt is given up at `due` */
	DIAL_OPEN,
};

struct dial {
	enum dial_state state;
	struct endpoint to;
	uint64_t due;
	uint64_t patience;     /* for one attempt; doubles */
	uint64_t pause;        /* after a refusal; doubles */
	unsigned int attempts; /* of connect() */
	unsigned int resets, icmp_errors, other_errors;
	struct addr reporter; /* of the last ICMP error */
	int error;            /* the last of all of them; 0 for none */
};

/* Dial @to from @when on; @patience is for the first attempt. */
void dial_start(struct dial *dial, const struct endpoint *to, uint64_t patience, uint64_t when);

/* True when connect() is to be called now, with a fresh socket. */
bool dial_step(struct dial *dial, uint64_t now);
uint64_t dial_due(const struct dial *dial);

void dial_connected(struct dial *dial);
void dial_failed(struct dial *dial, const struct tcp_refusal *refusal, uint64_t now);

/* What was open is not any more. */
void dial_ended(struct dial *dial, uint64_t now);

/* How often somebody said no: resets and ICMP errors. */
unsigned int dial_refused(const struct dial *dial);

#endif
