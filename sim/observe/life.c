/* SPDX-License-Identifier: MIT */
/*
 * How a program's life goes:
 *
 *            spawn          SIGTERM          SIGKILL
 *     NONE --------> LIVE ---------> ASKED ---------> KILLED
 *                     |               |                 |
 *                     +---------------+-----------------+--> OVER
 *
 * Each step to the right is taken when the deadline of the one before has passed, so
 * one number per life is all the clockwork there is. The reason for the first step
 * decides how the end is read: a program that a stop step ended was "stopped", with
 * whatever status; the same status after a missed deadline is a failure.
 */
#include "observe/life.h"

#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe/command.h"

#define SECOND UINT64_C(1000000000)

enum { OVERDUE_GRACE_MS = 500, KILL_PATIENCE_S = 10 };

/* Never 0, which means "never". */
static uint64_t since(uint64_t zero, uint64_t when)
{
	return when > zero ? when - zero : 1;
}

bool life_alive(const struct life *life)
{
	switch (life->phase) {
	case LIFE_LIVE:
	case LIFE_ASKED:
	case LIFE_KILLED:
		return true;
	case LIFE_NONE:
	case LIFE_OVER:
		return false;
	}
	return false;
}

bool life_done(const struct life *life)
{
	if (!life_alive(life))
		return true;
	return life->until_ready && life->run->ready && life->phase == LIFE_LIVE;
}

__attribute__((format(printf, 2, 3))) static int problem(struct run *run, const char *format, ...)
{
	va_list args;
	int r;

	free(run->problem);
	va_start(args, format);
	r = vasprintf(&run->problem, format, args);
	va_end(args);
	if (r < 0) {
		run->problem = NULL;
		return -ENOMEM;
	}
	return 0;
}

int life_start(struct life *life, struct lab *lab, uint64_t zero)
{
	CLEANUP(command_free_cleanup) char **argv = NULL;
	AUTO_FREE char *path = NULL;
	AUTO_DIAG struct diag d = {0};
	struct run *run = life->run;
	int r = command_line(life->program, &run->command);

	if (!r && life->program->agent)
		r = lab_agent_path(life->program->agent->name, &path, &d);
	if (!r)
		r = command_argv(life->program, path, &argv);
	if (!r)
		r = lab_spawn(lab, life->program->node, argv, life, &life->child, &d);
	if (r == -ENOMEM)
		return r;
	if (r) {
		run->end = RUN_NOT_STARTED;
		return problem(run, "%s", d.count ? d.entries[d.count - 1].message : strerror(-r));
	}
	life->phase = LIFE_LIVE;
	run->end = RUN_RUNNING;
	run->started = since(zero, life->child->started);
	/* A command is ready when it prints what the file says, or at once. */
	if (!life->program->agent && !life->program->ready)
		run->ready = run->started;
	return 0;
}

/* A line of a command: is it the one that says it is ready? */
static int command_line_read(struct life *life, const struct lab_event *event, uint64_t zero)
{
	const char *pattern = life->program->ready;
	regex_t regex;
	int r;

	if (!pattern || life->run->ready)
		return 0;
	r = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
	if (r) /* its syntax was checked when the file was loaded */
		return r == REG_ESPACE ? -ENOMEM : -EINVAL;
	if (regexec(&regex, event->line, 0, NULL, 0) == 0)
		life->run->ready = since(zero, event->when);
	regfree(&regex);
	return 0;
}

/* What an agent's event means for a step that waits for it to be ready. */
static bool says_ready(const struct program *program, const char *event)
{
	/* A server serves from its "ready" on. Another agent's "ready" only says that its
	 * sockets are open; what later steps build on is what it was started for. */
	if (program_serves(program))
		return strcmp(event, "ready") == 0;
	return strcmp(event, "connected") == 0 || strcmp(event, "mapped") == 0 ||
	       strcmp(event, "result") == 0;
}

static int event_keep(struct run *run, json_t *json, uint64_t when)
{
	struct run_event *events;

	if (run->event_count == RUN_EVENTS_MAX) {
		run->events_dropped++;
		json_decref(json);
		return 0;
	}
	events = reallocarray(run->events, run->event_count + 1, sizeof(*events));
	if (!events) {
		json_decref(json);
		return -ENOMEM;
	}
	run->events = events;
	events[run->event_count++] = (struct run_event){.when = when, .json = json};
	return 0;
}

