/* SPDX-License-Identifier: MIT */
/* The TURN client against a server that forgets, refuses and lies. */
#include <criterion/criterion.h>
#include <string.h>

#include "agents/turn/client.h"
#include "support/fakenet.h"
#include "support/faketurn.h"

struct bench {
	struct fakenet net; /* for its random source only */
	struct fake_turn server;
	struct turn turn;
	uint64_t now;
	unsigned int loss; /* per thousand, each datagram of either side */
	bool silent;       /* the server is */
	unsigned int sent; /* datagrams of the client's */
};

#define PEER "5.6.7.8:8888"

static struct bench make_bench(void)
{
	return (struct bench){
		.net.seed = 4711,
		.now = 1000 * SEC,
		.server = {.lifetime = 600,
			   .permission_life = 300 * SEC,
			   .channel_life = 600 * SEC},
	};
}

static struct turn_config config_of(struct bench *bench)
{
	return (struct turn_config){
		.server = fake_turn_endpoint("9.9.9.9:3478"),
		.user = "ann",
		.password = "secret",
		.permission_life = bench->server.permission_life,
		.channel_life = bench->server.channel_life,
		.random = fake_random_source(&bench->net),
	};
}

static bool is_lost(struct bench *bench)
{
	return bench->silent || fake_random(&bench->net) % 1000 < bench->loss;
}

/* Let both speak until the client has nothing to say at this moment. */
static void speak(struct bench *bench)
{
	uint8_t request[TURN_MESSAGE_MAX], answer[2048];
	struct turn_payload payload;
	unsigned int turns = 0;
	size_t length;

	while ((length = turn_send(&bench->turn, bench->now, request)) > 0) {
		cr_assert_lt(turns++, 100, "it talks without end");
		bench->sent++;
		if (is_lost(bench))
			continue;
		length = fake_turn_answer(&bench->server, request, length, bench->now, answer);
		if (length > 0 && !is_lost(bench))
			cr_expect_not(turn_receive(&bench->turn, &bench->turn.config.server, answer,
						   length, bench->now, &payload));
	}
}

static void pass(struct bench *bench, uint64_t time)
{
	uint64_t end = bench->now + time, due;

	speak(bench);
	while ((due = turn_due(&bench->turn)) <= end) {
		cr_assert_gt(due, bench->now, "it wants to act in the past");
		bench->now = due;
		speak(bench);
	}
	bench->now = end;
}

static void start(struct bench *bench)
{
	struct turn_config config = config_of(bench);

	turn_start(&bench->turn, &config, bench->now);
	speak(bench);
}

static void start_ready(struct bench *bench)
{
	start(bench);
	cr_assert_eq(bench->turn.phase, TURN_READY, "%s", bench->turn.reason);
}

static void admit(struct bench *bench, bool channel)
{
	struct endpoint peer = fake_turn_endpoint(PEER);

	cr_assert(turn_admit(&bench->turn, &peer, channel, bench->now));
	speak(bench);
}

Test(allocating, a_challenge_is_answered_and_the_endpoints_are_learned)
{
	struct bench bench = make_bench();
	char text[ENDPOINT_TEXT_MAX];

	start_ready(&bench);
	cr_expect_eq(bench.server.asked[TURN_ALLOCATE], 2, "once without and once with the seal");
	cr_expect_str_eq(endpoint_format(&bench.turn.relayed, text), "8.8.8.8:50000");
	cr_expect_str_eq(endpoint_format(&bench.turn.mapped, text), "1.2.3.4:7777");
}

Test(allocating, a_server_of_rfc8489_gets_a_hashed_user_and_the_stronger_seal)
{
	struct bench bench = make_bench();

	bench.server.modern = true;
	start_ready(&bench);
	admit(&bench, false);
	cr_expect_eq(turn_admission(&bench.turn, &bench.turn.peers.list[0].endpoint),
		     ADMISSION_GRANTED);
}

Test(allocating, a_server_that_wants_no_password_is_asked_once)
{
	struct bench bench = make_bench();

	bench.server.open = true;
	start_ready(&bench);
	cr_expect_eq(bench.server.asked[TURN_ALLOCATE], 1);
}

