/* SPDX-License-Identifier: MIT */
/* TCP connections that are over, and what their peers can still say by them. */
#ifndef NATSIM_CONFORM_ENDINGS_H
#define NATSIM_CONFORM_ENDINGS_H

#include "conform/bed.h"

enum ending {
	ENDING_CLOSED, /* by both sides, the inside first */
	ENDING_RESET,  /* by the peer */
};

/* Where connections of one kind end; its sockets are the bed's. */
struct endings {
	struct bed *bed;
	enum ending how;
	struct endpoint peer;
	int listener, near, far, out;
};

struct ended {
	struct endpoint local, external;
	struct bed_segment word; /* what the peer may say now: the next number, and no payload */
};

/* @port of the peer must be nobody else's meanwhile. */
struct endings endings_begin(struct bed *bed, enum ending how, uint16_t port);
/* A connection from @local that begins and ends. False when it did not come so far. */
bool ended_make(const struct endings *endings, const struct endpoint *local, struct ended *ret);
/* Does the peer's word get in? */
bool ended_answers(const struct endings *endings, const struct ended *ended);

#endif
