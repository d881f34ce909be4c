/* SPDX-License-Identifier: MIT */
/* What two peers decide to do about each other's ports, and that the decisions fit. */
#include <criterion/criterion.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/predict/guess.h"

static struct outlook cone(void)
{
	return (struct outlook){
		.mapping = BEHAVIOUR_ENDPOINT_INDEPENDENT,
		.pattern = {.next = PATTERN_PRESERVING,
			    .next_confidence = 1,
			    .fixed = true,
			    .last = 7777,
			    .internal = 7777,
			    .low = 1024,
			    .high = 65535},
		.low = 1024,
		.high = 65535,
		.window = 8,
	};
}

static struct outlook sequential(int step, uint16_t last)
{
	struct outlook outlook = cone();

	outlook.mapping = BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT;
	outlook.pattern.next = PATTERN_SEQUENTIAL;
	outlook.pattern.fixed = false;
	outlook.pattern.step = step;
	outlook.pattern.last = last;
	return outlook;
}

static struct outlook drawn(uint16_t low, uint16_t high)
{
	struct outlook outlook = sequential(1, 40000);

	outlook.pattern.next = PATTERN_RANDOM;
	outlook.pattern.step = 0;
	outlook.low = low;
	outlook.high = high;
	return outlook;
}

static struct outlook eager(struct outlook outlook)
{
	outlook.sockets = 256;
	outlook.probes = 1024;
	outlook.rate = 1000;
	return outlook;
}

/* Both decide; that they do the same, and expect the same of it, is always checked. */
static void decide(struct outlook a, struct outlook b, struct guess *ret_a, struct guess *ret_b)
{
	*ret_a = guess_make(&a, &b, true);
	*ret_b = guess_make(&b, &a, false);
	cr_expect_eq(ret_a->kind, ret_b->kind, "%s, but %s", ret_a->reason, ret_b->reason);
	cr_expect_float_eq(ret_a->probability, ret_b->probability, 1e-12);
}

Test(guess, two_cones_need_none)
{
	struct guess a, b;

	decide(eager(cone()), eager(cone()), &a, &b);
	cr_expect_eq(a.kind, GUESS_NOTHING);
}

Test(guess, what_is_not_known_is_not_guessed)
{
	struct outlook unknown = sequential(1, 40000);
	struct guess a, b;

	unknown.mapping = BEHAVIOUR_UNKNOWN;
	decide(unknown, cone(), &a, &b);
	cr_expect_eq(a.kind, GUESS_NOTHING);
}

Test(guess, a_cone_aims_at_the_next_ports_of_a_sequence)
{
	struct guess a, b;

	decide(cone(), sequential(-2, 40009), &a, &b);
	cr_assert_eq(a.kind, GUESS_PREDICTION);
	cr_assert_eq(a.port_count, 8);
	cr_expect_eq(a.ports[0], 40007);
	cr_expect_eq(a.ports[7], 39993);
	cr_expect_eq(b.port_count, 0, "the cone's own port is known");
	cr_expect_float_eq(a.probability, 1, 1e-9);
}

Test(guess, a_busy_nat_lowers_the_chance)
{
	struct outlook busy = sequential(1, 40000);
	struct guess a, b;

	busy.busy = 8;
	decide(cone(), busy, &a, &b);
	cr_assert_eq(a.kind, GUESS_PREDICTION);
	cr_expect(a.probability > 0.55 && a.probability < 0.65, "%f", a.probability);
}

Test(guess, more_ports_of_a_busy_nat_are_tried_where_that_is_allowed)
{
	struct outlook own = cone(), busy = sequential(1, 40000);
	struct guess a, b;

	own.window = 255;
	decide(own, busy, &a, &b);
	cr_expect_eq(a.port_count, 8, "%zu ports of a quiet one", a.port_count);
	busy.busy = 2;
	decide(own, busy, &a, &b);
	cr_expect_eq(a.port_count, 18, "%zu ports for 99.9 %%", a.port_count);
	busy.busy = 8;
	decide(own, busy, &a, &b);
	cr_expect_eq(a.port_count, GUESS_PORTS_MAX);
	cr_expect(a.probability > 0.97 && a.probability < 0.98, "%f", a.probability);
	own = sequential(1, 50000);
	own.window = busy.window = 255;
	busy.busy = 0.5;
	decide(own, busy, &a, &b);
	cr_expect(a.port_count > 8 && a.port_count == b.port_count, "%zu and %zu", a.port_count,
		  b.port_count);
}

