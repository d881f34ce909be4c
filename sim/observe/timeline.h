/* SPDX-License-Identifier: MIT */
/*
 * What happened in a lab, as typed values: every program's life and words, and
 * what the kernel of each router remembers at the end. The verdict needs nothing
 * else, so verdicts can be tested without a kernel.
 */
#ifndef NATSIM_OBSERVE_TIMELINE_H
#define NATSIM_OBSERVE_TIMELINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/conntrack.h"
#include "topo/topo.h"

enum run_end {
	RUN_NOT_REACHED,  /* an earlier step ended the run */
	RUN_NOT_STARTED,  /* could not be executed: `problem` says why */
	RUN_RUNNING,      /* still alive when the run ended */
	RUN_EXITED,       /* by itself, `status` */
	RUN_SIGNALLED,    /* by a signal not ours, `status` */
	RUN_STOPPED,      /* by a stop step or at the end, `status` as exit status or -signal */
	RUN_DEADLINE,     /* did not end, or did not become ready, in time: killed */
};

struct run_event { /* one JSON line an agent printed */
	uint64_t when; /* nanoseconds since the lab was up */
	json_t *json;
};

/* The life of one `start` or `run` program. */
struct run {
	size_t step, index; /* into topo.steps and its programs */
	char *command;      /* as executed, for reading */
	char *problem;      /* RUN_NOT_STARTED */
	enum run_end end;
	int status;
	uint64_t started, ready, ended; /* nanoseconds since the lab was up; 0 for never */
	struct run_event *events;
	size_t event_count;
	json_t *result; /* borrowed from events: the one with "event":"result", or NULL */
	char *out, *err; /* bounded; NUL-terminated */
	size_t out_length, err_length;
	uint64_t out_total, err_total; /* larger than the lengths when cut */
};

/* One router at the end of the run. */
struct router_view {
	size_t node;
	struct flow *flows;
	size_t flow_count;
	char *rules; /* commented nft text */
};

struct timeline {
	uint64_t built_ns;    /* how long building the lab took */
	uint64_t finished_ns; /* when the last step ended, since the lab was up */
	bool interrupted;     /* by the user: what follows was not reached */
	struct run *runs;     /* one for each program of each step, in the file's order */
	size_t run_count;
	struct router_view *routers; /* every node with a NAT */
	size_t router_count;
};

void timeline_free(struct timeline *timeline);
DEFINE_CLEANUP(struct timeline *, timeline_free)

/* The run of program @index of step @step, or NULL. */
const struct run *timeline_find(const struct timeline *timeline, size_t step, size_t index);

#endif
