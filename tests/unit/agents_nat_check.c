/* SPDX-License-Identifier: MIT */
/*
 * The method of three hosts on the simulated network: what it finds behind each NAT although
 * packets are lost, what its limits make of others, and that its server is nobody's weapon.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agents/nat_check/client.h"
#include "agents/nat_check/existence.h"
#include "agents/nat_check/server.h"
#include "agents/nat_check/third_party.h"
#include "support/fakestun.h"

struct world {
	struct fakenet net;
	struct fake_nat *nat;
	struct check_server *server;
	struct endpoint at[SERVER_SOCKETS], assist;
	struct endpoint mute; /* of the server, never speaks */
	bool assist_is_dead;
	struct endpoint local[CLIENT_SOCKETS];
	struct check_client client;
};

static void make_world(struct world *world, uint64_t seed)
{
	struct check_server_config config = {.idle = 30 * SEC};

	memset(world, 0, sizeof(*world));
	world->net.seed = seed * 7919 + 1;
	world->net.now = 1000 * SEC;
	world->net.delay = 50 * USEC;
	world->at[SERVER_MAIN] = endpoint("9.9.9.9:3488");
	world->at[SERVER_OTHER] = endpoint("9.9.9.9:3489");
	world->assist = endpoint("8.8.8.8:3488");
	memcpy(config.local, world->at, sizeof(config.local));
	config.assist = world->assist.addr;
	config.random = fake_random_source(&world->net);
	world->server = check_server_new(&config);
	cr_assert(world->server);
}

static void add_nat(struct world *world, enum fake_behaviour mapping, enum fake_behaviour filtering)
{
	world->nat = &world->net.nats[world->net.nat_count++];
	world->nat->external = endpoint("1.2.3.4:1").addr;
	world->nat->inside[world->nat->inside_count++] = endpoint("192.168.1.1:1").addr;
	world->nat->mapping = mapping;
	world->nat->filtering = filtering;
}

static void lossy(struct world *world)
{
	world->net.delay = 20 * MSEC;
	world->net.jitter = 5 * MSEC;
	world->net.loss = 100;
	world->net.doubles = 20;
}

static void hosts(struct world *world, const struct fake_packet *in)
{
	struct datagram out;
	size_t i;

	if (endpoint_equal(&in->to, &world->assist) && !world->assist_is_dead &&
	    check_assist_receive(&world->at[SERVER_MAIN], &in->from, in->bytes, in->length, &out))
		fake_send(&world->net, &world->assist, &out.to, out.bytes, out.length);
	for (i = 0; i < SERVER_SOCKETS; i++) {
		if (endpoint_equal(&in->to, &world->at[i]) &&
		    check_server_receive(world->server, i, &in->from, in->bytes, in->length,
					 world->net.now, &out) &&
		    !endpoint_equal(&world->at[out.socket], &world->mute))
			fake_send(&world->net, &world->at[out.socket], &out.to, out.bytes,
				  out.length);
	}
}

static void check_from(struct world *world, const char *local)
{
	struct check_client_config config = {
		.server = world->at[SERVER_MAIN],
		.assist = world->assist,
		.local = world->local,
		.timeout = 3 * SEC,
		.random = fake_random_source(&world->net),
	};
	unsigned int turns = 0;
	struct fake_packet in;
	struct datagram out;
	size_t i;

	for (i = 0; i < CLIENT_SOCKETS; i++) {
		world->local[i] = endpoint(local);
		world->local[i].port = (uint16_t)(40000 + i * 3);
	}
	check_client_start(&world->client, &config, world->net.now);
	for (;;) {
		uint64_t due;

		cr_assert_lt(turns++, 100000, "it does not come to an end");
		while (check_client_send(&world->client, world->net.now, &out))
			fake_send(&world->net, &world->local[out.socket], &out.to, out.bytes,
				  out.length);
		if (check_client_over(&world->client))
			break;
		due = check_client_due(&world->client);
		if (fake_due(&world->net) < due)
			due = fake_due(&world->net);
		cr_assert_neq(due, UINT64_MAX, "it waits for nothing");
		world->net.now = due > world->net.now ? due : world->net.now;
		while (fake_arrive(&world->net, &in)) {
			for (i = 0; i < CLIENT_SOCKETS; i++) {
				if (endpoint_equal(&in.to, &world->local[i]))
					check_client_receive(&world->client, i, &in.from, in.bytes,
							     in.length, world->net.now);
			}
			hosts(world, &in);
		}
	}
	check_server_free(world->server);
	world->server = NULL;
}

