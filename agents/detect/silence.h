/* SPDX-License-Identifier: MIT */
/* One request that a filter may swallow, and the proof that nothing else did. See detect.c. */
#ifndef NATSIM_AGENTS_DETECT_SILENCE_H
#define NATSIM_AGENTS_DETECT_SILENCE_H

#include "agents/detect/classify.h"

enum {
	SILENCE_ROUNDS = 5, /* proven ones that do where no loss is seen */
	SILENCE_ROUNDS_MAX = 64
};

/* What is known about the path, measured by whoever runs the test. */
struct silence_path {
	uint64_t rto;        /* after this long without an answer a datagram is taken for lost */
	uint64_t slack;      /* how much later than its control an answer may still arrive */
	uint64_t pace;       /* between rounds */
	unsigned int needed; /* proven rounds that make a silence */
};

struct silence {
	bool running;
	bool over;
	enum answer verdict; /* once over */
	uint64_t started, due, last_proof;
	uint64_t sent_at[SILENCE_ROUNDS_MAX];
	unsigned int rounds; /* sent */
	unsigned int proven; /* of which the control was answered */
};

enum silence_action {
	SILENCE_WAIT,
	SILENCE_SEND /* the request, and the control behind it */,
	SILENCE_OVER
};

void silence_start(struct silence *silence, uint64_t now);

/* The control was answered: one more round in which the path was alive. */
void silence_proof(struct silence *silence, uint64_t now);

/* The request itself was answered (ANSWER_CAME), or in a way that proves nothing
 * (ANSWER_UNDECIDED). */
void silence_end(struct silence *silence, enum answer verdict);

/* What is to be done at @now; gives up undecided @limit after the start. */
enum silence_action silence_step(struct silence *silence, const struct silence_path *path,
				 uint64_t limit, uint64_t now);

/* How many controls had their time at @now, and how many of those were lost. */
void silence_losses(const struct silence *silence, uint64_t rto, uint64_t now, unsigned int *trials,
		    unsigned int *lost);

/* Proven rounds that are needed when @lost of @trials controls were lost. */
unsigned int silence_needed(unsigned int trials, unsigned int lost);

#endif
