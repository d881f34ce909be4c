/* SPDX-License-Identifier: MIT */
/* What the rendezvous relays, for whom, and how much of it. */
#include <criterion/criterion.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/rendezvous/server.h"
#include "agents/stun/integrity.h"
#include "support/fakenet.h"

#define A "1.2.3.4:7777"
#define B "5.6.7.8:8888"

struct bench {
	struct fakenet net; /* for its random source only */
	struct rendezvous *server;
	uint64_t now;
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	size_t count;
};

static const uint8_t some_id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 1, 2,  3,  4,
					      5,    6,    7,    8,    9, 10, 11, 12};

static struct join join_of(uint8_t peer)
{
	struct join join = {.session = "demo", .session_length = 4, .stage = JOIN_JOINED};

	memset(join.peer, peer, sizeof(join.peer));
	return join;
}

static void send_from(struct bench *bench, const char *from, const void *bytes, size_t length)
{
	struct endpoint source;

	cr_assert(endpoint_parse(from, &source));
	bench->count =
		rendezvous_receive(bench->server, &source, bytes, length, bench->now, bench->out);
}

static void join(struct bench *bench, uint8_t peer, const char *from)
{
	struct join said = join_of(peer);
	uint8_t bytes[JOIN_SIZE];

	send_from(bench, from, bytes, join_write(&said, some_id, bytes, sizeof(bytes)));
}

/* 1 at A and 2 at B have met. */
static void make_pair(struct bench *bench, uint64_t rate)
{
	struct rendezvous_config config = {.sessions = 8, .idle = 30 * SEC, .relay_rate = rate};

	*bench = (struct bench){.net.seed = 42, .now = 1000 * SEC};
	config.random = fake_random_source(&bench->net);
	cr_assert_eq(rendezvous_new(&config, &bench->server), 0);
	join(bench, 1, A);
	join(bench, 2, B);
}

/* Have @peer, who is at @from, say @length bytes; returns how long the Relay was. */
static size_t say(struct bench *bench, uint8_t peer, const char *from, const void *payload,
		  size_t length)
{
	struct join who = join_of(peer);
	uint8_t bytes[RELAY_MAX];
	size_t size = relay_write(&who, some_id, payload, length, bytes, sizeof(bytes));

	cr_assert_gt(size, 0);
	send_from(bench, from, bytes, size);
	return size;
}

static void expect_arrives(const struct bench *bench, const char *to, const char *words)
{
	struct stun_message message;
	char text[ENDPOINT_TEXT_MAX];
	const uint8_t *payload;
	size_t length;

	cr_assert_eq(bench->count, 1, "one datagram for one");
	cr_expect_str_eq(endpoint_format(&bench->out[0].to, text), to);
	cr_assert(stun_parse(bench->out[0].bytes, bench->out[0].length, &message));
	cr_assert(relayed_read(&message, &payload, &length));
	cr_expect_eq(stun_check_fingerprint(&message), STUN_FINGERPRINT_RIGHT);
	cr_expect_eq(length, strlen(words));
	cr_expect_eq(memcmp(payload, words, length), 0);
}

Test(relay, what_one_says_arrives_at_the_other_and_takes_less_room)
{
	struct bench bench;

	make_pair(&bench, 65536);
	cr_expect_gt(say(&bench, 1, A, "hello", 5), bench.out[0].length, "it amplifies");
	expect_arrives(&bench, B, "hello");
	(void)say(&bench, 2, B, "", 0);
	expect_arrives(&bench, A, "");
	rendezvous_free(bench.server);
}

Test(relay, the_largest_payload_passes_and_a_larger_one_cannot_be_written)
{
	static uint8_t payload[RELAY_PAYLOAD_MAX + 1];
	struct join who = join_of(1);
	uint8_t bytes[2048];
	struct bench bench;

	make_pair(&bench, 65536);
	(void)say(&bench, 1, A, payload, RELAY_PAYLOAD_MAX);
	cr_expect_eq(bench.count, 1);
	cr_expect_eq(bench.out[0].length, RELAYED_MAX);
	cr_expect_eq(relay_write(&who, some_id, payload, sizeof(payload), bytes, sizeof(bytes)), 0);
	rendezvous_free(bench.server);
}

