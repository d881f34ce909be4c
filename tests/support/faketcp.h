/* SPDX-License-Identifier: MIT */
/*
 * Two TCP punches and a rendezvous on a network told by hand: SYNs travel, NATs drop or reset
 * them, the kernel's part of a handshake is played here.
 *
 * One SYN at a time decides everything: who gets one that called connect() to its sender has
 * crossed it; who gets one otherwise accepts it.
 */
#ifndef NATSIM_TESTS_SUPPORT_FAKETCP_H
#define NATSIM_TESTS_SUPPORT_FAKETCP_H

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "agents/rendezvous/server.h"
#include "agents/tcp/punch.h"
#include "support/fakenet.h"

enum { A, B, PEERS };
enum { EVENTS_MAX = 512 };
#define DELAY (50 * USEC)
#define REPEATED (1 * SEC) /* the kernel's SYN */

static const uint64_t beginning = 1000 * SEC;

enum event_kind { SYN, CONNECTED, RESET, MESSAGE, ENDED };

struct event {
	bool used;
	uint64_t when;
	enum event_kind kind;
	size_t peer, link; /* whom it concerns; of a SYN the sender */
	unsigned int generation;
	size_t length;
	uint8_t bytes[JOIN_SIZE];
};

/* One of a peer's connections, as its kernel knows it. */
struct link {
	bool dialling, open;
	unsigned int generation;
	struct endpoint to;
	size_t other; /* its number at the other peer */
};

struct host {
	struct tcp_punch core;
	struct endpoint local, public;
	bool open_to_all, resets, forgets, strict;
	bool permits; /* an own SYN to the other's public endpoint has opened the NAT */
	struct link links[TCP_CONNECTIONS];
	uint64_t dies;
	bool dead;
};

struct world {
	uint64_t now;
	struct fakenet net; /* for its random numbers */
	struct rendezvous *rendezvous;
	struct endpoint rendezvous_at;
	struct host hosts[PEERS];
	struct event events[EVENTS_MAX];
};

static inline struct endpoint endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint));
	return endpoint;
}

static inline struct event *post(struct world *world, enum event_kind kind, size_t peer,
				 size_t link, uint64_t delay)
{
	struct event *event = world->events;

	while (event->used && event < world->events + EVENTS_MAX - 1)
		event++;
	cr_assert(!event->used, "too many events");
	event->used = true;
	event->when = world->now + delay;
	event->kind = kind;
	event->peer = peer;
	event->link = link;
	event->generation = world->hosts[peer].links[link].generation;
	return event;
}

static inline struct world *make_world(void)
{
	struct rendezvous_config config = {.sessions = 16, .idle = 30 * SEC};
	struct world *world = calloc(1, sizeof(*world));
	size_t i;

	cr_assert_not_null(world);
	world->now = beginning;
	world->net.seed = 4711;
	config.random = fake_random_source(&world->net);
	cr_assert_eq(rendezvous_new(&config, &world->rendezvous), 0);
	world->rendezvous_at = endpoint("9.9.9.9:1024");
	world->hosts[A].local = endpoint("192.168.1.1:7777");
	world->hosts[A].public = endpoint("1.2.3.4:7777");
	world->hosts[B].local = endpoint("192.168.2.1:8888");
	world->hosts[B].public = endpoint("5.6.7.8:8888");
	for (i = 0; i < PEERS; i++) {
		struct tcp_punch_config punch = {
			.meeting = {.rendezvous = world->rendezvous_at,
				    .session = "demo",
				    .privates = {world->hosts[i].local},
				    .private_count = 1,
				    .random = fake_random_source(&world->net)},
			.talk = {.messages = 3},
			.timeout = 5 * SEC,
		};

		tcp_punch_start(&world->hosts[i].core, &punch, world->now);
	}
	return world;
}

static inline void free_world(struct world *world)
{
	rendezvous_free(world->rendezvous);
	free(world);
}

/* ---- the network ---- */

