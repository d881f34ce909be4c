/* SPDX-License-Identifier: MIT */
/*
 * What is around an ICE stack, two peers and a rendezvous on the simulated network. The stacks
 * are the test's: they gather at once, and have a path as soon as both were told of each other.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "agents/ice/ice.h"
#include "agents/ice/pair.h"
#include "agents/rendezvous/server.h"
#include "support/fakenet.h"

enum { A, B, PEERS };

struct world {
	struct fakenet net;
	struct rendezvous *rendezvous;
	struct endpoint server;
	struct endpoint signalling[PEERS], path[PEERS];
	struct ice peers[PEERS];
	struct ice_config config;
	const char *description[PEERS]; /* NULL: still gathering */
	const char *told[PEERS];        /* the other's, as it came */
	bool stacks_fail;
	bool path_is_dead;
};

static const uint64_t beginning = 1000 * SEC;

static struct endpoint endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "the test's own endpoint %s is wrong", text);
	return endpoint;
}

static void make_world(struct world *world, uint64_t seed)
{
	struct rendezvous_config config = {.sessions = 16, .idle = 30 * SEC, .relay_rate = 65536};

	memset(world, 0, sizeof(*world));
	world->net.seed = seed * 104729 + 7;
	world->net.now = beginning;
	world->net.delay = 50 * USEC;
	config.random = fake_random_source(&world->net);
	cr_assert_eq(rendezvous_new(&config, &world->rendezvous), 0);
	world->server = endpoint("9.9.9.9:1024");
	world->signalling[A] = endpoint("1.2.3.4:1");
	world->signalling[B] = endpoint("5.6.7.8:1");
	world->path[A] = endpoint("1.2.3.4:2");
	world->path[B] = endpoint("5.6.7.8:2");
	world->description[A] = "a's candidates";
	world->description[B] = "b's candidates";
	world->config = (struct ice_config){
		.meeting = {.rendezvous = world->server,
			    .session = "demo",
			    .random = fake_random_source(&world->net)},
		.talk = {.messages = 5},
		.timeout = 10 * SEC,
	};
}

static void serve(struct world *world, const struct fake_packet *packet)
{
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	size_t count = rendezvous_receive(world->rendezvous, &packet->from, packet->bytes,
					  packet->length, world->net.now, out);

	while (count-- > 0)
		fake_send(&world->net, &world->server, &out[count].to, out[count].bytes,
			  out[count].length);
}

static void deliver(struct world *world, const struct fake_packet *packet)
{
	size_t i;

	if (endpoint_equal(&packet->to, &world->server))
		serve(world, packet);
	for (i = 0; i < PEERS; i++) {
		if (endpoint_equal(&packet->to, &world->signalling[i]))
			ice_receive(&world->peers[i], &packet->from, packet->bytes, packet->length,
				    world->net.now);
		else if (endpoint_equal(&packet->to, &world->path[i]))
			ice_receive_payload(&world->peers[i], packet->bytes, packet->length,
					    world->net.now);
	}
}

/* What the stack of peer @i does. */
static void play_stack(struct world *world, size_t i)
{
	enum peer_role role = 0;
	const char *told = ice_description(&world->peers[i], &role);

	if (!told)
		return;
	cr_expect_null(world->told[i], "it is told once");
	cr_expect(role == ROLE_CONTROLLING || role == ROLE_CONTROLLED);
	world->told[i] = told;
	if (world->stacks_fail)
		ice_failed(&world->peers[i], "every check failed", world->net.now);
	else
		ice_connected(&world->peers[i], &world->path[!i], world->net.now);
}

static void send_all(struct world *world, size_t i)
{
	uint8_t payload[ICE_PAYLOAD_MAX];
	struct datagram out;
	size_t length;

	play_stack(world, i);
	while ((length = ice_send_payload(&world->peers[i], world->net.now, payload)) > 0) {
		cr_expect_geq(payload[0], 128, "a stack would take it for STUN, or for a channel");
		cr_expect_leq(payload[0], 191);
		if (!world->path_is_dead)
			fake_send(&world->net, &world->path[i], &world->path[!i], payload, length);
	}
	while (ice_send(&world->peers[i], world->net.now, &out))
		fake_send(&world->net, &world->signalling[i], &out.to, out.bytes, out.length);
}

