/* SPDX-License-Identifier: MIT */
/*
 * Peers that try every way, on the simulated network: with a rendezvous for UDP and TCP, a STUN
 * server, a TURN server each and a gateway that grants ports. TCP is segments on the same network
 * and through the same NATs, of which none is lost: only the handshake is played.
 */
#ifndef NATSIM_TESTS_SUPPORT_FAKERACE_WORLD_H
#define NATSIM_TESTS_SUPPORT_FAKERACE_WORLD_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/connect/race.h"
#include "agents/rendezvous/server.h"
#include "agents/stun/server.h"
#include "support/fakenet.h"
#include "support/faketurn.h"

enum { PEER_A, PEER_B, PEER_C, PEERS_MAX };
enum { HOST_SOCKETS = RACE_SOCKETS + 8, CLIENTS_MAX = 16, MESSAGES = 5 };

#define REPEATED SEC /* the kernel's SYN */

static const uint64_t beginning = 1000 * SEC;

/* A connection as its own kernel knows it. */
struct link {
	enum { LINK_CLOSED, LINK_DIALLING, LINK_OPEN } state;
	struct endpoint local, remote;
	uint64_t repeat; /* when the SYN is sent again; 0: not any more */
};

struct host {
	struct race race;
	struct race_config config;
	struct endpoint udp[HOST_SOCKETS];
	struct endpoint tcp;
	struct link links[TCP_CONNECTIONS];
	uint16_t fresh; /* ports taken beside that one */
	uint64_t start, dies,
		interrupted; /* after the world's beginning; the latter two 0: never */
	bool present, started, stopped;
	bool no_udp, no_tcp; /* its network lets none pass */
	uint64_t udp_from;   /* none before; after the world's beginning */
	struct fake_turn turn;
	struct endpoint turn_client; /* as the TURN server sees it */
	bool turn_is_dead;
};

struct world {
	struct fakenet net;
	struct host hosts[PEERS_MAX];
	struct endpoint rendezvous_at, gateway_at;
	struct rendezvous *rendezvous, *rendezvous_tcp;
	uint64_t rendezvous_dies; /* 0: never */
	struct stun_server stun;
	bool stun_is_dead;
	unsigned int granted; /* port mappings that the gateway holds */
};

static inline struct endpoint endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "the test's own endpoint %s is wrong", text);
	return endpoint;
}

/* ---- making ---- */

static inline void make_host(struct world *world, size_t i, const char *home, const char *turn,
			     const char *relayed)
{
	struct host *host = &world->hosts[i];
	struct race_config *config = &host->config;
	size_t k;

	for (k = 0; k < HOST_SOCKETS; k++) {
		host->udp[k] = endpoint(home);
		host->udp[k].port = (uint16_t)(host->udp[k].port + k);
	}
	host->tcp = endpoint(home);
	host->tcp.port = (uint16_t)(host->tcp.port + 1000);
	host->fresh = host->tcp.port;
	host->turn = (struct fake_turn){.relayed = endpoint(relayed),
					.lifetime = 600,
					.permission_life = 300 * SEC,
					.channel_life = 600 * SEC};
	*config = (struct race_config){
		.meeting = {.rendezvous = world->rendezvous_at,
			    .session = "demo",
			    .privates = {host->udp[PUNCH_MAIN]},
			    .private_count = 1,
			    .random = fake_random_source(&world->net)},
		.with = {true, true, true},
		.turn = {.server = endpoint(turn), .user = "ann", .password = "secret"},
		.aim = {.stun = world->stun.endpoints[0][0],
			.window = 64,
			.rate = 1000,
			.first_fresh = RACE_SOCKETS},
		.portmap = {.protocol = PORTMAP_PCP,
			    .gateway = world->gateway_at,
			    .client = host->udp[PUNCH_MAIN].addr,
			    .wish = {.internal = host->udp[PUNCH_MAIN].port, .lifetime = 3600},
			    .keep = true,
			    .timeout = 300 * MSEC,
			    .random = fake_random_source(&world->net)},
		.talk = {.messages = MESSAGES},
		.timeout = 10 * SEC,
	};
	config->aim.internal[0] = host->udp[PUNCH_MAIN].port;
	for (k = 1; k < AIM_MEASURED; k++)
		config->aim.internal[k] = host->udp[RACE_SOCKETS + k - 1].port;
	config->aim.fresh_count = AIM_MEASURED - 1;
	config->tcp = config->relay = config->meeting;
	config->tcp.privates[0] = host->tcp;
	config->relay.private_count = 0;
}

