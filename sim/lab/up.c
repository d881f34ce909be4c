/* SPDX-License-Identifier: MIT */
/* A lab's beginning and end. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "kern/carrier.h"
#include "lab/internal.h"

/* The kernel's worker needs a millisecond; this is for a machine in great need. */
enum { CARRIER_TIMEOUT_MS = 5000 };

uint64_t lab_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The first packet of the first program must not be lost for want of a ready link. */
static int await_carriers(struct lab *lab, struct diag *d)
{
	const struct plan_step *step;
	struct space *space;
	size_t i;
	int r;

	for (i = 0; i < lab->plan->step_count; i++) {
		step = &lab->plan->steps[i];
		if (step->kind != PLAN_LINK)
			continue;
		space = &lab->spaces[step->space];
		r = carrier_await(space->netns, device_index(space, step->link.name),
				  CARRIER_TIMEOUT_MS, d);
		if (r < 0) {
			diag_while(d, "while waiting for link %s of %s", step->link.name,
				   lab->plan->spaces[step->space].name);
			return r;
		}
	}
	return 0;
}

static int bring_up(struct lab *lab, struct diag *d)
{
	int r = steps_do(lab, d);

	if (r == 0)
		r = await_carriers(lab, d);
	if (r == 0)
		r = files_write(lab, d);
	if (r == 0)
		r = events_open(lab, d);
	if (r == 0)
		r = port_mapping_start(lab, d);
	if (r == 0)
		r = strays_start(lab, d);
	return r;
}

int lab_up(const struct topo *topo, const struct plan *plan, const struct lab_options *options,
	   struct lab **ret, struct diag *d)
{
	CLEANUP(lab_free_cleanup) struct lab *lab = calloc(1, sizeof(*lab));
	int r = lab_check(topo, d);

	if (r < 0)
		return r;
	if (!lab)
		return -ENOMEM;
	lab->topo = topo;
	lab->plan = plan;
	lab->epoll = -1;
	lab->signals.fd = -1;
	if (options)
		lab->options = *options;
	if (lab->options.output_limit == 0)
		lab->options.output_limit = LAB_OUTPUT_DEFAULT;
	lab->spaces = calloc(plan->space_count + 1, sizeof(*lab->spaces));
	if (!lab->spaces)
		return -ENOMEM;
	r = bring_up(lab, d);
	if (r < 0)
		return r;
	*ret = STEAL(lab);
	return 0;
}

void lab_free(struct lab *lab)
{
	if (!lab)
		return;
	if (lab->spaces) {
		inhabitants_kill(lab);
		events_close(lab);
		steps_undo(lab);
	}
	files_remove(lab);
	free(lab->spaces);
	free(lab);
}

struct netns *lab_netns(struct lab *lab, size_t node)
{
	return lab->spaces[plan_space_of(lab->plan, node)].netns;
}
