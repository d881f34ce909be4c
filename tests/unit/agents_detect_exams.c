/* SPDX-License-Identifier: MIT */
/*
 * What is found out beyond mapping and filtering, on the simulated network: each kind of NAT as
 * it is, losses notwithstanding, and "unknown" where the server makes it impossible to know.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "agents/detect/survey.h"
#include "support/fakestun.h"

enum { SOCKETS = 32 };

struct world {
	struct fakenet net;
	struct fake_stun stun;
	struct fake_nat *nat;
	struct survey survey;
	struct endpoint local[SOCKETS];
	bool oversleeps; /* once, when a mapping is to be reminded */
	uint64_t pause;  /* how much too late this host wakes up now and then */
};

static void make_world(struct world *world, uint64_t seed, enum fake_behaviour mapping,
		       enum fake_behaviour filtering)
{
	memset(world, 0, sizeof(*world));
	world->net.seed = seed * 7919 + 1;
	world->net.now = 1000 * SEC;
	world->net.delay = 50 * USEC;
	fake_stun_make(&world->stun);
	world->nat = &world->net.nats[world->net.nat_count++];
	world->nat->external = endpoint("1.2.3.4:1").addr;
	world->nat->inside[world->nat->inside_count++] = endpoint("192.168.1.1:1").addr;
	world->nat->mapping = mapping;
	world->nat->filtering = filtering;
	world->nat->inbound_refresh = true;
}

static void lossy(struct world *world)
{
	world->net.delay = 20 * MSEC;
	world->net.jitter = 5 * MSEC;
	world->net.loss = 100;
	world->net.doubles = 20;
}

static void deliver(struct world *world, const struct fake_packet *packet)
{
	size_t i;

	for (i = 0; i < SOCKETS; i++) {
		if (endpoint_equal(&packet->to, &world->local[i]))
			survey_receive(&world->survey, i, &packet->from, packet->bytes,
				       packet->length, world->net.now);
	}
	fake_stun_serve(&world->stun, &world->net, packet);
}

/* At @due the mappings that are to tell what refreshes get their reminder. */
static bool is_reminding(const struct lifetime *lifetime, uint64_t due)
{
	const struct rung *rung = &lifetime->rungs[0];

	return lifetime->stage == LIFETIME_REFRESH && rung->prime.answered &&
	       due >= rung->prime.answered_at + rung->half;
}

/* From start to verdict with just @exam, or all of them for EXAM_COUNT. */
static void survey_for(struct world *world, enum survey_exam exam, uint64_t longest)
{
	struct survey_config config = {
		.detect = {.server = world->stun.server.endpoints[0][0],
			   .local = world->local,
			   .timeout = 3 * SEC,
			   .random = fake_random_source(&world->net)},
		.longest = longest,
		.unfragmented = 1500,
	};
	unsigned int turns = 0;
	size_t i;

	for (i = 0; i < EXAM_COUNT; i++)
		config.wanted[i] = exam == i || exam == EXAM_COUNT;
	cr_assert_leq(survey_sockets(config.wanted), SOCKETS);
	for (i = 0; i < SOCKETS; i++) {
		world->local[i] = endpoint("192.168.1.1:40000");
		world->local[i].port = (uint16_t)(40000 + i * 7);
	}
	survey_start(&world->survey, &config, world->net.now);
	for (;;) {
		struct datagram out;
		struct fake_packet in;
		uint64_t due;

		cr_assert_lt(turns++, 1000000, "it does not come to an end");
		while (survey_send(&world->survey, world->net.now, &out)) {
			cr_assert_lt(out.socket, SOCKETS);
			fake_send(&world->net, &world->local[out.socket], &out.to, out.bytes,
				  out.length);
		}
		if (world->survey.done)
			return;
		due = survey_due(&world->survey);
		if (fake_due(&world->net) < due)
			due = fake_due(&world->net);
		cr_assert_neq(due, UINT64_MAX, "it waits for nothing");
		cr_assert_geq(due, world->net.now, "it wants to act in the past");
		world->net.now = due;
		if (world->pause && fake_random(&world->net) % 32 == 0)
			world->net.now += fake_random(&world->net) % world->pause;
		if (world->oversleeps && is_reminding(&world->survey.lifetime, due)) {
			world->net.now += world->nat->life / 2;
			world->oversleeps = false;
		}
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	}
}