Test(allocating, a_wrong_password_is_not_tried_again)
{
	struct bench bench = make_bench();
	struct turn_config config = config_of(&bench);

	config.password = "Secret";
	turn_start(&bench.turn, &config, bench.now);
	pass(&bench, 60 * SEC);
	cr_expect_eq(bench.turn.phase, TURN_FAILED);
	cr_expect(strstr(bench.turn.reason, "wrong user or password"), "%s", bench.turn.reason);
	cr_expect_eq(bench.server.asked[TURN_ALLOCATE], 2);
}

Test(allocating, without_a_password_a_challenge_is_the_end)
{
	struct bench bench = make_bench();
	struct turn_config config = config_of(&bench);

	config.user = config.password = NULL;
	turn_start(&bench.turn, &config, bench.now);
	speak(&bench);
	cr_expect_eq(bench.turn.phase, TURN_FAILED);
	cr_expect(strstr(bench.turn.reason, "wants a user"), "%s", bench.turn.reason);
}

Test(allocating, each_refusal_has_its_reason)
{
	static const struct {
		unsigned int code;
		const char *words;
	} refusals[] = {
		{403, "forbidden"},
		{437, "has an allocation for this very endpoint"},
		{441, "another user"},
		{442, "does not relay UDP"},
		{486, "as many allocations"},
		{508, "no room"},
		{500, "(500 No)"},
	};
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct bench bench = make_bench();

		bench.server.refused = TURN_ALLOCATE;
		bench.server.refusal = refusals[i].code;
		start(&bench);
		cr_expect_eq(bench.turn.phase, TURN_FAILED);
		cr_expect(strstr(bench.turn.reason, refusals[i].words), "%u: %s", refusals[i].code,
			  bench.turn.reason);
	}
}

Test(allocating, a_silent_server_is_asked_as_rfc8489_says_and_then_given_up)
{
	struct bench bench = make_bench();

	bench.silent = true;
	start(&bench);
	pass(&bench, 39 * SEC);
	cr_expect_eq(bench.turn.phase, TURN_ALLOCATING);
	cr_expect_eq(bench.sent, 7);
	pass(&bench, SEC);
	cr_expect_eq(bench.turn.phase, TURN_FAILED);
	cr_expect(strstr(bench.turn.reason, "did not answer"), "%s", bench.turn.reason);
}

Test(allocating, where_nobody_listens_it_is_not_waited_for)
{
	struct bench bench = make_bench();

	bench.silent = true;
	start(&bench);
	turn_refused(&bench.turn);
	cr_expect_eq(bench.turn.phase, TURN_ALLOCATING, "it may just be starting");
	turn_refused(&bench.turn);
	cr_expect_eq(bench.turn.phase, TURN_FAILED);
	cr_expect(strstr(bench.turn.reason, "nobody listens"), "%s", bench.turn.reason);
}

Test(nonces, a_stale_one_costs_one_request_more)
{
	struct bench bench = make_bench();

	bench.server.uses = 1;
	start_ready(&bench);
	admit(&bench, false);
	cr_expect_eq(turn_admission(&bench.turn, &bench.turn.peers.list[0].endpoint),
		     ADMISSION_GRANTED);
	cr_expect_eq(bench.server.asked[TURN_CREATE_PERMISSION], 2);
}

Test(nonces, a_server_whose_nonces_are_never_good_is_given_up)
{
	struct bench bench = make_bench();

	bench.server.always_stale = true;
	start(&bench);
	cr_expect_eq(bench.turn.phase, TURN_FAILED);
	cr_expect(strstr(bench.turn.reason, "no nonce stays fresh"), "%s", bench.turn.reason);
	cr_expect_lt(bench.sent, 6);
}

/* What is said each second for @seconds gets through. */
static void expect_lasting(struct bench *bench, unsigned int seconds, const char *what)
{
	struct endpoint peer = fake_turn_endpoint(PEER);
	unsigned int i;

	for (i = 0; i < seconds; i++) {
		cr_assert(bench->server.allocated && bench->now < bench->server.expires,
			  "%s: the allocation is forgotten after %u s", what, i);
		cr_assert(fake_turn_permits(&bench->server, &peer.addr, bench->now),
			  "%s: the permission is forgotten after %u s", what, i);
		cr_assert(bench->server.channel_count == 0 ||
				  bench->now < bench->server.channels[0].until,
			  "%s: the channel is forgotten after %u s", what, i);
		pass(bench, SEC);
	}
}