static void expect_type(const struct world *world, const char *type)
{
	cr_expect_str_eq(nat_type_name(world->client.type), type, "%s",
			 world->client.site.notes.reason);
}

static const char *const cones[] = {"full-cone", "restricted-cone", "port-restricted-cone"};

Test(client, tells_the_four_types_with_and_without_losses)
{
	unsigned int seed, filtering;
	struct world world;

	for (seed = 1; seed <= 60; seed++) {
		for (filtering = 0; filtering < 3; filtering++) {
			make_world(&world, seed * 3 + filtering);
			add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, filtering);
			world.nat->changes_ports = seed % 2;
			if (seed > 2)
				lossy(&world);
			check_from(&world, "192.168.1.1:1");
			expect_type(&world, cones[filtering]);
			make_world(&world, seed * 3 + filtering);
			add_nat(&world, FAKE_ADDRESS_AND_PORT, filtering);
			if (seed > 2)
				lossy(&world);
			check_from(&world, "192.168.1.1:1");
			expect_type(&world, "symmetric");
		}
	}
}

Test(client, tells_an_open_host_and_takes_a_firewall_for_one)
{
	struct world world;

	make_world(&world, 1);
	check_from(&world, "1.2.3.4:1");
	expect_type(&world, "open-internet");
	make_world(&world, 1);
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	world.nat->firewall = true;
	world.nat->inside[0] = world.nat->external;
	check_from(&world, "1.2.3.4:1");
	expect_type(&world, "open-internet");
}

Test(client, is_done_in_milliseconds_of_a_fast_path)
{
	struct world world;

	make_world(&world, 1);
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS_AND_PORT);
	check_from(&world, "192.168.1.1:1");
	expect_type(&world, "port-restricted-cone");
	cr_expect_lt(world.client.ended - world.client.started, 100 * MSEC);
}

Test(client, says_blocked_when_nobody_answers)
{
	struct world world;

	make_world(&world, 1);
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS);
	world.nat->blocks = true;
	check_from(&world, "192.168.1.1:1");
	expect_type(&world, "udp-blocked");
	cr_expect(strstr(world.client.site.notes.reason, "did not answer"));
}

Test(client, blames_the_assist_for_what_it_does_not_do)
{
	struct world world;

	make_world(&world, 1);
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS);
	world.assist_is_dead = true;
	check_from(&world, "192.168.1.1:1");
	expect_type(&world, "unknown");
	cr_expect(strstr(world.client.site.notes.reason, "assist"));
}

Test(client, does_not_take_a_mute_port_for_a_filter)
{
	struct world world;

	make_world(&world, 1);
	add_nat(&world, FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS);
	world.mute = world.at[SERVER_OTHER];
	check_from(&world, "192.168.1.1:1");
	expect_type(&world, "unknown");
	cr_expect(strstr(world.client.site.notes.reason, "does not speak"));
}

/* ---- the server and strangers ---- */

static size_t write_request(uint16_t method, const char *check, uint32_t step,
			    struct datagram *datagram)
{
	const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 7};
	struct check_message content = {.step = step};
	struct stun_builder builder;

	memcpy(content.check, check, CHECK_SIZE);
	check_begin(&builder, datagram, STUN_REQUEST, method, id, &content);
	check_pad(&builder, datagram);
	return datagram->length;
}

static bool ask_server(struct world *world, const char *from, const struct datagram *in,
		       struct datagram *out)
{
	struct endpoint source = endpoint(from);