/* ---- hairpinning ---- */

static struct world hairpins(enum fake_behaviour filtering, bool off, bool inside, uint64_t seed)
{
	struct world world;

	make_world(&world, seed, FAKE_ENDPOINT_INDEPENDENT, filtering);
	world.nat->no_hairpin = off;
	world.nat->hairpins_inside = inside;
	if (seed > 1)
		lossy(&world);
	world.nat = world.net.nats;
	survey_for(&world, EXAM_HAIRPINNING, 0);
	return world;
}

static void expect_hairpinning(const struct world *world, const char *wanted)
{
	cr_expect_str_eq(hairpinning_name(world->survey.hairpin.verdict), wanted, "%s",
			 survey_reason(&world->survey));
}

Test(hairpinning, is_seen_in_each_kind_under_each_filtering_with_and_without_losses)
{
	unsigned int filtering, seed;

	for (seed = 1; seed <= 40; seed++) {
		for (filtering = 0; filtering < 3; filtering++) {
			struct world off = hairpins(filtering, true, false, seed);
			struct world outside = hairpins(filtering, false, false, seed);
			struct world inside = hairpins(filtering, false, true, seed);

			expect_hairpinning(&off, "off");
			expect_hairpinning(&outside, "external-source");
			expect_hairpinning(&inside, "internal-source");
		}
	}
}

Test(hairpinning, is_not_a_question_without_translation)
{
	struct world world;

	make_world(&world, 1, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS);
	world.net.nat_count = 0;
	survey_for(&world, EXAM_HAIRPINNING, 0);
	expect_hairpinning(&world, "none");
}

/* ---- fragments ---- */

