/* SPDX-License-Identifier: MIT */
/* The rendezvous' table: pairs, stages, refusals, forgetting, and what it never does. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/rendezvous/offer.h"
#include "agents/rendezvous/server.h"
#include "agents/stun/integrity.h"
#include "support/fakenet.h"

struct bench {
	struct fakenet net; /* for its random source only */
	struct rendezvous *server;
	uint64_t now;
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	size_t count;
};

static void make_bench(struct bench *bench, size_t sessions)
{
	struct rendezvous_config config = {
		.sessions = sessions, .idle = 30 * SEC, .relay_rate = 65536};

	*bench = (struct bench){.net.seed = 42, .now = 1000 * SEC};
	config.random = fake_random_source(&bench->net);
	cr_assert_eq(rendezvous_new(&config, &bench->server), 0);
}

static struct join join_of(const char *session, uint8_t peer, enum join_stage stage)
{
	struct join join = {.session_length = strlen(session), .stage = stage, .private_count = 1};

	memcpy(join.session, session, join.session_length);
	memset(join.peer, peer, sizeof(join.peer));
	cr_assert(endpoint_parse("192.168.1.1:7777", &join.privates[0]));
	join.privates[0].addr.bytes[2] = peer;
	return join;
}

static void send_from(struct bench *bench, const char *from, const void *bytes, size_t length)
{
	struct endpoint source;

	cr_assert(endpoint_parse(from, &source));
	bench->count =
		rendezvous_receive(bench->server, &source, bytes, length, bench->now, bench->out);
}

static const uint8_t some_id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 1, 2,  3,  4,
					      5,    6,    7,    8,    9, 10, 11, 12};

static void join(struct bench *bench, const char *session, uint8_t peer, enum join_stage stage,
		 const char *from)
{
	struct join said = join_of(session, peer, stage);
	uint8_t bytes[JOIN_SIZE];
	size_t length = join_write(&said, some_id, bytes, sizeof(bytes)), total = 0, i;

	cr_assert_eq(length, JOIN_SIZE);
	send_from(bench, from, bytes, length);
	for (i = 0; i < bench->count; i++)
		total += bench->out[i].length;
	cr_expect_lt(total, length, "it amplifies");
}

/* What datagram @index of the last exchange says; it has to go to @to. */
static struct introduction said(const struct bench *bench, size_t index, const char *to)
{
	struct introduction introduction = {0};
	struct stun_message message;
	char text[ENDPOINT_TEXT_MAX];

	cr_assert_lt(index, bench->count, "only %zu datagrams were sent", bench->count);
	cr_expect_str_eq(endpoint_format(&bench->out[index].to, text), to);
	cr_assert(stun_parse(bench->out[index].bytes, bench->out[index].length, &message));
	cr_expect_eq(message.class, index == 0 ? STUN_SUCCESS : STUN_INDICATION);
	cr_expect_eq(stun_check_fingerprint(&message), STUN_FINGERPRINT_RIGHT);
	cr_assert(introduction_read(&message, &introduction), "not an introduction");
	return introduction;
}

static unsigned int refusal(const struct bench *bench)
{
	struct stun_attribute attribute;
	struct stun_error_code error;
	struct stun_message message;

	if (bench->count != 1 || !stun_parse(bench->out[0].bytes, bench->out[0].length, &message) ||
	    message.class != STUN_ERROR || !stun_find(&message, STUN_ERROR_CODE, &attribute) ||
	    !stun_read_error(&attribute, &error))
		return 0;
	return error.code;
}

#define A "1.2.3.4:7777"
#define B "5.6.7.8:8888"
#define C "6.7.8.9:9999"

Test(pairing, the_first_waits_and_learns_its_own_public_endpoint)
{
	struct bench bench;
	struct introduction told;
	char text[ENDPOINT_TEXT_MAX];

	make_bench(&bench, 8);
	join(&bench, "demo", 1, JOIN_JOINED, A);
	told = said(&bench, 0, A);
	cr_expect_eq(bench.count, 1);
	cr_expect_eq(told.stage, SESSION_WAITING);
	cr_expect_str_eq(endpoint_format(&told.mapped, text), A);
	rendezvous_free(bench.server);
}

