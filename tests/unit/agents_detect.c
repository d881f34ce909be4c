/* SPDX-License-Identifier: MIT */
/*
 * Detection against every NAT there is, on a simulated network with a simulated clock: what is
 * found, how long it takes, and that bad paths and bad servers do not fool it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "agents/detect/detect.h"
#include "support/fakestun.h"

struct world {
	struct fakenet net;
	struct fake_stun stun;
	struct detect detect;
	struct endpoint local[SOCKET_COUNT];
};

static void make_world(struct world *world, uint64_t seed)
{
	*world = (struct world){
		.net = {.seed = seed * 7919 + 1, .now = 1000 * SEC, .delay = 50 * USEC},
	};
	fake_stun_make(&world->stun);
}

static struct fake_nat *add_nat(struct world *world, enum fake_behaviour mapping,
				enum fake_behaviour filtering)
{
	struct fake_nat *nat = &world->net.nats[world->net.nat_count++];

	nat->external = endpoint("1.2.3.4:1").addr;
	nat->inside[nat->inside_count++] = endpoint("192.168.1.1:1").addr;
	nat->mapping = mapping;
	nat->filtering = filtering;
	return nat;
}

static void deliver(struct world *world, const struct fake_packet *packet)
{
	size_t i;

	for (i = 0; i < SOCKET_COUNT; i++) {
		if (endpoint_equal(&packet->to, &world->local[i]))
			detect_receive(&world->detect, i, &packet->from, packet->bytes,
				       packet->length, world->net.now);
	}
	fake_stun_serve(&world->stun, &world->net, packet);
}

/* From start to verdict; returns the verdict. */
static struct finding detect_from(struct world *world, const char *local)
{
	struct detect_config config = {
		.server = world->stun.server.endpoints[0][0],
		.local = world->local,
		.timeout = 3 * SEC,
		.random = fake_random_source(&world->net),
	};
	struct datagram out;
	struct fake_packet in;
	struct observation seen;
	unsigned int turns = 0;
	size_t i;

	for (i = 0; i < SOCKET_COUNT; i++) {
		world->local[i] = endpoint(local);
		world->local[i].port = (uint16_t)(40000 + i);
	}
	detect_start(&world->detect, &config, world->net.now);
	while (!world->detect.done) {
		uint64_t due;

		cr_assert_lt(turns++, 100000, "it does not come to an end");
		while (detect_send(&world->detect, world->net.now, &out))
			fake_send(&world->net, &world->local[out.socket], &out.to, out.bytes,
				  out.length);
		if (world->detect.done)
			break;
		due = detect_due(&world->detect);
		if (fake_due(&world->net) < due)
			due = fake_due(&world->net);
		cr_assert_neq(due, UINT64_MAX, "it waits for nothing");
		cr_assert_geq(due, world->net.now, "it wants to act in the past");
		world->net.now = due;
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	}
	seen = detect_observation(&world->detect);
	return classify(&seen);
}

static struct finding detect_behind(struct world *world)
{
	return detect_from(world, "192.168.1.1:1");
}

static uint64_t elapsed(const struct world *world)
{
	return world->detect.ended - world->detect.started;
}

static void expect_type(const struct world *world, struct finding finding, const char *type)
{
	cr_expect_str_eq(nat_type_name(finding.type), type, "%s instead of %s%s%s",
			 nat_type_name(finding.type), type,
			 world->detect.notes.reason[0] ? ": " : "", world->detect.notes.reason);
}

static const enum behaviour as_behaviour[] = {
	[FAKE_ENDPOINT_INDEPENDENT] = BEHAVIOUR_ENDPOINT_INDEPENDENT,
	[FAKE_ADDRESS] = BEHAVIOUR_ADDRESS_DEPENDENT,
	[FAKE_ADDRESS_AND_PORT] = BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT,
};

/* The leaf of RFC 3489's tree for each pair, read literally. */
static const char *type_for(enum fake_behaviour mapping, enum fake_behaviour filtering)
{
	if (filtering == FAKE_ENDPOINT_INDEPENDENT)
		return "full-cone";
	if (mapping != FAKE_ENDPOINT_INDEPENDENT)
		return "symmetric";
	return filtering == FAKE_ADDRESS ? "restricted-cone" : "port-restricted-cone";
}