static void expect_fragments(bool out, bool in, uint64_t seed, const char *wanted)
{
	struct world world;

	make_world(&world, seed, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	world.nat->no_fragments_out = !out;
	world.nat->no_fragments_in = !in;
	if (seed > 1)
		lossy(&world);
	survey_for(&world, EXAM_FRAGMENTS, 0);
	cr_expect_str_eq(fragments_name(world.survey.fragments.verdict), wanted, "seed %lu: %s",
			 (unsigned long)seed, survey_reason(&world.survey));
}

Test(fragments, are_told_by_direction_with_and_without_losses)
{
	unsigned int seed;

	for (seed = 1; seed <= 40; seed++) {
		expect_fragments(true, true, seed, "both");
		expect_fragments(true, false, seed, "outbound");
		expect_fragments(false, true, seed, "none");
		expect_fragments(false, false, seed, "none");
	}
}

Test(fragments, of_a_server_that_returns_no_padding_stay_unknown)
{
	struct world world;

	make_world(&world, 1, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	world.stun.drops_padding = true;
	survey_for(&world, EXAM_FRAGMENTS, 0);
	cr_expect_str_eq(fragments_name(world.survey.fragments.verdict), "unknown");
	cr_expect(strstr(survey_reason(&world.survey), "PADDING"), "%s",
		  survey_reason(&world.survey));
}

/* ---- allocation ---- */

static void expect_allocation(int step, bool draws, bool keeps, uint64_t seed)
{
	const struct port_pattern *pattern;
	struct world world;

	make_world(&world, seed, FAKE_ADDRESS_AND_PORT, FAKE_ADDRESS_AND_PORT);
	world.nat->changes_ports = !keeps;
	world.nat->step = step;
	world.nat->draws_ports = draws;
	world.nat->seed = seed;
	if (seed > 1)
		lossy(&world);
	survey_for(&world, EXAM_ALLOCATION, 0);
	pattern = &world.survey.allocation.pattern;
	cr_expect_str_eq(port_choice_name(pattern->choice),
			 keeps   ? "preserving"
			 : draws ? "random"
				 : "sequential",
			 "seed %lu", (unsigned long)seed);
	if (!keeps && !draws)
		cr_expect_eq(pattern->step, step, "step %d, not %d", pattern->step, step);
}

Test(allocation, is_told_with_its_step_although_answers_are_lost)
{
	unsigned int seed;

	for (seed = 1; seed <= 40; seed++) {
		expect_allocation(1, false, false, seed);
		expect_allocation(-2, false, false, seed);
		expect_allocation(17, false, false, seed);
		expect_allocation(0, true, false, seed);
		expect_allocation(0, false, true, seed);
	}
}

/* ---- lifetime ---- */

static void expect_lifetime(uint64_t life, enum fake_behaviour filtering, uint64_t seed,
			    unsigned int percent)
{
	const struct lifetime *found;
	struct world world;

	make_world(&world, seed, FAKE_ADDRESS_AND_PORT, filtering);
	world.nat->life = life;
	if (seed > 1)
		lossy(&world);
	survey_for(&world, EXAM_LIFETIME, 300 * SEC);
	found = &world.survey.lifetime;
	cr_assert(found->known, "life %.1f ms, seed %lu: %s", to_ms(life), (unsigned long)seed,
		  survey_reason(&world.survey));
	/* What is claimed is never more than is true. */
	cr_expect_lt(found->low, life, "alive after %.3f ms of %.3f", to_ms(found->low),
		     to_ms(life));
	cr_expect_geq(found->high, life, "gone after %.3f ms of %.3f", to_ms(found->high),
		      to_ms(life));
	cr_expect_leq(found->high - found->low, life / 100 * percent, "%.3f to %.3f ms of %.3f",
		      to_ms(found->low), to_ms(found->high), to_ms(life));
	/* Below the first rung the way up to it comes on top; lost answers may cost another try. */
	cr_expect_leq(world.net.now - 1000 * SEC, (seed > 1 ? 9 : 6) * life + 300 * SEC / 128,
		      "it took %.1f s for %.1f", to_ms(world.net.now - 1000 * SEC) / 1000,
		      to_ms(life) / 1000);
}

Test(lifetime, is_found_to_within_a_few_percent_in_six_lifetimes_at_most)
{
	static const uint64_t lives[] = {500 * MSEC, SEC, 30 * SEC, 65 * SEC, 120 * SEC, 299 * SEC};
	size_t i;

	for (i = 0; i < sizeof(lives) / sizeof(*lives); i++) {
		expect_lifetime(lives[i], FAKE_ENDPOINT_INDEPENDENT, 1, 10);
		expect_lifetime(lives[i], FAKE_ADDRESS_AND_PORT, 1, 10);
	}
}

Test(lifetime, is_not_misjudged_where_packets_are_lost)
{
	unsigned int seed;

	for (seed = 2; seed <= 40; seed++) {
		expect_lifetime(20 * SEC, FAKE_ADDRESS_AND_PORT, seed, 10);
		expect_lifetime(90 * SEC, FAKE_ENDPOINT_INDEPENDENT, seed, 10);
	}
}

static void expect_refresh(bool outbound, bool inbound, uint64_t seed, const char *wanted)
{
	struct world world;

	make_world(&world, seed, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	world.nat->life = 30 * SEC;
	world.nat->no_outbound_refresh = !outbound;
	world.nat->inbound_refresh = inbound;
	if (seed > 1)
		lossy(&world);
	survey_for(&world, EXAM_LIFETIME, 300 * SEC);
	cr_expect_str_eq(refresh_name(world.survey.lifetime.refresh), wanted, "seed %lu: %s",
			 (unsigned long)seed, survey_reason(&world.survey));
}

Test(lifetime, tells_what_refreshes)
{
	expect_refresh(true, true, 1, "both");
	expect_refresh(true, false, 1, "outbound");
	expect_refresh(false, true, 1, "inbound");
	expect_refresh(false, false, 1, "neither");
}

Test(lifetime, tells_what_refreshes_where_packets_are_lost)
{
	unsigned int seed;

	for (seed = 2; seed <= 12; seed++) {
		expect_refresh(true, true, seed, "both");
		expect_refresh(true, false, seed, "outbound");
		expect_refresh(false, true, seed, "inbound");
	}
}

/* A machine that is busy wakes up late now and then, whatever it was about to do. */
Test(lifetime, is_never_misjudged_by_a_host_that_pauses)
{
	static const struct {
		bool outbound, inbound;
		const char *name;
	} refreshes[] = {{true, true, "both"}, {true, false, "outbound"}, {false, true, "inbound"}};
	unsigned int seed, known = 0;

	for (seed = 1; seed <= 60; seed++) {
		const char *wanted = refreshes[seed % 3].name, *found;
		struct world world;

		make_world(&world, seed, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
		world.pause = 150 * MSEC;
		world.nat->life = 400 * MSEC;
		world.nat->no_outbound_refresh = !refreshes[seed % 3].outbound;
		world.nat->inbound_refresh = refreshes[seed % 3].inbound;
		survey_for(&world, EXAM_LIFETIME, 2 * SEC);
		if (!world.survey.lifetime.known)
			continue;
		cr_expect_lt(world.survey.lifetime.low, world.nat->life,
			     "seed %u: alive after %.1f", seed, to_ms(world.survey.lifetime.low));
		cr_expect_geq(world.survey.lifetime.high, world.nat->life,
			      "seed %u: gone after %.1f", seed, to_ms(world.survey.lifetime.high));
		found = refresh_name(world.survey.lifetime.refresh);
		known += strcmp(found, wanted) == 0;
		cr_expect(strcmp(found, wanted) == 0 || strcmp(found, "unknown") == 0,
			  "seed %u: %s, not %s", seed, found, wanted);
	}
	cr_expect_geq(known, 30, "but only %u of 60 are known", known);
}

Test(lifetime, takes_no_reminder_that_came_too_late_for_one_that_does_not_refresh)
{
	struct world world;

	make_world(&world, 1, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	world.oversleeps = true;
	world.nat->life = 400 * MSEC;
	survey_for(&world, EXAM_LIFETIME, 2 * SEC);
	cr_expect_not(world.oversleeps, "it did");
	cr_expect_str_eq(refresh_name(world.survey.lifetime.refresh), "both");
}

Test(lifetime, longer_than_was_waited_for_has_no_end)
{
	struct world world;

	make_world(&world, 1, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	survey_for(&world, EXAM_LIFETIME, 10 * SEC);
	cr_expect(world.survey.lifetime.known);
	cr_expect_geq(world.survey.lifetime.low, 10 * SEC);
	cr_expect_eq(world.survey.lifetime.high, 0);
}

Test(lifetime, is_unknown_when_the_server_answers_who_asked)
{
	struct world world;

	make_world(&world, 1, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	world.nat->life = 30 * SEC;
	world.stun.ignores_response_port = true;
	survey_for(&world, EXAM_LIFETIME, 300 * SEC);
	cr_expect_not(world.survey.lifetime.known);
	cr_expect(strstr(survey_reason(&world.survey), "RESPONSE-PORT"), "%s",
		  survey_reason(&world.survey));
}

Test(lifetime, is_not_a_question_for_an_open_host)
{
	struct world world;

	make_world(&world, 1, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	world.net.nat_count = 0;
	survey_for(&world, EXAM_LIFETIME, 300 * SEC);
	cr_expect_not(world.survey.taken[EXAM_LIFETIME]);
	cr_expect_lt(world.net.now - 1000 * SEC, SEC);
}

/* ---- together ---- */

Test(survey, takes_all_exams_in_one_go)
{
	struct world world;

	make_world(&world, 1, FAKE_ADDRESS_AND_PORT, FAKE_ADDRESS_AND_PORT);
	world.nat->changes_ports = true;
	world.nat->life = 30 * SEC;
	survey_for(&world, EXAM_COUNT, 60 * SEC);
	cr_expect_eq(world.survey.allocation.pattern.choice, PATTERN_SEQUENTIAL);
	cr_expect_eq(world.survey.fragments.verdict, FRAGMENTS_BOTH);
	/* Its packets cross from mappings nobody knows: what hairpins.c says it cannot see. */
	cr_expect_eq(world.survey.hairpin.verdict, HAIRPINNING_OFF);
	cr_expect(world.survey.lifetime.known);
	cr_expect_str_eq(survey_reason(&world.survey), "");
}

Test(survey, examines_nothing_that_it_cannot_reach)
{
	struct world world;

	make_world(&world, 1, FAKE_ENDPOINT_INDEPENDENT, FAKE_ENDPOINT_INDEPENDENT);
	world.nat->blocks = true;
	survey_for(&world, EXAM_COUNT, 60 * SEC);
	cr_expect_not(world.survey.taken[EXAM_ALLOCATION]);
	cr_expect(strstr(survey_reason(&world.survey), "did not answer"));
}
