/* SPDX-License-Identifier: MIT */
/* Command lines, host names and the one line of JSON. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/net/clock.h"
#include "agents/net/resolve.h"

/* ---- json ---- */

Test(json, a_line_says_what_was_put_in)
{
	struct endpoint endpoint;
	struct line line;
	json_t *object;

	cr_assert(endpoint_parse("1.2.3.4:5", &endpoint));
	line_begin(&line, "result");
	line_text(&line, "text", "plain");
	line_endpoint(&line, "endpoint", &endpoint);
	line_integer(&line, "integer", UINT64_MAX);
	line_milliseconds(&line, "ms", 1234567);
	line_boolean(&line, "yes", true);
	line_boolean(&line, "no", false);
	cr_assert_eq(line_end(&line), 0);
	cr_expect_str_eq(line.text, "{\"event\":\"result\",\"text\":\"plain\","
				    "\"endpoint\":\"1.2.3.4:5\",\"integer\":18446744073709551615,"
				    "\"ms\":1.234,\"yes\":true,\"no\":false}\n");
	line_begin(&line, "ready");
	cr_assert_eq(line_end(&line), 0);
	object = json_loads(line.text, 0, NULL);
	cr_expect_str_eq(json_string_value(json_object_get(object, "event")), "ready");
	json_decref(object);
}

Test(json, every_byte_anybody_sends_leaves_it_json)
{
	char value[4] = {0};
	struct line line;
	unsigned int pair;

	for (pair = 0x100; pair < 0x10000; pair++) {
		json_error_t error;
		json_t *object;

		value[0] = (char)(pair >> 8);
		value[1] = (char)pair;
		line_begin(&line, "result");
		line_text(&line, value, value);
		cr_assert_eq(line_end(&line), 0);
		cr_assert_eq(strchr(line.text, '\n'), line.text + line.length - 1,
			     "one line it must be");
		object = json_loads(line.text, 0, &error);
		cr_assert_not_null(object, "bytes %04x: %s: %s", pair, error.text, line.text);
		json_decref(object);
	}
}

static void expect_text(const char *value, const char *read_back)
{
	struct line line;
	json_t *object;

	line_begin(&line, "result");
	line_text(&line, "value", value);
	cr_assert_eq(line_end(&line), 0);
	object = json_loads(line.text, 0, NULL);
	cr_assert_not_null(object, "%s", line.text);
	cr_expect_str_eq(json_string_value(json_object_get(object, "value")), read_back);
	json_decref(object);
}

