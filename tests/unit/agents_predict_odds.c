/* SPDX-License-Identifier: MIT */
/* The chances of guessing ports, against published numbers and against dice. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "agents/net/clock.h"
#include "agents/predict/odds.h"

/* What the published tables were computed for: ports 1025 to 65535. */
enum { PUBLISHED = 64511 };

static void expect_percent(double probability, double percent, double within)
{
	cr_expect(probability * 100 > percent - within && probability * 100 < percent + within,
		  "%.4f %% instead of %.2f %%", probability * 100, percent);
}

Test(birthday, the_published_chances_of_256_open_ports)
{
	expect_percent(odds_birthday(PUBLISHED, 256, 64), 22.5, 0.1);
	expect_percent(odds_birthday(PUBLISHED, 256, 128), 39.9, 0.1);
	expect_percent(odds_birthday(PUBLISHED, 256, 174), 50, 0.1);
	expect_percent(odds_birthday(PUBLISHED, 256, 256), 63.9, 0.1);
	expect_percent(odds_birthday(PUBLISHED, 256, 512), 87, 0.1);
	expect_percent(odds_birthday(PUBLISHED, 256, 1024), 98.3, 0.1);
	expect_percent(odds_birthday(PUBLISHED, 256, 2048), 99.97, 0.01);
}

Test(birthday, the_published_numbers_of_probes)
{
	/* 174 are 49.98 %, which the tables round. */
	cr_expect_eq(odds_probes(PUBLISHED, 256, 0.5), 175);
	cr_expect_eq(odds_probes(PUBLISHED, 256, 0.9), 577);
	cr_expect_eq(odds_probes(PUBLISHED, 256, 0.95), 750);
	cr_expect_eq(odds_probes(PUBLISHED, 256, 0.99), 1148);
	cr_expect_eq(odds_probes(PUBLISHED, 256, 0.999), 1715);
}

Test(birthday, two_nats_that_draw_need_a_hundred_thousand_packets)
{
	const uint64_t pairs = (uint64_t)PUBLISHED * PUBLISHED;

	expect_percent(odds_birthday(pairs, 2048, 2048), 0.1, 0.01);
	expect_percent(odds_birthday(pairs, 54000, 54000), 50, 0.5);
	expect_percent(odds_birthday(pairs, 65536, 65536), 64, 0.5);
	expect_percent(odds_birthday(pairs, 170000, 170000), 99.9, 0.1);
}

Test(birthday, a_small_pool)
{
	expect_percent(odds_birthday(256, 16, 16), 65.5, 0.1);
	expect_percent(odds_birthday(64, 16, 16), 99.5, 0.1);
}

Test(birthday, trying_all_ports_is_certain_and_none_is_hopeless)
{
	cr_expect_eq(odds_birthday(64, 1, 64), 1);
	cr_expect_eq(odds_birthday(64, 4, 61), 1, "only three ports are closed");
	cr_expect_lt(odds_birthday(64, 4, 60), 1);
	cr_expect_eq(odds_birthday(64, 0, 64), 0, "nothing is open");
	cr_expect_eq(odds_birthday(64, 4, 0), 0);
	cr_expect_eq(odds_probes(64, 4, 1), 61);
	cr_expect_eq(odds_probes(64, 64, 1), 1);
	cr_expect_eq(odds_probes(64, 0, 0.5), 0);
}

/* Draw @open and @probes different ports of @ports: did any meet? */
static bool draw(unsigned int ports, unsigned int open, unsigned int probes)
{
	bool is_open[256] = {false}, is_probed[256] = {false}, met = false;
	unsigned int i, port;

	for (i = 0; i < open; i++) {
		do
			port = (unsigned int)random() % ports;
		while (is_open[port]);
		is_open[port] = true;
	}
	for (i = 0; i < probes; i++) {
		do
			port = (unsigned int)random() % ports;
		while (is_probed[port]);
		is_probed[port] = true;
		met |= is_open[port];
	}
	return met;
}

Test(birthday, dice_agree)
{
	unsigned int turn, met = 0;

	srandom(4787);
	for (turn = 0; turn < 20000; turn++)
		met += draw(200, 10, 12);
	expect_percent(met / 20000.0, odds_birthday(200, 10, 12) * 100, 1);
}

Test(birthday, the_average_is_between_one_and_all)
{
	cr_expect_float_eq(odds_expected_probes(64, 64), 1, 1e-9);
	cr_expect_float_eq(odds_expected_probes(64, 1), 32.5, 1e-9);
	cr_expect_float_eq(odds_expected_probes(PUBLISHED, 256), 251.02, 0.01);
	cr_expect_eq(odds_expected_probes(64, 0), 0);
}

Test(prediction, an_idle_nat_needs_no_window)
{
	cr_expect_float_eq(odds_window(0.9, 0, 1), 0.9, 1e-9);
	cr_expect_float_eq(odds_window(0.9, 0, 8), 0.9, 1e-9);
	cr_expect_eq(odds_window(0.9, 0, 0), 0);
	cr_expect_float_eq(odds_both(0.9, 0, 0.8, 0, 1), 0.72, 1e-9);
}

Test(prediction, a_busy_one_needs_a_wide_one)
{
	cr_expect_float_eq(odds_window(1, 1, 1), 0.5, 1e-9);
	cr_expect_float_eq(odds_window(1, 1, 3), 0.875, 1e-9);
	cr_expect_lt(odds_both(1, 1, 1, 1, 3), odds_window(1, 1, 3),
		     "two moving targets are harder to hit than one");
	/* None at all, or one or two at the side aimed at straight, or one at the other. */
	cr_expect_float_eq(odds_both(1, 1, 1, 1, 3), 0.25 + 0.125 + 0.0625 + 0.125, 1e-9);
	cr_expect_gt(odds_both(1, 1, 1, 1, 64), 0.99);
}

Test(plan, takes_what_is_wanted_where_time_allows)
{
	struct odds_plan plan = odds_plan(PUBLISHED, 256, 0.99, 100, 60 * SEC, UINT64_MAX);

	cr_expect_eq(plan.probes, 1148);
	cr_expect_eq(plan.duration, 11480 * MSEC);
	expect_percent(plan.probability, 99, 0.1);
}

Test(plan, takes_what_time_or_the_limit_allows)
{
	struct odds_plan plan =
		odds_plan(PUBLISHED, 256, 0.99, 100, 5 * SEC + 120 * MSEC, UINT64_MAX);

	cr_expect_eq(plan.probes, 512);
	expect_percent(plan.probability, 87, 0.1);
	plan = odds_plan(PUBLISHED, 256, 0.99, 100, 60 * SEC, 64);
	cr_expect_eq(plan.probes, 64);
	expect_percent(plan.probability, 22.5, 0.1);
	plan = odds_plan(PUBLISHED, 256, 0.99, 0, 60 * SEC, 64);
	cr_expect_eq(plan.probes, 0);
	cr_expect_eq(plan.probability, 0);
}

Test(plan, one_in_a_hundred_is_the_least)
{
	cr_expect(odds_worth(0.01));
	cr_expect_not(odds_worth(odds_birthday(ODDS_PORTS, 16, 16)));
	cr_expect_not(odds_worth(odds_birthday((uint64_t)ODDS_PORTS * ODDS_PORTS, 2048, 2048)));
	cr_expect(odds_worth(odds_birthday(ODDS_PORTS, 256, 256)));
}