	return check_server_receive(world->server, SERVER_MAIN, &source, in->bytes, in->length,
				    world->net.now, out);
}

/* What the assist, or who pretends to be, tells the server about @check. */
static void tell_seen(struct world *world, const char *from, const char *client, const char *check)
{
	struct endpoint seen = endpoint(client);
	struct datagram in, seen_message, out;

	write_request(METHOD_REGISTER, check, STEP_APART, &in);
	cr_assert(check_assist_receive(&world->at[SERVER_MAIN], &seen, in.bytes, in.length,
				       &seen_message));
	cr_expect_leq(seen_message.length, in.length, "the assist magnifies");
	cr_expect_not(ask_server(world, from, &seen_message, &out), "a Seen is not answered");
}

Test(server, sends_to_nobody_whom_only_a_stranger_named)
{
	struct world world;
	struct datagram in, out;

	make_world(&world, 1);
	tell_seen(&world, "6.6.6.6:3488", "7.7.7.7:7", "checkone");
	write_request(METHOD_ASK, "checkone", TEST_STRANGER, &in);
	cr_expect_not(ask_server(&world, "6.6.6.6:1", &in, &out));
	tell_seen(&world, "8.8.8.8:3488", "7.7.7.7:7", "checkone");
	cr_assert(ask_server(&world, "6.6.6.6:1", &in, &out));
	cr_expect_eq(out.to.port, 7);
	check_server_free(world.server);
}

Test(server, answers_nothing_that_is_larger_than_its_question)
{
	struct world world;
	struct stun_message message;
	struct datagram in, out;
	uint32_t step;

	make_world(&world, 1);
	tell_seen(&world, "8.8.8.8:3488", "7.7.7.7:7", "checkone");
	for (step = 0; step < 5; step++) {
		write_request(METHOD_REGISTER, "checkone", step, &in);
		if (ask_server(&world, "1.2.3.4:5", &in, &out))
			cr_expect_leq(out.length, in.length);
		write_request(METHOD_ASK, "checkone", step, &in);
		if (ask_server(&world, "1.2.3.4:5", &in, &out))
			cr_expect_leq(out.length, in.length);
	}
	/* Without the padding there is no answer. */
	write_request(METHOD_REGISTER, "checkone", STEP_SAME, &in);
	in.length = 40;
	in.bytes[2] = 0;
	in.bytes[3] = 20;
	cr_assert(stun_parse(in.bytes, in.length, &message), "it is well-formed");
	cr_expect_not(ask_server(&world, "1.2.3.4:5", &in, &out));
	cr_expect_not(check_assist_receive(&world.at[SERVER_MAIN], &world.assist, in.bytes,
					   in.length, &out));
	check_server_free(world.server);
}

Test(server, forgets_idle_checks_and_never_grows)
{
	struct world world;
	struct datagram in, out;
	unsigned int i, answered = 0;
	char check[16];

	make_world(&world, 1);
	for (i = 0; i < 100000; i++) {
		snprintf(check, sizeof(check), "%08u", i);
		write_request(METHOD_REGISTER, check, STEP_SAME, &in);
		answered += ask_server(&world, "1.2.3.4:5", &in, &out);
	}
	cr_expect_geq(answered, 10000, "room for ten thousand at a time");
	cr_expect_lt(answered, 20000, "and then it turns newcomers away");
	cr_expect_not(ask_server(&world, "1.2.3.4:5", &in, &out));
	world.net.now += 31 * SEC;
	cr_expect(ask_server(&world, "1.2.3.4:5", &in, &out), "idle ones made room");
	check_server_free(world.server);
}

Test(server, survives_every_cut_and_every_flipped_byte)
{
	struct world world;
	struct datagram in, out;
	size_t i;

	make_world(&world, 1);
	write_request(METHOD_REGISTER, "checkone", STEP_SAME, &in);
	for (i = 0; i < in.length; i++) {
		struct datagram cut = in;

		cut.length = i;
		cr_expect_not(ask_server(&world, "1.2.3.4:5", &cut, &out));
		cut = in;
		cut.bytes[i] ^= 0xff;
		if (ask_server(&world, "1.2.3.4:5", &cut, &out))
			cr_expect_leq(out.length, in.length);
	}
	check_server_free(world.server);
}