Test(renewing, allocation_permission_and_channel_outlive_two_hours_of_a_lossy_net)
{
	unsigned int with;

	for (with = 0; with < 8; with++) {
		struct bench bench = make_bench();

		bench.server.modern = with & 2;
		bench.server.uses = with & 4 ? 2 : 0;
		start_ready(&bench);
		admit(&bench, with & 1);
		bench.loss = 300;
		expect_lasting(&bench, 7200, with & 1 ? "with a channel" : "without");
		/* Neither does it ask all the time: in two hours some 13, 30 or 30 renewals. */
		cr_expect_lt(bench.sent, 400, "%u", bench.sent);
	}
}

Test(renewing, short_lives_are_renewed_as_well)
{
	unsigned int with;

	for (with = 0; with < 2; with++) {
		struct bench bench = make_bench();

		bench.server.lifetime = 4;
		bench.server.permission_life = bench.server.channel_life = 2 * SEC;
		start_ready(&bench);
		admit(&bench, with);
		expect_lasting(&bench, 60, "short");
		cr_expect_gt(bench.turn.refreshes, 50);
	}
}

Test(renewing, an_allocation_that_the_server_forgot_is_noticed)
{
	struct bench bench = make_bench();

	start_ready(&bench);
	bench.server.allocated = false;
	pass(&bench, 600 * SEC);
	cr_expect_eq(bench.turn.phase, TURN_FAILED);
	cr_expect(strstr(bench.turn.reason, "forgotten"), "%s", bench.turn.reason);
}

Test(renewing, a_server_that_says_zero_does_not_make_us_ask_all_the_time)
{
	struct bench bench = make_bench();

	bench.server.lifetime = 0;
	start_ready(&bench);
	bench.server.lifetime = 0;
	bench.sent = 0;
	pass(&bench, SEC);
	cr_expect_lt(bench.sent, 4);
}

Test(peers, nothing_can_be_sent_to_one_who_is_not_admitted)
{
	struct bench bench = make_bench();
	struct endpoint peer = fake_turn_endpoint(PEER);
	uint8_t bytes[64];

	start_ready(&bench);
	cr_expect_eq(turn_write(&bench.turn, &peer, "x", 1, bytes, sizeof(bytes)), 0);
	cr_expect_eq(turn_admission(&bench.turn, &peer), ADMISSION_REFUSED);
	bench.server.refused = TURN_CREATE_PERMISSION;
	bench.server.refusal = 403;
	admit(&bench, false);
	cr_expect_eq(turn_admission(&bench.turn, &peer), ADMISSION_REFUSED);
	cr_expect(strstr(bench.turn.reason, "does not admit the peer: it is forbidden"), "%s",
		  bench.turn.reason);
	cr_expect_eq(turn_write(&bench.turn, &peer, "x", 1, bytes, sizeof(bytes)), 0);
	cr_expect_eq(bench.turn.phase, TURN_READY, "the allocation is as good as before");
}

Test(peers, a_permission_is_for_an_address_a_channel_for_an_endpoint)
{
	struct bench bench = make_bench();
	struct endpoint peer = fake_turn_endpoint(PEER),
			neighbour = fake_turn_endpoint("5.6.7.8:1");
	struct turn_payload payload;
	struct stun_message message;
	uint8_t bytes[128];
	size_t length;

	start_ready(&bench);
	admit(&bench, true);
	length = turn_write(&bench.turn, &peer, "hello", 5, bytes, sizeof(bytes));
	cr_expect_eq(length, 9);
	cr_assert(turn_channel_read(bytes, length, &payload));
	cr_expect_eq(payload.channel, bench.server.channels[0].number);
	cr_expect_eq(memcmp(payload.bytes, "hello", 5), 0);
	length = turn_write(&bench.turn, &neighbour, "hello", 5, bytes, sizeof(bytes));
	cr_assert(stun_parse(bytes, length, &message));
	cr_assert(turn_indication_read(&message, TURN_SEND, &payload));
	cr_expect(endpoint_equal(&payload.peer, &neighbour));
	cr_expect_leq(length, 5 + TURN_SEND_OVERHEAD);
}

