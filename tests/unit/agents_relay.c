/* SPDX-License-Identifier: MIT */
/* Two peers, a rendezvous and two TURN servers on the simulated network, from start to end. */
#include <criterion/criterion.h>
#include <string.h>

#include "agents/relay/relay.h"
#include "agents/rendezvous/server.h"
#include "support/fakenet.h"
#include "support/faketurn.h"

enum { A, B, PEERS };

struct world {
	struct fakenet net;
	struct rendezvous *rendezvous;
	struct fake_turn servers[PEERS]; /* each peer's own */
	struct relay peers[PEERS];
	struct relay_config config[PEERS];
	struct endpoint client[PEERS]; /* how each server sees its client */
	bool server_is_dead[PEERS];
	uint64_t dies[PEERS]; /* 0: never */
};

static const uint64_t beginning = 1000 * SEC;
static const char *const homes[PEERS] = {"192.168.1.1:7777", "192.168.2.1:8888"};
static const char *const server_endpoints[PEERS] = {"8.8.8.8:3478", "8.8.4.4:3478"};

/* Two homes behind NATs that take a new port for every destination. */
static void make_world(struct world *world, uint64_t seed)
{
	static const char *const external[PEERS] = {"1.2.3.4:1", "5.6.7.8:1"};
	static const char *const relayed[PEERS] = {"8.8.8.8:50000", "8.8.4.4:50000"};
	struct rendezvous_config config = {.sessions = 16, .idle = 30 * SEC, .relay_rate = 65536};
	size_t i;

	memset(world, 0, sizeof(*world));
	world->net.seed = seed * 104729 + 7;
	world->net.now = beginning;
	world->net.delay = 50 * USEC;
	config.random = fake_random_source(&world->net);
	cr_assert_eq(rendezvous_new(&config, &world->rendezvous), 0);
	for (i = 0; i < PEERS; i++) {
		struct fake_nat *nat = &world->net.nats[world->net.nat_count++];

		nat->external = fake_turn_endpoint(external[i]).addr;
		nat->inside[nat->inside_count++] = fake_turn_endpoint(homes[i]).addr;
		nat->mapping = nat->filtering = FAKE_ADDRESS_AND_PORT;
		nat->changes_ports = true;
		world->servers[i] = (struct fake_turn){
			.relayed = fake_turn_endpoint(relayed[i]),
			.lifetime = 600,
			.permission_life = 300 * SEC,
			.channel_life = 600 * SEC,
		};
		world->config[i] = (struct relay_config){
			.meeting = {.rendezvous = fake_turn_endpoint("9.9.9.9:1024"),
				    .session = "demo",
				    .random = config.random},
			.turn = {.server = fake_turn_endpoint(server_endpoints[i]),
				 .user = "ann",
				 .password = "secret"},
			.talk = {.messages = 5},
			.timeout = 10 * SEC,
		};
	}
}

static void ask_rendezvous(struct world *world, const struct fake_packet *packet)
{
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	size_t count = rendezvous_receive(world->rendezvous, &packet->from, packet->bytes,
					  packet->length, world->net.now, out);

	while (count-- > 0)
		fake_send(&world->net, &packet->to, &out[count].to, out[count].bytes,
			  out[count].length);
}

static void ask_server(struct world *world, size_t i, const struct fake_packet *packet)
{
	struct fake_turn *server = &world->servers[i];
	struct turn_payload payload;
	uint8_t answer[2048];
	size_t length;

	if (world->server_is_dead[i])
		return;
	if (endpoint_equal(&packet->to, &server->relayed)) {
		length = fake_turn_inward(server, &packet->from, packet->bytes, packet->length,
					  world->net.now, answer);
		if (length > 0)
			fake_send(&world->net, &world->config[i].turn.server, &world->client[i],
				  answer, length);
		return;
	}
	world->client[i] = packet->from;
	if (fake_turn_outward(server, packet->bytes, packet->length, world->net.now, &payload)) {
		fake_send(&world->net, &server->relayed, &payload.peer, payload.bytes,
			  payload.length);
		return;
	}
	length = fake_turn_answer(server, packet->bytes, packet->length, world->net.now, answer);
	if (length > 0)
		fake_send(&world->net, &packet->to, &packet->from, answer, length);
}

static bool is_alive(const struct world *world, size_t i)
{
	return world->dies[i] == 0 || world->net.now < beginning + world->dies[i];
}