static void expect_pair(unsigned int pair, unsigned int changes_ports, uint64_t seed,
			void (*conditions)(struct fakenet *net), uint64_t limit)
{
	enum fake_behaviour mapping = pair / 3, filtering = pair % 3;
	struct world world;
	struct finding finding;

	make_world(&world, seed);
	add_nat(&world, mapping, filtering)->changes_ports = changes_ports != 0;
	if (conditions)
		conditions(&world.net);
	finding = detect_behind(&world);
	cr_expect_eq(finding.mapping, as_behaviour[mapping], "mapping %d/%d seed %lu: %s (%s)",
		     mapping, filtering, (unsigned long)seed, behaviour_name(finding.mapping),
		     world.detect.notes.reason);
	cr_expect_eq(finding.filtering, as_behaviour[filtering],
		     "filtering %d/%d seed %lu: %s (%s)", mapping, filtering, (unsigned long)seed,
		     behaviour_name(finding.filtering), world.detect.notes.reason);
	expect_type(&world, finding, type_for(mapping, filtering));
	cr_expect(finding.nat);
	cr_expect_lt(elapsed(&world), limit, "pair %u took %.1f ms", pair, to_ms(elapsed(&world)));
	cr_expect_eq(world.detect.ports_changed,
		     changes_ports || mapping != FAKE_ENDPOINT_INDEPENDENT);
}

Test(detection, tells_all_nine_pairs_apart_within_50_ms_of_a_fast_path)
{
	unsigned int pair;

	for (pair = 0; pair < 9; pair++) {
		expect_pair(pair, 0, pair + 1, NULL, 50 * MSEC);
		expect_pair(pair, 1, pair + 1, NULL, 50 * MSEC);
	}
}

static void slow(struct fakenet *net)
{
	net->delay = 150 * MSEC;
}

Test(detection, is_right_over_300_ms_of_round_trip)
{
	unsigned int pair;

	for (pair = 0; pair < 9; pair++)
		expect_pair(pair, 0, pair + 1, slow, 1500 * MSEC);
}

static void slow_and_lossy(struct fakenet *net)
{
	net->delay = 150 * MSEC;
	net->jitter = 40 * MSEC; /* reorders, too */
	net->loss = 100;         /* 10 % each way */
	net->doubles = 20;
}

Test(detection, is_right_over_300_ms_with_ten_percent_of_loss_each_way)
{
	unsigned int pair, seed;

	for (seed = 1; seed <= 100; seed++) {
		for (pair = 0; pair < 9; pair++)
			expect_pair(pair, 0, seed * 10 + pair, slow_and_lossy, 8 * SEC);
	}
}

static void fast_and_lossy(struct fakenet *net)
{
	net->jitter = 200 * USEC;
	net->loss = 200;
}

Test(detection, is_right_over_a_fast_path_with_twenty_percent_of_loss_each_way)
{
	unsigned int seed;

	for (seed = 1; seed <= 100; seed++) {
		expect_pair(0, 0, seed * 3, fast_and_lossy, 8 * SEC);     /* full cone */
		expect_pair(1, 0, seed * 3 + 1, fast_and_lossy, 8 * SEC); /* restricted */
		expect_pair(2, 0, seed * 3 + 2, fast_and_lossy, 8 * SEC); /* port-restricted */
	}
}

static void other_address_is_far(struct fakenet *net)
{
	net->far = endpoint("9.9.9.10:1").addr;
	net->far_delay = 100 * MSEC;
}

Test(detection, waits_for_an_answer_from_an_address_that_is_farther_away)
{
	unsigned int pair;

	for (pair = 0; pair < 9; pair++)
		expect_pair(pair, 0, pair + 1, other_address_is_far, 1500 * MSEC);
}

Test(detection, an_open_host_has_no_nat_and_no_filter)
{
	struct world world;
	struct finding finding;

	make_world(&world, 1);
	finding = detect_from(&world, "1.2.3.4:1");
	expect_type(&world, finding, "open-internet");
	cr_expect_not(finding.nat);
	cr_expect_eq(finding.mapping, BEHAVIOUR_ENDPOINT_INDEPENDENT);
	cr_expect_eq(finding.filtering, BEHAVIOUR_ENDPOINT_INDEPENDENT);
	cr_expect_lt(elapsed(&world), 5 * MSEC);
	cr_expect_not(world.detect.ports_changed);
}

Test(detection, a_firewall_without_translation_is_a_symmetric_firewall)
{
	struct world world;
	struct fake_nat *nat;
	struct finding finding;

	make_world(&world, 1);
	nat = add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	nat->firewall = true;
	nat->inside[0] = nat->external;
	finding = detect_from(&world, "1.2.3.4:1");
	expect_type(&world, finding, "symmetric-firewall");
	cr_expect_not(finding.nat);
	cr_expect_eq(finding.filtering, BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT);
}

Test(detection, blocked_udp_is_reported_at_the_timeout_with_the_reason)
{
	struct world world;
	struct finding finding;

	make_world(&world, 1);
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ENDPOINT_INDEPENDENT)->blocks = true;
	finding = detect_behind(&world);
	expect_type(&world, finding, "udp-blocked");
	cr_expect_eq(finding.mapping, BEHAVIOUR_UNKNOWN);
	cr_expect_eq(finding.filtering, BEHAVIOUR_UNKNOWN);
	cr_expect_eq(elapsed(&world), 3 * SEC);
	cr_expect_geq(detect_sent(&world.detect), 8, "a lost packet must not say blocked");
	cr_expect_str_eq(world.detect.notes.reason,
			 "9.9.9.9:3478 did not answer 9 requests in 3.0 s");
}

