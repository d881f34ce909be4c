/* SPDX-License-Identifier: MIT */
/* Many sockets, many ports, a bounded rate: what goes where, and how often. */
#include <criterion/criterion.h>

#include "agents/punch/spray.h"
#include "support/fakenet.h"

static struct spray_config make_config(struct fakenet *net)
{
	struct spray_config config = {
		.first_socket = 2,
		.socket_count = 1,
		.low = 40000,
		.high = 40063,
		.rate = 1000,
		.random = fake_random_source(net),
	};

	cr_assert(endpoint_parse("5.6.7.8:8888", &config.to));
	return config;
}

/* Play until it is over or @turns packets have gone; `now` moves on. */
static void next(struct spray *spray, uint64_t *now, size_t *socket, struct endpoint *to)
{
	while (!spray_send(spray, *now, socket, to)) {
		cr_assert_neq(spray_due(spray), UINT64_MAX, "it is over too early");
		cr_assert_gt(spray_due(spray), *now, "it is due and sends nothing");
		*now = spray_due(spray);
	}
}

Test(spray, every_port_of_the_range_is_tried_once_a_round)
{
	unsigned int seed;

	for (seed = 1; seed <= 100; seed++) {
		struct fakenet net = {.seed = seed};
		struct spray_config config = make_config(&net);
		unsigned int times[65536] = {0}, i;
		uint64_t now = SEC;
		struct endpoint to;
		struct spray spray;
		size_t socket;

		config.high = (uint16_t)(40000 + seed * 7);
		config.port_count = UINT32_MAX;
		spray_start(&spray, &config, now);
		next(&spray, &now, &socket, &to);
		cr_expect_eq(to.port, 8888, "the announced port comes first");
		cr_expect_eq(socket, 2);
		for (i = 0; i <= seed * 7; i++) {
			next(&spray, &now, &socket, &to);
			times[to.port]++;
		}
		for (i = 40000; i <= config.high; i++)
			cr_expect_eq(times[i], 1, "seed %u: port %u was tried %u times", seed, i,
				     times[i]);
	}
}

Test(spray, ports_are_different_in_a_round_and_the_same_in_the_next)
{
	struct fakenet net = {.seed = 3};
	struct spray_config config = make_config(&net);
	uint16_t first[16];
	uint64_t now = SEC;
	struct endpoint to;
	struct spray spray;
	size_t socket, i, j;

	config.high = 65535;
	config.port_count = 15;
	spray_start(&spray, &config, now);
	for (i = 0; i < 16; i++) {
		next(&spray, &now, &socket, &to);
		first[i] = to.port;
		for (j = 0; j < i; j++)
			cr_expect_neq(first[j], to.port, "port %u twice", to.port);
	}
	for (i = 0; i < 16; i++) {
		next(&spray, &now, &socket, &to);
		cr_expect_eq(to.port, first[i], "a probe that came too early is not repeated");
	}
	cr_expect_geq(now, SEC + 200 * MSEC, "a short round is not repeated at once");
}

Test(spray, steps_go_round_the_range)
{
	static const uint16_t up[] = {40055, 40058, 40061, 40000, 40003},
			      down[] = {40002, 40000, 40062, 40060, 40058};
	struct fakenet net = {.seed = 13};
	struct spray_config config = make_config(&net);
	uint64_t now = SEC;
	struct endpoint to;
	struct spray spray;
	size_t socket, i;

	config.port_count = 5;
	config.first = 40055;
	config.step = 3;
	spray_start(&spray, &config, now);
	next(&spray, &now, &socket, &to);
	for (i = 0; i < 5; i++) {
		next(&spray, &now, &socket, &to);
		cr_expect_eq(to.port, up[i], "%u instead of %u", to.port, up[i]);
	}
	config.first = 40002;
	config.step = -2;
	spray_start(&spray, &config, now);
	next(&spray, &now, &socket, &to);
	for (i = 0; i < 5; i++) {
		next(&spray, &now, &socket, &to);
		cr_expect_eq(to.port, down[i], "%u instead of %u", to.port, down[i]);
	}
}

Test(spray, every_socket_opens_a_port)
{
	struct fakenet net = {.seed = 5};
	struct spray_config config = make_config(&net);
	bool seen[258] = {false};
	uint64_t now = SEC;
	struct endpoint to;
	struct spray spray;
	size_t socket, i;

	config.socket_count = 256;
	spray_start(&spray, &config, now);
	for (i = 0; i < 256; i++) {
		next(&spray, &now, &socket, &to);
		cr_assert_lt(socket, 258);
		cr_expect_not(seen[socket]);
		seen[socket] = true;
		cr_expect_eq(to.port, 8888);
	}
	cr_expect_eq(now, SEC + 255 * MSEC, "a thousand a second");
}

Test(spray, one_who_was_late_does_not_flood)
{
	struct fakenet net = {.seed = 7};
	struct spray_config config = make_config(&net);
	unsigned int burst = 0;
	struct endpoint to;
	struct spray spray;
	size_t socket;

	config.high = 65535;
	config.port_count = 60000;
	spray_start(&spray, &config, SEC);
	while (spray_send(&spray, 20 * SEC, &socket, &to))
		burst++;
	cr_expect_leq(burst, 10, "%u packets at once after 19 seconds", burst);
}

Test(spray, it_ends_after_its_rounds_and_leaves_time_for_the_last_answer)
{
	struct fakenet net = {.seed = 9};
	struct spray_config config = make_config(&net);
	uint64_t now = SEC;
	unsigned int sent = 0;
	struct endpoint to;
	struct spray spray;
	size_t socket;

	config.port_count = 64;
	config.rounds = 3;
	spray_start(&spray, &config, now);
	while (spray_due(&spray) != UINT64_MAX) {
		next(&spray, &now, &socket, &to);
		sent++;
	}
	cr_expect_eq(sent, 3 * 65);
	cr_expect_eq(spray.sent, sent);
	cr_expect_not(spray_send(&spray, now, &socket, &to));
	cr_expect_not(spray_exhausted(&spray, now));
	cr_expect(spray_exhausted(&spray, now + 200 * MSEC));
}

Test(spray, a_single_port_can_be_tried)
{
	struct fakenet net = {.seed = 11};
	struct spray_config config = make_config(&net);
	uint64_t now = SEC;
	struct endpoint to;
	struct spray spray;
	size_t socket;

	config.high = config.low;
	config.port_count = 1;
	spray_start(&spray, &config, now);
	next(&spray, &now, &socket, &to);
	next(&spray, &now, &socket, &to);
	cr_expect_eq(to.port, 40000);
}