Test(pairing, the_second_completes_the_pair_and_both_learn_of_each_other)
{
	struct bench bench;
	struct introduction a, b;
	char text[ENDPOINT_TEXT_MAX];

	make_bench(&bench, 8);
	join(&bench, "demo", 1, JOIN_JOINED, A);
	join(&bench, "demo", 2, JOIN_JOINED, B);
	cr_assert_eq(bench.count, 2);
	b = said(&bench, 0, B);
	a = said(&bench, 1, A);
	cr_expect_eq(a.stage, SESSION_PAIRED);
	cr_expect_eq(b.stage, SESSION_PAIRED);
	cr_expect_eq(a.role, ROLE_CONTROLLING, "who came first controls");
	cr_expect_eq(b.role, ROLE_CONTROLLED);
	cr_expect_arr_eq(a.token, b.token, TOKEN_SIZE);
	cr_expect_str_eq(endpoint_format(&a.peer_public, text), B);
	cr_expect_str_eq(endpoint_format(&b.peer_public, text), A);
	cr_assert_eq(a.private_count, 1);
	cr_expect_str_eq(endpoint_format(&a.privates[0], text), "192.168.2.1:7777");
	cr_expect_str_eq(endpoint_format(&b.privates[0], text), "192.168.1.1:7777");
	rendezvous_free(bench.server);
}

Test(pairing, repeated_joins_are_idempotent_and_follow_a_moved_mapping)
{
	struct bench bench;
	struct introduction first, again;
	char text[ENDPOINT_TEXT_MAX];

	make_bench(&bench, 8);
	join(&bench, "demo", 1, JOIN_JOINED, A);
	join(&bench, "demo", 1, JOIN_JOINED, A);
	cr_expect_eq(said(&bench, 0, A).stage, SESSION_WAITING, "it is not paired with itself");
	join(&bench, "demo", 2, JOIN_JOINED, B);
	first = said(&bench, 0, B);
	join(&bench, "demo", 1, JOIN_JOINED, "1.2.3.4:50000");
	cr_expect_eq(bench.count, 1, "nothing has changed that the other must be told");
	join(&bench, "demo", 2, JOIN_JOINED, B);
	again = said(&bench, 0, B);
	cr_expect_eq(again.role, first.role);
	cr_expect_arr_eq(again.token, first.token, TOKEN_SIZE);
	cr_expect_str_eq(endpoint_format(&again.peer_public, text), "1.2.3.4:50000");
	cr_expect_eq(rendezvous_sessions(bench.server), 1);
	rendezvous_free(bench.server);
}

Test(pairing, go_comes_when_both_have_dialled_and_not_before)
{
	struct bench bench;

	make_bench(&bench, 8);
	join(&bench, "demo", 1, JOIN_DIALLED, A); /* too early to mean anything */
	join(&bench, "demo", 2, JOIN_JOINED, B);
	join(&bench, "demo", 2, JOIN_DIALLED, B);
	cr_expect_eq(said(&bench, 0, B).stage, SESSION_PAIRED,
		     "nobody can have dialled before there was a pair");
	join(&bench, "demo", 1, JOIN_DIALLED, A);
	cr_assert_eq(bench.count, 2);
	cr_expect_eq(said(&bench, 0, A).stage, SESSION_GO);
	cr_expect_eq(said(&bench, 1, B).stage, SESSION_GO);
	join(&bench, "demo", 2, JOIN_DIALLED, B); /* the push was lost */
	cr_expect_eq(said(&bench, 0, B).stage, SESSION_GO);
	cr_expect_eq(bench.count, 1);
	rendezvous_free(bench.server);
}

static void leave(struct bench *bench, const char *session, uint8_t peer, const char *from)
{
	struct join gone = join_of(session, peer, JOIN_JOINED);
	uint8_t bytes[256];

	send_from(bench, from, bytes, leave_write(&gone, some_id, bytes, sizeof(bytes)));
	cr_expect_eq(bench->count, 0, "a Leave is not answered");
}

