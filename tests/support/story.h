/* SPDX-License-Identifier: MIT */
/*
 * Timelines told by hand: a topology from text, and what is said to have happened in
 * it. Every function asserts that the story makes sense.
 */
#ifndef NATSIM_TESTS_SUPPORT_STORY_H
#define NATSIM_TESTS_SUPPORT_STORY_H

#include <stdint.h>

#include "observe/timeline.h"
#include "topo/topo.h"
#include "verdict/verdict.h"

struct story {
	struct topo *topo;
	struct timeline *timeline;
	struct judgement *judgement; /* NULL until story_judge() */
};

/* A topology in which every step was played, every program started, and nothing more. */
struct story story_begin(const char *yaml);
void story_end(struct story *story);

/* The run of program @index of step @step, both from 0. */
struct run *story_run(struct story *story, size_t step, size_t index);

/* It ended by itself, having printed that much. */
void story_exited(struct run *run, int status, const char *out, const char *err);

/* It printed this result: JSON in single quotes, for easier reading here. */
void story_result(struct run *run, const char *json);

/* A UDP flow in the table of @router: the packets went from @inside as @outside to @remote. */
void story_flow(struct story *story, const char *router, const char *inside, const char *outside,
		const char *remote, uint64_t packets, uint64_t reply_packets);

/* The table of @router, to be changed. */
struct router_view *story_router(struct story *story, const char *router);

void story_judge(struct story *story);

/* The verdict on the expectation called @name of program @index of step @step. */
const struct verdict *story_verdict(const struct story *story, size_t step, size_t index,
				    const char *name);

/* The first line of a proof whose part is @part and that is not better than @least; NULL for none.
 */
const struct proof_line *story_line(const struct verdict *verdict, const char *part,
				    enum outcome least);

/* Two homes behind NATs called @nat1 and @nat2 and a rendezvous; step 1 is the punching,
 * both ends of which expect @path. */
struct story story_two_homes(const char *nat1, const char *nat2, const char *path);

/* In that story: pc1 and pc2 met directly, and everything agrees (both NATs being port restricted).
 */
void story_met(struct story *story);

#endif