static void deliver(struct world *world, const struct fake_packet *packet)
{
	size_t i;

	if (endpoint_equal(&packet->to, &world->config[A].meeting.rendezvous))
		ask_rendezvous(world, packet);
	for (i = 0; i < PEERS; i++) {
		struct endpoint home = fake_turn_endpoint(homes[i]);

		if (addr_equal(&packet->to.addr, &world->config[i].turn.server.addr))
			ask_server(world, i, packet);
		else if (endpoint_equal(&packet->to, &home) && is_alive(world, i))
			relay_receive(&world->peers[i], &packet->from, packet->bytes,
				      packet->length, world->net.now);
	}
}

static uint64_t step(struct world *world, size_t i)
{
	struct endpoint home = fake_turn_endpoint(homes[i]);
	struct datagram out;

	if (!is_alive(world, i))
		return UINT64_MAX;
	while (relay_send(&world->peers[i], world->net.now, &out))
		fake_send(&world->net, &home, &out.to, out.bytes, out.length);
	return relay_over(&world->peers[i]) ? UINT64_MAX : relay_due(&world->peers[i]);
}

static bool is_over(const struct world *world, size_t i)
{
	return !is_alive(world, i) || relay_over(&world->peers[i]);
}

static void play(struct world *world)
{
	unsigned int turns = 0;
	struct fake_packet in;
	uint64_t due, own;
	size_t i;

	for (i = 0; i < PEERS; i++)
		relay_start(&world->peers[i], &world->config[i], world->net.now);
	for (;;) {
		cr_assert_lt(turns++, 200000, "it does not come to an end");
		due = UINT64_MAX;
		for (i = 0; i < PEERS; i++) {
			own = step(world, i);
			due = own < due ? own : due;
			if (is_alive(world, i) && world->dies[i] &&
			    beginning + world->dies[i] < due)
				due = beginning + world->dies[i];
		}
		if (is_over(world, A) && is_over(world, B))
			break;
		if (fake_due(&world->net) < due)
			due = fake_due(&world->net);
		cr_assert_neq(due, UINT64_MAX, "it waits for nothing");
		cr_assert_geq(due, world->net.now, "it wants to act in the past");
		world->net.now = due;
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	}
	rendezvous_free(world->rendezvous);
}

static void expect_relayed(const struct world *world, enum carrier_way a, enum carrier_way b,
			   const char *what)
{
	const enum carrier_way ways[PEERS] = {a, b};
	size_t i;

	for (i = 0; i < PEERS; i++) {
		const struct relay *peer = &world->peers[i];

		cr_assert_eq(peer->phase, RELAY_DONE, "%s: peer %zu: phase %d: %s", what, i,
			     peer->phase, peer->reason);
		cr_expect_eq(peer->carrier.way, ways[i], "peer %zu", i);
		cr_expect_eq(peer->path.talk.acknowledged, 5, "peer %zu", i);
		cr_expect_eq(peer->path.talk.received, 5, "peer %zu", i);
		cr_expect_not(world->servers[i].allocated, "peer %zu gives nothing back", i);
	}
}

static void with_turn(struct world *world, bool a, bool b, bool channels)
{
	world->config[A].with_turn = a;
	world->config[B].with_turn = b;
	world->config[A].channels = world->config[B].channels = channels;
}

Test(relay, both_servers_one_or_the_rendezvous_carry_everything)
{
	struct world world;

	make_world(&world, 1);
	with_turn(&world, true, true, false);
	play(&world);
	expect_relayed(&world, CARRIER_BOTH, CARRIER_BOTH, "without loss");
	make_world(&world, 1);
	with_turn(&world, true, false, false);
	play(&world);
	expect_relayed(&world, CARRIER_OURS, CARRIER_THEIRS, "without loss");
	make_world(&world, 1);
	with_turn(&world, false, true, false);
	play(&world);
	expect_relayed(&world, CARRIER_THEIRS, CARRIER_OURS, "without loss");
	make_world(&world, 1);
	play(&world);
	expect_relayed(&world, CARRIER_RENDEZVOUS, CARRIER_RENDEZVOUS, "without loss");
}

Test(relay, channels_are_bound_where_the_peers_endpoint_is_known_or_learned)
{
	struct world world;

	make_world(&world, 1);
	with_turn(&world, true, true, true);
	play(&world);
	expect_relayed(&world, CARRIER_BOTH, CARRIER_BOTH, "without loss");
	cr_expect_eq(world.servers[A].channel_count, 1);
	cr_expect(endpoint_equal(&world.servers[A].channels[0].peer, &world.servers[B].relayed));
	make_world(&world, 1);
	with_turn(&world, true, false, true);
	play(&world);
	expect_relayed(&world, CARRIER_OURS, CARRIER_THEIRS, "without loss");
	cr_expect_eq(world.servers[A].channel_count, 1);
	cr_expect(endpoint_equal(&world.servers[A].channels[0].peer, &world.peers[A].carrier.peer));
	cr_expect_neq(world.peers[A].carrier.peer.port,
		      world.peers[A].meeting.peer.peer_public.port,
		      "its NAT took another port than towards the rendezvous");
}

