/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo/loader.h"
#include "topo/scalar.h"
#include "topo/suggest.h"

enum { PROGRAM_NAME_MAX = 63 };

static const char *const program_keys[] = {"node",     "agent",  "command", "as",
					   "deadline", "expect", "ready",   NULL};

static void load_program_node(struct loader *loader, const struct yaml *map,
			      struct program *program)
{
	const struct yaml *value = yaml_get(map, "node");
	const struct topo *topo = loader->topo;
	struct suggestion near;
	const char *word;
	size_t i;

	if (!value) {
		mistake(loader->source, (struct span){map->span.start, map->span.start},
			"this program has no node to run on");
		remedy(loader->source, "add \"node: ...\"");
		return;
	}
	if (!read_text(loader->source, value, "node", &word))
		return;
	program->node = topo_find_node(topo, word);
	/* Without any node it is these that are missing, which has been told. */
	if (program->node != TOPO_NONE || topo->node_count == 0)
		return;
	mistake(loader->source, value->span, "no node is called \"%.64s\"", word);
	near = suggest_for(word);
	for (i = 0; i < topo->node_count; i++)
		suggest(&near, topo->nodes[i].name);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
}

static void load_agent(struct loader *loader, const struct yaml *value, struct program *program)
{
	struct suggestion near;
	const char *word;
	size_t i;

	if (!read_text(loader->source, value, "agent", &word))
		return;
	program->agent = agent_find(word);
	if (program->agent)
		return;
	mistake(loader->source, value->span, "there is no agent \"%.64s\"", word);
	near = suggest_for(word);
	for (i = 0; i < agents_count; i++)
		suggest(&near, agents[i].name);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
	else
		remedy(loader->source, "any other program is started with \"command: [%.64s]\"",
		       word);
}

/* One string is for the shell. */
static int load_shell(struct loader *loader, const struct yaml *value, struct program *program)
{
	const char *text;

	if (!read_text(loader->source, value, "command", &text))
		return 0;
	program->argv = calloc(4, sizeof(*program->argv));
	if (!program->argv)
		return -ENOMEM;
	program->argv[0] = strdup("/bin/sh");
	program->argv[1] = program->argv[0] ? strdup("-c") : NULL;
	program->argv[2] = program->argv[1] ? strdup(text) : NULL;
	return program->argv[2] ? 0 : -ENOMEM;
}

static int load_command(struct loader *loader, const struct yaml *value, struct program *program)
{
	const struct yaml *item;
	size_t i, count = 0;

	if (value->kind == YAML_SCALAR)
		return load_shell(loader, value, program);
	if (!read_list(loader->source, value, "command"))
		return 0;
	if (value->count == 0 ||
	    (value->items[0]->kind == YAML_SCALAR && !*value->items[0]->text)) {
		mistake(loader->source, value->span, "an empty command");
		return 0;
	}
	if (value->count > TOPO_ARGUMENTS_MAX) {
		mistake(loader->source, value->items[TOPO_ARGUMENTS_MAX]->span,
			"a command has at most %d arguments", TOPO_ARGUMENTS_MAX);
		return 0;
	}
	program->argv = calloc(value->count + 1, sizeof(*program->argv));
	if (!program->argv)
		return -ENOMEM;
	for (i = 0; i < value->count; i++) {
		item = value->items[i];
		if (item->kind != YAML_SCALAR) {
			mistake(loader->source, item->span, "an argument must be text, not %s",
				yaml_kind_name(item));
			continue;
		}
		/* Numbers and booleans too are passed as they are written. */
		program->argv[count] = strdup(item->text);
		if (!program->argv[count++])
			return -ENOMEM;
	}
	return 0;
}

static bool is_program_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";

	return *text && strlen(text) <= PROGRAM_NAME_MAX && text[strspn(text, letters)] == '\0';
}

/* The program of an earlier place that has this name from `as:`, for which default names are no
 * rival. */
static const struct program *named_before(const struct topo *topo, const struct program *own,
					  const char *name)
{
	const struct step *step;
	size_t i;

	for (step = topo->steps; step < topo->steps + topo->step_count; step++)
		for (i = 0; i < step->program_count; i++) {
			if (&step->programs[i] == own)
				return NULL;
			if (step->programs[i].name && strcmp(step->programs[i].name, name) == 0)
				return &step->programs[i];
		}
	return NULL;
}

