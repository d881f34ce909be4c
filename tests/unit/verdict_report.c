/* SPDX-License-Identifier: MIT */
/*
 * The reports, held against tests/golden/report-*. NATSIM_GOLDEN=write writes them anew,
 * to be read before they are committed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/story.h"
#include "verdict/picture.h"
#include "verdict/report.h"

static char *file_read(const char *path)
{
	AUTO_FCLOSE FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void expect_golden(const char *name, const char *text)
{
	const char *mode = getenv("NATSIM_GOLDEN");
	AUTO_FREE char *path = NULL, *golden = NULL;
	AUTO_FCLOSE FILE *file = NULL;

	cr_assert_gt(asprintf(&path, TEST_SOURCE_DIR "/tests/golden/report-%s", name), 0);
	if (mode && strcmp(mode, "write") == 0) {
		file = fopen(path, "we");
		cr_assert_not_null(file);
		fputs(text, file);
	}
	golden = file_read(path);
	if (file)
		return;
	cr_assert_not_null(golden, "%s exists", path);
	cr_expect(strcmp(golden, text) == 0, "the report differs from %s:\n%s", path, text);
}

static char *text_of(const struct story *story, enum report_detail detail, bool colour)
{
	struct report_run run = {
		.topo = story->topo, .timeline = story->timeline, .judgement = story->judgement};
	struct report_style style = {.detail = detail, .colour = colour};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	cr_assert_eq(report_text(&run, &style, out), 0);
	fclose(out);
	return text;
}

static char *json_of(const struct story *story)
{
	static const struct report_versions versions = {.natsim = "0",
							.kernel = "0",
							.libnl = "0",
							.libmnl = "0",
							.libnftnl = "0",
							.libnetfilter_conntrack = "0",
							.libfyaml = "0",
							.jansson = "0"};
	struct report_run run = {
		.topo = story->topo, .timeline = story->timeline, .judgement = story->judgement};
	json_t *runs = json_array(), *document;
	char *text, *line;

	cr_assert_eq(json_array_append_new(runs, report_json(&run)), 0);
	document = report_json_document(&versions, runs);
	cr_assert_not_null(document);
	text = json_dumps(document, JSON_INDENT(2));
	cr_assert_gt(asprintf(&line, "%s\n", text), 0);
	free(text);
	json_decref(document);
	json_decref(runs);
	return line;
}

/* Two homes that met, with everything a report can show filled in. */
static struct story met(void)
{
	struct story story =
		story_two_homes("port-restricted-cone", "port-restricted-cone", "direct");

	story_met(&story);
	story.timeline->built_ns = 9000000;
	story.timeline->finished_ns = 21000000;
	story_run(&story, 0, 0)->command = strdup("rendezvous --listen 9.9.9.9");
	story_run(&story, 1, 0)->command = strdup("punch --session demo --port 7777");
	story_run(&story, 1, 1)->command = strdup("punch --session demo --port 8888");
	story_router(&story, "router1")->rules = strdup("table ip nat {\n}\n");
	story_router(&story, "router2")->rules = strdup("table ip nat {\n}\n");
	return story;
}

/* The same, but pc2 met somebody else, and its words would steer a terminal. */
static struct story missed(void)
{
	struct story story = met();
	struct run *pc2 = story_run(&story, 1, 1);

	json_object_set_new(pc2->result, "peer", json_string("9.9.9.9:1024"));
	story_exited(pc2, 0, "{\"event\":\"result\"}\n", "met \033[2Jthe server\n");
	pc2->err_total = 4000000;
	return story;
}

Test(report, a_run_in_which_everything_held)
{
	struct story story = met();
	AUTO_FREE char *text = NULL, *json = NULL, *quiet = NULL;

	story_judge(&story);
	text = text_of(&story, REPORT_NORMAL, false);
	expect_golden("held.txt", text);
	json = json_of(&story);
	expect_golden("held.json", json);
	quiet = text_of(&story, REPORT_QUIET, false);
	cr_expect_str_eq(quiet, "two-homes: 2 held, 0 broken, 0 undecided in 0.03 s "
				"(lab built in 9.0 ms)\n");
	story_end(&story);
}

Test(report, a_run_in_which_a_proof_broke_shows_the_evidence)
{
	struct story story = missed();
	AUTO_FREE char *text = NULL, *json = NULL;

	story_judge(&story);
	text = text_of(&story, REPORT_NORMAL, false);
	expect_golden("broken.txt", text);
	json = json_of(&story);
	expect_golden("broken.json", json);
	cr_expect_null(strchr(text, '\033'), "nothing steers the terminal");
	story_end(&story);
}

