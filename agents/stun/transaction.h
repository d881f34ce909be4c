/* SPDX-License-Identifier: MIT */
/*
 * When to send a request again, and when to give up: retransmission as a state
 * machine that is fed with time (monotonic nanoseconds) and owns no timer.
 */
#ifndef NATSIM_AGENTS_STUN_TRANSACTION_H
#define NATSIM_AGENTS_STUN_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "agents/net/clock.h"
#include "agents/net/random.h"
#include "agents/stun/message.h"

struct transaction_timing {
	uint64_t first;     /* between the first sending and the second; doubles from there */
	uint64_t longest;   /* the doubling stops here */
	unsigned int sends; /* how often at most; 0 for no limit */
	uint64_t last;      /* how long to wait after the last sending */
	uint64_t limit; /* give up this long after the start, whatever is left; 0 for no limit */
};

/* RFC 8489 section 6.2.1: sent at 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s, failed at 39.5 s. */
#define TRANSACTION_RFC8489           \
	((struct transaction_timing){ \
		.first = 500 * MSEC, .longest = UINT64_MAX, .sends = 7, .last = 8000 * MSEC})

/* RFC 3489 section 9.3: sent at 0, 0.1, 0.3, 0.7, 1.5, 3.1, 4.7, 6.3, 7.9 s, failed at 9.5 s. */
#define TRANSACTION_RFC3489           \
	((struct transaction_timing){ \
		.first = 100 * MSEC, .longest = 1600 * MSEC, .sends = 9, .last = 1600 * MSEC})

struct transaction {
	struct transaction_timing timing;
	uint64_t started;
	uint64_t due; /* when to call transaction_step() next */
	uint64_t interval;
	unsigned int sent;
};

enum transaction_action {
	TRANSACTION_WAIT, /* nothing until `due` */
	TRANSACTION_SEND, /* send the request now, once */
	TRANSACTION_FAIL, /* no answer will be waited for any longer */
};

/* A fresh 96-bit transaction id, cookie in front. */
void transaction_new_id(const struct random_source *random, uint8_t ret[STUN_ID_SIZE]);

/* The first step sends. */
void transaction_start(struct transaction *transaction, const struct transaction_timing *timing,
		       uint64_t now);

/* What is to be done at @now; a caller that is late sends once, not several times. */
enum transaction_action transaction_step(struct transaction *transaction, uint64_t now);

#endif