static inline void connect_both(struct world *world, size_t peer, size_t link, size_t other_link)
{
	struct link *own = &world->hosts[peer].links[link];
	struct link *other = &world->hosts[!peer].links[other_link];

	own->open = other->open = true;
	own->dialling = other->dialling = false;
	own->other = other_link;
	other->other = link;
}

/* A SYN of @peer's for the other one: past its NAT, to a connect() or to the listener. */
static inline void deliver_syn(struct world *world, size_t peer, size_t link)
{
	struct host *sender = &world->hosts[peer], *host = &world->hosts[!peer];
	bool known = link != TCP_BLIND; /* from the endpoint that was announced */
	size_t i;
	int number;

	if (!endpoint_equal(&sender->links[link].to, &host->public) || host->dead)
		return; /* a private endpoint: nobody is there */
	if (known && host->permits && host->strict)
		return;
	if (!host->open_to_all && !(known && host->permits)) {
		if (host->resets)
			post(world, RESET, peer, link, DELAY);
		return;
	}
	for (i = TCP_PEERS; known && i < TCP_ACCEPTED; i++) {
		if (!host->links[i].dialling ||
		    !endpoint_equal(&host->links[i].to, &sender->public))
			continue;
		connect_both(world, peer, link, i);
		post(world, CONNECTED, peer, link, DELAY);
		post(world, CONNECTED, !peer, i, 2 * DELAY);
		return;
	}
	number = tcp_punch_accepted(&host->core,
				    known ? &sender->public
					  : &(struct endpoint){sender->public.addr, 50000},
				    world->now);
	cr_assert_geq(number, 0);
	connect_both(world, peer, link, (size_t)number);
	post(world, CONNECTED, peer, link, DELAY);
}

static inline void connect_link(struct world *world, size_t peer, const struct tcp_action *action)
{
	struct link *link = &world->hosts[peer].links[action->connection];

	link->generation++;
	link->dialling = true;
	link->open = false;
	link->to = action->to;
	if (endpoint_equal(&action->to, &world->rendezvous_at)) {
		link->dialling = false;
		link->open = true;
		post(world, CONNECTED, peer, action->connection, 2 * DELAY);
		return;
	}
	if (!action->fresh_port && endpoint_equal(&action->to, &world->hosts[!peer].public))
		world->hosts[peer].permits = true;
	post(world, SYN, peer, action->connection, DELAY);
	post(world, SYN, peer, action->connection, DELAY + REPEATED);
}

static inline void serve(struct world *world, size_t peer, const struct tcp_action *action)
{
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	size_t i, k,
		count = rendezvous_receive(world->rendezvous, &world->hosts[peer].public,
					   action->bytes, action->length, world->now, out);

	for (i = 0; i < count; i++) {
		for (k = 0; k < PEERS; k++) {
			struct event *event;

			if (!endpoint_equal(&out[i].to, &world->hosts[k].public) ||
			    !world->hosts[k].links[TCP_RENDEZVOUS].open)
				continue;
			event = post(world, MESSAGE, k, TCP_RENDEZVOUS, 2 * DELAY);
			event->length = out[i].length;
			memcpy(event->bytes, out[i].bytes, out[i].length);
		}
	}
}

static inline void end_link(struct world *world, size_t peer, size_t number)
{
	struct link *link = &world->hosts[peer].links[number];

	if (link->open && number != TCP_RENDEZVOUS)
		post(world, ENDED, !peer, link->other, DELAY);
	link->open = link->dialling = false;
	link->generation++;
}

static inline void act(struct world *world, size_t peer, const struct tcp_action *action)
{
	struct link *link = &world->hosts[peer].links[action->connection];
	struct event *event;

	switch (action->kind) {
	case TCP_ACTION_CONNECT:
		connect_link(world, peer, action);
		return;
	case TCP_ACTION_SEND:
		cr_assert(link->open, "peer %zu sends on %zu, which is not open", peer,
			  action->connection);
		if (action->connection == TCP_RENDEZVOUS) {
			serve(world, peer, action);
			return;
		}
		event = post(world, MESSAGE, !peer, link->other, DELAY);
		event->length = action->length;
		memcpy(event->bytes, action->bytes, action->length);
		return;
	case TCP_ACTION_CLOSE:
	case TCP_ACTION_ABORT:
		end_link(world, peer, action->connection);
		return;
	}
}