Test(pairing, go_still_comes_to_one_whose_peer_has_it_and_has_left)
{
	struct bench bench;
	struct introduction told;
	char text[ENDPOINT_TEXT_MAX];

	make_bench(&bench, 8);
	join(&bench, "demo", 1, JOIN_JOINED, A);
	join(&bench, "demo", 2, JOIN_JOINED, B);
	join(&bench, "demo", 2, JOIN_DIALLED, B);
	join(&bench, "demo", 1, JOIN_DIALLED, A);
	leave(&bench, "demo", 1, A);
	join(&bench, "demo", 2, JOIN_DIALLED, B);
	told = said(&bench, 0, B);
	cr_expect_eq(told.stage, SESSION_GO);
	cr_expect_str_eq(endpoint_format(&told.peer_public, text), A);
	leave(&bench, "demo", 2, B);
	cr_expect_eq(rendezvous_sessions(bench.server), 0);
	rendezvous_free(bench.server);
}

Test(refusal, a_third_peer_is_told_so)
{
	struct bench bench;

	make_bench(&bench, 8);
	join(&bench, "demo", 1, JOIN_JOINED, A);
	join(&bench, "demo", 2, JOIN_JOINED, B);
	join(&bench, "demo", 3, JOIN_JOINED, C);
	cr_expect_eq(refusal(&bench), 403);
	join(&bench, "other", 3, JOIN_JOINED, C);
	cr_expect_eq(said(&bench, 0, C).stage, SESSION_WAITING, "another name is free");
	rendezvous_free(bench.server);
}

Test(refusal, a_full_table_keeps_those_it_has)
{
	struct bench bench;
	char name[8];
	unsigned int i;

	make_bench(&bench, 4);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		join(&bench, name, 1, JOIN_JOINED, A);
		cr_expect_eq(said(&bench, 0, A).stage, SESSION_WAITING);
	}
	join(&bench, "s4", 1, JOIN_JOINED, A);
	cr_expect_eq(refusal(&bench), 508);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		join(&bench, name, 2, JOIN_JOINED, B);
		cr_expect_eq(said(&bench, 0, B).stage, SESSION_PAIRED);
	}
	rendezvous_free(bench.server);
}

/* A flood of names from forged sources fills the table; it must not be closed for the idle time. */
Test(refusal, a_full_table_gives_up_who_has_gone_silent_and_nobody_else)
{
	struct bench bench;

	make_bench(&bench, 2);
	join(&bench, "flood", 1, JOIN_JOINED, A);
	bench.now += 3 * SEC;
	join(&bench, "alive", 1, JOIN_JOINED, A);
	join(&bench, "new", 2, JOIN_JOINED, B);
	cr_expect_eq(refusal(&bench), 508, "one who spoke 3 s ago may yet come back");
	bench.now += 2 * SEC;
	join(&bench, "new", 2, JOIN_JOINED, B);
	cr_expect_eq(said(&bench, 0, B).stage, SESSION_WAITING);
	join(&bench, "alive", 2, JOIN_JOINED, B);
	cr_expect_eq(said(&bench, 0, B).stage, SESSION_PAIRED, "it was not the one to go");
	join(&bench, "flood", 1, JOIN_JOINED, A);
	cr_expect_eq(refusal(&bench), 508);
	cr_expect_eq(rendezvous_sessions(bench.server), 2);
	rendezvous_free(bench.server);
}

Test(refusal, a_table_that_cannot_be_indexed_is_not_made)
{
	static const size_t sizes[] = {0, UINT32_MAX, SIZE_MAX};
	struct rendezvous *server = NULL;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct rendezvous_config config = {.sessions = sizes[i], .idle = SEC};

		cr_expect_eq(rendezvous_new(&config, &server), -EINVAL);
		cr_expect_null(server);
	}
	rendezvous_free(NULL);
}

#ifndef __has_feature
#define __has_feature(name) 0
#endif
/* AddressSanitizer's allocator ends the program where the real one returns NULL. */
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
Test(refusal, a_table_larger_than_memory_is_not_made)
{
	struct rendezvous_config config = {.sessions = UINT32_MAX - 1, .idle = SEC};
	struct rendezvous *server = NULL;

	cr_expect_eq(rendezvous_new(&config, &server), -ENOMEM);
	cr_expect_null(server);
}
#endif

