/* SPDX-License-Identifier: MIT */
/*
 * Judging and reporting with the allocator failing after 0, 1, 2 ... blocks: each time
 * -ENOMEM (or NULL, for JSON) and nothing lost, until there is enough.
 *
 * Every allocation of this thread is counted, also those of jansson and of glibc's
 * streams. The sanitizers bring their own allocator and find what is lost; there
 * everything is done once, with memory.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/story.h"
#include "verdict/report.h"

#if defined(__SANITIZE_ADDRESS__)
#define COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUNTED 0
#endif
#endif
#ifndef COUNTED
#define COUNTED 1
#endif

static _Thread_local long blocks_left = -1; /* -1: as many as wanted */
static _Thread_local bool once;             /* refuse a single one */
static _Thread_local bool refused;
static _Thread_local long live; /* blocks handed out and not given back */

#if COUNTED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);

static bool refuse(void)
{
	if (blocks_left < 0)
		return false;
	if (blocks_left > 0) {
		blocks_left--;
		return false;
	}
	refused = true;
	if (once)
		blocks_left = -1;
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	live += block != NULL;
	return block;
}

void *malloc(size_t size)
{
	return refuse() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return refuse() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
	void *block = refuse() ? NULL : __libc_realloc(old, size);

	return old ? block : counted(block);
}

void *reallocarray(void *old, size_t count, size_t size)
{
	if (size && count > PTRDIFF_MAX / size)
		return NULL;
	return realloc(old, count * size);
}

void free(void *block)
{
	live -= block != NULL;
	__libc_free(block);
}
#endif

enum { PAGE_MAX = 1 << 16 };

/* What is told of a story. */
struct telling {
	char text[PAGE_MAX];
	FILE *out; /* into text */
	json_t *json;
};

static void telling_begin(struct telling *telling)
{
	memset(telling->text, 0, PAGE_MAX);
	rewind(telling->out);
	json_decref(telling->json);
	telling->json = NULL;
}

/* Judge, print and pack the story; returns 0 or -ENOMEM, and leaves nothing else behind. */
static int tell(const struct story *story, struct telling *ret)
{
	static const struct report_style style = {.detail = REPORT_VERBOSE};
	struct judgement *judgement = NULL;
	struct report_run run = {.topo = story->topo, .timeline = story->timeline};
	int r = verdict_judge(story->topo, story->timeline, &judgement);

	if (r)
		return r;
	run.judgement = judgement;
	r = report_text(&run, &style, ret->out);
	fflush(ret->out);
	if (!r) {
		ret->json = report_json(&run);
		r = ret->json ? 0 : -ENOMEM;
	}
	judgement_free(judgement);
	return r;
}

static void telling_open(struct telling *telling)
{
	telling->out = fmemopen(telling->text, PAGE_MAX, "w");
	cr_assert_not_null(telling->out);
	telling->json = NULL;
}

static void tell_with_ever_more_memory(const struct story *story, bool only_once)
{
	static struct telling whole, now;
	long blocks, before;
	int r;

	telling_open(&whole);
	telling_open(&now);
	cr_assert_eq(tell(story, &whole), 0, "with memory it works");
	once = only_once;
	for (blocks = 0; COUNTED && (blocks == 0 || refused); blocks++) {
		telling_begin(&now);
		before = live;
		refused = false;
		blocks_left = blocks;
		r = tell(story, &now);
		blocks_left = -1;
		/* Where the streams of glibc can do without a block, nothing is missing. */
		cr_assert(r == -ENOMEM || r == 0);
		cr_assert(r || strcmp(now.text, whole.text) == 0, "room for %ld", blocks);
		cr_assert(r || json_equal(now.json, whole.json), "room for %ld", blocks);
		json_decref(now.json);
		now.json = NULL;
		cr_assert_eq(live, before, "%ld blocks are lost with room for %ld", live - before,
			     blocks);
	}
	fclose(whole.out);
	fclose(now.out);
	json_decref(whole.json);
}

Test(memory, a_run_that_held_is_told_whole_or_not_at_all)
{
	struct story story =
		story_two_homes("port-restricted-cone", "port-restricted-cone", "direct");

	story_met(&story);
	tell_with_ever_more_memory(&story, false);
	tell_with_ever_more_memory(&story, true);
	story_end(&story);
}

Test(memory, so_is_one_that_did_not)
{
	struct story story = story_two_homes("symmetric", "port-restricted-cone", "none");
	struct run *server = story_run(&story, 0, 0);
	size_t i;

	story_met(&story);
	for (i = 0; i < 2; i++)
		json_object_set_new(story_run(&story, 1, i)->result, "path", json_string("none"));
	story_exited(server, 2, "{\"event\":\"ready\"}\n", "no \033 room\n");
	server->problem = strdup("ended with status 2 before it was ready");
	tell_with_ever_more_memory(&story, false);
	tell_with_ever_more_memory(&story, true);
	story_end(&story);
}