Test(relay, loss_jitter_and_doubles_only_cost_time)
{
	uint64_t seed;

	for (seed = 1; seed <= 100; seed++) {
		struct world world;
		char what[32];

		snprintf(what, sizeof(what), "seed %d", (int)seed);
		make_world(&world, seed);
		with_turn(&world, seed & 1, seed & 2, seed & 4);
		world.net.delay = 20 * MSEC;
		world.net.jitter = 10 * MSEC;
		world.net.loss = 50; /* on each of up to three ways, one after the other */
		world.net.doubles = 50;
		world.config[A].timeout = world.config[B].timeout = 60 * SEC;
		world.config[A].talk.patience = world.config[B].talk.patience = 30 * SEC;
		play(&world);
		expect_relayed(&world,
			       seed & 1 ? (seed & 2 ? CARRIER_BOTH : CARRIER_OURS)
					: (seed & 2 ? CARRIER_THEIRS : CARRIER_RENDEZVOUS),
			       seed & 2 ? (seed & 1 ? CARRIER_BOTH : CARRIER_OURS)
					: (seed & 1 ? CARRIER_THEIRS : CARRIER_RENDEZVOUS),
			       what);
	}
}

static void expect_none(const struct world *world, size_t i, const char *reason)
{
	cr_assert_eq(world->peers[i].phase, RELAY_FAILED, "peer %zu", i);
	cr_expect(strstr(world->peers[i].reason, reason), "peer %zu says: %s", i,
		  world->peers[i].reason);
}

Test(failing, a_wrong_password_is_told_at_once_and_not_gone_round)
{
	struct world world;

	make_world(&world, 1);
	with_turn(&world, true, true, false);
	world.config[A].turn.password = "Secret";
	play(&world);
	expect_none(&world, A, "wrong user or password");
	cr_expect_lt(world.peers[A].ended, beginning + 10 * MSEC);
	expect_none(&world, B, "");
	cr_expect_eq(world.peers[B].ended, beginning + 10 * SEC);
}

Test(doing_without, another_relay_takes_the_place_of_one_that_refuses_or_is_silent)
{
	struct world world;

	make_world(&world, 1);
	with_turn(&world, true, true, false);
	world.config[A].turn.password = "Secret";
	world.config[A].allocates_within = world.config[B].allocates_within = 400 * MSEC;
	play(&world);
	expect_relayed(&world, CARRIER_THEIRS, CARRIER_OURS, "the peer's");
	cr_expect(strstr(world.peers[A].turn.reason, "wrong user or password"));
	make_world(&world, 1);
	with_turn(&world, true, true, false);
	world.config[A].turn.password = "Secret";
	world.server_is_dead[B] = true;
	world.config[A].allocates_within = world.config[B].allocates_within = 400 * MSEC;
	play(&world);
	expect_relayed(&world, CARRIER_RENDEZVOUS, CARRIER_RENDEZVOUS, "the rendezvous'");
	cr_expect_geq(world.peers[B].path.connected, beginning + 400 * MSEC);
	cr_expect_lt(world.peers[B].path.connected, beginning + 410 * MSEC);
	cr_expect(strstr(world.peers[B].turn.reason, "in time"));
}

Test(doing_without, an_allocation_that_comes_too_late_is_given_back)
{
	struct world world;

	make_world(&world, 1);
	with_turn(&world, true, false, false);
	world.net.far = fake_turn_endpoint("8.8.8.8:1").addr;
	world.net.far_delay = 30 * MSEC; /* the answer to the sealed Allocate comes after 120 ms */
	world.config[A].allocates_within = 100 * MSEC;
	play(&world);
	expect_relayed(&world, CARRIER_RENDEZVOUS, CARRIER_RENDEZVOUS, "the rendezvous'");
	cr_expect_eq(world.servers[A].asked[TURN_REFRESH], 1);
}

Test(failing, each_silence_has_its_reason)
{
	struct world world;

	make_world(&world, 1);
	with_turn(&world, true, false, false);
	world.server_is_dead[A] = true;
	play(&world);
	expect_none(&world, A, "the TURN server 8.8.8.8:3478 did not answer in 10.0 s");
	expect_none(&world, B, "never got its relay ready");

	make_world(&world, 1);
	world.net.dead = fake_turn_endpoint("9.9.9.9:1").addr;
	play(&world);
	expect_none(&world, A, "no rendezvous: 9.9.9.9:1024 did not answer in 10.0 s");

	make_world(&world, 1);
	world.net.dead = fake_turn_endpoint("5.6.7.8:1").addr;
	play(&world);
	expect_none(&world, A, "nobody else joined");
}

