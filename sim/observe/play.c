/* SPDX-License-Identifier: MIT */
/*
 * How a run is played.
 *
 * Everything that happens comes through lab_next(), one event at a time, whichever
 * program it concerns: also while a step waits for one program, the others' lines
 * are taken in and their ends noted. A step marks the lives it waits for and calls
 * settle(), which returns when each is done or has been ended for missing its
 * deadline. So there is one loop, and no step can miss what happened during another.
 *
 * What stops a run: a `start` that fails (what follows was built on it), and the user.
 * A program of a `run` step that fails does not: its failure is an observation.
 *
 * Evidence perishes: a mapping times out, and stopping a program may delete it. Hence
 * the routers' tables are read at the end of every step that expects a path, and again
 * at the end of the run before the background programs are stopped.
 */
#include "observe/play.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "observe/life.h"
#include "observe/snapshot.h"

#define MILLISECOND UINT64_C(1000000)

enum { STOP_GRACE_MS = 2000, END_GRACE_MS = 1000, CATCH_UP_EVENTS = 1000 };

struct player {
	struct lab *lab;
	const struct topo *topo;
	struct timeline *timeline;
	struct life *lives; /* parallel to timeline->runs */
	uint64_t zero;
	struct diag *d;
};

static uint64_t since(const struct player *player, uint64_t when)
{
	/* Never 0, which means "never". */
	return when > player->zero ? when - player->zero : 1;
}

/* The life of program @index of step @step: found as its run is. */
static struct life *life_of(const struct player *player, size_t step, size_t index)
{
	const struct run *run = timeline_find(player->timeline, step, index);

	return &player->lives[run - player->timeline->runs];
}

/* When the earliest of the awaited lives is overdue; false when none is awaited. */
static bool next_deadline(const struct player *player, uint64_t *ret)
{
	const struct life *life = player->lives;
	const struct life *end = life + player->timeline->run_count;
	bool any = false;

	for (*ret = UINT64_MAX; life < end; life++) {
		if (!life->awaited || life_done(life))
			continue;
		any = true;
		if (life->deadline < *ret)
			*ret = life->deadline;
	}
	return any;
}

static int press_overdue(struct player *player)
{
	struct life *life = player->lives;
	struct life *end = life + player->timeline->run_count;
	uint64_t now = lab_clock();
	int r = 0;

	for (; life < end && !r; life++)
		if (life->awaited && !life_done(life) && life->deadline <= now)
			r = life_overdue(life, player->lab, player->d);
	return r;
}

/* A router without its daemon is not the router that was drawn. */
static int daemon_event(struct player *player, const struct lab_event *event)
{
	if (event->kind != LAB_ENDED)
		return 0;
	return diag_error(player->d, ECHILD, "the daemon of %s ended before its lab",
			  player->topo->nodes[event->child->node].name);
}

/* Take in one event, or wait until @deadline. -EINTR when the user interrupts. */
static int take_event(struct player *player, uint64_t deadline, enum lab_event_kind *ret)
{
	struct lab_event event;
	int r = lab_next(player->lab, deadline, &event);

	if (r)
		return r == -EINTR || r == -ECANCELED ? -EIO : r;
	*ret = event.kind;
	if (event.child && !event.child->tag)
		return daemon_event(player, &event);
	switch (event.kind) {
	case LAB_LINE:
		return life_line(event.child->tag, &event, player->zero);
	case LAB_ENDED:
		return life_over(event.child->tag, &event, player->zero);
	case LAB_INTERRUPTED:
		return -EINTR;
	case LAB_TIMEOUT:
		break;
	}
	return 0;
}

/* What has happened already, before something new is done: who ended by itself was not stopped. */
static int catch_up(struct player *player)
{
	enum lab_event_kind kind = LAB_LINE;
	uint64_t now = lab_clock();
	int i, r = 0;

	/* Bounded: one that floods would keep us here. */
	for (i = 0; i < CATCH_UP_EVENTS && !r && kind != LAB_TIMEOUT; i++)
		r = take_event(player, now, &kind);
	return r;
}

/* Play events until every awaited life is done. -EINTR when the user interrupts. */
static int settle(struct player *player)
{
	enum lab_event_kind kind;
	uint64_t deadline;
	int r = 0;

	while (!r && next_deadline(player, &deadline)) {
		r = take_event(player, deadline, &kind);
		/* Also after other events: a chatty program must not stretch another's time. */
		if (!r && lab_clock() >= deadline)
			r = press_overdue(player);
	}
	return r;
}

static void forget_awaited(struct player *player)
{
	size_t i;

	for (i = 0; i < player->timeline->run_count; i++)
		player->lives[i].awaited = false;
}

static void await(struct life *life, bool until_ready, unsigned int deadline_ms)
{
	life->awaited = true;
	life->until_ready = until_ready;
	life->allowed = deadline_ms * MILLISECOND;
	life->deadline = lab_clock() + life->allowed;
}

/* Start all programs of a step and wait for each. */
static int play_programs(struct player *player, size_t index, bool until_ready)
{
	const struct step *step = &player->topo->steps[index];
	struct life *life;
	size_t i;
	int r;

	for (i = 0; i < step->program_count; i++) {
		life = life_of(player, index, i);
		await(life, until_ready, life->program->deadline_ms);
		r = life_start(life, player->lab, player->zero);
		if (r)
			return r;
	}
	return settle(player);
}

