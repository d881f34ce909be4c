/* SPDX-License-Identifier: MIT */
/* Two punching peers, a rendezvous and a STUN server on the simulated network, from start to end.
 */
#ifndef NATSIM_TESTS_SUPPORT_FAKEPEERS_H
#define NATSIM_TESTS_SUPPORT_FAKEPEERS_H

#include <criterion/criterion.h>
#include <string.h>

#include "agents/punch/punch.h"
#include "agents/rendezvous/server.h"
#include "agents/stun/server.h"
#include "support/fakenet.h"

enum { PEER_A, PEER_B, PEER_COUNT };

enum { PEER_SOCKETS = PUNCH_SOCKETS + 256 };

struct world {
	struct fakenet net;
	struct rendezvous *rendezvous;
	bool rendezvous_stops_at_go, rendezvous_is_dead;
	struct endpoint rendezvous_endpoint;
	struct punch peers[PEER_COUNT];
	struct stun_server stun;
	struct endpoint local[PEER_COUNT][PEER_SOCKETS];
	uint64_t start[PEER_COUNT]; /* after the world's beginning */
	bool started[PEER_COUNT];
	uint64_t dies[PEER_COUNT]; /* 0: never */
	uint32_t messages;
	struct talk_config talk[PEER_COUNT]; /* all but `messages` */
	uint32_t repunch;
	bool call_me[PEER_COUNT];
	struct aim_config aim[PEER_COUNT]; /* all but the sockets and the server */
};

static inline struct endpoint endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "the test's own endpoint %s is wrong", text);
	return endpoint;
}

static const uint64_t beginning = 1000 * SEC;

/* Without NATs: @a and @b are where the peers are. */
static inline void make_world(struct world *world, const char *a, const char *b, uint64_t seed)
{
	struct rendezvous_config config = {.sessions = 16, .idle = 30 * SEC};
	size_t i;

	memset(world, 0, sizeof(*world));
	world->net.seed = seed * 104729 + 7;
	world->net.now = beginning;
	world->net.delay = 50 * USEC;
	world->messages = 5;
	world->rendezvous_endpoint = endpoint("9.9.9.9:1024");
	config.random = fake_random_source(&world->net);
	cr_assert_eq(rendezvous_new(&config, &world->rendezvous), 0);
	world->stun = (struct stun_server){
		.endpoints = {{endpoint("9.9.9.9:3478"), endpoint("9.9.9.9:3479")},
			      {endpoint("9.9.9.10:3478"), endpoint("9.9.9.10:3479")}},
		.alternate = true,
	};
	for (i = 0; i < PEER_SOCKETS; i++) {
		world->local[PEER_A][i] = endpoint(a);
		world->local[PEER_B][i] = endpoint(b);
		world->local[PEER_A][i].port = (uint16_t)(world->local[PEER_A][i].port + i);
		world->local[PEER_B][i].port = (uint16_t)(world->local[PEER_B][i].port + i);
	}
}

static inline struct fake_nat *add_nat(struct world *world, const char *external,
				       const char *inside, enum fake_behaviour mapping,
				       enum fake_behaviour filtering)
{
	struct fake_nat *nat = &world->net.nats[world->net.nat_count++];

	nat->external = endpoint(external).addr;
	nat->inside[nat->inside_count++] = endpoint(inside).addr;
	nat->mapping = mapping;
	nat->filtering = filtering;
	return nat;
}

/* Two homes: 192.168.1.1 behind 1.2.3.4 and 192.168.2.1 behind 5.6.7.8. */
static inline void make_homes(struct world *world, unsigned int pair_a, unsigned int pair_b,
			      uint64_t seed)
{
	make_world(world, "192.168.1.1:7777", "192.168.2.1:8888", seed);
	add_nat(world, "1.2.3.4:1", "192.168.1.1:1", pair_a / 3, pair_a % 3);
	add_nat(world, "5.6.7.8:1", "192.168.2.1:1", pair_b / 3, pair_b % 3);
}

static inline bool alive(const struct world *world, size_t i)
{
	return world->started[i] &&
	       (world->dies[i] == 0 || world->net.now < beginning + world->dies[i]);
}

static inline struct aim_config aim_of(const struct world *world, size_t i)
{
	struct aim_config aim = world->aim[i];
	size_t fresh;

	aim.stun = world->stun.endpoints[0][0];
	aim.first_fresh = PUNCH_SOCKETS;
	aim.fresh_count = aim_sockets(&aim);
	aim.internal[0] = world->local[i][PUNCH_MAIN].port;
	for (fresh = 1; fresh < AIM_MEASURED_FOR_BIRTHDAY; fresh++)
		aim.internal[fresh] = world->local[i][PUNCH_SOCKETS + fresh - 1].port;
	return aim;
}

static inline void start_if_due(struct world *world, size_t i)
{
	struct punch_config config = {
		.meeting = {.rendezvous = world->rendezvous_endpoint,
			    .session = "demo",
			    .privates = {world->local[i][PUNCH_MAIN]},
			    .private_count = 1,
			    .random = fake_random_source(&world->net)},
		.talk = world->talk[i],
		.timeout = 10 * SEC,
		.repunch = world->repunch,
		.call_me = world->call_me[i],
		.aim = aim_of(world, i),
	};

	if (world->started[i] || world->net.now < beginning + world->start[i])
		return;
	world->started[i] = true;
	config.talk.messages = world->messages;
	punch_start(&world->peers[i], &config, world->net.now);
}

