/* SPDX-License-Identifier: MIT */
/* What is made of a NAT's external ports, and which port it is expected to choose next. */
#include <criterion/criterion.h>

#include "agents/predict/pattern.h"

enum { SAMPLES = 8 };

/* One socket asks several destinations in turn; 0 is a probe that was lost. */
static struct port_pattern judge(const uint16_t *externals, size_t count)
{
	struct port_sample samples[PATTERN_SAMPLES_MAX];
	size_t i, known = 0;

	for (i = 0; i < count; i++) {
		if (externals[i] == 0)
			continue;
		samples[known++] = (struct port_sample){
			.internal = 7777, .external = externals[i], .order = (unsigned int)i};
	}
	return pattern_judge(samples, known);
}

#define JUDGE(...)                             \
	judge((const uint16_t[]){__VA_ARGS__}, \
	      sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static void expect_sequential(struct port_pattern pattern, int step, uint16_t next)
{
	uint16_t port = 0;

	cr_assert_eq(pattern.choice, PATTERN_SEQUENTIAL, "it is taken for %s",
		     port_choice_name(pattern.choice));
	cr_expect_eq(pattern.step, step, "step %d instead of %d", pattern.step, step);
	cr_expect_gt(pattern.confidence, 0.5, "confidence %f", pattern.confidence);
	cr_assert_eq(pattern_predict(&pattern, 0, &port, 1), 1);
	cr_expect_eq(port, next, "%u is predicted instead of %u", port, next);
}

Test(pattern, a_sequence_is_told_with_its_step)
{
	expect_sequential(JUDGE(40000, 40001, 40002, 40003), 1, 40004);
	expect_sequential(JUDGE(40003, 40002, 40001, 40000), -1, 39999);
	expect_sequential(JUDGE(40000, 40002, 40004, 40006), 2, 40008);
	expect_sequential(JUDGE(40009, 40006, 40003, 40000), -3, 39997);
	expect_sequential(JUDGE(40000, 40005, 40010, 40015), 5, 40020);
	expect_sequential(JUDGE(20000, 21000, 22000, 23000), 1000, 24000);
}

Test(pattern, each_sample_makes_it_surer)
{
	struct port_pattern two = JUDGE(40000, 40001), three = JUDGE(40000, 40001, 40002),
			    four = JUDGE(40000, 40001, 40002, 40003);

	cr_expect_lt(two.confidence, three.confidence);
	cr_expect_lt(three.confidence, four.confidence);
	cr_expect_gt(four.confidence, 0.95, "%f", four.confidence);
}

Test(pattern, ports_that_other_hosts_took_do_not_hide_the_step)
{
	struct port_pattern pattern = JUDGE(40000, 40001, 40004, 40005);

	expect_sequential(pattern, 1, 40006);
	cr_expect_eq(pattern.strangers, 2, "%u strangers", pattern.strangers);
	pattern = JUDGE(40010, 40008, 40004, 40002);
	expect_sequential(pattern, -2, 40000);
	cr_expect_eq(pattern.strangers, 1);
	/* Nobody's probes are adjacent: the step is what divides the distances. */
	expect_sequential(JUDGE(40000, 40004, 40010, 40014), 2, 40016);
}

Test(pattern, a_lost_probe_may_have_taken_a_port_or_not)
{
	struct port_pattern taken = JUDGE(40000, 0, 40002, 40003);

	expect_sequential(taken, 1, 40004);
	cr_expect_eq(taken.strangers, 0, "the lost probe's own port is no stranger's");
	expect_sequential(JUDGE(40000, 0, 40001, 40002), 1, 40003);
	expect_sequential(JUDGE(40000, 0, 0, 40002), 1, 40003);
}

Test(pattern, answers_in_another_order_are_put_in_order)
{
	const struct port_sample samples[] = {
		{7777, 40004, 2}, {7777, 40000, 0}, {7777, 40006, 3}, {7777, 40002, 1}};

	expect_sequential(pattern_judge(samples, 4), 2, 40008);
}

Test(pattern, a_repeated_answer_is_no_second_mapping)
{
	const struct port_sample samples[] = {{7777, 40000, 0},
					      {7777, 40000, 1},
					      {7777, 40001, 2},
					      {7777, 40001, 2},
					      {7777, 40002, 3}};
	struct port_pattern pattern = pattern_judge(samples, 5);

	expect_sequential(pattern, 1, 40003);
	cr_expect_eq(pattern.mappings, 3);
	cr_expect_not(pattern.fixed, "the socket has had three ports");
}

Test(pattern, a_sequence_that_turned_round_tells_its_range)
{
	struct port_pattern pattern = JUDGE(40007, 40008, 40009, 40000, 40001);
	uint16_t ports[10];

	expect_sequential(pattern, 1, 40002);
	cr_expect_eq(pattern.low, 40000);
	cr_expect_eq(pattern.high, 40009);
	cr_assert_eq(pattern_predict(&pattern, 0, ports, 10), 10);
	cr_expect_eq(ports[7], 40009);
	cr_expect_eq(ports[8], 40000, "%u follows the last port of the range", ports[8]);
	expect_sequential(JUDGE(40005, 40003, 40001, 40009, 40007), -2, 40005);
}

Test(pattern, at_the_end_of_all_ports_it_turns_round_unseen)
{
	expect_sequential(JUDGE(65533, 65534, 65535), 1, 1024);
	expect_sequential(JUDGE(65534, 65535, 1024, 1025), 1, 1026);
	expect_sequential(JUDGE(1026, 1025, 1024), -1, 65535);
}

Test(pattern, ports_drawn_at_random_are_not_predicted)
{
	struct port_pattern pattern = JUDGE(51201, 33007, 60210, 12345);
	uint16_t port;

	cr_expect_eq(pattern.choice, PATTERN_RANDOM);
	cr_expect_gt(pattern.confidence, 0.99);
	cr_expect_eq(pattern_predict(&pattern, 0, &port, 1), 0);
	/* In one direction, but no step fits. */
	cr_expect_eq(JUDGE(20000, 27001, 33013, 51007).choice, PATTERN_RANDOM);
	/* From a small range. */
	cr_expect_eq(JUDGE(40013, 40051, 40002, 40033, 40041, 40008).choice, PATTERN_RANDOM);
}

static uint64_t xorshift(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* How many of 10000 NATs that draw from @size ports are taken for sequential ones by @probes. */
static unsigned int misjudged(unsigned int size, size_t probes)
{
	uint64_t seed = 20061;
	unsigned int turn, wrong = 0;
	uint16_t ports[16];
	size_t i, j;

	for (turn = 0; turn < 10000; turn++) {
		for (i = 0; i < probes; i++) {
			do {
				ports[i] = (uint16_t)(30000 + xorshift(&seed) % size);
				for (j = 0; j < i && ports[j] != ports[i]; j++)
					;
			} while (j < i);
		}
		wrong += judge(ports, probes).choice != PATTERN_RANDOM;
	}
	return wrong;
}

Test(pattern, chance_seldom_looks_like_a_sequence)
{
	cr_expect_eq(misjudged(30000, 5), 0, "%u of 10000", misjudged(30000, 5));
	cr_expect_leq(misjudged(1024, 5), 10, "%u of 10000", misjudged(1024, 5));
	cr_expect_leq(misjudged(64, 9), 10, "%u of 10000", misjudged(64, 9));
}

/* A sequence of @step with up to @busy strangers between two probes, every third probe lost. */
Test(pattern, a_busy_nats_step_is_found_behind_others_mappings_and_loss)
{
	static const int steps[] = {1, -1, 2, -2, 3, -3, 5};
	uint64_t seed = 31337;
	size_t s, turn, right = 0, all = 0;

	for (s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
		for (turn = 0; turn < 1000; turn++) {
			uint16_t ports[SAMPLES];
			struct port_pattern pattern;
			int port = 40000;
			size_t i;

			for (i = 0; i < SAMPLES; i++) {
				port += steps[s] * (1 + (xorshift(&seed) % 4 == 0));
				ports[i] = xorshift(&seed) % 4 == 0 ? 0 : (uint16_t)port;
			}
			pattern = judge(ports, SAMPLES);
			all++;
			right += pattern.choice == PATTERN_SEQUENTIAL && pattern.step == steps[s];
		}
	}
	cr_expect_gt(right * 100, all * 95, "only %zu of %zu", right, all);
}

Test(pattern, kept_ports_are_preserving)
{
	const struct port_sample kept[] = {{7777, 7777, 0}, {8888, 8888, 1}, {9999, 9999, 2}};
	const struct port_sample collided[] = {
		{7777, 7777, 0}, {8888, 8888, 1}, {8888, 51234, 2}, {9999, 9999, 3}};
	struct port_pattern pattern = pattern_judge(kept, 3);
	uint16_t port = 0;

	cr_expect_eq(pattern.choice, PATTERN_PRESERVING);
	cr_expect_not(pattern.fixed, "no socket asked twice");
	cr_assert_eq(pattern_predict(&pattern, 0, &port, 1), 1);
	cr_expect_eq(port, 9999);
	pattern = pattern_judge(collided, 4);
	cr_expect_eq(pattern.choice, PATTERN_PRESERVING,
		     "each socket's first mapping has kept its port");
	cr_expect_eq(pattern.next, PATTERN_UNKNOWN, "one further port tells nothing");
	cr_expect_eq(pattern_predict(&pattern, 0, &port, 1), 0);
}

Test(pattern, one_port_that_somebody_had_is_no_other_rule)
{
	const struct port_sample taken[] = {
		{7777, 7777, 0}, {8888, 31234, 1}, {9999, 9999, 2}, {9001, 9001, 3}};
	const struct port_sample halves[] = {{7777, 7777, 0}, {8888, 31234, 1}};
	struct port_pattern pattern = pattern_judge(taken, 4);

	cr_expect_eq(pattern.choice, PATTERN_PRESERVING);
	cr_expect_eq(pattern.next, PATTERN_UNKNOWN, "the one port tells nothing");
	cr_expect_eq(pattern_judge(halves, 2).choice, PATTERN_UNKNOWN);
}

Test(pattern, what_follows_kept_ports_is_predicted)
{
	const struct port_sample samples[] = {{7777, 7777, 0},
					      {8888, 8888, 1},
					      {7777, 40000, 2},
					      {7777, 40002, 3},
					      {7777, 40004, 4}};
	struct port_pattern pattern = pattern_judge(samples, 5);
	uint16_t port = 0;

	cr_expect_eq(pattern.choice, PATTERN_PRESERVING);
	cr_expect_eq(pattern.next, PATTERN_SEQUENTIAL);
	cr_expect_eq(pattern.step, 2);
	cr_assert_eq(pattern_predict(&pattern, 0, &port, 1), 1);
	cr_expect_eq(port, 40006);
}

/* A symmetric NAT that preserves can do so towards one destination only. */
Test(pattern, what_follows_a_kept_port_decides)
{
	expect_sequential(JUDGE(7777, 40000, 40001, 40002), 1, 40003);
	cr_expect_eq(JUDGE(7777, 51201, 33007, 60210).choice, PATTERN_RANDOM);
}

Test(pattern, one_port_towards_all_is_fixed)
{
	struct port_pattern pattern = JUDGE(40000, 40000, 40000);
	uint16_t ports[4] = {0};

	cr_expect(pattern.fixed);
	cr_expect_eq(pattern.choice, PATTERN_UNKNOWN, "one mapping tells nothing of the next");
	cr_assert_eq(pattern_predict(&pattern, 3, ports, 4), 1);
	cr_expect_eq(ports[0], 40000);
	pattern = JUDGE(7777, 7777);
	cr_expect(pattern.fixed);
	cr_expect_eq(pattern.choice, PATTERN_PRESERVING);
}

Test(pattern, too_little_is_unknown)
{
	cr_expect_eq(pattern_judge(NULL, 0).choice, PATTERN_UNKNOWN);
	cr_expect_eq(JUDGE(40000).choice, PATTERN_UNKNOWN);
	cr_expect_eq(JUDGE(7777, 40000).choice, PATTERN_UNKNOWN);
}

Test(pattern, others_mappings_are_skipped)
{
	struct port_pattern pattern = JUDGE(40000, 40002, 40004);
	uint16_t ports[3];

	cr_assert_eq(pattern_predict(&pattern, 2, ports, 3), 3);
	cr_expect_eq(ports[0], 40010);
	cr_expect_eq(ports[1], 40012);
	cr_expect_eq(ports[2], 40014);
}