static int load_given_name(struct loader *loader, const struct yaml *value, struct program *program)
{
	const struct program *first;
	const char *word;

	if (!read_text(loader->source, value, "as", &word))
		return 0;
	if (!is_program_name(word)) {
		mistake(loader->source, value->span, "\"%.64s\" cannot be a program's name", word);
		remedy(loader->source,
		       "use at most %d letters, digits, dashes, dots and underscores",
		       PROGRAM_NAME_MAX);
		return 0;
	}
	first = named_before(loader->topo, program, word);
	if (first) {
		mistake(loader->source, value->span, "a program is called \"%s\" already", word);
		remedy(loader->source, "the first is on line %u", first->place.line);
	}
	program->name = strdup(word);
	return program->name ? 0 : -ENOMEM;
}

static int make_default_name(const struct topo *topo, struct program *program)
{
	const char *what = program->agent ? program->agent->name : NULL;
	const char *slash;

	if (!what && program->argv && program->argv[0]) {
		slash = strrchr(program->argv[0], '/');
		what = slash && slash[1] ? slash + 1 : program->argv[0];
	}
	if (!what || program->node == TOPO_NONE)
		return 0;
	if (asprintf(&program->name, "%s/%s", topo->nodes[program->node].name, what) < 0) {
		program->name = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int load_ready(struct loader *loader, const struct yaml *map, const struct step *step,
		      struct program *program)
{
	const struct yaml *key = yaml_get_key(map, "ready");
	const struct yaml *value = yaml_get(map, "ready");
	const char *text;

	if (step->kind != STEP_START) {
		mistake(loader->source, key->span,
			"only a started program is waited for to be ready");
		return 0;
	}
	if (yaml_get(map, "agent")) {
		mistake(loader->source, key->span, "an agent says by itself when it is ready");
		return 0;
	}
	if (!read_text(loader->source, value, "ready", &text) ||
	    !check_expression(loader, value, text))
		return 0;
	program->ready = strdup(text);
	return program->ready ? 0 : -ENOMEM;
}

/* Neither agent nor command: perhaps one of them is there under a mistyped name. */
static void tell_what_is_missing(struct loader *loader, const struct yaml *map)
{
	struct suggestion near;
	size_t i;

	for (i = 0; i < map->count; i++) {
		near = suggest_for(map->keys[i]->text);
		suggest(&near, "agent");
		suggest(&near, "command");
		if (!near.best)
			continue;
		mistake(loader->source, map->keys[i]->span, "a program has no key \"%.64s\"",
			map->keys[i]->text);
		remedy(loader->source, "did you mean \"%s\"?", near.best);
		return;
	}
	mistake(loader->source, (struct span){map->span.start, map->span.start},
		"this program has neither an agent nor a command");
}

/* Of agent and command exactly one. */
static int load_what(struct loader *loader, const struct yaml *map, struct step *step,
		     struct program *program)
{
	const struct yaml *agent = yaml_get(map, "agent");
	const struct yaml *command = yaml_get(map, "command");
	int r;

	if (agent && command) {
		mistake(loader->source, yaml_get_key(map, "command")->span,
			"a program is an agent or a command, not both");
		return 0;
	}
	if (command) {
		refuse_unknown_keys(loader->source, map, "a command", program_keys);
		return load_command(loader, command, program);
	}
	if (!agent) {
		tell_what_is_missing(loader, map);
		return 0;
	}
	load_agent(loader, agent, program);
	r = program->agent ? load_options(loader, map, program_keys, program) : 0;
	if (r == 0 && program_serves(program) && step->kind == STEP_RUN) {
		doubt(loader->source, agent->span, "\"%s\" runs until it is stopped",
		      program->agent->name);
		remedy(loader->source,
		       "\"start\" goes on when it is ready, \"run\" waits for its end");
	}
	return r;
}

int load_program(struct loader *loader, const struct yaml *value, struct step *step,
		 struct program *program)
{
	const struct yaml *as, *deadline;
	int r;

	program->node = TOPO_NONE;
	program->deadline_ms = step->deadline_ms;
	program->place = value->place;
	if (!read_map(loader->source, value, "a program"))
		return 0;
	as = yaml_get(value, "as");
	deadline = yaml_get(value, "deadline");
	load_program_node(loader, value, program);
	r = load_what(loader, value, step, program);
	if (r == 0 && program->agent)
		r = fill_options(loader, value, program);
	if (r == 0 && yaml_get(value, "ready"))
		r = load_ready(loader, value, step, program);
	if (deadline)
		read_deadline(loader->source, deadline, "deadline", &program->deadline_ms);
	if (r == 0)
		r = as ? load_given_name(loader, as, program)
		       : make_default_name(loader->topo, program);
	/* What can be expected depends on what it is; of an unknown agent nothing is known. */
	if (r == 0 && (program->agent || program->argv))
		r = load_expectations(loader, yaml_get(value, "expect"), program->agent,
				      &program->expectations, &program->expectation_count);
	return r;
}
