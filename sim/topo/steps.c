/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "topo/loader.h"
#include "topo/scalar.h"
#include "topo/suggest.h"

static const struct {
	const char *key;
	enum step_kind kind;
} kinds[] = {
	{"start", STEP_START},
	{"run", STEP_RUN},
	{"stop", STEP_STOP},
	{"wait", STEP_WAIT},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* The programs of a `start` or `run`, with what the step says for all of them. */
static int load_programs(struct loader *loader, const struct yaml *map, const struct yaml *value,
			 struct step *step)
{
	bool list = value->kind == YAML_SEQUENCE;
	size_t count = list ? value->count : 1;
	struct program *program;
	size_t i;
	int r = 0;

	if (count == 0) {
		mistake(loader->source, value->span, "an empty list of programs");
		return 0;
	}
	if (count > TOPO_PROGRAMS_MAX) {
		mistake(loader->source, value->items[TOPO_PROGRAMS_MAX]->span,
			"a step has at most %d programs", TOPO_PROGRAMS_MAX);
		return 0;
	}
	step->programs = calloc(count, sizeof(*step->programs));
	if (!step->programs)
		return -ENOMEM;
	for (i = 0; i < count && r == 0; i++) {
		program = &step->programs[step->program_count++];
		r = load_program(loader, list ? value->items[i] : value, step, program);
		if (r == 0 && (program->agent || program->argv))
			r = load_expectations(loader, yaml_get(map, "expect"), program->agent,
					      &program->expectations, &program->expectation_count);
	}
	return r;
}

struct match {
	size_t step, program;
	size_t count; /* how many there are */
};

static struct match find_programs(const struct topo *topo, const char *name, enum step_kind kind)
{
	struct match match = {.step = TOPO_NONE};
	const struct step *step;
	size_t s, p;

	/* The step being loaded is the last, and has no programs. */
	for (s = 0; s < topo->step_count; s++) {
		step = &topo->steps[s];
		for (p = 0; step->kind == kind && p < step->program_count; p++) {
			if (!step->programs[p].name || strcmp(step->programs[p].name, name) != 0)
				continue;
			match.step = s;
			match.program = p;
			match.count++;
		}
	}
	return match;
}

static void tell_unknown_program(struct loader *loader, const struct yaml *value, const char *name)
{
	const struct topo *topo = loader->topo;
	struct match run = find_programs(topo, name, STEP_RUN);
	struct suggestion near = suggest_for(name);
	const struct step *step;
	size_t p;

	if (run.count) {
		mistake(loader->source, value->span, "\"%s\" was run, not started: it has ended",
			name);
		remedy(loader->source, "the \"run\" of line %u waits for its end itself",
		       topo->steps[run.step].place.line);
		return;
	}
	mistake(loader->source, value->span, "no program called \"%.64s\" was started before this",
		name);
	for (step = topo->steps; step < topo->steps + topo->step_count; step++)
		for (p = 0; step->kind == STEP_START && p < step->program_count; p++)
			if (step->programs[p].name)
				suggest(&near, step->programs[p].name);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
}

/* The earlier step that already ended this program, or NULL. */
static const struct step *ended_by(const struct topo *topo, const struct match *match)
{
	const struct step *step;

	for (step = topo->steps; step + 1 < topo->steps + topo->step_count; step++)
		if ((step->kind == STEP_STOP || step->kind == STEP_WAIT) &&
		    step->target_step == match->step && step->target_program == match->program)
			return step;
	return NULL;
}

static bool find_target(struct loader *loader, const struct yaml *value, struct step *step)
{
	struct topo *topo = loader->topo;
	const struct step *before;
	struct match match;
	const char *name;

	if (!read_text(loader->source, value, "a program's name", &name))
		return false;
	match = find_programs(topo, name, STEP_START);
	if (match.count == 0) {
		tell_unknown_program(loader, value, name);
		return false;
	}
	if (match.count > 1) {
		mistake(loader->source, value->span, "%zu started programs are called \"%s\"",
			match.count, name);
		remedy(loader->source, "give each a name of its own with \"as: ...\"");
		return false;
	}
	before = ended_by(topo, &match);
	if (before) {
		mistake(loader->source, value->span, "\"%s\" has ended already", name);
		remedy(loader->source, "the step on line %u ends it", before->place.line);
	}
	step->target_step = match.step;
	step->target_program = match.program;
	return true;
}

/* `stop: NAME`, or a map with a deadline. */
static int load_end(struct loader *loader, const struct yaml *map, const struct yaml *value,
		    const char *kind, struct step *step)
{
	static const char *const known[] = {"program", "deadline", NULL};
	const struct agent *agent;
	const struct yaml *name = value, *deadline;

	step->target_step = TOPO_NONE;
	step->target_program = TOPO_NONE;
	if (value->kind == YAML_MAPPING) {
		refuse_unknown_keys(loader->source, value, kind, known);
		deadline = yaml_get(value, "deadline");
		if (deadline)
			read_deadline(loader->source, deadline, "deadline", &step->deadline_ms);
		name = yaml_get(value, "program");
		if (!name) {
			mistake(loader->source, value->span, "this does not say what to %s", kind);
			remedy(loader->source, "add \"program: ...\"");
			return 0;
		}
	}
	if (!find_target(loader, name, step))
		return 0;
	agent = loader->topo->steps[step->target_step].programs[step->target_program].agent;
	return load_expectations(loader, yaml_get(map, "expect"), agent, &step->expectations,
				 &step->expectation_count);
}

/* Which of the kinds this step is; tells when it is none or more than one. */
static size_t step_kind(struct loader *loader, const struct yaml *map)
{
	size_t found = KINDS, i;

	for (i = 0; i < KINDS; i++) {
		if (!yaml_get(map, kinds[i].key))
			continue;
		if (found == KINDS) {
			found = i;
			continue;
		}
		mistake(loader->source, yaml_get_key(map, kinds[i].key)->span,
			"a step does one thing: this one has \"%s\" already", kinds[found].key);
		remedy(loader->source, "begin a new step with \"- %s: ...\"", kinds[i].key);
	}
	if (found == KINDS)
		mistake(loader->source, (struct span){map->span.start, map->span.start},
			"this step has none of start, run, stop and wait");
	return found;
}

static int load_step(struct loader *loader, const struct yaml *map, struct step *step)
{
	static const char *const known[] = {"start",  "run",      "stop", "wait",
					    "expect", "deadline", NULL};
	const struct yaml *deadline = yaml_get(map, "deadline");
	const struct yaml *value;
	size_t kind;

	step->place = map->place;
	step->deadline_ms = TOPO_DEADLINE_DEFAULT_MS;
	if (!read_map(loader->source, map, "a step"))
		return 0;
	refuse_unknown_keys(loader->source, map, "a step", known);
	if (deadline)
		read_deadline(loader->source, deadline, "deadline", &step->deadline_ms);
	kind = step_kind(loader, map);
	if (kind == KINDS)
		return 0;
	step->kind = kinds[kind].kind;
	value = yaml_get(map, kinds[kind].key);
	if (step->kind == STEP_START || step->kind == STEP_RUN)
		return load_programs(loader, map, value, step);
	return load_end(loader, map, value, kinds[kind].key, step);
}

int load_steps(struct loader *loader)
{
	const struct yaml *list = loader->steps;
	struct topo *topo = loader->topo;
	size_t i;
	int r = 0;

	if (!list)
		return 0;
	if (list->count > TOPO_STEPS_MAX) {
		mistake(loader->source, list->items[TOPO_STEPS_MAX]->span,
			"a topology has at most %d steps", TOPO_STEPS_MAX);
		return 0;
	}
	topo->steps = calloc(list->count + 1, sizeof(*topo->steps));
	if (!topo->steps)
		return -ENOMEM;
	for (i = 0; i < list->count && r == 0; i++)
		r = load_step(loader, list->items[i], &topo->steps[topo->step_count++]);
	return r;
}
