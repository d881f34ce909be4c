/* SPDX-License-Identifier: MIT */
/* What is learnt about a NAT's ports by asking a STUN server, on a simulated network. */
#include <criterion/criterion.h>

#include "agents/predict/measure.h"
#include "agents/stun/server.h"
#include "support/fakenet.h"

enum { SOCKETS = 4 };

struct world {
	struct fakenet net;
	struct stun_server server;
	struct measure measure;
	struct endpoint local[SOCKETS];
	bool dead;
};

static struct endpoint endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "the test's own endpoint %s is wrong", text);
	return endpoint;
}

static struct fake_nat *make_world(struct world *world, enum fake_behaviour mapping)
{
	struct fake_nat *nat;
	size_t i;

	*world = (struct world){
		.net = {.seed = 7919, .now = 1000 * SEC, .delay = 50 * USEC},
		.server = {.endpoints = {{endpoint("9.9.9.9:3478"), endpoint("9.9.9.9:3479")},
					 {endpoint("9.9.9.10:3478"), endpoint("9.9.9.10:3479")}},
			   .alternate = true},
	};
	for (i = 0; i < SOCKETS; i++) {
		world->local[i] = endpoint("192.168.1.1:7000");
		world->local[i].port = (uint16_t)(7000 + i);
	}
	nat = &world->net.nats[world->net.nat_count++];
	nat->external = endpoint("1.2.3.4:1").addr;
	nat->inside[nat->inside_count++] = world->local[0].addr;
	nat->mapping = mapping;
	nat->filtering = FAKE_ADDRESS_AND_PORT;
	nat->changes_ports = true;
	return nat;
}

static void serve(struct world *world, const struct fake_packet *packet)
{
	uint8_t bytes[512];
	unsigned int i;

	for (i = 0; i < 4 && !world->dead; i++) {
		struct stun_socket at = {.ip = i / 2, .port = i % 2};
		struct stun_reply reply;

		if (!endpoint_equal(&world->server.endpoints[at.ip][at.port], &packet->to))
			continue;
		reply = stun_server_answer(&world->server, at, &packet->from, packet->bytes,
					   packet->length, bytes, sizeof(bytes));
		if (reply.length > 0)
			fake_send(&world->net, &packet->to, &reply.to, bytes, reply.length);
	}
}

static void deliver(struct world *world, const struct fake_packet *packet)
{
	struct stun_message message;

	if (packet->to.addr.bytes[0] == 9)
		serve(world, packet);
	else if (stun_parse(packet->bytes, packet->length, &message))
		cr_expect(
			measure_receive(&world->measure, &packet->from, &message, world->net.now));
}

/* To its end; returns how long it took. */
static uint64_t play(struct world *world, size_t sockets)
{
	struct measure_config config = {
		.server = world->server.endpoints[0][0],
		.socket_count = sockets,
		.round_trip = MSEC,
		.random = fake_random_source(&world->net),
	};
	uint64_t start = world->net.now;
	struct fake_packet in;
	struct datagram out;
	unsigned int turns = 0;
	size_t i;

	for (i = 0; i < sockets; i++) {
		config.sockets[i] = i;
		config.internal[i] = world->local[i].port;
	}
	measure_start(&world->measure, &config, start);
	for (;;) {
		uint64_t due;

		while (measure_send(&world->measure, world->net.now, &out))
			fake_send(&world->net, &world->local[out.socket], &out.to, out.bytes,
				  out.length);
		if (world->measure.over)
			return world->net.now - start;
		cr_assert_lt(turns++, 10000, "it does not come to an end");
		due = measure_due(&world->measure);
		if (fake_due(&world->net) < due)
			due = fake_due(&world->net);
		world->net.now = due;
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	}
}

Test(measure, each_mapping_is_told_from_the_others)
{
	static const enum behaviour expected[] = {
		[FAKE_ENDPOINT_INDEPENDENT] = BEHAVIOUR_ENDPOINT_INDEPENDENT,
		[FAKE_ADDRESS] = BEHAVIOUR_ADDRESS_DEPENDENT,
		[FAKE_ADDRESS_AND_PORT] = BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT,
	};
	size_t i;

	for (i = 0; i < 3; i++) {
		struct world world;

		make_world(&world, (enum fake_behaviour)i);
		play(&world, 1);
		cr_expect_eq(measure_mapping(&world.measure), expected[i], "%s instead of %s",
			     behaviour_name(measure_mapping(&world.measure)),
			     behaviour_name(expected[i]));
	}
}