Test(peers, one_admitted_without_a_channel_gets_one_later)
{
	struct bench bench = make_bench();
	struct endpoint peer = fake_turn_endpoint(PEER);
	struct turn_payload payload;
	uint8_t bytes[128];
	size_t length;

	start_ready(&bench);
	admit(&bench, false);
	cr_assert(turn_admit(&bench.turn, &peer, true, bench.now));
	length = turn_write(&bench.turn, &peer, "x", 1, bytes, sizeof(bytes));
	cr_expect_gt(length, 0, "until it is bound, indications do");
	cr_expect_not(turn_channel_read(bytes, length, &payload));
	speak(&bench);
	length = turn_write(&bench.turn, &peer, "x", 1, bytes, sizeof(bytes));
	cr_expect(turn_channel_read(bytes, length, &payload));
	cr_expect_eq(bench.turn.peers.count, 1);
}

Test(peers, there_is_room_for_so_many_and_no_more)
{
	struct bench bench = make_bench();
	struct endpoint peer = fake_turn_endpoint(PEER);
	unsigned int i;

	start_ready(&bench);
	for (i = 0; i < TURN_PEERS_MAX; i++, peer.port++)
		cr_expect(turn_admit(&bench.turn, &peer, false, bench.now));
	cr_expect_not(turn_admit(&bench.turn, &peer, false, bench.now));
}

static bool receive(struct bench *bench, const char *from, const void *bytes, size_t length,
		    struct turn_payload *ret)
{
	struct endpoint source = fake_turn_endpoint(from);

	return turn_receive(&bench->turn, &source, bytes, length, bench->now, ret);
}

Test(payload, comes_out_of_indications_and_channels_with_the_peers_name)
{
	static const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 9};
	struct bench bench = make_bench();
	struct endpoint peer = fake_turn_endpoint(PEER);
	struct turn_payload payload;
	uint8_t bytes[128];
	size_t length;

	start_ready(&bench);
	admit(&bench, true);
	length = turn_indication_write(TURN_DATA, id, &peer, "hello", 5, bytes, sizeof(bytes));
	cr_assert(receive(&bench, "9.9.9.9:3478", bytes, length, &payload));
	cr_expect(endpoint_equal(&payload.peer, &peer));
	cr_expect_eq(payload.length, 5);
	length = turn_channel_write(0x4000, "hello", 5, bytes, sizeof(bytes));
	cr_assert(receive(&bench, "9.9.9.9:3478", bytes, length + 3, &payload), "padded");
	cr_expect(endpoint_equal(&payload.peer, &peer));
	cr_expect_eq(payload.length, 5);
	cr_expect_not(receive(&bench, "9.9.9.9:3478", bytes, length - 1, &payload), "cut short");
	cr_expect_not(receive(&bench, "9.9.9.9:3479", bytes, length, &payload), "a stranger's");
	length = turn_channel_write(0x4001, "hello", 5, bytes, sizeof(bytes));
	cr_expect_not(receive(&bench, "9.9.9.9:3478", bytes, length, &payload), "nobody's channel");
	length = turn_channel_write(0x4fff, "hello", 5, bytes, sizeof(bytes));
	cr_expect_not(receive(&bench, "9.9.9.9:3478", bytes, length, &payload), "far from ours");
}

Test(hostile, an_answer_without_the_seal_is_as_good_as_none)
{
	struct bench bench = make_bench();
	struct turn_payload payload;
	struct stun_builder builder;
	uint8_t bytes[512], request[TURN_MESSAGE_MAX];
	struct endpoint lie = fake_turn_endpoint("6.6.6.6:6666"), peer = fake_turn_endpoint(PEER);

	start_ready(&bench);
	cr_assert(turn_admit(&bench.turn, &peer, false, bench.now));
	cr_assert_gt(turn_send(&bench.turn, bench.now, request), 0);
	stun_begin(&builder, bytes, sizeof(bytes), STUN_SUCCESS, TURN_CREATE_PERMISSION,
		   bench.turn.peers.list[0].request.id);
	cr_expect_not(receive(&bench, "9.9.9.9:3478", bytes, stun_end(&builder), &payload));
	cr_expect_eq(turn_admission(&bench.turn, &peer), ADMISSION_ASKED);
	stun_begin(&builder, bytes, sizeof(bytes), STUN_ERROR, TURN_CREATE_PERMISSION,
		   bench.turn.peers.list[0].request.id);
	stun_put_error(&builder, 403, "Forbidden");
	stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, &lie);
	cr_expect_not(receive(&bench, "9.9.9.9:3478", bytes, stun_end(&builder), &payload));
	cr_expect_eq(turn_admission(&bench.turn, &peer), ADMISSION_ASKED);
}