Test(forgetting, idle_sessions_go_and_spoken_ones_stay)
{
	struct bench bench;
	uint64_t start;

	make_bench(&bench, 4);
	start = bench.now;
	join(&bench, "old", 1, JOIN_JOINED, A);
	bench.now = start + 20 * SEC;
	join(&bench, "new", 1, JOIN_JOINED, A);
	cr_expect_eq(rendezvous_expire(bench.server, start + 29 * SEC), start + 30 * SEC);
	cr_expect_eq(rendezvous_sessions(bench.server), 2);
	cr_expect_eq(rendezvous_expire(bench.server, start + 30 * SEC), start + 50 * SEC);
	cr_expect_eq(rendezvous_sessions(bench.server), 1);
	cr_expect_eq(rendezvous_expire(bench.server, start + 50 * SEC), UINT64_MAX);
	cr_expect_eq(rendezvous_sessions(bench.server), 0);
	rendezvous_free(bench.server);
}

Test(forgetting, one_who_died_waiting_is_not_paired_with_its_successor)
{
	struct bench bench;

	make_bench(&bench, 4);
	join(&bench, "demo", 1, JOIN_JOINED, A);
	bench.now += 6 * SEC; /* a living one would have joined again every second */
	join(&bench, "demo", 2, JOIN_JOINED, B);
	cr_expect_eq(said(&bench, 0, B).stage, SESSION_WAITING);
	cr_expect_eq(bench.count, 1);
	rendezvous_free(bench.server);
}

Test(forgetting, a_name_is_free_again_when_its_pair_has_gone_its_way)
{
	struct bench bench;

	make_bench(&bench, 4);
	join(&bench, "demo", 1, JOIN_JOINED, A);
	join(&bench, "demo", 2, JOIN_JOINED, B);
	bench.now += 4 * SEC;
	join(&bench, "demo", 3, JOIN_JOINED, C);
	cr_expect_eq(refusal(&bench), 403);
	bench.now += 2 * SEC;
	join(&bench, "demo", 3, JOIN_JOINED, C);
	cr_expect_eq(said(&bench, 0, C).stage, SESSION_WAITING);
	rendezvous_free(bench.server);
}

/* Names come and go in every order; the table must end up empty and its chains whole. */
Test(forgetting, thousands_of_sessions_come_and_go)
{
	struct bench bench;
	char name[16];
	unsigned int i;

	make_bench(&bench, 1000);
	for (i = 0; i < 20000; i++) {
		unsigned int who = (unsigned int)(fake_random(&bench.net) % 1500);

		bench.now += 10 * MSEC;
		snprintf(name, sizeof(name), "session-%u", who);
		if (fake_random(&bench.net) % 3 == 0)
			leave(&bench, name, 1, A);
		else
			join(&bench, name, 1, JOIN_JOINED, A);
		cr_assert_leq(rendezvous_sessions(bench.server), 1000);
	}
	cr_expect_gt(rendezvous_sessions(bench.server), 500);
	bench.now += 31 * SEC;
	cr_expect_eq(rendezvous_expire(bench.server, bench.now), UINT64_MAX);
	cr_expect_eq(rendezvous_sessions(bench.server), 0);
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "again-%u", i);
		join(&bench, name, 1, JOIN_JOINED, A);
		cr_assert_eq(said(&bench, 0, A).stage, SESSION_WAITING);
	}
	rendezvous_free(bench.server);
}

