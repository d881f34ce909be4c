/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "base/cleanup.h"
#include "verdict/escape.h"

static void expect_print(const char *text, size_t length, const char *printed)
{
	AUTO_FREE char *got = NULL;
	size_t size;
	FILE *out = open_memstream(&got, &size);

	cr_assert_not_null(out);
	escape_print(text, length, "|", out);
	fclose(out);
	cr_expect_str_eq(got, printed);
}

Test(escape, nothing_that_steers_a_terminal_gets_through)
{
	expect_print("plain", 5, "plain");
	expect_print("\033[2J", 4, "\\x1b[2J");
	expect_print("a\rb\bc\a", 6, "a\\x0db\\x08c\\x07");
	expect_print("\x7f", 1, "\\x7f");
	expect_print("nul\0!", 5, "nul\\x00!");
	expect_print("\xc2\x9b", 2, "\\xc2\\x9b"); /* CSI in eight bits */
	expect_print("tab\tline\n", 9, "tab\tline|");
}

Test(escape, valid_utf8_stays_and_invalid_bytes_show)
{
	expect_print("gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f");
	expect_print("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80");
	expect_print("\xff\xfe", 2, "\\xff\\xfe");
	expect_print("\xc3", 1, "\\xc3");                   /* cut off */
	expect_print("\xc0\xaf", 2, "\\xc0\\xaf");          /* overlong */
	expect_print("\xe0\x80\x80", 3, "\\xe0\\x80\\x80"); /* overlong */
	expect_print("\xed\xa0\x80", 3, "\\xed\\xa0\\x80"); /* surrogate */
	expect_print("\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80");
	expect_print("\xf0\x80\x80\x80", 4, "\\xf0\\x80\\x80\\x80");
}

Test(escape, quotes_are_as_in_c)
{
	AUTO_FREE char *got = NULL;
	size_t size;
	FILE *out = open_memstream(&got, &size);

	cr_assert_not_null(out);
	escape_quote("say \"\\\"\n\t\r.", 11, out);
	fclose(out);
	cr_expect_str_eq(got, "\"say \\\"\\\\\\\"\\n\\t\\r.\"");
}

Test(escape, any_bytes_become_a_json_string)
{
	json_t *json = escape_json("a\xff\0b", 4);

	cr_assert(json_is_string(json));
	cr_expect_eq(json_string_length(json), 6);
	cr_expect_eq(memcmp(json_string_value(json), "a\xef\xbf\xbd\0b", 6), 0);
	json_decref(json);
}