static void start(struct world *world, size_t i)
{
	ice_start(&world->peers[i], &world->config, world->net.now);
	if (world->description[i])
		ice_gathered(&world->peers[i], world->description[i], world->net.now);
}

/* Play the first @count peers until they are done. */
static void play(struct world *world, size_t count)
{
	unsigned int turns = 0;
	struct fake_packet in;
	uint64_t due;
	size_t i, over;

	for (i = 0; i < count; i++)
		start(world, i);
	for (;;) {
		cr_assert_lt(turns++, 20000, "it does not come to an end");
		due = UINT64_MAX;
		for (i = over = 0; i < count; i++) {
			send_all(world, i);
			over += ice_over(&world->peers[i]);
			if (ice_due(&world->peers[i]) < due)
				due = ice_due(&world->peers[i]);
		}
		if (over == count)
			break;
		if (fake_due(&world->net) < due)
			due = fake_due(&world->net);
		cr_assert_neq(due, UINT64_MAX, "it waits for nothing");
		cr_assert_geq(due, world->net.now, "it wants to act in the past");
		world->net.now = due;
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	}
	while (world->net.loss == 0 && fake_due(&world->net) != UINT64_MAX) {
		world->net.now = fake_due(&world->net);
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	}
	if (world->net.loss == 0)
		cr_expect_eq(rendezvous_sessions(world->rendezvous), 0, "a session is left over");
	rendezvous_free(world->rendezvous);
}

static void expect_done(const struct world *world)
{
	size_t i;

	for (i = 0; i < PEERS; i++) {
		cr_expect_eq(world->peers[i].phase, ICE_DONE, "peer %zu: %s", i,
			     world->peers[i].reason);
		cr_expect_eq(world->peers[i].path.talk.acknowledged, 5, "peer %zu", i);
		cr_expect_eq(world->peers[i].path.talk.received, 5, "peer %zu", i);
		cr_assert_not_null(world->told[i]);
		cr_expect_str_eq(world->told[i], world->description[!i], "whole and unchanged");
	}
}

static void expect_failed(const struct world *world, size_t i, const char *reason)
{
	cr_expect_eq(world->peers[i].phase, ICE_FAILED, "peer %zu: phase %d", i,
		     world->peers[i].phase);
	cr_expect(strstr(world->peers[i].reason, reason), "peer %zu says: %s", i,
		  world->peers[i].reason);
}

Test(ice, descriptions_are_exchanged_and_then_there_is_talk)
{
	struct world world;

	make_world(&world, 1);
	play(&world, PEERS);
	expect_done(&world);
	cr_expect_lt(world.net.now - beginning, 20 * MSEC, "nobody waited for a repetition");
}

Test(ice, losses_and_doubles_only_take_time)
{
	struct world world;
	uint64_t seed;

	for (seed = 1; seed <= 20; seed++) {
		make_world(&world, seed);
		world.net.loss = 200;
		world.net.doubles = 100;
		world.net.jitter = 20 * MSEC;
		play(&world, PEERS);
		expect_done(&world);
	}
}

Test(ice, a_description_may_be_longer_than_a_letter)
{
	static char longest[DESCRIPTION_MAX + 2], longer[LETTER_MAX + 2];
	struct world world;

	memset(longest, 'x', DESCRIPTION_MAX);
	memset(longer, 'y', LETTER_MAX + 1);
	make_world(&world, 1);
	world.description[A] = longest;
	world.description[B] = longer;
	play(&world, PEERS);
	expect_done(&world);

	make_world(&world, 1);
	world.config.timeout = SEC;
	longest[DESCRIPTION_MAX] = 'x';
	world.description[A] = longest;
	play(&world, PEERS);
	expect_failed(&world, A, "too many candidates");
	expect_failed(&world, B, "nobody else joined"); /* it had left before */
}

Test(ice, who_fails_says_what_was_missing)
{
	struct world world;

	make_world(&world, 1);
	play(&world, 1);
	expect_failed(&world, A, "nobody else joined");

	make_world(&world, 1);
	world.net.dead = world.server.addr;
	play(&world, PEERS);
	expect_failed(&world, A, "no rendezvous: 9.9.9.9:1024 did not answer in 10.0 s");

	make_world(&world, 1);
	world.description[A] = NULL;
	play(&world, PEERS);
	expect_failed(&world, A, "still being gathered");
	expect_failed(&world, B, "told no candidates");

	make_world(&world, 1);
	world.stacks_fail = true;
	play(&world, PEERS);
	expect_failed(&world, A, "every check failed");
	expect_failed(&world, B, "every check failed");
}