Test(guess, what_is_left_of_the_window_is_tried_in_order)
{
	struct outlook own = cone();
	struct guess a, b;

	own.window = 100;
	own.rate = 1000;
	decide(own, sequential(-2, 40009), &a, &b);
	cr_expect_eq(a.port_count, 8);
	cr_expect_eq(a.probes, 92);
	cr_expect_eq(a.first, 40009 - 9 * 2, "after the eighth comes %u", a.first);
	cr_expect_eq(a.step, -2);
	cr_expect_eq(a.duration, 92 * MSEC);
	cr_expect_eq(b.duration, a.duration, "both wait for it");
	cr_expect_eq(b.probes, 0);
}

Test(guess, drawn_ports_are_hopeless_without_birthday)
{
	struct guess a, b;

	decide(cone(), drawn(1024, 65535), &a, &b);
	cr_assert_eq(a.kind, GUESS_HOPELESS);
	cr_expect_float_eq(a.probability, 1.0 / 64512, 1e-9);
	cr_expect(strstr(a.reason, "0.0016 %"), "%s", a.reason);
	cr_expect(strstr(b.reason, "our ports"), "%s", b.reason);
}

Test(guess, birthday_shares_the_work)
{
	struct guess a, b;

	decide(eager(cone()), eager(drawn(1024, 65535)), &a, &b);
	cr_assert_eq(a.kind, GUESS_BIRTHDAY);
	cr_expect_eq(a.sockets, 1);
	cr_expect_eq(a.probes, 1024);
	cr_expect_eq(b.sockets, 256);
	cr_expect_eq(b.probes, 0);
	cr_expect(a.probability > 0.98 && a.probability < 0.985, "%f", a.probability);
}

Test(guess, birthday_takes_no_more_probes_than_it_needs)
{
	struct guess a, b;

	decide(eager(cone()), eager(drawn(40000, 40255)), &a, &b);
	cr_expect_eq(a.probes, 1, "256 sockets take all 256 ports");
	cr_expect_eq(a.low, 40000);
	cr_expect_eq(a.high, 40255);
	cr_expect_float_eq(a.probability, 1, 1e-9);
}

Test(guess, too_small_a_birthday_is_hopeless)
{
	struct outlook a = eager(cone()), b = eager(drawn(1024, 65535));
	struct guess guess_a, guess_b;

	a.probes = 16;
	b.sockets = 16;
	decide(a, b, &guess_a, &guess_b);
	cr_expect_eq(guess_a.kind, GUESS_HOPELESS);
	cr_expect(strstr(guess_a.reason, "0.4 %"), "%s", guess_a.reason);
}

Test(guess, two_nats_that_draw_are_hopeless)
{
	struct guess a, b;

	decide(eager(drawn(1024, 65535)), eager(drawn(1024, 65535)), &a, &b);
	cr_expect_eq(a.kind, GUESS_HOPELESS);
	cr_expect_lt(a.probability, 0.001);
	decide(eager(drawn(1024, 65535)), sequential(1, 40000), &a, &b);
	cr_expect_eq(a.kind, GUESS_HOPELESS);
}

