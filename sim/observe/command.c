/* SPDX-License-Identifier: MIT */
#include "observe/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe/memstream.h"

void command_free(char **argv)
{
	char **word;

	for (word = argv; word && *word; word++)
		free(*word);
	free(argv);
}

/* Append a copy of @text, with "--" before it when it is an option's name. */
static int word_add(char **argv, size_t *count, const char *dashes, const char *text)
{
	if (asprintf(&argv[*count], "%s%s", dashes, text) < 0) {
		argv[*count] = NULL;
		return -ENOMEM;
	}
	++*count;
	return 0;
}

static int agent_argv(const struct program *program, const char *path, char **argv)
{
	const struct program_option *option;
	size_t count = 0;
	int r = word_add(argv, &count, "", path);

	for (option = program->options; !r && option < program->options + program->option_count;
	     option++) {
		r = word_add(argv, &count, "--", option->name);
		if (!r && option->value)
			r = word_add(argv, &count, "", option->value);
	}
	return r;
}

int command_argv(const struct program *program, const char *path, char ***ret)
{
	CLEANUP(command_free_cleanup) char **argv = NULL;
	size_t count = 0, filled = 0;
	int r = 0;

	if (program->agent)
		count = 1 + 2 * program->option_count;
	else
		while (program->argv[count])
			count++;
	argv = calloc(count + 1, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	if (program->agent)
		r = agent_argv(program, path, argv);
	else
		while (!r && filled < count)
			r = word_add(argv, &filled, "", program->argv[filled]);
	if (r)
		return r;
	*ret = STEAL(argv);
	return 0;
}

/* Bare when a shell would read it as one plain word, else in single quotes. */
static void word_print(const char *word, FILE *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=./:,@%";
	const char *c;

	if (*word && word[strspn(word, plain)] == '\0') {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (c = word; *c; c++)
		if (*c == '\'')
			fputs("'\\''", out);
		else
			fputc(*c, out);
	fputc('\'', out);
}

int command_line(const struct program *program, char **ret)
{
	CLEANUP(command_free_cleanup) char **argv = NULL;
	AUTO_FREE char *text = NULL;
	size_t size, i;
	FILE *out;
	int r = command_argv(program, program->agent ? program->agent->name : NULL, &argv);

	if (r)
		return r;
	out = open_memstream(&text, &size);
	if (!out)
		return -ENOMEM;
	for (i = 0; argv[i]; i++) {
		if (i)
			fputc(' ', out);
		word_print(argv[i], out);
	}
	r = memstream_close(out);
	if (!r)
		*ret = STEAL(text);
	return r;
}