static inline void take(struct world *world, const struct event *event)
{
	struct host *host = &world->hosts[event->peer];
	const struct tcp_refusal reset = {.error = ECONNREFUSED};
	struct link *link = &host->links[event->link];
	struct stun_message message;

	if (host->dead || event->generation != link->generation)
		return;
	switch (event->kind) {
	case SYN:
		if (link->dialling)
			deliver_syn(world, event->peer, event->link);
		return;
	case CONNECTED:
		tcp_punch_connected(&host->core, event->link, world->now);
		return;
	case RESET:
		link->dialling = false;
		if (host->forgets)
			host->permits = false;
		tcp_punch_failed(&host->core, event->link, &reset, world->now);
		return;
	case MESSAGE:
		cr_assert(stun_parse(event->bytes, event->length, &message));
		tcp_punch_receive(&host->core, event->link, &message, world->now);
		return;
	case ENDED:
		link->open = false;
		tcp_punch_ended(&host->core, event->link, world->now);
		return;
	}
}

static inline struct event *first_event(struct world *world)
{
	struct event *first = NULL;
	size_t i;

	for (i = 0; i < EVENTS_MAX; i++) {
		if (world->events[i].used && (!first || world->events[i].when < first->when))
			first = &world->events[i];
	}
	return first;
}

static inline bool is_over(const struct host *host)
{
	return host->dead || tcp_punch_over(&host->core);
}

static inline void play(struct world *world)
{
	unsigned int turns = 0;
	size_t i;

	for (;;) {
		struct event *event, taken;
		struct tcp_action action;
		uint64_t due = UINT64_MAX;

		cr_assert_lt(turns++, 100000, "it does not come to an end");
		for (i = 0; i < PEERS; i++) {
			struct host *host = &world->hosts[i];

			host->dead |= host->dies && world->now >= host->dies;
			while (!host->dead && !is_over(host) &&
			       tcp_punch_act(&host->core, world->now, &action))
				act(world, i, &action);
			if (!is_over(host) && tcp_punch_due(&host->core) < due)
				due = tcp_punch_due(&host->core);
			if (!host->dead && host->dies && host->dies < due)
				due = host->dies;
		}
		if (is_over(&world->hosts[A]) && is_over(&world->hosts[B]))
			break;
		event = first_event(world);
		if (event && event->when <= due) {
			world->now = event->when;
			event->used = false;
			taken = *event;
			take(world, &taken);
			continue;
		}
		cr_assert_neq(due, UINT64_MAX, "it waits for nothing");
		cr_assert_geq(due, world->now, "it wants to act in the past");
		world->now = due;
	}
}

static inline void expect_direct(const struct world *world, const char *technique)
{
	size_t i;

	for (i = 0; i < PEERS; i++) {
		const struct tcp_punch *core = &world->hosts[i].core;

		cr_assert_eq(core->phase, TCP_PUNCH_DONE, "peer %zu: phase %d: %s", i, core->phase,
			     core->reason);
		cr_expect_str_eq(tcp_punch_technique(core), technique, "peer %zu", i);
		cr_expect_eq(core->path.talk.acknowledged, 3);
		cr_expect_eq(core->path.talk.received, 3);
	}
}

static inline void expect_none(const struct world *world, const char *reason)
{
	size_t i;

	for (i = 0; i < PEERS; i++) {
		const struct tcp_punch *core = &world->hosts[i].core;

		cr_assert_eq(core->phase, TCP_PUNCH_FAILED, "peer %zu: phase %d", i, core->phase);
		cr_expect(strstr(core->reason, reason), "peer %zu says: %s", i, core->reason);
	}
}

#endif
