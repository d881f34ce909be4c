/* SPDX-License-Identifier: MIT */
/*
 * What happened in a lab, as typed values: every program's life and words, and
 * what the kernel of each router remembers at the end. The verdict needs nothing
 * else, so verdicts can be tested without a kernel.
 *
 * All times are nanoseconds since the lab was up; 0 means never.
 */
#ifndef NATSIM_OBSERVE_TIMELINE_H
#define NATSIM_OBSERVE_TIMELINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "kern/conntrack.h"
#include "topo/topo.h"

enum { RUN_EVENTS_MAX = 4096 }; /* kept of each run; the rest is counted */

enum run_end {
	RUN_NOT_REACHED, /* an earlier step ended the run */
	RUN_NOT_STARTED, /* could not be executed: `problem` says why */
	RUN_RUNNING,     /* still alive when the user interrupted the run */
	RUN_EXITED,      /* by itself, `status` */
	RUN_SIGNALLED,   /* by a signal not ours, `status` */
	RUN_STOPPED,     /* by a stop step or at the end, `status` as exit status or -signal */
	RUN_DEADLINE,    /* did not end, or did not become ready, in time: killed */
};

struct run_event { /* one JSON line an agent printed */
	uint64_t when;
	json_t *json;
};

/* The life of one `start` or `run` program. */
struct run {
	size_t step, index; /* into topo.steps and its programs */
	char *command;      /* as executed, quoted for a shell; an agent without its directory */
	char *problem;      /* what went wrong with its life, in words; NULL for nothing */
	enum run_end end;
	int status;
	bool stubborn; /* SIGTERM was not enough */
	uint64_t started, ready, ended;
	struct run_event *events;
	size_t event_count;
	size_t events_dropped; /* beyond RUN_EVENTS_MAX */
	size_t strange_lines; /* of an agent's stdout that were not JSON objects: kept in `out` only
			       */
	json_t *result;       /* borrowed from events: the last with "event":"result", or NULL */
	char *out, *err;      /* bounded; NUL-terminated */
	size_t out_length, err_length;
	uint64_t out_total, err_total; /* larger than the lengths when cut */
};

/* When a step was played; `started` is 0 for one that was not reached. */
struct step_view {
	uint64_t started, ended;
};

/* What the kernel of one node with a NAT remembered. */
struct router_view {
	size_t node;
	struct flow *flows;
	size_t flow_count;
	char *rules;   /* commented nft text; NULL in snapshots */
	char *problem; /* why the above could not be read, or NULL */
};

/* The tables as they were when a step had ended: mappings do not live for ever. */
struct snapshot {
	size_t step;
	uint64_t when;
	struct router_view *routers;
	size_t router_count;
};

struct timeline {
	uint64_t built_ns;       /* how long building the lab took */
	uint64_t finished_ns;    /* when the last step ended */
	bool interrupted;        /* by the user: what follows was not reached */
	struct step_view *steps; /* as many as the topology has */
	size_t step_count;
	struct run *runs; /* one for each program of each step, in the file's order */
	size_t run_count;
	struct snapshot *snapshots; /* of the steps that expect a path, in order of time */
	size_t snapshot_count;
	struct router_view *routers; /* every node with a NAT, at the end of the run */
	size_t router_count;
};

/* Returns 0 and a timeline in which nothing has happened yet, or -ENOMEM. */
int timeline_new(const struct topo *topo, struct timeline **ret);
void timeline_free(struct timeline *timeline);
DEFINE_CLEANUP(struct timeline *, timeline_free)

/* The run of program @index of step @step, or NULL. */
const struct run *timeline_find(const struct timeline *timeline, size_t step, size_t index);

/* Frees what @count views hold, and the array. */
void router_views_free(struct router_view *views, size_t count);

#endif