/* A failed start ends the run: later steps are built on it. */
static bool start_failed(const struct player *player, size_t index)
{
	const struct step *step = &player->topo->steps[index];
	size_t i;

	for (i = 0; i < step->program_count; i++)
		if (life_of(player, index, i)->run->problem)
			return true;
	return false;
}

static int play_stop(struct player *player, const struct step *step)
{
	struct life *life = life_of(player, step->target_step, step->target_program);
	unsigned int grace = step->deadline_ms < STOP_GRACE_MS ? step->deadline_ms : STOP_GRACE_MS;
	int r;

	await(life, false, grace);
	r = life_ask(life, player->lab, LIFE_STOPPED, grace * MILLISECOND);
	return r ? r : settle(player);
}

static int play_wait(struct player *player, const struct step *step)
{
	await(life_of(player, step->target_step, step->target_program), false, step->deadline_ms);
	return settle(player);
}

static bool any_path(const struct expectation *expectations, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (expectations[i].kind == EXPECT_FIELD &&
		    strcmp(expectations[i].field, "path") == 0)
			return true;
	return false;
}

static bool expects_path(const struct step *step)
{
	size_t i;

	if (any_path(step->expectations, step->expectation_count))
		return true;
	for (i = 0; i < step->program_count; i++)
		if (any_path(step->programs[i].expectations, step->programs[i].expectation_count))
			return true;
	return false;
}

static int keep_snapshot(struct player *player, size_t step)
{
	struct timeline *timeline = player->timeline;
	struct snapshot *snapshots;
	struct snapshot *newest;
	int r;

	snapshots =
		reallocarray(timeline->snapshots, timeline->snapshot_count + 1, sizeof(*snapshots));
	if (!snapshots)
		return -ENOMEM;
	timeline->snapshots = snapshots;
	newest = &snapshots[timeline->snapshot_count];
	*newest = (struct snapshot){.step = step, .when = since(player, lab_clock())};
	r = snapshot_take(player->lab, player->topo, false, &newest->routers,
			  &newest->router_count);
	if (!r)
		timeline->snapshot_count++;
	return r;
}

static int play_step(struct player *player, size_t index)
{
	const struct step *step = &player->topo->steps[index];
	struct step_view *view = &player->timeline->steps[index];
	int r = 0;

	view->started = since(player, lab_clock());
	switch (step->kind) {
	case STEP_START:
		r = play_programs(player, index, true);
		if (!r && start_failed(player, index))
			r = -ECANCELED;
		break;
	case STEP_RUN:
		r = play_programs(player, index, false);
		break;
	case STEP_STOP:
		r = play_stop(player, step);
		break;
	case STEP_WAIT:
		r = play_wait(player, step);
		break;
	}
	view->ended = since(player, lab_clock());
	/* After the last step the tables are read anyway, and reading costs: the kernel goes
	 * through the whole machine's table for each router. */
	if (!r && index + 1 < player->topo->step_count && expects_path(step))
		r = keep_snapshot(player, index);
	forget_awaited(player);
	return r;
}

/* End what still runs, all at once; who asks twice (a second interrupt) gets it killed. */
static int end_all(struct player *player)
{
	enum life_reason reason = player->timeline->interrupted ? LIFE_INTERRUPTED : LIFE_STOPPED;
	struct life *life;
	size_t i;
	int r;

	do {
		for (r = 0, i = 0; i < player->timeline->run_count && !r; i++) {
			life = &player->lives[i];
			life->awaited = true;
			life->until_ready = false;
			r = life_ask(life, player->lab, reason, END_GRACE_MS * MILLISECOND);
		}
		if (!r)
			r = settle(player);
	} while (r == -EINTR);
	return r;
}

static int play_all(struct player *player, const struct play_options *options)
{
	struct timeline *timeline = player->timeline;
	size_t step;
	int r = 0;

	for (step = 0; step < player->topo->step_count && !r; step++) {
		if (options && options->progress)
			options->progress(options->data, step);
		r = catch_up(player);
		if (!r)
			r = play_step(player, step);
	}
	if (!r)
		r = catch_up(player);
	timeline->finished_ns = since(player, lab_clock());
	timeline->interrupted = r == -EINTR;
	if (r && r != -EINTR && r != -ECANCELED)
		return r;
	r = snapshot_take(player->lab, player->topo, true, &timeline->routers,
			  &timeline->router_count);
	return r ? r : end_all(player);
}

int play(struct lab *lab, const struct topo *topo, const struct play_options *options,
	 struct timeline **ret, struct diag *d)
{
	CLEANUP(timeline_free_cleanup) struct timeline *timeline = NULL;
	AUTO_FREE struct life *lives = NULL;
	struct player player = {.lab = lab, .topo = topo, .zero = lab_clock(), .d = d};
	size_t i;
	int r = timeline_new(topo, &timeline);

	if (r)
		return r;
	lives = calloc(timeline->run_count + 1, sizeof(*lives));
	if (!lives)
		return -ENOMEM;
	for (i = 0; i < timeline->run_count; i++) {
		lives[i].run = &timeline->runs[i];
		lives[i].program =
			&topo->steps[timeline->runs[i].step].programs[timeline->runs[i].index];
	}
	player.timeline = timeline;
	player.lives = lives;
	r = play_all(&player, options);
	if (r)
		return r;
	*ret = STEAL(timeline);
	return 0;
}