static inline void serve(struct world *world, const struct fake_packet *packet)
{
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	size_t count, i;

	if (world->rendezvous_is_dead ||
	    (world->rendezvous_stops_at_go && world->peers[PEER_A].phase >= PHASE_PUNCHING &&
	     world->peers[PEER_B].phase >= PHASE_PUNCHING))
		return;
	count = rendezvous_receive(world->rendezvous, &packet->from, packet->bytes, packet->length,
				   world->net.now, out);
	for (i = 0; i < count; i++)
		fake_send(&world->net, &world->rendezvous_endpoint, &out[i].to, out[i].bytes,
			  out[i].length);
}

static inline void answer_binding(struct world *world, const struct fake_packet *packet)
{
	uint8_t bytes[512];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct stun_socket at = {.ip = i / 2, .port = i % 2};
		struct stun_reply reply;

		if (!endpoint_equal(&world->stun.endpoints[at.ip][at.port], &packet->to))
			continue;
		reply = stun_server_answer(&world->stun, at, &packet->from, packet->bytes,
					   packet->length, bytes, sizeof(bytes));
		if (reply.length > 0)
			fake_send(&world->net, &packet->to, &reply.to, bytes, reply.length);
	}
}

static inline void deliver(struct world *world, const struct fake_packet *packet)
{
	size_t i, socket;

	if (endpoint_equal(&packet->to, &world->rendezvous_endpoint)) {
		serve(world, packet);
		return;
	}
	answer_binding(world, packet);
	for (i = 0; i < PEER_COUNT * PEER_SOCKETS; i++) {
		socket = i % PEER_SOCKETS;
		if (socket != PUNCH_BLIND && alive(world, i / PEER_SOCKETS) &&
		    endpoint_equal(&packet->to, &world->local[i / PEER_SOCKETS][socket]))
			punch_receive(&world->peers[i / PEER_SOCKETS], socket, &packet->from,
				      packet->bytes, packet->length, world->net.now);
	}
}

static inline void send_all(struct world *world, size_t i)
{
	struct datagram out;

	if (!alive(world, i))
		return;
	while (punch_send(&world->peers[i], world->net.now, &out))
		fake_send(&world->net, &world->local[i][out.socket], &out.to, out.bytes,
			  out.length);
}

static inline bool over(const struct world *world, size_t i)
{
	return world->started[i] && (!alive(world, i) || punch_over(&world->peers[i]));
}

/* Play until both peers are done. */
static inline void play(struct world *world)
{
	unsigned int turns = 0;
	struct fake_packet in;
	size_t i;

	for (;;) {
		uint64_t due = fake_due(&world->net);

		cr_assert_lt(turns++, 200000, "it does not come to an end");
		for (i = 0; i < PEER_COUNT; i++) {
			start_if_due(world, i);
			send_all(world, i);
			if (!world->started[i] && beginning + world->start[i] < due)
				due = beginning + world->start[i];
			else if (alive(world, i) && punch_due(&world->peers[i]) < due)
				due = punch_due(&world->peers[i]);
			if (alive(world, i) && world->dies[i] && beginning + world->dies[i] < due)
				due = beginning + world->dies[i];
		}
		if (fake_due(&world->net) < due)
			due = fake_due(&world->net);
		if (over(world, PEER_A) && over(world, PEER_B))
			break;
		cr_assert_neq(due, UINT64_MAX, "it waits for nothing");
		cr_assert_geq(due, world->net.now, "it wants to act in the past");
		world->net.now = due;
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	}
	rendezvous_free(world->rendezvous);
}

/* Both say "direct", exchanged everything, and settled on one and the same path. */
static inline void expect_direct(const struct world *world, const char *what)
{
	size_t i;

	for (i = 0; i < PEER_COUNT; i++) {
		const struct punch *peer = &world->peers[i];

		cr_assert_eq(peer->phase, PHASE_DONE, "%s: peer %zu: phase %d: %s", what, i,
			     peer->phase, peer->reason);
		cr_expect_eq(peer->path.talk.acknowledged, world->messages, "%s: peer %zu", what,
			     i);
		cr_expect_eq(peer->path.talk.received, world->messages, "%s: peer %zu", what, i);
		cr_assert_not_null(peer->path.candidates.settled);
	}
	cr_expect_eq(punch_technique(&world->peers[PEER_A]), punch_technique(&world->peers[PEER_B]),
		     "%s: they do not agree on the technique", what);
}

static inline void expect_none(const struct world *world, const char *reason)
{
	size_t i;

	for (i = 0; i < PEER_COUNT; i++) {
		const struct punch *peer = &world->peers[i];

		cr_assert_eq(peer->phase, PHASE_FAILED, "peer %zu: phase %d", i, peer->phase);
		cr_expect(strstr(peer->reason, reason), "peer %zu says: %s", i, peer->reason);
		cr_expect_eq(peer->ended, peer->started + 10 * SEC, "peer %zu ended after %.1f ms",
			     i, to_ms(peer->ended - peer->started));
	}
}

#endif