static void expect_next(struct world *world, struct fake_nat *nat, const char *what)
{
	struct port_pattern pattern = measure_pattern(&world->measure);
	struct endpoint peer = endpoint("5.6.7.8:8888");
	struct endpoint outside = fake_map(nat, &world->local[0], &peer);
	uint16_t port = 0;

	cr_assert_eq(pattern_predict(&pattern, 0, &port, 1), 1, "%s: %s", what,
		     port_choice_name(pattern.choice));
	cr_expect_eq(port, outside.port, "%s: the next port is %u, not %u", what, outside.port,
		     port);
}

Test(measure, the_port_towards_the_peer_is_the_predicted_one)
{
	static const int steps[] = {1, -1, 2, 3, 5};
	struct fake_nat *nat;
	struct world world;
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		nat = make_world(&world, FAKE_ADDRESS_AND_PORT);
		nat->step = steps[i];
		play(&world, 1);
		expect_next(&world, nat, "one socket");
		nat = make_world(&world, FAKE_ADDRESS);
		nat->step = steps[i];
		play(&world, 3);
		expect_next(&world, nat, "three sockets, a port for each address");
	}
	nat = make_world(&world, FAKE_ENDPOINT_INDEPENDENT);
	play(&world, 2);
	expect_next(&world, nat, "endpoint-independent");
}

/* Where four copies of a question are lost, too little is known to tell a step from a stranger. */
Test(measure, loss_costs_time_and_not_the_judgement)
{
	unsigned int seed, told = 0;

	for (seed = 1; seed <= 200; seed++) {
		struct world world;
		struct fake_nat *nat = make_world(&world, FAKE_ADDRESS_AND_PORT);
		struct port_pattern pattern;

		nat->step = -2;
		world.net.seed += seed * 104729;
		world.net.loss = 150;
		play(&world, 3);
		pattern = measure_pattern(&world.measure);
		if (pattern.mappings < 3)
			continue;
		told++;
		cr_expect_eq(pattern.step, -2, "seed %u: %s by %d", seed,
			     port_choice_name(pattern.choice), pattern.step);
	}
	cr_expect_geq(told, 190, "only %u of 200 could be judged", told);
}

Test(measure, a_dead_server_is_asked_once)
{
	struct world world;

	make_world(&world, FAKE_ADDRESS_AND_PORT);
	world.dead = true;
	cr_expect_lt(play(&world, 3), 400 * MSEC);
	cr_expect_eq(measure_sent(&world.measure), 4, "four times the same question");
	cr_expect_eq(measure_mapping(&world.measure), BEHAVIOUR_UNKNOWN);
	cr_expect_eq(measure_pattern(&world.measure).choice, PATTERN_UNKNOWN);
}

Test(measure, a_server_with_one_address_shows_what_it_can)
{
	struct world world;

	make_world(&world, FAKE_ADDRESS_AND_PORT);
	world.server.alternate = false;
	play(&world, 3);
	cr_expect_eq(measure_mapping(&world.measure), BEHAVIOUR_UNKNOWN, "one destination");
	cr_expect_eq(measure_pattern(&world.measure).choice, PATTERN_SEQUENTIAL,
		     "three sockets have had ports all the same");
}

Test(measure, a_stranger_is_not_believed)
{
	struct endpoint stranger = endpoint("6.6.6.6:3478");
	struct stun_builder builder;
	struct stun_message message;
	struct datagram out;
	struct world world;
	uint8_t bytes[64];

	make_world(&world, FAKE_ADDRESS_AND_PORT);
	world.dead = true;
	play(&world, 1);
	/* It has even seen the question. */
	stun_begin(&builder, bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING,
		   world.measure.questions[0].id);
	stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, &stranger);
	cr_assert(stun_parse(bytes, stun_end(&builder), &message));
	cr_expect(measure_receive(&world.measure, &stranger, &message, world.net.now));
	cr_expect_not(world.measure.questions[0].answered);
	cr_expect_not(measure_send(&world.measure, world.net.now, &out));
}