Test(guess, ports_that_stay_for_each_address_are_scanned)
{
	struct outlook a = eager(drawn(40000, 40063)), b = eager(drawn(50000, 50031));
	struct guess guess_a, guess_b;

	a.mapping = BEHAVIOUR_ADDRESS_DEPENDENT;
	b.mapping = BEHAVIOUR_ADDRESS_DEPENDENT;
	decide(a, b, &guess_a, &guess_b);
	cr_assert_eq(guess_a.kind, GUESS_BIRTHDAY);
	cr_expect_eq(guess_a.sockets, 1);
	cr_expect_eq(guess_b.sockets, 1);
	cr_expect_eq(guess_a.probes, 32);
	cr_expect_eq(guess_b.probes, 64);
	cr_expect_float_eq(guess_a.probability, 1, 1e-9);
}

/*
 * Does any packet of A's go from a port that B aims at to the port B aims from? Of the
 * ports after those that were measured, strangers have taken @at_a and @at_b.
 */
static bool meet(const struct guess *a, const struct guess *b, unsigned int at_a, unsigned int at_b)
{
	size_t k, l;

	for (k = 0; k < a->port_count; k++) {
		for (l = 0; l < b->port_count; l++) {
			if (a->ports[k] == 50001 + l + at_b && b->ports[l] == 40001 + k + at_a)
				return true;
		}
	}
	return false;
}

Test(guess, two_moving_targets_meet_although_strangers_took_ports)
{
	struct outlook own = sequential(1, 40000), peer = sequential(1, 50000);
	unsigned int at_a, at_b;
	struct guess a, b;

	own.window = peer.window = 16;
	own.busy = peer.busy = 8; /* so that all of them are tried */
	decide(own, peer, &a, &b);
	cr_assert_eq(a.kind, GUESS_PREDICTION);
	for (at_a = 0; at_a < 16; at_a++) {
		for (at_b = 0; at_b < 16; at_b++)
			cr_expect_eq(meet(&a, &b, at_a, at_b), at_a + 2 * at_b < 16,
				     "%u ports taken at A and %u at B", at_a, at_b);
	}
}

Test(outlook, survives_the_way_to_the_peer)
{
	struct outlook told = eager(sequential(-3, 41234)), heard;
	struct offer offer = {0};

	told.pattern.next_confidence = 0.98;
	told.busy = 0.75;
	told.low = 40000;
	told.high = 49999;
	outlook_put(&told, &offer);
	cr_assert_not(offer.failed);
	cr_assert(outlook_find(offer.bytes, offer.length, &heard));
	cr_expect_eq(heard.mapping, told.mapping);
	cr_expect_eq(heard.pattern.next, PATTERN_SEQUENTIAL);
	cr_expect_eq(heard.pattern.step, -3);
	cr_expect_eq(heard.pattern.last, 41234);
	cr_expect_float_eq(heard.pattern.next_confidence, 0.98, 0.01);
	cr_expect_float_eq(heard.busy, 0.75, 0.01);
	cr_expect_eq(heard.low, 40000);
	cr_expect_eq(heard.high, 49999);
	cr_expect_eq(heard.window, 8);
	cr_expect_eq(heard.sockets, 256);
	cr_expect_eq(heard.probes, 1024);
	cr_expect_eq(heard.rate, 1000);
}

/* Whatever a peer says, what is made of it ends and stays within bounds. */
Test(outlook, nonsense_is_not_believed)
{
	struct outlook told = eager(sequential(2, 40000)), own = eager(sequential(1, 50000)), heard;
	struct offer offer = {0};
	size_t at;
	int value;

	outlook_put(&told, &offer);
	for (at = 0; at < offer.length; at++) {
		for (value = 0; value < 256; value++) {
			struct offer wrong = offer;
			struct guess guess;

			wrong.bytes[at] = (uint8_t)value;
			if (!outlook_find(wrong.bytes, wrong.length, &heard))
				continue;
			guess = guess_make(&own, &heard, false);
			cr_assert_leq(guess.port_count, GUESS_PORTS_MAX);
			cr_assert(guess.probability >= 0 && guess.probability <= 1,
				  "byte %zu is %d: chance %f", at, value, guess.probability);
		}
	}
	cr_expect_not(outlook_find(offer.bytes, offer.length - 1, &heard), "it was cut");
	cr_expect_not(outlook_find(offer.bytes, 0, &heard));
}
