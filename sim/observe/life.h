/* SPDX-License-Identifier: MIT */
/* One program from spawn to end, and what of it goes into the timeline. */
#ifndef NATSIM_OBSERVE_LIFE_H
#define NATSIM_OBSERVE_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/lab.h"
#include "observe/timeline.h"

enum life_phase {
	LIFE_NONE,   /* not started, or could not be */
	LIFE_LIVE,   /* runs */
	LIFE_ASKED,  /* SIGTERM was sent */
	LIFE_KILLED, /* SIGKILL was sent */
	LIFE_OVER,   /* has ended */
};

/* Why a program is being ended by us. */
enum life_reason {
	LIFE_BY_ITSELF,
	LIFE_OVERDUE,     /* it missed its deadline */
	LIFE_STOPPED,     /* a stop step, or the run is over */
	LIFE_INTERRUPTED, /* the user wants us to stop */
};

struct life {
	const struct program *program;
	struct run *run; /* where it is written down */
	struct child *child;
	enum life_phase phase;
	enum life_reason reason;
	bool awaited;      /* the step being played goes on only when this one is done ... */
	bool until_ready;  /* ... with becoming ready, rather than with its life */
	uint64_t deadline; /* lab_clock(): when to do the next harsher thing */
	uint64_t allowed;  /* nanoseconds it was given, for the words about a missed deadline */
};

/*
 * Execute it. @zero is the lab_clock() of the timeline's 0.
 *
 * Returns 0 also when the program could not be executed: then the run says so and the
 * phase stays LIFE_NONE. Returns -ENOMEM.
 */
int life_start(struct life *life, struct lab *lab, uint64_t zero);

/* Take in a line it printed, or its end. */
int life_line(struct life *life, const struct lab_event *event, uint64_t zero);
int life_over(struct life *life, const struct lab_event *event, uint64_t zero);

/* Ask it to end, with @grace nanoseconds before it is killed. */
int life_ask(struct life *life, struct lab *lab, enum life_reason reason, uint64_t grace);

/* Its deadline has passed: ask, then kill; -ETIMEDOUT with words in @d when even that did not help.
 */
int life_overdue(struct life *life, struct lab *lab, struct diag *d);

/* Nothing more to wait for in this step. */
bool life_done(const struct life *life);

/* It runs, whatever it was told. */
bool life_alive(const struct life *life);

#endif