Test(hostile, short_joins_responses_and_junk_get_no_answer)
{
	struct join whole = join_of("demo", 1, JOIN_JOINED);
	struct stun_builder builder;
	uint8_t bytes[JOIN_SIZE];
	struct bench bench;
	size_t length;

	make_bench(&bench, 4);
	/* All that a Join needs, but not padded: answering it would amplify. */
	stun_begin(&builder, bytes, sizeof(bytes), STUN_REQUEST, METHOD_JOIN, some_id);
	stun_put(&builder, ATTRIBUTE_SESSION, "demo", 4);
	stun_put(&builder, ATTRIBUTE_PEER, whole.peer, sizeof(whole.peer));
	stun_put_u32(&builder, ATTRIBUTE_STAGE, JOIN_JOINED);
	stun_put_fingerprint(&builder);
	send_from(&bench, A, bytes, stun_end(&builder));
	cr_expect_eq(bench.count, 0);
	length = join_write(&whole, some_id, bytes, sizeof(bytes));
	bytes[0] |= 0x01; /* a success response */
	send_from(&bench, A, bytes, length);
	cr_expect_eq(bench.count, 0);
	bytes[0] &= 0xfe;
	bytes[100] ^= 1; /* the fingerprint no longer fits */
	send_from(&bench, A, bytes, length);
	cr_expect_eq(bench.count, 0);
	send_from(&bench, A, "junk", 4);
	cr_expect_eq(bench.count, 0);
	cr_expect_eq(rendezvous_sessions(bench.server), 0);
	rendezvous_free(bench.server);
}

/* A Join of @peer's, in every form it may have, or a Leave or Relay; returns its length. */
static size_t something(struct bench *bench, uint8_t *bytes)
{
	static const char *const names[] = {
		"a", "b", "0123456789012345678901234567890123456789012345678901234567890123"};
	static const uint8_t payload[1024];
	uint64_t dice = fake_random(&bench->net);
	struct join join = join_of(names[dice % 3], dice >> 8 & 3,
				   dice & 0x10000 ? JOIN_DIALLED : JOIN_JOINED);
	size_t i;

	join.private_count = dice >> 20 & 3;
	for (i = 0; i < join.private_count; i++)
		cr_assert(endpoint_parse("[2001:db8::1]:65535", &join.privates[i]));
	join.offer_length = dice >> 24 & 127;
	switch (dice >> 32 & 7) {
	case 0:
		return leave_write(&join, some_id, bytes, RELAY_MAX);
	case 1:
		return relay_write(&join, some_id, payload, dice >> 40 & 1023, bytes, RELAY_MAX);
	}
	return join_write(&join, some_id, bytes, RELAY_MAX);
}

/* Whoever says whatever: what it makes the server send is less than what it took. */
Test(hostile, nothing_makes_it_say_more_than_was_said)
{
	static const char *const from[] = {A, B, C, "[2001:db8::7]:1"};
	uint8_t bytes[RELAY_MAX];
	unsigned int i, answered = 0, pushed = 0;
	struct bench bench;

	make_bench(&bench, 2);
	for (i = 0; i < 20000; i++) {
		size_t length = something(&bench, bytes), total = 0, k;

		send_from(&bench, from[fake_random(&bench.net) % 4], bytes, length);
		for (k = 0; k < bench.count; k++)
			total += bench.out[k].length;
		cr_assert(total == 0 || total < length, "%zu for %zu", total, length);
		answered += bench.count == 1;
		pushed += bench.count == 2;
		bench.now += fake_random(&bench.net) % SEC;
	}
	cr_expect_gt(answered, 1000, "the test asks for nothing: %u", answered);
	cr_expect_gt(pushed, 100, "no session moves on: %u", pushed);
	rendezvous_free(bench.server);
}

Test(hostile, a_join_lacking_anything_is_not_read)
{
	static const uint16_t types[] = {ATTRIBUTE_SESSION, ATTRIBUTE_PEER, ATTRIBUTE_STAGE};
	static const uint8_t values[SESSION_NAME_MAX + 1] = {0, 0, 0, 1};
	static const size_t good[] = {4, PEER_ID_SIZE, 4};
	static const size_t bad[][2] = {{0, SESSION_NAME_MAX + 1}, {7, 9}, {3, 5}};
	size_t which, variant, i;

	for (which = 0; which < 3; which++) {
		for (variant = 0; variant < 3; variant++) { /* missing, too short, too long */
			struct stun_builder builder;
			struct stun_message message;
			struct join read;
			uint8_t bytes[256];

			stun_begin(&builder, bytes, sizeof(bytes), STUN_REQUEST, METHOD_JOIN,
				   some_id);
			for (i = 0; i < 3; i++) {
				if (i != which)
					stun_put(&builder, types[i], values, good[i]);
				else if (variant > 0)
					stun_put(&builder, types[i], values, bad[i][variant - 1]);
			}
			cr_assert(stun_parse(bytes, stun_end(&builder), &message));
			cr_expect_not(join_read(&message, &read), "%zu %zu", which, variant);
		}
	}
}

