/* SPDX-License-Identifier: MIT */
/*
 * Judging: every expectation of a topology against the timeline of its run.
 *
 *     topo (what should be) + timeline (what was) --verdict_judge--> judgement
 *
 * Pure: no clock, no descriptor, nothing but values in and values out.
 */
#ifndef NATSIM_VERDICT_VERDICT_H
#define NATSIM_VERDICT_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "observe/timeline.h"
#include "topo/topo.h"
#include "verdict/proof.h"

/* One expectation, judged. */
struct verdict {
	size_t step;    /* where it is written: the step */
	size_t program; /* and its program; TOPO_NONE for the step's own (stop, wait) */
	const struct expectation *expectation;
	const struct run *run; /* the run it is about */
	enum outcome outcome;
	char *expected, *observed; /* sentences without full stop */
	char *hint;                /* what may be meant or wrong, or NULL */
	struct proof proof;        /* empty where the observation is the proof */
};

/* Something went wrong that no expectation speaks of: it spoils the run all the same. */
struct complaint {
	const struct run *run;
	char *words;
};

struct judgement {
	struct verdict *verdicts; /* in the order of steps and programs */
	size_t count;
	size_t held, broken, undecided;
	struct complaint *complaints;
	size_t complaint_count;
	bool interrupted;
};

/* Returns 0 and a judgement that borrows from @topo and @timeline, or -ENOMEM. */
int verdict_judge(const struct topo *topo, const struct timeline *timeline, struct judgement **ret);
void judgement_free(struct judgement *judgement);
DEFINE_CLEANUP(struct judgement *, judgement_free)

/* Everything held, nothing went wrong, and nobody interrupted. */
bool judgement_good(const struct judgement *judgement);

/* "exit", "stdout", "path": what the expectation is called in the file. */
const char *expectation_name(const struct expectation *expectation);

#endif