Test(json, text_comes_back_as_it_was_and_what_is_no_utf8_is_replaced)
{
	expect_text("\"\\/\b\f\n\r\t\x01\x7f", "\"\\/\b\f\n\r\t\x01\x7f");
	expect_text("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
		    "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
	expect_text("a\xff", "a\xef\xbf\xbd");
	expect_text("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");                 /* overlong */
	expect_text("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* surrogate */
	expect_text("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");                 /* cut short */
	expect_text("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

Test(json, a_line_that_does_not_fit_is_refused_whole)
{
	char value[2 * LINE_MAX_BYTES];
	struct line line;

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	line_begin(&line, "result");
	line_text(&line, "value", value);
	cr_expect_eq(line_end(&line), -EMSGSIZE);
}

/* ---- options ---- */

struct settings {
	bool flag;
	const char *text;
	uint64_t number, seconds;
	struct diag diag;
	int result;
};

static struct settings parse(char *first, char *second, char *third)
{
	struct settings s = {.number = 7, .seconds = 3 * SEC};
	char *argv[] = {(char[]){"agent"}, first, second, third, NULL};
	const struct cli_option options[] = {
		{'f', "flag", NULL, "a flag", CLI_FLAG, &s.flag, 0, false},
		{0, "text", "TEXT", "a text", CLI_TEXT, &s.text, 0, false},
		{0, "number", "N", "a number", CLI_NUMBER, &s.number, 65535, false},
		{0, "number-two", "N", "another", CLI_NUMBER, &s.number, 65535, false},
		{0, "seconds", "S", "seconds", CLI_SECONDS, &s.seconds, 3600, false},
		{0},
	};
	const struct cli cli = {.program = "agent", .summary = "", .options = options};
	int argc = first ? second ? third ? 4 : 3 : 2 : 1;

	s.result = cli_parse(&cli, argc, argv, stderr, &s.diag);
	return s;
}

#define PARSE(a, b, c) parse((char[]){a}, (char[]){b}, (char[]){c})

Test(options, are_taken_in_every_form)
{
	struct settings s = PARSE("-f", "--text=a=b", "--number=80");

	cr_expect_eq(s.result, CLI_RUN);
	cr_expect(s.flag);
	cr_expect_str_eq(s.text, "a=b");
	cr_expect_eq(s.number, 80);
	s = PARSE("--flag", "--number-two", "9");
	cr_expect_eq(s.result, CLI_RUN);
	cr_expect_eq(s.number, 9, "a name that begins like another is not that other");
	s = PARSE("--text", "--flag", "-f");
	cr_expect_str_eq(s.text, "--flag", "what follows an option is its value");
}

Test(options, seconds_have_fractions_to_the_nanosecond)
{
	static const struct {
		const char *text;
		uint64_t value;
	} table[] = {
		{"0", 0},
		{"0.000000001", 1},
		{"1.5", 1500 * MSEC},
		{"3600", 3600 * SEC},
		{"0.25", 250 * MSEC},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char word[32];
		struct settings s;

		snprintf(word, sizeof(word), "--seconds=%s", table[i].text);
		s = parse(word, NULL, NULL);
		cr_expect_eq(s.result, CLI_RUN, "%s", word);
		cr_expect_eq(s.seconds, table[i].value, "%s", word);
	}
}

Test(options, nonsense_is_refused_with_the_reason)
{
	static const char *const table[][2] = {
		{"--number=65536", "--number takes a whole number up to 65535, not \"65536\""},
		{"--number=-1", "--number takes a whole number up to 65535, not \"-1\""},
		{"--number=1.5", "--number takes a whole number up to 65535, not \"1.5\""},
		{"--number=", "--number takes a whole number up to 65535, not \"\""},
		{"--number=99999999999999999999",
		 "--number takes a whole number up to 65535, not \"99999999999999999999\""},
		{"--seconds=3600.1", "--seconds takes seconds up to 3600, not \"3600.1\""},
		{"--seconds=1.", "--seconds takes seconds up to 3600, not \"1.\""},
		{"--seconds=1s", "--seconds takes seconds up to 3600, not \"1s\""},
		{"--flag=yes", "--flag takes no value"},
		{"--text", "--text needs a value"},
		{"--fla", "unknown argument \"--fla\"; see agent --help"},
		{"flag", "unknown argument \"flag\"; see agent --help"},
		{"-fx", "unknown argument \"-fx\"; see agent --help"},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char word[64];
		struct settings s;

		snprintf(word, sizeof(word), "%s", table[i][0]);
		s = parse(word, NULL, NULL);
		cr_expect_eq(s.result, -EINVAL, "%s was accepted", word);
		cr_assert_eq(s.diag.count, 1, "%s", word);
		cr_expect_str_eq(s.diag.entries[0].message, table[i][1]);
		diag_clear(&s.diag);
	}
}

/* ---- resolve ---- */

static void expect_resolved(const char *text, const char *expected)
{
	struct diag diag AUTO_DIAG = {0};
	struct endpoint endpoint = {0};
	char result[ENDPOINT_TEXT_MAX];

	cr_expect_eq(resolve_endpoint(text, 3478, &endpoint, &diag), 0, "%s", text);
	cr_expect_str_eq(endpoint_format(&endpoint, result), expected);
}

Test(resolve, addresses_with_and_without_a_port)
{
	expect_resolved("9.9.9.9", "9.9.9.9:3478");
	expect_resolved("9.9.9.9:80", "9.9.9.9:80");
	expect_resolved("::1", "[::1]:3478");
	expect_resolved("[2001:db8::1]:80", "[2001:db8::1]:80");
}

Test(resolve, what_is_neither_is_refused)
{
	static const char *const table[] = {
		"9.9.9.9:0",   "9.9.9.9:65536", "9.9.9.9:",       "9.9.9.9:+80",
		"9.9.9.9:80x", "host:name",     "[2001:db8::1]:0"};
	struct diag diag AUTO_DIAG = {0};
	struct endpoint endpoint;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++)
		cr_expect_eq(resolve_endpoint(table[i], 3478, &endpoint, &diag), -EINVAL, "%s",
			     table[i]);
	cr_expect_eq(diag.count, i, "each with a reason");
}