Test(relay, nobody_else_can_send_through_it)
{
	struct bench bench;

	make_pair(&bench, 65536);
	(void)say(&bench, 1, "6.6.6.6:7777", "x", 1);
	cr_expect_eq(bench.count, 0, "the member's id from another endpoint");
	(void)say(&bench, 1, "1.2.3.4:7778", "x", 1);
	cr_expect_eq(bench.count, 0, "the member's id from another port");
	(void)say(&bench, 3, A, "x", 1);
	cr_expect_eq(bench.count, 0, "another id from the member's endpoint");
	rendezvous_free(bench.server);
}

Test(relay, a_member_that_moved_and_joined_again_is_followed)
{
	struct bench bench;

	make_pair(&bench, 65536);
	join(&bench, 1, "1.2.3.4:1111");
	(void)say(&bench, 2, B, "hello", 5);
	expect_arrives(&bench, "1.2.3.4:1111", "hello");
	rendezvous_free(bench.server);
}

Test(relay, to_one_who_has_left_or_is_not_there_yet_nothing_is_sent)
{
	struct rendezvous_config config = {.sessions = 8, .idle = 30 * SEC, .relay_rate = 65536};
	struct bench bench = {.net.seed = 1, .now = SEC};
	struct join who = join_of(2);
	uint8_t bytes[JOIN_SIZE];

	config.random = fake_random_source(&bench.net);
	cr_assert_eq(rendezvous_new(&config, &bench.server), 0);
	join(&bench, 1, A);
	(void)say(&bench, 1, A, "x", 1);
	cr_expect_eq(bench.count, 0, "the other is not there yet");
	join(&bench, 2, B);
	send_from(&bench, B, bytes, leave_write(&who, some_id, bytes, sizeof(bytes)));
	(void)say(&bench, 1, A, "x", 1);
	cr_expect_eq(bench.count, 0, "the other has left");
	rendezvous_free(bench.server);
}

Test(relay, a_session_in_use_is_not_idle)
{
	struct bench bench;
	unsigned int i;

	make_pair(&bench, 65536);
	for (i = 0; i < 10; i++) {
		bench.now += 20 * SEC;
		(void)say(&bench, 1, A, "x", 1);
		cr_expect_eq(bench.count, 1, "after %u s", 20 * i);
	}
	bench.now += 31 * SEC;
	(void)say(&bench, 1, A, "x", 1);
	cr_expect_eq(bench.count, 0, "and then it is");
	rendezvous_free(bench.server);
}

Test(relay, a_pause_does_not_give_the_name_to_a_stranger)
{
	struct bench bench;

	make_pair(&bench, 65536);
	(void)say(&bench, 1, A, "x", 1);
	bench.now += 20 * SEC;
	join(&bench, 3, "6.6.6.6:6666");
	(void)say(&bench, 2, B, "hello", 5);
	expect_arrives(&bench, A, "hello");
	rendezvous_free(bench.server);
}

/* How many of @count Relays with 100 bytes pass that are sent at intervals of @interval. */
static size_t passing(struct bench *bench, size_t count, uint64_t interval)
{
	uint8_t payload[100] = {0};
	size_t passed = 0;

	while (count-- > 0) {
		(void)say(bench, 1, A, payload, sizeof(payload));
		passed += bench->count;
		bench->now += interval;
	}
	return passed;
}

Test(relay, a_session_gets_its_rate_and_bursts_of_a_second)
{
	struct bench bench;
	size_t burst;

	make_pair(&bench, 10000);
	burst = passing(&bench, 1000, 0);
	cr_expect_gt(burst, 10000 / 160, "a second's worth at once: %zu", burst);
	cr_expect_lt(burst, 10000 / 132, "and no more: %zu", burst);
	bench.now += 20 * SEC;
	cr_expect_eq(passing(&bench, 1000, 0), burst, "what was not used does not add up");
	/* Two seconds of one every 10 microseconds: the rate counts, however small the steps. */
	burst = passing(&bench, 200000, 10 * USEC);
	cr_expect_gt(burst, 19 * 1000 / 160, "%zu", burst);
	cr_expect_lt(burst, 21 * 1000 / 132, "%zu", burst);
	rendezvous_free(bench.server);
}

Test(relay, with_a_rate_of_nothing_nothing_is_relayed)
{
	struct bench bench;

	make_pair(&bench, 0);
	(void)say(&bench, 1, A, "x", 1);
	cr_expect_eq(bench.count, 0);
	rendezvous_free(bench.server);
}
