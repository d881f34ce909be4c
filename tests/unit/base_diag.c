/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/diag.h"

/* What diag_print() writes, as a string the caller frees. */
static char *printed(const struct diag *d, bool colour)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	diag_print(d, out, colour);
	fclose(out);
	return text;
}

Test(diag, an_error_returns_its_negative_code)
{
	AUTO_DIAG struct diag d = {0};

	cr_expect_eq(diag_error(&d, EINVAL, "no"), -EINVAL);
	cr_expect_eq(diag_system(&d, ENOENT, "no"), -ENOENT);
	cr_expect_eq(diag_error(NULL, EPERM, "nobody listens"), -EPERM);
	cr_expect_eq(d.errors, 2);
}

Test(diag, the_system_s_words_follow_ours_and_the_outer_story_comes_first)
{
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *text = NULL;

	diag_system(&d, ENODEV, "setting the address");
	diag_while(&d, "while building %s", "router1");
	diag_help(&d, "look at %d", 7);
	text = printed(&d, false);
	cr_expect_str_eq(text, "natsim: error: while building router1: setting the address: "
			       "No such device\n"
			       "       = help: look at 7\n");
}

Test(diag, a_place_is_shown_with_its_line_and_a_caret_as_wide_as_the_mistake)
{
	struct diag_place place = {.file = "a.yaml", .line = 12, .column = 6, .width = 4};
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *text = NULL;

	diag_at(&d, DIAG_ERROR, &place, "nat:\tconn", "no NAT is called \"conn\"");
	text = printed(&d, false);
	cr_expect_str_eq(text, "a.yaml:12:6: error: no NAT is called \"conn\"\n"
			       "    12 | nat: conn\n"
			       "       |      ^~~~\n");
}

Test(diag, a_warning_is_no_error)
{
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *text = NULL;

	diag_warning(&d, "nobody uses %s", "home2");
	cr_expect_eq(d.errors, 0);
	cr_expect_eq(d.count, 1);
	text = printed(&d, false);
	cr_expect_str_eq(text, "natsim: warning: nobody uses home2\n");
}

Test(diag, colour_changes_nothing_but_colour)
{
	struct diag_place place = {.file = "a.yaml", .line = 1, .column = 1, .width = 1};
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *plain = NULL;
	AUTO_FREE char *coloured = NULL;
	char *from, *to;

	diag_at(&d, DIAG_ERROR, &place, "x", "bad");
	plain = printed(&d, false);
	coloured = printed(&d, true);
	cr_expect_str_neq(plain, coloured);
	for (from = to = coloured; *from; from++) {
		if (*from == '\033') {
			while (*from != 'm')
				from++;
			continue;
		}
		*to++ = *from;
	}
	*to = '\0';
	cr_expect_str_eq(plain, coloured);
}

Test(diag, clearing_twice_is_fine)
{
	struct diag d = {0};

	diag_error(&d, EINVAL, "x");
	diag_clear(&d);
	diag_clear(&d);
	diag_clear(NULL);
	cr_expect_eq(d.count, 0);
}

Test(diag, with_nothing_to_say_nothing_is_printed)
{
	struct diag d = {0};
	AUTO_FREE char *text = printed(&d, true);

	cr_expect_str_eq(text, "");
}