Test(ice, a_selected_pair_that_carries_nothing_is_lost)
{
	struct world world;

	make_world(&world, 1);
	world.path_is_dead = true;
	play(&world, PEERS);
	cr_expect_eq(world.peers[A].phase, ICE_LOST);
	cr_expect_str_eq(world.peers[A].reason, "nothing came over the selected pair");
}

Test(ice, what_is_no_payload_is_passed_over)
{
	uint8_t payload[ICE_PAYLOAD_MAX];
	struct world world;
	struct ice *ice = &world.peers[A];
	size_t length;

	make_world(&world, 1);
	start(&world, A);
	ice_receive_payload(ice, "\x80", 1, world.net.now);
	ice->phase = ICE_CHECKING; /* somebody was introduced */
	ice->exchange.seal.role = ROLE_CONTROLLING;
	ice_connected(ice, &world.path[B], world.net.now);
	length = ice_send_payload(ice, world.net.now, payload);
	cr_assert_gt(length, 1);
	ice_receive_payload(ice, payload, 0, world.net.now);
	ice_receive_payload(ice, payload, 1, world.net.now);
	ice_receive_payload(ice, payload, length, world.net.now);
	cr_expect_eq(ice->path.state, PATH_SEEKING, "its own words are not the peer's");
	rendezvous_free(world.rendezvous);
}

/* ---- what a pair says of the path ---- */

struct way {
	enum ice_type local, remote;
	const char *ours, *theirs; /* reflexive candidates, or NULL */
	const char *technique;
};

static const struct way ways[] = {
	{ICE_HOST, ICE_HOST, NULL, NULL, "open"},
	{ICE_HOST, ICE_HOST, "1.2.3.4:1", "1.2.3.4:2", "private"},
	{ICE_HOST, ICE_HOST, "1.2.3.4:1", NULL, "private"},
	{ICE_SERVER_REFLEXIVE, ICE_SERVER_REFLEXIVE, "1.2.3.4:1", "5.6.7.8:2", "punch"},
	{ICE_SERVER_REFLEXIVE, ICE_SERVER_REFLEXIVE, "1.2.3.4:1", "1.2.3.4:2", "hairpin"},
	{ICE_SERVER_REFLEXIVE, ICE_PEER_REFLEXIVE, "1.2.3.4:1", "5.6.7.8:2", "punch"},
	{ICE_HOST, ICE_PEER_REFLEXIVE, NULL, "5.6.7.8:2", "punch"},
	{ICE_HOST, ICE_SERVER_REFLEXIVE, NULL, "5.6.7.8:2", "punch"},
	{ICE_RELAYED, ICE_SERVER_REFLEXIVE, "1.2.3.4:1", "1.2.3.4:2", "turn"},
	{ICE_RELAYED, ICE_HOST, "1.2.3.4:1", NULL, "turn"},
	{ICE_RELAYED, ICE_RELAYED, NULL, NULL, "turn"},
};

static struct ice_candidates candidates_of(const char *reflexive)
{
	struct ice_candidates candidates = {.count = 1, .host = endpoint("192.168.1.1:9")};

	if (reflexive)
		candidates.reflexive = endpoint(reflexive);
	return candidates;
}

Test(ice, both_peers_name_the_same_technique)
{
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const struct way *way = &ways[i];
		struct ice_candidates ours = candidates_of(way->ours),
				      theirs = candidates_of(way->theirs);
		struct ice_pair here = {.local = way->local, .remote = way->remote};
		struct ice_pair there = {.local = way->remote, .remote = way->local};

		cr_expect_str_eq(ice_pair_technique(&here, &ours, &theirs), way->technique,
				 "way %zu", i);
		cr_expect_str_eq(ice_pair_technique(&there, &theirs, &ours), way->technique,
				 "way %zu, seen from the other side", i);
	}
}

Test(ice, the_public_endpoint_is_the_reflexive_one_if_there_is_one)
{
	struct ice_candidates translated = candidates_of("1.2.3.4:1"), open = candidates_of(NULL);
	struct endpoint seen = ice_public(&translated), own = ice_public(&open);

	cr_expect(endpoint_equal(&seen, &translated.reflexive));
	cr_expect(endpoint_equal(&own, &open.host));
}