/* Drive only until Test I is asked, then feed errors by hand. */
static void start_only(struct world *world)
{
	struct detect_config config = {
		.server = world->stun.server.endpoints[0][0],
		.local = world->local,
		.timeout = 3 * SEC,
		.random = fake_random_source(&world->net),
	};
	struct datagram out;
	size_t i;

	for (i = 0; i < SOCKET_COUNT; i++)
		world->local[i] = endpoint("192.168.1.1:40000");
	detect_start(&world->detect, &config, world->net.now);
	cr_assert(detect_send(&world->detect, world->net.now, &out));
}

/* A filter that remembers remote addresses for the whole host, not for the socket. */
Test(detection, is_not_fooled_by_what_its_own_mapping_tests_open)
{
	struct world world;
	struct fake_nat *nat;
	struct finding finding;

	make_world(&world, 1);
	nat = add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS);
	nat->filters_by_host = true;
	finding = detect_behind(&world);
	expect_type(&world, finding, "restricted-cone");
	cr_expect_eq(finding.mapping, BEHAVIOUR_ENDPOINT_INDEPENDENT);
}

Test(detection, a_timeout_of_nothing_ends_at_once)
{
	struct detect_config config = {0};
	struct datagram out;
	struct world world;

	make_world(&world, 1);
	start_only(&world);
	config = world.detect.config;
	config.timeout = 0;
	detect_start(&world.detect, &config, world.net.now);
	cr_expect(detect_send(&world.detect, world.net.now, &out));
	cr_expect_not(detect_send(&world.detect, detect_due(&world.detect), &out));
	cr_expect(world.detect.done);
}

Test(detection, a_mere_binding_asks_once_and_needs_no_second_address)
{
	struct detect_config config = {0};
	struct datagram out;
	struct stun_reply reply;
	struct world world;
	uint8_t bytes[256];

	make_world(&world, 1);
	world.stun.server.alternate = false;
	start_only(&world);
	config = world.detect.config;
	config.binding_only = true;
	detect_start(&world.detect, &config, world.net.now);
	cr_assert(detect_send(&world.detect, world.net.now, &out));
	reply = stun_server_answer(&world.stun.server, (struct stun_socket){0}, &config.local[0],
				   out.bytes, out.length, bytes, sizeof(bytes));
	detect_receive(&world.detect, SOCKET_MAPPING, &config.server, bytes, reply.length,
		       world.net.now);
	cr_expect(world.detect.done);
	cr_expect_eq(detect_sent(&world.detect), 1);
	cr_expect_str_eq(world.detect.notes.reason, "");
}

Test(reasons, a_server_without_a_second_address_leaves_the_type_unknown)
{
	struct world world;
	struct finding finding;

	make_world(&world, 1);
	world.stun.server.alternate = false;
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS);
	finding = detect_behind(&world);
	expect_type(&world, finding, "unknown");
	cr_expect(finding.nat, "that much is known");
	cr_expect(strstr(world.detect.notes.reason, "no second address"), "%s",
		  world.detect.notes.reason);
}

Test(reasons, a_server_that_ignores_change_request_is_not_a_full_cone)
{
	struct world world;
	struct finding finding;

	make_world(&world, 1);
	world.stun.ignores_change = true;
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	finding = detect_behind(&world);
	expect_type(&world, finding, "unknown");
	cr_expect_eq(finding.filtering, BEHAVIOUR_UNKNOWN);
	cr_expect_eq(finding.mapping, BEHAVIOUR_ENDPOINT_INDEPENDENT);
	cr_expect(strstr(world.detect.notes.reason, "does not honour CHANGE-REQUEST"), "%s",
		  world.detect.notes.reason);
}

Test(reasons, a_dead_second_address_is_not_taken_for_a_filter)
{
	struct world world;
	struct finding finding;

	make_world(&world, 1);
	world.net.dead = endpoint("9.9.9.10:1").addr;
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ENDPOINT_INDEPENDENT);
	finding = detect_behind(&world);
	expect_type(&world, finding, "unknown");
	cr_expect_eq(finding.filtering, BEHAVIOUR_UNKNOWN);
	cr_expect_eq(finding.mapping, BEHAVIOUR_UNKNOWN);
	cr_expect(strstr(world.detect.notes.reason, "did not answer"), "%s",
		  world.detect.notes.reason);
}

