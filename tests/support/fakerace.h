/* SPDX-License-Identifier: MIT */
/* Peers that try every way, from start to end, and what came of it. */
#ifndef NATSIM_TESTS_SUPPORT_FAKERACE_H
#define NATSIM_TESTS_SUPPORT_FAKERACE_H

#include "agents/cli/race_line.h"
#include "support/fakerace_world.h"

/* ---- playing ---- */

static inline void deliver_to_host(struct world *world, struct host *host,
				   const struct fake_packet *packet)
{
	size_t i;

	if (is_segment(packet) && addr_equal(&packet->to.addr, &host->tcp.addr))
		take_segment(world, host, packet);
	for (i = 0; i < HOST_SOCKETS && !is_segment(packet) && passes_udp(world, host); i++) {
		if (endpoint_equal(&packet->to, &host->udp[i]))
			race_receive(&host->race, i, &packet->from, packet->bytes, packet->length,
				     world->net.now);
	}
	race_follow(&host->race, world->net.now);
}

static inline void deliver(struct world *world, const struct fake_packet *packet)
{
	size_t i;

	if (endpoint_equal(&packet->to, &world->rendezvous_at))
		serve_rendezvous(world, packet);
	else if (endpoint_equal(&packet->to, &world->gateway_at))
		serve_gateway(world, packet);
	serve_stun(world, packet);
	for (i = 0; i < PEERS_MAX; i++) {
		struct host *host = &world->hosts[i];

		if (addr_equal(&packet->to.addr, &host->config.turn.server.addr))
			serve_turn(world, host, packet);
		else if (alive(world, host))
			deliver_to_host(world, host, packet);
	}
}

static inline void sooner(uint64_t *due, uint64_t when)
{
	if (when < *due)
		*due = when;
}

/* Let @host do what it wants to at this moment; returns when it wants to again. */
static inline uint64_t step(struct world *world, struct host *host)
{
	uint64_t now = world->net.now, due = UINT64_MAX;
	struct tcp_action action;
	struct datagram out;

	if (host->started && host->dies && !alive(world, host))
		return due;
	if (!host->started && now < beginning + host->start)
		return beginning + host->start;
	if (!host->started)
		race_start(&host->race, &host->config, now);
	host->started = true;
	if (host->interrupted && now >= beginning + host->interrupted && !host->stopped) {
		host->stopped = true;
		race_stop(&host->race, now);
	}
	while (race_send(&host->race, now, &out)) {
		if (passes_udp(world, host))
			fake_send(&world->net, &host->udp[out.socket], &out.to, out.bytes,
				  out.length);
	}
	while (race_act(&host->race, now, &action))
		act(world, host, &action);
	if (race_over(&host->race))
		return due;
	sooner(&due, race_due(&host->race));
	sooner(&due, repeat_syns(world, host));
	if (host->dies)
		sooner(&due, beginning + host->dies);
	if (host->interrupted && !host->stopped)
		sooner(&due, beginning + host->interrupted);
	return due;
}

static inline bool over(const struct world *world, const struct host *host)
{
	return !host->present || (host->started && (!alive(world, host) || race_over(&host->race)));
}

/* Play until all have ended, and what they said last has arrived. */
static inline void play(struct world *world)
{
	unsigned int turns = 0;
	struct fake_packet in;
	uint64_t due;
	size_t i;

	do {
		bool all = true;

		cr_assert_lt(turns++, 400000, "it does not come to an end");
		due = UINT64_MAX;
		for (i = 0; i < PEERS_MAX; i++) {
			if (world->hosts[i].present)
				sooner(&due, step(world, &world->hosts[i]));
			all &= over(world, &world->hosts[i]);
		}
		sooner(&due, fake_due(&world->net));
		cr_assert(all || due != UINT64_MAX, "it waits for nothing");
		if (due == UINT64_MAX)
			break;
		cr_assert_geq(due, world->net.now, "it wants to act in the past");
		world->net.now = due;
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	} while (true);
}

/* ---- what came of it ---- */

static inline void expect_clean(const struct world *world, const char *what)
{
	size_t i;

	cr_expect_eq(world->granted, 0, "%s: the granted port is not given back", what);
	for (i = 0; i < PEERS_MAX; i++)
		cr_expect(!world->hosts[i].turn.allocated || world->hosts[i].dies ||
				  world->net.loss, /* then it expires */
			  "%s: peer %zu gives no allocation back", what, i);
}

/* A and B say that they talked over @way, made by the same technique: @technique unless NULL. */
static inline void expect_path(const struct world *world, enum race_way way, const char *technique,
			       const char *what)
{
	const char *how = race_technique(&world->hosts[PEER_A].race);
	size_t i;

	for (i = PEER_A; i <= PEER_B; i++) {
		const struct race *race = &world->hosts[i].race;

		cr_assert_eq(race->phase, RACE_DONE, "%s: peer %zu: phase %d: %s", what, i,
			     race->phase, race->reason);
		cr_assert_eq(race->chosen, way, "%s: peer %zu: over %s, not %s: %s", what, i,
			     race_way_name(race->chosen), race_way_name(way), race->punch.reason);
		cr_expect_str_eq(race_technique(race), technique ? technique : how, "%s: peer %zu",
				 what, i);
		cr_expect_eq(race_path(race, way)->talk.acknowledged, MESSAGES, "%s: peer %zu",
			     what, i);
		cr_expect_eq(race_path(race, way)->talk.received, MESSAGES, "%s: peer %zu", what,
			     i);
	}
	expect_clean(world, what);
}

static inline void expect_end(const struct world *world, size_t i, enum race_phase phase,
			      const char *reason)
{
	const struct race *race = &world->hosts[i].race;

	cr_expect_eq(race->phase, phase, "peer %zu: phase %d: %s", i, race->phase, race->reason);
	cr_expect(strstr(race->reason, reason), "peer %zu says: %s", i, race->reason);
}

/* How long it took from the later start to the choice. */
static inline uint64_t decision(const struct world *world)
{
	uint64_t chosen = world->hosts[PEER_A].race.chosen_at;
	uint64_t start = world->hosts[PEER_B].start;

	if (world->hosts[PEER_B].race.chosen_at > chosen)
		chosen = world->hosts[PEER_B].race.chosen_at;
	if (world->hosts[PEER_A].start > start)
		start = world->hosts[PEER_A].start;
	return chosen - beginning - start;
}

#endif