Test(report, a_run_that_was_interrupted_says_what_was_not_reached)
{
	struct story story = met();
	AUTO_FREE char *text = NULL;
	size_t i;

	story.timeline->interrupted = true;
	story.timeline->steps[1] = (struct step_view){0};
	for (i = 0; i < 2; i++) {
		struct run *run = story_run(&story, 1, i);

		run->end = RUN_NOT_REACHED;
		run->started = run->ready = run->ended = 0;
		run->result = NULL;
		free(run->command);
		run->command = NULL;
	}
	story_judge(&story);
	text = text_of(&story, REPORT_NORMAL, false);
	expect_golden("interrupted.txt", text);
	story_end(&story);
}

Test(report, colour_is_the_only_difference_colour_makes)
{
	struct story story = missed();
	AUTO_FREE char *plain = NULL, *coloured = NULL;
	char *from, *to;

	story_judge(&story);
	plain = text_of(&story, REPORT_VERBOSE, false);
	coloured = text_of(&story, REPORT_VERBOSE, true);
	cr_expect_not_null(strchr(coloured, '\033'));
	for (from = to = coloured; *from; from++) {
		if (*from == '\033')
			from = strchr(from, 'm');
		else
			*to++ = *from;
	}
	*to = '\0';
	cr_expect_str_eq(plain, coloured);
	story_end(&story);
}

Test(report, a_lab_that_was_not_built_is_no_success)
{
	struct story story = met();
	AUTO_DIAG struct diag trouble = {0};
	struct report_run run = {.topo = story.topo, .trouble = &trouble};
	json_t *json;

	diag_error(&trouble, EIO, "while building step 3: no");
	json = report_json(&run);
	cr_assert_not_null(json);
	cr_expect(json_is_false(json_object_get(json, "ok")));
	cr_expect_str_eq(json_string_value(json_object_get(
				 json_array_get(json_object_get(json, "errors"), 0), "message")),
			 "while building step 3: no");
	json_decref(json);
	story_end(&story);
}

static char *picture_of(const char *yaml)
{
	struct story story = story_begin(yaml);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	cr_assert_eq(picture_print(story.topo, "", out), 0);
	fclose(out);
	story_end(&story);
	return text;
}

Test(picture, stacked_routers_hang_below_each_other)
{
	AUTO_FREE char *text = picture_of(
		"name: stacked\n"
		"networks:\n"
		"  internet: {type: internet}\n"
		"  carrier: {subnet: 100.64.0.0/10}\n"
		"  home: {subnet: 192.168.1.0/24}\n"
		"  guests: {subnet: 192.168.3.0/24}\n"
		"nodes:\n"
		"  server: {interfaces: {internet: [9.9.9.9, 9.9.9.10]}}\n"
		"  cgn: {interfaces: {internet: 1.2.3.4, carrier: 100.64.0.1}, nat: symmetric}\n"
		"  router: {interfaces: {carrier: 100.64.0.11, home: 192.168.1.254, guests: "
		"192.168.3.254}, nat: linux-masquerade}\n"
		"  pc: {interfaces: {home: 192.168.1.1}}\n"
		"  guest: {interfaces: {guests: 192.168.3.1}}\n"
		"steps: [{run: {node: pc, command: [\"true\"]}}]\n");

	cr_expect_str_eq(text, "internet\n"
			       "|-- server  9.9.9.9 9.9.9.10\n"
			       "`-- cgn     1.2.3.4           NAT symmetric\n"
			       "    `-- carrier  100.64.0.0/10  (cgn is 100.64.0.1)\n"
			       "        `-- router  100.64.0.11       NAT linux-masquerade\n"
			       "            |-- home  192.168.1.0/24  (router is 192.168.1.254)\n"
			       "            |   `-- pc      192.168.1.1\n"
			       "            `-- guests  192.168.3.0/24  (router is 192.168.3.254)\n"
			       "                `-- guest   192.168.3.1\n");
}

Test(picture, islands_are_drawn_too)
{
	AUTO_FREE char *text = picture_of("name: island\n"
					  "networks: {lan: {subnet: 10.0.0.0/24}}\n"
					  "nodes:\n"
					  "  a: {interfaces: {lan: 10.0.0.1}}\n"
					  "  b: {interfaces: {lan: 10.0.0.2}}\n"
					  "steps: [{run: {node: a, command: [\"true\"]}}]\n");

	cr_expect_str_eq(text, "lan  10.0.0.0/24\n"
			       "|-- a  10.0.0.1\n"
			       "`-- b  10.0.0.2\n");
}
