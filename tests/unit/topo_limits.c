/* SPDX-License-Identifier: MIT */
/* Everything a file can size has a limit, which itself is allowed and the next is not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <time.h>

#include "base/cleanup.h"
#include "support/topo.h"

/* A file being written. */
struct text {
	char *bytes;
	size_t length;
	FILE *out;
};

static struct text *text_new(void)
{
	struct text *text = calloc(1, sizeof(*text));

	cr_assert_not_null(text);
	text->out = open_memstream(&text->bytes, &text->length);
	cr_assert_not_null(text->out);
	return text;
}

__attribute__((format(printf, 2, 3))) static void say(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(text->out, format, args);
	va_end(args);
}

/* All that is said about the file, which is freed. */
static char *verdict(struct text *text)
{
	AUTO_DIAG struct diag d = {0};
	struct topo *topo = NULL;
	int r;

	fclose(text->out);
	r = topo_load_text("test.yaml", text->bytes, text->length, &topo, &d);
	cr_expect_eq(r, d.errors ? -EINVAL : 0);
	topo_free(topo);
	free(text->bytes);
	free(text);
	return diag_text(&d);
}

static void expect_good(struct text *text)
{
	AUTO_FREE char *words = verdict(text);

	cr_expect_str_eq(words, "");
}

static void expect_refused(struct text *text, const char *why)
{
	AUTO_FREE char *words = verdict(text);

	cr_expect(strstr(words, why), "\"%s\" is not in:\n%.2000s", why, words);
}

static struct text *networks(int count)
{
	struct text *text = text_new();
	int i;

	say(text, "name: many\nnetworks:\n");
	for (i = 0; i < count; i++)
		say(text, "  n%d: {subnet: 10.%d.%d.0/24}\n", i, i / 256, i % 256);
	say(text, "nodes:\n");
	for (i = 0; i < count; i++)
		say(text, "  p%d: {interfaces: {n%d: 10.%d.%d.1}}\n", i, i, i / 256, i % 256);
	return text;
}

Test(limits, networks)
{
	struct text *most = networks(TOPO_NETWORKS_MAX), *more = networks(TOPO_NETWORKS_MAX + 1);

	expect_good(most);
	expect_refused(more, "259:3: error: a topology has at most 256 networks");
}

static struct text *nodes(int count)
{
	struct text *text = text_new();
	int i;

	say(text, "name: many\nnetworks: {internet: {type: internet}}\nnodes:\n");
	for (i = 0; i < count; i++)
		say(text, "  p%d: {interfaces: {internet: 1.2.%d.%d}}\n", i, i / 256, i % 256);
	return text;
}

Test(limits, nodes)
{
	struct text *most = nodes(TOPO_NODES_MAX), *more = nodes(TOPO_NODES_MAX + 1);

	expect_good(most);
	expect_refused(more, "516:3: error: a topology has at most 512 nodes");
}

static struct text *interfaces(int count)
{
	struct text *text = text_new();
	int i;

	say(text, "name: many\nnetworks:\n");
	for (i = 0; i < count; i++)
		say(text, "  n%d: {subnet: 10.0.%d.0/24}\n", i, i);
	say(text, "nodes:\n  hub:\n    interfaces:\n");
	for (i = 0; i < count; i++)
		say(text, "      n%d: 10.0.%d.1\n", i, i);
	return text;
}

Test(limits, interfaces_of_a_node)
{
	struct text *most = interfaces(TOPO_INTERFACES_MAX),
		    *more = interfaces(TOPO_INTERFACES_MAX + 1);

	expect_good(most);
	expect_refused(more, "71:7: error: a node has at most 32 interfaces");
}

static struct text *addresses(int count)
{
	struct text *text = text_new();
	int i;

	say(text, "name: many\nnetworks: {internet: {type: internet}}\nnodes:\n  pc:\n"
		  "    interfaces:\n      internet:\n");
	for (i = 0; i < count; i++)
		say(text, "        - 1.2.3.%d\n", i);
	return text;
}

Test(limits, addresses_of_an_interface)
{
	struct text *most = addresses(TOPO_ADDRESSES_MAX),
		    *more = addresses(TOPO_ADDRESSES_MAX + 1);

	expect_good(most);
	expect_refused(more, "23:11: error: an interface has at most 16 addresses");
}

static struct text *picture(void)
{
	struct text *text = text_new();

	say(text, "name: many\nnetworks: {internet: {type: internet}}\n"
		  "nodes: {pc: {interfaces: {internet: 1.2.3.4}}}\nsteps:\n");
	return text;
}

static struct text *steps(int count)
{
	struct text *text = picture();

	for (; count > 0; count--)
		say(text, "  - run: {node: pc, command: [a]}\n");
	return text;
}

Test(limits, steps)
{
	struct text *most = steps(TOPO_STEPS_MAX), *more = steps(TOPO_STEPS_MAX + 1);

	expect_good(most);
	expect_refused(more, "1029:5: error: a topology has at most 1024 steps");
}

static struct text *programs(int count)
{
	struct text *text = picture();

	say(text, "  - run:\n");
	for (; count > 0; count--)
		say(text, "    - {node: pc, command: [a]}\n");
	return text;
}