Test(closing, the_allocation_is_given_back)
{
	struct bench bench = make_bench();

	start_ready(&bench);
	turn_close(&bench.turn, bench.now);
	cr_expect_not(turn_over(&bench.turn));
	speak(&bench);
	cr_expect(turn_over(&bench.turn));
	cr_expect_not(bench.server.allocated);
	cr_expect_eq(bench.server.last_lifetime, 0);
}

Test(closing, even_with_a_stale_nonce_and_even_when_the_server_forgot)
{
	struct bench bench = make_bench();

	bench.server.uses = 1;
	start_ready(&bench);
	turn_close(&bench.turn, bench.now);
	speak(&bench);
	cr_expect(turn_over(&bench.turn));
	cr_expect_not(bench.server.allocated);

	bench = make_bench();
	start_ready(&bench);
	bench.server.allocated = false;
	turn_close(&bench.turn, bench.now);
	speak(&bench);
	cr_expect_eq(bench.turn.phase, TURN_CLOSED);
}

Test(closing, a_silent_server_is_not_waited_for)
{
	struct bench bench = make_bench();
	uint64_t begin;

	start_ready(&bench);
	bench.silent = true;
	begin = bench.now;
	turn_close(&bench.turn, bench.now);
	while (!turn_over(&bench.turn)) {
		bench.now = turn_due(&bench.turn);
		speak(&bench);
	}
	cr_expect_lt(bench.now - begin, 500 * MSEC);
}

/* The Allocate that is sealed is sent; its answer, which is under way, is written to @ret. */
static size_t start_until_granted(struct bench *bench, uint8_t ret[2048])
{
	struct turn_config config = config_of(bench);
	struct turn_payload payload;
	uint8_t request[TURN_MESSAGE_MAX];
	size_t length;

	turn_start(&bench->turn, &config, bench->now);
	length = turn_send(&bench->turn, bench->now, request);
	length = fake_turn_answer(&bench->server, request, length, bench->now, ret);
	(void)receive(bench, "9.9.9.9:3478", ret, length, &payload);
	length = turn_send(&bench->turn, bench->now, request);
	length = fake_turn_answer(&bench->server, request, length, bench->now, ret);
	cr_assert(bench->server.allocated);
	return length;
}

Test(closing, an_allocation_that_is_under_way_is_given_back_when_it_comes)
{
	struct bench bench = make_bench();
	struct turn_payload payload;
	uint8_t answer[2048];
	size_t length = start_until_granted(&bench, answer);

	turn_close(&bench.turn, bench.now);
	cr_expect_not(turn_over(&bench.turn), "the server may have granted it");
	(void)receive(&bench, "9.9.9.9:3478", answer, length, &payload);
	speak(&bench);
	cr_expect(turn_over(&bench.turn));
	cr_expect_not(bench.server.allocated);
}

Test(closing, an_allocation_that_cannot_have_been_granted_is_not_waited_for)
{
	struct bench bench = make_bench();
	struct turn_config config = config_of(&bench);
	uint8_t request[TURN_MESSAGE_MAX];

	turn_start(&bench.turn, &config, bench.now);
	cr_assert_gt(turn_send(&bench.turn, bench.now, request), 0);
	turn_close(&bench.turn, bench.now);
	cr_expect(turn_over(&bench.turn), "it was not even challenged");
}

Test(closing, an_allocation_that_does_not_come_is_not_waited_for_long)
{
	struct bench bench = make_bench();
	uint8_t bytes[2048];

	(void)start_until_granted(&bench, bytes);
	turn_close(&bench.turn, bench.now);
	bench.now = turn_due(&bench.turn);
	cr_expect_leq(bench.now, 1001 * SEC);
	cr_expect_eq(turn_send(&bench.turn, bench.now, bytes), 0);
	cr_expect(turn_over(&bench.turn));
}