/* ---- existence and the third party ---- */

struct stay {
	struct fakenet net;
	struct fake_stun stun;
	struct existence existence;
	struct third_party third;
	struct endpoint local, stranger;
};

/* A host asks and stays; once it is known where it is seen, a stranger knocks there. */
static void meet(struct stay *stay, const char *local, enum fake_behaviour filtering)
{
	struct existence_config config = {.timeout = 3 * SEC, .wait = 2 * SEC, .own_count = 1};
	bool knocking = false;
	struct datagram out;
	struct fake_packet in;

	memset(stay, 0, sizeof(*stay));
	stay->net.seed = 1;
	stay->net.now = 1000 * SEC;
	stay->net.delay = 50 * USEC;
	stay->local = endpoint(local);
	stay->stranger = endpoint("8.8.8.8:1234");
	stay->net.nat_count = 1;
	stay->net.nats[0].external = endpoint("1.2.3.4:1").addr;
	stay->net.nats[0].inside[0] = endpoint("192.168.1.1:1").addr;
	stay->net.nats[0].inside_count = 1;
	stay->net.nats[0].filtering = filtering;
	fake_stun_make(&stay->stun);
	config.server = stay->stun.server.endpoints[0][0];
	config.own[0] = stay->local;
	config.random = fake_random_source(&stay->net);
	existence_start(&stay->existence, &config, stay->net.now);
	while (!stay->existence.over) {
		uint64_t due;

		while (existence_send(&stay->existence, stay->net.now, &out))
			fake_send(&stay->net, &stay->local, &out.to, out.bytes, out.length);
		if (stay->existence.probe.answered && !knocking) {
			third_party_start(&stay->third, &stay->existence.probe.mapped, SEC,
					  &config.random, stay->net.now);
			knocking = true;
		}
		while (knocking && third_party_send(&stay->third, stay->net.now, &out))
			fake_send(&stay->net, &stay->stranger, &out.to, out.bytes, out.length);
		due = existence_due(&stay->existence);
		if (knocking && third_party_due(&stay->third) < due)
			due = third_party_due(&stay->third);
		if (fake_due(&stay->net) < due)
			due = fake_due(&stay->net);
		if (stay->existence.over)
			break;
		stay->net.now = due > stay->net.now ? due : stay->net.now;
		while (fake_arrive(&stay->net, &in)) {
			if (endpoint_equal(&in.to, &stay->local))
				existence_receive(&stay->existence, &in.from, in.bytes, in.length,
						  stay->net.now);
			if (knocking && endpoint_equal(&in.to, &stay->stranger))
				third_party_receive(&stay->third, &in.from, in.bytes, in.length,
						    stay->net.now);
			fake_stun_serve(&stay->stun, &stay->net, &in);
		}
	}
}

Test(existence, is_an_address_that_is_none_of_ones_own)
{
	struct stay stay;

	meet(&stay, "192.168.1.1:5000", FAKE_ADDRESS);
	cr_expect(stay.existence.translated);
	meet(&stay, "4.4.4.4:5000", FAKE_ADDRESS);
	cr_expect_not(stay.existence.translated);
}

Test(third_party, gets_in_where_everybody_does_and_nowhere_else)
{
	struct stay stay;

	meet(&stay, "192.168.1.1:5000", FAKE_ENDPOINT_INDEPENDENT);
	cr_expect(stay.third.reached);
	cr_expect_geq(stay.existence.strangers, 1);
	cr_expect(endpoint_equal(&stay.existence.stranger, &stay.stranger));
	meet(&stay, "192.168.1.1:5000", FAKE_ADDRESS);
	cr_expect_not(stay.third.reached);
	cr_expect_eq(stay.existence.strangers, 0);
}