Test(limits, programs_of_a_step)
{
	struct text *most = programs(TOPO_PROGRAMS_MAX), *more = programs(TOPO_PROGRAMS_MAX + 1);

	expect_good(most);
	expect_refused(more, "70:7: error: a step has at most 64 programs");
}

static struct text *arguments(int count)
{
	struct text *text = picture();

	say(text, "  - run: {node: pc, command: [");
	for (; count > 0; count--)
		say(text, "a%s", count > 1 ? "," : "");
	say(text, "]}\n");
	return text;
}

Test(limits, arguments_of_a_command)
{
	struct text *most = arguments(TOPO_ARGUMENTS_MAX),
		    *more = arguments(TOPO_ARGUMENTS_MAX + 1);

	expect_good(most);
	expect_refused(more, "5:543: error: a command has at most 256 arguments");
}

static struct text *expectations(int count)
{
	struct text *text = picture();
	int i;

	say(text, "  - run: {node: pc, agent: detect, server: pc}\n    expect:\n");
	for (i = 0; i < count; i++)
		say(text, "      mapped.x%d: %d\n", i, i);
	return text;
}

Test(limits, expectations_of_a_program)
{
	struct text *most = expectations(TOPO_EXPECTATIONS_MAX),
		    *more = expectations(TOPO_EXPECTATIONS_MAX + 1);

	expect_good(most);
	expect_refused(more, "71:7: error: a program has at most 64 expectations");
}

static struct text *padded(size_t length)
{
	struct text *text = picture();

	fflush(text->out);
	while (text->length < length) {
		say(text, "#%*s",
		    (int)(length - text->length > 1000 ? 998 : length - text->length - 2), "");
		say(text, "\n");
		fflush(text->out);
	}
	return text;
}

Test(limits, bytes_of_a_file)
{
	struct text *most = padded(TOPO_FILE_BYTES_MAX), *more = padded(TOPO_FILE_BYTES_MAX + 1);

	cr_assert_eq(most->length, TOPO_FILE_BYTES_MAX);
	expect_good(most);
	expect_refused(more, "test.yaml: error: larger than a topology may be (1048576 bytes)");
}

Test(limits, a_hundred_mistakes_are_told_and_the_rest_counted)
{
	struct text *text = picture();
	AUTO_FREE char *words = NULL;
	int i;

	for (i = 0; i < 150; i++)
		say(text, "  - run: {node: pc, agent: a%d}\n", i);
	words = verdict(text);
	cr_expect(strstr(words, "test.yaml:104:28: error"));
	cr_expect_not(strstr(words, "test.yaml:105:28: error"));
	cr_expect(strstr(words, "test.yaml: error: 50 more mistakes are not shown\n"));
}

Test(limits, a_line_too_long_to_help_is_not_quoted)
{
	struct text *text = text_new();
	AUTO_FREE char *words = NULL;

	say(text, "name: lab # %0500d\nnetworks: {}\n", 0);
	words = verdict(text);
	cr_expect_not(strstr(words, "0000"), "%s", words);
}

/* What would take minutes or gigabytes if it were followed. */
Test(limits, hostile_files_are_refused_at_once)
{
	clock_t before = clock();
	struct text *keys = text_new(), *nested = text_new(), *flat = text_new(),
		    *line = text_new();
	int i;

	for (i = 0; i < 100000; i++)
		say(keys, "k%d: 1\n", i);
	expect_refused(keys, "1025:1: error: a map has at most 1024 keys");
	for (i = 0; i < 500000; i++)
		say(nested, "[");
	expect_refused(nested, "deep");
	say(flat, "[");
	for (i = 0; i < 500000; i++)
		say(flat, "a,");
	say(flat, "]");
	expect_refused(flat, "too many values");
	/* Columns of one long line are counted onwards, not from its start each time. */
	say(line, "[");
	for (i = 0; i < 100000; i++)
		say(line, "{},");
	say(line, "]");
	expect_refused(line, "a topology must be a map, not a list");
	cr_expect_lt(clock() - before, 20 * CLOCKS_PER_SEC, "took %.1f s of the processor",
		     (double)(clock() - before) / CLOCKS_PER_SEC);
}

Test(limits, regular_expressions_cannot_ask_for_all_memory)
{
	static const char *const bombs[] = {
		"(((a{1,99}){1,99}){1,99}){1,99}",
		"((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+",
		"a{4000}",
		"a{99999999999999999999}",
	};
	size_t i;

	for (i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		struct text *text = picture();

		say(text, "  - run: {node: pc, command: [a], expect: {stdout: \"%s\"}}\n",
		    bombs[i]);
		expect_refused(text, "this regular expression repeats too much");
	}
}

Test(limits, names)
{
	struct text *most = text_new(), *more = text_new();

	say(most, "name: lab\nnetworks: {a23456789012345: {type: internet}}\n"
		  "nodes: {b23456789012345: {interfaces: {a23456789012345: 1.2.3.4}}}\n");
	expect_good(most);
	say(more, "name: lab\nnetworks: {internet: {type: internet}}\n"
		  "nodes: {b234567890123456: {interfaces: {internet: 1.2.3.4}}}\n");
	expect_refused(more, "3:9: error: \"b234567890123456\" is too long for a node's name");
}
