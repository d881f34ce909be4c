/* SPDX-License-Identifier: MIT */
/* natsim check: every mistake of every file, without privilege. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/term.h"
#include "cmd.h"
#include "topo/topo.h"
#include "usage.h"

/* "1 node", "2 nodes" */
static void print_count(size_t count, const char *noun, const char *after)
{
	printf("%zu %s%s%s", count, noun, count == 1 ? "" : "s", after);
}

static void report_text(const struct topo *topo, const struct diag *d)
{
	if (d->count)
		diag_print(d, stderr, term_colour(stderr));
	if (!topo)
		return;
	printf("%s: ok (", topo->file);
	print_count(topo->node_count, "node", ", ");
	print_count(topo->network_count, "network", ", ");
	print_count(topo->step_count, "step", ")\n");
	/* Keep good and bad files in order where both streams go to one place. */
	fflush(stdout);
}

static json_t *entry_json(const struct diag_entry *entry)
{
	json_t *object = json_pack("{s:s, s:s}", "severity",
				   entry->severity == DIAG_WARNING ? "warning" : "error", "message",
				   entry->message ? entry->message : "(out of memory)");

	if (entry->line) {
		json_object_set_new(object, "line", json_integer(entry->line));
		json_object_set_new(object, "column", json_integer(entry->column));
	}
	if (entry->help)
		json_object_set_new(object, "help", json_string(entry->help));
	return object;
}

static json_t *report_json(const char *file, const struct topo *topo, const struct diag *d)
{
	json_t *entries = json_array();
	size_t i;

	for (i = 0; i < d->count; i++)
		json_array_append_new(entries, entry_json(&d->entries[i]));
	return json_pack("{s:s, s:b, s:o}", "file", file, "ok", topo != NULL, "entries", entries);
}

/* Returns whether the file is good; adds to @json, or prints when that is NULL. */
static bool check_file(const char *file, json_t *json)
{
	CLEANUP(topo_free_cleanup) struct topo *topo = NULL;
	AUTO_DIAG struct diag d = {0};

	topo_load(file, &topo, &d);
	if (json)
		json_array_append_new(json, report_json(file, topo, &d));
	else
		report_text(topo, &d);
	return topo != NULL;
}

static int check_files(char **files, bool as_json)
{
	json_t *json = as_json ? json_array() : NULL;
	bool good = true;

	for (; *files; files++)
		good &= check_file(*files, json);
	if (json) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
	}
	return good ? STATUS_OK : STATUS_USAGE;
}

static void print_help(void)
{
	puts("usage: natsim check [--format text|json] FILE...\n\n"
	     "Find every mistake in the topologies, without privilege. \"-\" is standard input.\n\n"
	     "  --format text   what is wrong, where, and what to do about it (the default)\n"
	     "  --format json   an array with an object a file: file, ok, entries\n"
	     "  --help          this\n\n"
	     "Exit status: 0 all files are good, 2 some are not, or wrong usage.");
}

int cmd_check(int argc, char **argv)
{
	static const struct option longs[] = {
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool as_json = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (option) {
		case 'f':
			if (usage_format("check", optarg, &as_json) != STATUS_OK)
				return STATUS_USAGE;
			break;
		case 'h':
			print_help();
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	if (optind == argc) {
		fprintf(stderr,
			"natsim: error: check needs a file; \"natsim check --help\" tells more\n");
		return STATUS_USAGE;
	}
	return check_files(argv + optind, as_json);
}