int life_line(struct life *life, const struct lab_event *event, uint64_t zero)
{
	struct run *run = life->run;
	json_t *json;
	const char *name;
	int r;

	if (!life->program->agent)
		return command_line_read(life, event, zero);
	json = json_loadb(event->line, event->length, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		run->strange_lines++;
		return 0;
	}
	r = event_keep(run, json, since(zero, event->when));
	if (r || run->events_dropped)
		return r;
	name = json_string_value(json_object_get(json, "event"));
	if (!name)
		return 0;
	if (strcmp(name, "result") == 0)
		run->result = json;
	if (!run->ready && says_ready(life->program, name))
		run->ready = since(zero, event->when);
	return 0;
}

static int output_keep(const struct lab_output *output, char **ret, size_t *ret_length,
		       uint64_t *ret_total)
{
	char *text = malloc(output->length + 1);

	if (!text)
		return -ENOMEM;
	if (output->length)
		memcpy(text, output->text, output->length);
	text[output->length] = '\0';
	free(*ret);
	*ret = text;
	*ret_length = output->length;
	*ret_total = output->total;
	return 0;
}

int life_over(struct life *life, const struct lab_event *event, uint64_t zero)
{
	struct run *run = life->run;
	struct child *child = life->child;
	bool killed = child->end == CHILD_KILLED;
	bool early = life->until_ready && life->awaited && !run->ready;
	int r;

	run->ended = since(zero, event->when);
	run->stubborn = life->phase == LIFE_KILLED;
	life->phase = LIFE_OVER;
	run->status = child->status;
	switch (life->reason) {
	case LIFE_BY_ITSELF:
		run->end = killed ? RUN_SIGNALLED : RUN_EXITED;
		break;
	case LIFE_OVERDUE:
		run->end = RUN_DEADLINE;
		run->status = killed ? -child->status : child->status;
		break;
	case LIFE_STOPPED:
		run->end = RUN_STOPPED;
		run->status = killed ? -child->status : child->status;
		break;
	case LIFE_INTERRUPTED:
		run->end = RUN_RUNNING;
		break;
	}
	r = output_keep(&child->out, &run->out, &run->out_length, &run->out_total);
	if (!r)
		r = output_keep(&child->err, &run->err, &run->err_length, &run->err_total);
	if (!r && early && life->reason == LIFE_BY_ITSELF)
		r = problem(run,
			    killed ? "was killed by signal %d before it was ready"
				   : "ended with status %d before it was ready",
			    child->status);
	return r;
}

static int life_kill(struct life *life, struct lab *lab)
{
	life->phase = LIFE_KILLED;
	life->deadline = lab_clock() + KILL_PATIENCE_S * SECOND;
	return lab_kill(lab, life->child, SIGKILL);
}

int life_ask(struct life *life, struct lab *lab, enum life_reason reason, uint64_t grace)
{
	if (!life_alive(life))
		return 0;
	if (life->phase == LIFE_LIVE)
		life->reason = reason;
	/* Asked a second time: the one who asks has no patience left. */
	if (life->phase != LIFE_LIVE)
		return life->phase == LIFE_KILLED ? 0 : life_kill(life, lab);
	life->phase = LIFE_ASKED;
	life->deadline = lab_clock() + grace;
	return lab_kill(lab, life->child, SIGTERM);
}

int life_overdue(struct life *life, struct lab *lab, struct diag *d)
{
	int r;

	switch (life->phase) {
	case LIFE_NONE:
	case LIFE_OVER:
		return 0;
	case LIFE_LIVE:
		r = problem(life->run, "%s within %g s",
			    life->until_ready ? "was not ready" : "did not end",
			    (double)life->allowed / (double)SECOND);
		if (r)
			return r;
		return life_ask(life, lab, LIFE_OVERDUE, OVERDUE_GRACE_MS * (SECOND / 1000));
	case LIFE_ASKED:
		return life_kill(life, lab);
	case LIFE_KILLED:
		return diag_error(d, ETIMEDOUT, "\"%s\" is still there %d s after SIGKILL",
				  life->run->command, KILL_PATIENCE_S);
	}
	return 0;
}
