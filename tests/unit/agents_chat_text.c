/* SPDX-License-Identifier: MIT */
/* What is typed becomes lines that fit, and what a peer sends becomes text that harms nobody. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agents/chat/harmless.h"
#include "agents/chat/lines.h"

#define FFFD "\xef\xbf\xbd"

static const char *clean(const char *text, size_t length)
{
	static char ret[HARMLESS_SIZE(64)];

	harmless(text, length, ret);
	return ret;
}

#define CLEAN(literal) clean(literal, sizeof(literal) - 1)

Test(harmless, text_of_any_language_stays_what_it_is)
{
	cr_expect_str_eq(CLEAN("na\xc3\xafve, \xe6\xbc\xa2, \xf0\x9f\x98\x80"),
			 "na\xc3\xafve, \xe6\xbc\xa2, \xf0\x9f\x98\x80");
	cr_expect_str_eq(CLEAN(""), "");
}

Test(harmless, nothing_reaches_the_terminal_that_it_would_obey)
{
	cr_expect_str_eq(CLEAN("\033[2Jx"), FFFD "[2Jx", "it clears the screen");
	cr_expect_str_eq(CLEAN("\xc2\x9b"
			       "31m"),
			 FFFD "31m", "U+009B is ESC [ to some");
	cr_expect_str_eq(CLEAN("a\rb\bc\x7f\a"), "a" FFFD "b" FFFD "c" FFFD FFFD);
	cr_expect_str_eq(CLEAN("one\nbob: two"), "one" FFFD "bob: two", "a line of somebody else");
	cr_expect_str_eq(clean("a\0b", 3), "a" FFFD "b");
	cr_expect_str_eq(CLEAN("a\tb"), "a b");
}

Test(harmless, what_turns_the_writing_around_does_not)
{
	cr_expect_str_eq(CLEAN("\xe2\x80\xae"
			       "txt"),
			 FFFD "txt", "U+202E");
	cr_expect_str_eq(CLEAN("\xe2\x81\xa7\xe2\x80\xa8"), FFFD FFFD, "U+2067, U+2028");
	cr_expect_str_eq(CLEAN("\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xaa"),
			 "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xaa", "their neighbours are harmless");
}

Test(harmless, what_is_no_utf8_is_one_replacement_a_byte)
{
	cr_expect_str_eq(CLEAN("\xff"
			       "a\xc0\xaf"),
			 FFFD "a" FFFD FFFD, "overlong");
	cr_expect_str_eq(CLEAN("\xed\xa0\x80"), FFFD FFFD FFFD, "a surrogate");
	cr_expect_str_eq(CLEAN("\xe6\xbc"), FFFD FFFD, "cut off");
}

/* Of any bytes: valid UTF-8, as somebody else's parser finds, in the room that was promised. */
Test(harmless, whatever_comes)
{
	unsigned char bytes[64];
	unsigned int seed = 1;
	size_t turn, i;

	for (turn = 0; turn < 20000; turn++) {
		size_t length = (size_t)rand_r(&seed) % sizeof(bytes);
		const char *made;
		json_t *json;

		for (i = 0; i < length;
		     i++) /* mostly the bytes of which long characters are made */
			bytes[i] = (unsigned char)(rand_r(&seed) % 4 ? rand_r(&seed) | 0x80
								     : rand_r(&seed));
		made = clean((const char *)bytes, length);
		json = json_string(made);
		cr_assert_not_null(json, "no UTF-8 out of turn %zu", turn);
		json_decref(json);
		cr_assert_lt(strlen(made), HARMLESS_SIZE(length));
		for (i = 0; made[i]; i++)
			cr_assert((unsigned char)made[i] >= 0x20 && made[i] != 0x7f, "turn %zu",
				  turn);
		cr_assert_null(strstr(made, "\xc2\x9b"), "turn %zu", turn);
	}
}

/* ---- lines ---- */

static void add(struct lines *lines, const char *text)
{
	size_t room;
	void *at = lines_room(lines, &room);

	cr_assert_leq(strlen(text), room);
	memcpy(at, text, strlen(text));
	lines_added(lines, strlen(text));
}

static void expect_line(struct lines *lines, size_t max, const char *wanted)
{
	const uint8_t *line;
	size_t length;

	cr_assert(lines_next(lines, max, &line, &length), "no line, but \"%s\" was due", wanted);
	cr_expect(length == strlen(wanted) && memcmp(line, wanted, length) == 0,
		  "\"%.*s\" instead of \"%s\"", (int)length, (const char *)line, wanted);
}

static void expect_none(struct lines *lines, size_t max)
{
	const uint8_t *line;
	size_t length;

	cr_expect_not(lines_next(lines, max, &line, &length), "\"%.*s\" came out of nothing",
		      (int)length, (const char *)line);
}

Test(lines, come_out_when_they_are_whole)
{
	struct lines lines = {0};

	add(&lines, "on");
	expect_none(&lines, 10);
	add(&lines, "e\n\ntwo\r\nthr");
	expect_line(&lines, 10, "one");
	expect_line(&lines, 10, "");
	expect_line(&lines, 10, "two");
	expect_none(&lines, 10);
	add(&lines, "ee");
	lines.ended = true;
	expect_line(&lines, 10, "three");
	expect_none(&lines, 10);
}

Test(lines, too_long_are_cut_between_characters)
{
	struct lines lines = {0};

	add(&lines, "abcdef\xe6\xbc\xa2g\n");
	expect_line(&lines, 7, "abcdef");
	expect_line(&lines, 7, "\xe6\xbc\xa2g");
	expect_none(&lines, 7);
	add(&lines, "\x80\x80\x80\x80\x80\x80\x80\x80\n"); /* no characters at all */
	expect_line(&lines, 7, "\x80\x80\x80\x80\x80\x80\x80");
	expect_line(&lines, 7, "\x80");
	add(&lines, "1234567\n"); /* just fits: no empty line after it */
	expect_line(&lines, 7, "1234567");
	expect_none(&lines, 7);
}

Test(lines, a_full_buffer_without_an_end_is_no_dead_end)
{
	struct lines lines = {0};
	const uint8_t *line;
	size_t room, length, total = 0;
	void *at = lines_room(&lines, &room);

	memset(at, 'x', room);
	lines_added(&lines, room);
	cr_expect(lines_room(&lines, &length) && length == 0);
	while (lines_next(&lines, 1023, &line, &length))
		total += length;
	cr_expect_gt(total, 3 * 1023);
	cr_expect(lines_room(&lines, &room) && room >= 3 * 1023);
}