Test(failing, a_server_that_does_not_admit_the_peer_is_quoted)
{
	struct world world;

	make_world(&world, 1);
	with_turn(&world, true, true, false);
	world.servers[B].refused = TURN_CREATE_PERMISSION;
	world.servers[B].refusal = 403;
	play(&world);
	expect_none(&world, B, "does not admit the peer: it is forbidden");
	expect_none(&world, A, "nothing of the peer's came over the relay");
}

Test(failing, a_peer_that_dies_while_talking_is_lost)
{
	struct world world;

	make_world(&world, 1);
	with_turn(&world, true, true, true);
	world.config[A].talk.interval = world.config[B].talk.interval = SEC;
	world.dies[B] = 2500 * MSEC;
	play(&world);
	cr_assert_eq(world.peers[A].phase, RELAY_LOST);
	cr_expect(strstr(world.peers[A].reason, "acknowledged 3 of 5"), "%s",
		  world.peers[A].reason);
	cr_expect_not(world.servers[A].allocated, "even then it gives back what it has");
}

Test(failing, an_allocation_that_is_lost_ends_the_talk)
{
	struct world world;

	make_world(&world, 1);
	with_turn(&world, true, true, false);
	world.config[A].talk.interval = world.config[B].talk.interval = 10 * SEC;
	world.servers[A].lifetime = 4;
	world.servers[A].refused = TURN_REFRESH;
	world.servers[A].refusal = 437;
	play(&world);
	cr_assert_eq(world.peers[A].phase, RELAY_LOST);
	cr_expect(strstr(world.peers[A].reason, "forgotten"), "%s", world.peers[A].reason);
	cr_expect_eq(world.peers[B].phase, RELAY_LOST);
}

Test(hostile, an_envelope_counts_only_if_it_comes_from_the_relay)
{
	struct endpoint stranger = fake_turn_endpoint("6.6.6.6:6666");
	static const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
	struct meeting meeting = {.rendezvous = fake_turn_endpoint("9.9.9.9:1024")};
	struct carrier carrier = {.meeting = &meeting, .way = CARRIER_RENDEZVOUS};
	struct turn_payload payload = {0}, inside;
	uint8_t bytes[64];
	size_t length = relayed_write(id, "hello", 5, bytes, sizeof(bytes));

	cr_expect(carrier_unwrap(&carrier, &meeting.rendezvous, bytes, length, NULL, &inside));
	cr_expect_eq(inside.length, 5);
	cr_expect_not(carrier_unwrap(&carrier, &stranger, bytes, length, NULL, &inside));
	cr_expect_not(carrier_unwrap(&carrier, &stranger, bytes, length, &payload, &inside),
		      "the rendezvous relays, not a TURN server");
	carrier.way = CARRIER_THEIRS;
	carrier.peer_relayed = fake_turn_endpoint("8.8.4.4:50000");
	cr_expect(carrier_unwrap(&carrier, &carrier.peer_relayed, bytes, length, NULL, &inside));
	cr_expect_eq(inside.length, length, "as it came");
	cr_expect_not(carrier_unwrap(&carrier, &stranger, bytes, length, NULL, &inside));
	carrier.way = CARRIER_OURS;
	cr_expect(carrier_unwrap(&carrier, &stranger, bytes, length, &payload, &inside));
	cr_expect_not(carrier_unwrap(&carrier, &stranger, bytes, length, NULL, &inside));
}

Test(hostile, nonsense_is_not_the_peers)
{
	struct world world;
	struct endpoint stranger = fake_turn_endpoint("6.6.6.6:6666");
	struct endpoint rendezvous = fake_turn_endpoint("9.9.9.9:1024");
	static const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
	uint8_t bytes[64];
	size_t length = relayed_write(id, "nonsense", 8, bytes, sizeof(bytes));
	size_t i;

	make_world(&world, 1);
	for (i = 0; i < PEERS; i++)
		relay_start(&world.peers[i], &world.config[i], world.net.now);
	world.peers[A].phase = RELAY_SEEKING;
	world.peers[A].carrier.meeting = &world.peers[A].meeting;
	relay_receive(&world.peers[A], &stranger, bytes, length, world.net.now);
	relay_receive(&world.peers[A], &rendezvous, bytes, length, world.net.now);
	relay_receive(&world.peers[A], &rendezvous, bytes, 0, world.net.now);
	cr_expect_eq(world.peers[A].path.state, PATH_SEEKING);
	cr_expect_eq(world.peers[A].path.reply_count, 0);
	rendezvous_free(world.rendezvous);
}