Test(sizes, the_largest_introduction_fits_into_its_third_of_a_join)
{
	struct introduction large = {
		.stage = SESSION_GO,
		.role = ROLE_CONTROLLED,
		.private_count = PRIVATE_MAX,
		.offer_length = OFFER_MAX,
	};
	uint8_t bytes[INTRODUCTION_MAX];
	struct join longest = join_of(
		"0123456789012345678901234567890123456789012345678901234567890123", 1, JOIN_JOINED);
	uint8_t joined[JOIN_SIZE];
	size_t i;

	cr_assert(endpoint_parse("[2001:db8::1]:65535", &large.mapped));
	large.peer_public = large.mapped;
	longest.private_count = PRIVATE_MAX;
	longest.offer_length = OFFER_MAX;
	for (i = 0; i < PRIVATE_MAX; i++)
		large.privates[i] = longest.privates[i] = large.mapped;
	cr_expect_gt(introduction_write(&large, STUN_SUCCESS, some_id, bytes, sizeof(bytes)), 0);
	cr_expect_eq(join_write(&longest, some_id, joined, sizeof(joined)), JOIN_SIZE);
}

/* As peer 1, from A. */
static void offer(struct bench *bench, const char *words)
{
	struct join join = join_of("demo", 1, JOIN_JOINED);
	uint8_t bytes[JOIN_SIZE];

	join.offer_length = strlen(words);
	memcpy(join.offer, words, join.offer_length);
	send_from(bench, A, bytes, join_write(&join, some_id, bytes, sizeof(bytes)));
}

Test(offer, reaches_the_other_peer_and_the_newest_counts)
{
	struct introduction told;
	struct bench bench;

	make_bench(&bench, 4);
	offer(&bench, "old");
	offer(&bench, "newer");
	join(&bench, "demo", 2, JOIN_JOINED, B);
	told = said(&bench, 0, B);
	cr_assert_eq(told.offer_length, 5);
	cr_expect_eq(memcmp(told.offer, "newer", 5), 0);
	cr_expect_eq(said(&bench, 1, A).offer_length, 0, "nobody gets his own");
	rendezvous_free(bench.server);
}

Test(offer, items_are_found_whatever_stands_around_them)
{
	struct offer offer = {0};
	struct endpoint v4, v6, found;
	const uint8_t *value;
	size_t length;

	cr_assert(endpoint_parse("1.2.3.4:5678", &v4) && endpoint_parse("[2001:db8::1]:9", &v6));
	offer_put(&offer, 200, "from the future", 15);
	offer_put_endpoint(&offer, OFFER_RELAYED, &v4);
	offer_put_endpoint(&offer, OFFER_MAPPED, &v6);
	offer_put(&offer, OFFER_PATTERN, "", 0);
	cr_expect_not(offer.failed);
	cr_assert(offer_find_endpoint(offer.bytes, offer.length, OFFER_RELAYED, &found));
	cr_expect(endpoint_equal(&found, &v4));
	cr_assert(offer_find_endpoint(offer.bytes, offer.length, OFFER_MAPPED, &found));
	cr_expect(endpoint_equal(&found, &v6));
	cr_assert(offer_find(offer.bytes, offer.length, OFFER_PATTERN, &value, &length));
	cr_expect_eq(length, 0);
	cr_expect_not(offer_find(offer.bytes, offer.length, OFFER_NAT, &value, &length));
	/* Cut anywhere, it has fewer items and no false ones. */
	for (length = 0; length < offer.length; length++)
		cr_expect(!offer_find_endpoint(offer.bytes, length, OFFER_MAPPED, &found) ||
			  endpoint_equal(&found, &v6));
	while (!offer.failed)
		offer_put_endpoint(&offer, OFFER_MAPPED, &v6);
	cr_expect_leq(offer.length, OFFER_MAX);
}