/* Three hosts, of which the first two take part. Without NATs: see add_home(). */
static inline struct world *make_world(uint64_t seed)
{
	struct rendezvous_config config = {.sessions = 16, .idle = 30 * SEC, .relay_rate = 65536};
	struct world *world = calloc(1, sizeof(*world));

	cr_assert_not_null(world);
	world->net.seed = seed * 104729 + 7;
	world->net.now = beginning;
	world->net.delay = 50 * USEC;
	world->rendezvous_at = endpoint("9.9.9.9:1024");
	world->gateway_at = endpoint("192.168.1.254:5351");
	config.random = fake_random_source(&world->net);
	cr_assert_eq(rendezvous_new(&config, &world->rendezvous), 0);
	cr_assert_eq(rendezvous_new(&config, &world->rendezvous_tcp), 0);
	world->stun = (struct stun_server){
		.endpoints = {{endpoint("9.9.9.9:3478"), endpoint("9.9.9.9:3479")},
			      {endpoint("9.9.9.10:3478"), endpoint("9.9.9.10:3479")}},
		.alternate = true,
	};
	make_host(world, PEER_A, "192.168.1.1:7000", "8.8.8.8:3478", "8.8.8.8:50000");
	make_host(world, PEER_B, "192.168.2.1:8000", "8.8.4.4:3478", "8.8.4.4:50000");
	make_host(world, PEER_C, "192.168.3.1:9000", "8.8.2.2:3478", "8.8.2.2:50000");
	world->hosts[PEER_A].present = world->hosts[PEER_B].present = true;
	return world;
}

static inline void free_world(struct world *world)
{
	rendezvous_free(world->rendezvous);
	rendezvous_free(world->rendezvous_tcp);
	free(world);
}

/* Put host @i behind a NAT of its own. */
static inline struct fake_nat *add_home(struct world *world, size_t i, enum fake_behaviour mapping,
					enum fake_behaviour filtering)
{
	static const char *const external[PEERS_MAX] = {"1.2.3.4:1", "5.6.7.8:1", "4.3.2.1:1"};
	struct fake_nat *nat = &world->net.nats[world->net.nat_count++];

	nat->external = endpoint(external[i]).addr;
	nat->inside[nat->inside_count++] = world->hosts[i].tcp.addr;
	nat->mapping = mapping;
	nat->filtering = filtering;
	nat->seed = i + 1;
	nat->draws_ports = nat->changes_ports = mapping != FAKE_ENDPOINT_INDEPENDENT;
	return nat;
}

static inline bool alive(const struct world *world, const struct host *host)
{
	return host->started && (host->dies == 0 || world->net.now < beginning + host->dies);
}

static inline bool passes_udp(const struct world *world, const struct host *host)
{
	return !host->no_udp && world->net.now >= beginning + host->udp_from;
}

/* ---- TCP ---- */

enum segment { SEGMENT_SYN = 1, SEGMENT_SYN_ACK, SEGMENT_DATA, SEGMENT_END };
enum { SEGMENT_HEADER = 4 };

static inline void send_segment(struct world *world, const struct endpoint *from,
				const struct endpoint *to, enum segment kind, const void *bytes,
				size_t length)
{
	const struct fakenet before = {.loss = world->net.loss,
				       .doubles = world->net.doubles,
				       .jitter = world->net.jitter};
	uint8_t segment[SEGMENT_HEADER + JOIN_SIZE] = {'T', 'C', 'P', (uint8_t)kind};

	cr_assert_leq(length, JOIN_SIZE);
	if (length > 0)
		memcpy(segment + SEGMENT_HEADER, bytes, length);
	world->net.loss = world->net.doubles = 0;
	world->net.jitter = 0;
	fake_send(&world->net, from, to, segment, SEGMENT_HEADER + length);
	world->net.loss = before.loss;
	world->net.doubles = before.doubles;
	world->net.jitter = before.jitter;
}

