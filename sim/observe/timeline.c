/* SPDX-License-Identifier: MIT */
#include "observe/timeline.h"

#include <errno.h>
#include <stdlib.h>

static void run_clear(struct run *run)
{
	size_t i;

	for (i = 0; i < run->event_count; i++)
		json_decref(run->events[i].json);
	free(run->events);
	free(run->command);
	free(run->problem);
	free(run->out);
	free(run->err);
}

void router_views_free(struct router_view *views, size_t count)
{
	size_t i;

	for (i = 0; views && i < count; i++) {
		free(views[i].flows);
		free(views[i].rules);
		free(views[i].problem);
	}
	free(views);
}

void timeline_free(struct timeline *timeline)
{
	size_t i;

	if (!timeline)
		return;
	for (i = 0; timeline->runs && i < timeline->run_count; i++)
		run_clear(&timeline->runs[i]);
	for (i = 0; i < timeline->snapshot_count; i++)
		router_views_free(timeline->snapshots[i].routers,
				  timeline->snapshots[i].router_count);
	router_views_free(timeline->routers, timeline->router_count);
	free(timeline->snapshots);
	free(timeline->steps);
	free(timeline->runs);
	free(timeline);
}

int timeline_new(const struct topo *topo, struct timeline **ret)
{
	CLEANUP(timeline_free_cleanup) struct timeline *timeline = calloc(1, sizeof(*timeline));
	struct run *run;
	size_t s, p;

	if (!timeline)
		return -ENOMEM;
	timeline->step_count = topo->step_count;
	for (s = 0; s < topo->step_count; s++)
		timeline->run_count += topo->steps[s].program_count;
	/* One more than needed: calloc(0) may be NULL, which is not an error. */
	timeline->steps = calloc(timeline->step_count + 1, sizeof(*timeline->steps));
	timeline->runs = calloc(timeline->run_count + 1, sizeof(*timeline->runs));
	if (!timeline->steps || !timeline->runs)
		return -ENOMEM;
	run = timeline->runs;
	for (s = 0; s < topo->step_count; s++)
		for (p = 0; p < topo->steps[s].program_count; p++)
			*run++ = (struct run){.step = s, .index = p, .end = RUN_NOT_REACHED};
	*ret = STEAL(timeline);
	return 0;
}

const struct run *timeline_find(const struct timeline *timeline, size_t step, size_t index)
{
	size_t low = 0, high = timeline->run_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct run *run = &timeline->runs[middle];

		if (run->step == step && run->index == index)
			return run;
		if (run->step < step || (run->step == step && run->index < index))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
