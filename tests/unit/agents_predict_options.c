/* SPDX-License-Identifier: MIT */
/* What an agent that guesses ports takes from its command line, and what it tells. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "agents/cli/aim.h"
#include "agents/net/clock.h"

static void expect_misuse(const struct aim_words *words, const char *reason)
{
	struct diag diag AUTO_DIAG = {0};
	struct aim_config config;

	cr_assert_lt(aim_options(words, 10 * SEC, &config, &diag), 0, "it takes %s", reason);
	cr_expect(strstr(diag.entries[0].message, reason), "it says: %s", diag.entries[0].message);
}

Test(options, nothing_is_asked_for_by_default)
{
	struct diag diag AUTO_DIAG = {0};
	struct aim_words words = AIM_WORDS;
	struct aim_config config;

	cr_assert_eq(aim_options(&words, 10 * SEC, &config, &diag), 0);
	cr_expect_not(config.predict || config.birthday);
	cr_expect_eq(aim_sockets(&config), 0, "who does not guess needs no sockets for it");
}

Test(options, are_checked)
{
	struct aim_words words = AIM_WORDS;

	words.predict = true;
	expect_misuse(&words, "--predict needs --stun");
	words.stun = "9.9.9.9";
	words.window = 0;
	expect_misuse(&words, "at least 1");
	words.window = 8;
	words.ports = "40000";
	expect_misuse(&words, "FIRST-LAST");
	words.ports = "40001-40000";
	expect_misuse(&words, "FIRST-LAST");
	words.ports = "0-40000";
	expect_misuse(&words, "FIRST-LAST");
	words.ports = "1024-65536";
	expect_misuse(&words, "FIRST-LAST");
	words.ports = "1024--1";
	expect_misuse(&words, "FIRST-LAST");
	words.ports = "-5-10";
	expect_misuse(&words, "FIRST-LAST");
}

Test(options, time_bounds_how_many_ports_are_tried)
{
	struct diag diag AUTO_DIAG = {0};
	struct aim_words words = AIM_WORDS;
	struct aim_config config;

	words.birthday = true;
	words.stun = "9.9.9.9:3479";
	words.ports = "40000-40063";
	cr_assert_eq(aim_options(&words, 10 * SEC, &config, &diag), 0);
	cr_expect_eq(config.stun.port, 3479);
	cr_expect_eq(config.low, 40000);
	cr_expect_eq(config.high, 40063);
	cr_expect_eq(config.probes, 5000, "%u ports in half of ten seconds", config.probes);
	cr_expect_eq(aim_sockets(&config), 256);
	cr_assert_eq(aim_options(&words, 3600 * SEC, &config, &diag), 0);
	cr_expect_eq(config.probes, 65535);
	words.probes = 16;
	cr_assert_eq(aim_options(&words, 10 * SEC, &config, &diag), 0);
	cr_expect_eq(config.probes, 16);
}

Test(json, a_fraction_is_a_number_however_small)
{
	static const double values[] = {0, 1, 0.5, 0.999004, 2.4e-10, 1.0 / 3};
	struct line line;
	json_t *object;
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
		line_begin(&line, "result");
		line_fraction(&line, "probability", values[i]);
		cr_assert_eq(line_end(&line), 0);
		object = json_loads(line.text, 0, NULL);
		cr_assert_not_null(object, "%s", line.text);
		cr_expect_float_eq(json_number_value(json_object_get(object, "probability")),
				   values[i], 1e-6, "%s", line.text);
		json_decref(object);
	}
	line_begin(&line, "result");
	line_fraction(&line, "probability", NAN);
	cr_assert_eq(line_end(&line), 0);
	object = json_loads(line.text, 0, NULL);
	cr_assert_not_null(object, "%s", line.text);
	cr_expect(json_is_null(json_object_get(object, "probability")));
	json_decref(object);
}