static inline bool is_segment(const struct fake_packet *packet)
{
	return packet->length >= SEGMENT_HEADER && memcmp(packet->bytes, "TCP", 3) == 0;
}

static inline void act(struct world *world, struct host *host, const struct tcp_action *action)
{
	struct link *link = &host->links[action->connection];

	if (action->kind != TCP_ACTION_SEND && link->state == LINK_OPEN)
		send_segment(world, &link->local, &link->remote, SEGMENT_END, NULL, 0);
	if (action->kind == TCP_ACTION_SEND) {
		cr_assert_eq(link->state, LINK_OPEN, "sends on %zu, which is not open",
			     action->connection);
		send_segment(world, &link->local, &link->remote, SEGMENT_DATA, action->bytes,
			     action->length);
		return;
	}
	*link = (struct link){0};
	if (action->kind != TCP_ACTION_CONNECT || host->no_tcp)
		return;
	*link = (struct link){.state = LINK_DIALLING,
			      .local = host->tcp,
			      .remote = action->to,
			      .repeat = world->net.now + REPEATED};
	if (action->fresh_port)
		link->local.port = ++host->fresh;
	send_segment(world, &link->local, &link->remote, SEGMENT_SYN, NULL, 0);
}

static inline uint64_t repeat_syns(struct world *world, struct host *host)
{
	uint64_t due = UINT64_MAX;
	size_t i;

	for (i = 0; i < TCP_CONNECTIONS; i++) {
		struct link *link = &host->links[i];

		if (link->state != LINK_DIALLING || link->repeat == 0)
			continue;
		if (link->repeat <= world->net.now) {
			send_segment(world, &link->local, &link->remote, SEGMENT_SYN, NULL, 0);
			link->repeat = 0;
		} else if (link->repeat < due) {
			due = link->repeat;
		}
	}
	return due;
}

static inline size_t link_of(const struct host *host, const struct fake_packet *packet)
{
	size_t i;

	for (i = 0; i < TCP_CONNECTIONS; i++) {
		if (host->links[i].state != LINK_CLOSED &&
		    endpoint_equal(&host->links[i].local, &packet->to) &&
		    endpoint_equal(&host->links[i].remote, &packet->from))
			break;
	}
	return i;
}

static inline void accept_link(struct world *world, struct host *host,
			       const struct fake_packet *packet)
{
	int number = endpoint_equal(&packet->to, &host->tcp)
			     ? tcp_punch_accepted(&host->race.tcp, &packet->from, world->net.now)
			     : -1;

	if (number < 0) {
		send_segment(world, &packet->to, &packet->from, SEGMENT_END, NULL, 0);
		return;
	}
	host->links[number] =
		(struct link){.state = LINK_OPEN, .local = packet->to, .remote = packet->from};
	send_segment(world, &packet->to, &packet->from, SEGMENT_SYN_ACK, NULL, 0);
}

static inline void end_link(struct world *world, struct host *host, size_t i)
{
	const struct tcp_refusal reset = {.error = ECONNREFUSED};
	bool open = host->links[i].state == LINK_OPEN;

	host->links[i] = (struct link){0};
	if (open)
		tcp_punch_ended(&host->race.tcp, i, world->net.now);
	else
		tcp_punch_failed(&host->race.tcp, i, &reset, world->net.now);
}

static inline void take_segment(struct world *world, struct host *host,
				const struct fake_packet *packet)
{
	size_t i = link_of(host, packet);
	struct link *link = &host->links[i < TCP_CONNECTIONS ? i : 0];
	struct stun_message message;

	if (!host->race.began[RACE_TCP])
		return;
	if (i == TCP_CONNECTIONS) {
		if (packet->bytes[3] == SEGMENT_SYN)
			accept_link(world, host, packet);
		return;
	}
	switch ((enum segment)packet->bytes[3]) {
	case SEGMENT_SYN: /* crossed, or repeated because the answer was dropped */
		send_segment(world, &link->local, &link->remote, SEGMENT_SYN_ACK, NULL, 0);
		__attribute__((fallthrough));
	case SEGMENT_SYN_ACK:
		if (link->state == LINK_DIALLING) {
			link->state = LINK_OPEN;
			tcp_punch_connected(&host->race.tcp, i, world->net.now);
		}
		return;
	case SEGMENT_DATA:
		if (link->state == LINK_OPEN &&
		    stun_parse(packet->bytes + SEGMENT_HEADER, packet->length - SEGMENT_HEADER,
			       &message))
			tcp_punch_receive(&host->race.tcp, i, &message, world->net.now);
		return;
	case SEGMENT_END:
		end_link(world, host, i);
		return;
	}
}