Test(reasons, a_mute_second_port_is_not_taken_for_a_port_filter)
{
	struct world world;
	struct finding finding;

	make_world(&world, 1);
	world.stun.mute = endpoint("9.9.9.9:3479");
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS);
	finding = detect_behind(&world);
	expect_type(&world, finding, "unknown");
	cr_expect_eq(finding.filtering, BEHAVIOUR_UNKNOWN);
}

Test(reasons, a_refusal_by_the_server_itself_is_no_blocked_udp)
{
	struct world world;
	struct observation seen;

	make_world(&world, 1);
	start_only(&world);
	detect_refused(&world.detect, &world.stun.server.endpoints[0][0],
		       &world.stun.server.endpoints[0][0].addr, ECONNREFUSED, world.net.now);
	cr_expect(world.detect.done, "there is nothing to wait for");
	seen = detect_observation(&world.detect);
	expect_type(&world, classify(&seen), "unknown");
	cr_expect_str_eq(world.detect.notes.reason, "nothing listens on 9.9.9.9:3478");
}

Test(reasons, a_router_that_keeps_refusing_blocks_udp)
{
	struct addr router = endpoint("192.168.1.254:1").addr;
	struct world world;
	struct observation seen;
	unsigned int i;

	make_world(&world, 1);
	start_only(&world);
	for (i = 0; i < 3; i++) {
		cr_expect_not(world.detect.done, "one refusal may be a hiccup");
		detect_refused(&world.detect, &world.stun.server.endpoints[0][0], &router,
			       EHOSTUNREACH, world.net.now);
	}
	cr_expect(world.detect.done);
	seen = detect_observation(&world.detect);
	expect_type(&world, classify(&seen), "udp-blocked");
	cr_expect(strstr(world.detect.notes.reason, "192.168.1.254 refuses"), "%s",
		  world.detect.notes.reason);
}

Test(hostile, forged_and_broken_answers_change_nothing)
{
	struct world world;
	struct stun_builder builder;
	struct endpoint liar = endpoint("6.6.6.6:6"), told = endpoint("192.168.1.1:40000");
	uint8_t bytes[128], id[STUN_ID_SIZE];
	size_t length;

	make_world(&world, 1);
	start_only(&world);
	/* The right id from the wrong place, the wrong id from the right place, junk, an echo. */
	memcpy(id, world.detect.probes[PROBE_PRIMARY].id, sizeof(id));
	stun_begin(&builder, bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING, id);
	stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, &told);
	length = stun_end(&builder);
	detect_receive(&world.detect, SOCKET_MAPPING, &liar, bytes, length, world.net.now);
	bytes[19] ^= 1;
	detect_receive(&world.detect, SOCKET_MAPPING, &world.stun.server.endpoints[0][0], bytes,
		       length, world.net.now);
	detect_receive(&world.detect, SOCKET_MAPPING, &world.stun.server.endpoints[0][0], "hello",
		       5, world.net.now);
	stun_begin(&builder, bytes, sizeof(bytes), STUN_REQUEST, STUN_BINDING, id);
	detect_receive(&world.detect, SOCKET_MAPPING, &world.stun.server.endpoints[0][0], bytes,
		       stun_end(&builder), world.net.now);
	/* An answer without any address. */
	stun_begin(&builder, bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING, id);
	detect_receive(&world.detect, SOCKET_MAPPING, &world.stun.server.endpoints[0][0], bytes,
		       stun_end(&builder), world.net.now);
	cr_expect_not(world.detect.probes[PROBE_PRIMARY].answered);
	cr_expect_not(world.detect.done);
}

Test(silence, needs_more_rounds_where_losses_are_seen)
{
	cr_expect_eq(silence_needed(10, 0), 5);
	cr_expect_eq(silence_needed(12, 1), 8);
	cr_expect_eq(silence_needed(12, 4), 16);
}

Test(silence, doubled_controls_prove_nothing_twice)
{
	const struct silence_path path = {
		.rto = 20 * MSEC, .slack = 5 * MSEC, .pace = MSEC, .needed = 5};
	struct silence silence;
	unsigned int i;

	silence_start(&silence, 0);
	cr_assert_eq(silence_step(&silence, &path, SEC, 0), SILENCE_SEND);
	for (i = 0; i < 10; i++)
		silence_proof(&silence, 1);
	cr_expect_eq(silence.proven, 1);
}

Test(silence, is_undecided_when_the_path_dies)
{
	const struct silence_path path = {
		.rto = 20 * MSEC, .slack = 5 * MSEC, .pace = MSEC, .needed = 5};
	struct silence silence;
	uint64_t now = 0;
	enum silence_action action;

	silence_start(&silence, now);
	while ((action = silence_step(&silence, &path, SEC, now)) != SILENCE_OVER)
		now = silence.due;
	cr_expect_eq(silence.verdict, ANSWER_UNDECIDED);
	cr_expect_leq(now, SEC);
}