/* ---- the servers ---- */

static inline void serve_rendezvous(struct world *world, const struct fake_packet *packet)
{
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	bool tcp = is_segment(packet);
	size_t skip = tcp ? SEGMENT_HEADER : 0, count, i;

	if (world->rendezvous_dies && world->net.now >= beginning + world->rendezvous_dies)
		return;
	if (tcp && packet->bytes[3] == SEGMENT_SYN)
		send_segment(world, &packet->to, &packet->from, SEGMENT_SYN_ACK, NULL, 0);
	if (tcp && packet->bytes[3] != SEGMENT_DATA)
		return;
	count = rendezvous_receive(tcp ? world->rendezvous_tcp : world->rendezvous, &packet->from,
				   packet->bytes + skip, packet->length - skip, world->net.now,
				   out);
	for (i = 0; i < count; i++) {
		if (tcp)
			send_segment(world, &packet->to, &out[i].to, SEGMENT_DATA, out[i].bytes,
				     out[i].length);
		else
			fake_send(&world->net, &packet->to, &out[i].to, out[i].bytes,
				  out[i].length);
	}
}

static inline void serve_stun(struct world *world, const struct fake_packet *packet)
{
	uint8_t bytes[512];
	unsigned int i;

	for (i = 0; i < 4 && !world->stun_is_dead; i++) {
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

static inline void serve_turn(struct world *world, struct host *host,
			      const struct fake_packet *packet)
{
	struct fake_turn *turn = &host->turn;
	struct turn_payload payload;
	uint8_t answer[2048];
	size_t length;

	if (host->turn_is_dead)
		return;
	if (endpoint_equal(&packet->to, &turn->relayed)) {
		length = fake_turn_inward(turn, &packet->from, packet->bytes, packet->length,
					  world->net.now, answer);
		if (length > 0)
			fake_send(&world->net, &host->config.turn.server, &host->turn_client,
				  answer, length);
		return;
	}
	host->turn_client = packet->from;
	if (fake_turn_outward(turn, packet->bytes, packet->length, world->net.now, &payload)) {
		fake_send(&world->net, &turn->relayed, &payload.peer, payload.bytes,
			  payload.length);
		return;
	}
	length = fake_turn_answer(turn, packet->bytes, packet->length, world->net.now, answer);
	if (length > 0)
		fake_send(&world->net, &packet->to, &packet->from, answer, length);
}

/* PCP's MAP (RFC 6887 section 11.1): what is asked for is granted, and a lifetime of 0 deletes. */
static inline void serve_gateway(struct world *world, const struct fake_packet *packet)
{
	enum { MAP_SIZE = 60, LIFETIME = 4, EPOCH = 8, INTERNAL = 40, EXTERNAL = 42, ADDRESS = 44 };
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 1, 2, 3, 4};
	uint8_t answer[MAP_SIZE] = {2, 0x81};

	if (packet->length != MAP_SIZE)
		return;
	world->granted = memcmp(packet->bytes + LIFETIME, (uint8_t[4]){0}, 4) != 0;
	memcpy(answer + LIFETIME, packet->bytes + LIFETIME, 4);
	answer[EPOCH + 3] = 1;
	memcpy(answer + 24, packet->bytes + 24, MAP_SIZE - 24);
	memcpy(answer + EXTERNAL, packet->bytes + INTERNAL, 2);
	memcpy(answer + ADDRESS, mapped, sizeof(mapped));
	fake_send(&world->net, &packet->to, &packet->from, answer, sizeof(answer));
}

#endif
