/* SPDX-License-Identifier: MIT */
/* Two chats over a path on the simulated network, from the first check to the goodbyes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agents/chat/chat.h"
#include "support/fakenet.h"

enum { ANN, BOB, PEERS };
enum { HEARD_MAX = 1 << 17 };

struct side {
	struct path path;
	struct chat chat;
	struct chat_config config;
	struct endpoint at;
	const char *input;    /* what is still to be typed */
	bool open;            /* the end of input never comes */
	uint64_t leaves;      /* when it is interrupted; 0: never */
	uint64_t dies, ended; /* when it vanishes, 0: never; when it was over */
	bool parted;
	char heard[HEARD_MAX];
	size_t length;
	char name[HARMLESS_SIZE(CHAT_NAME_MAX)];
	unsigned int left;
};

struct world {
	struct fakenet net;
	struct side sides[PEERS];
	uint64_t broken_from, broken_until; /* nothing arrives */
	uint32_t until_round;               /* play until ann looks for bob; 0: to the end */
};

static const uint64_t beginning = 1000 * SEC;

static void on_news(void *context, enum chat_news news, const char *text)
{
	struct side *side = context;

	switch (news) {
	case CHAT_NAMED:
		snprintf(side->name, sizeof(side->name), "%s", text);
		break;
	case CHAT_LINE:
		side->length += (size_t)snprintf(side->heard + side->length,
						 HEARD_MAX - side->length, "%s\n", text);
		cr_assert_lt(side->length, HEARD_MAX);
		break;
	case CHAT_LEFT:
		side->left++;
		break;
	}
}

static struct world *make_world(uint64_t seed)
{
	static const char *const where[PEERS] = {"1.2.3.4:1", "5.6.7.8:2"};
	static const char *const names[PEERS] = {"ann", "bob"};
	struct world *world = calloc(1, sizeof(*world));
	size_t i;

	cr_assert_not_null(world);
	world->net.seed = seed * 104729 + 7;
	world->net.now = beginning;
	world->net.delay = 5 * MSEC;
	for (i = 0; i < PEERS; i++) {
		world->sides[i].input = "";
		world->sides[i].config = (struct chat_config){
			.name = names[i], .tell = on_news, .context = &world->sides[i]};
		cr_assert(endpoint_parse(where[i], &world->sides[i].at));
	}
	return world;
}

static void begin(struct world *world)
{
	const struct transaction_timing timing = {.first = 20 * MSEC, .longest = 200 * MSEC};
	size_t i;

	for (i = 0; i < PEERS; i++) {
		struct side *side = &world->sides[i];
		struct seal seal = {.token = {1, 2, 3},
				    .role = i ? ROLE_CONTROLLED : ROLE_CONTROLLING};
		struct talk_config talk = {.messages = 1,
					   .hold = UINT64_MAX / 4,
					   .keepalive = SEC,
					   .patience = SEC,
					   .random = fake_random_source(&world->net)};

		path_start(&side->path, &seal, &timing, &talk);
		side->path.rounds = 3;
		cr_assert(candidates_add(&side->path.candidates, CANDIDATE_PUBLIC,
					 &world->sides[!i].at, world->net.now));
		chat_init(&side->chat, &side->config);
	}
}

static void type(struct side *side, uint64_t now)
{
	size_t room, length = strlen(side->input);
	void *at;

	while ((length > 0 || !side->open) && (at = chat_room(&side->chat, &room))) {
		room = room < length ? room : length;
		memcpy(at, side->input, room);
		side->input += room;
		length -= room;
		chat_typed(&side->chat, room, now);
		(void)chat_follow(&side->chat, false, now);
	}
}

/* Does what a main does. Returns when to come again. */
static uint64_t act(struct world *world, struct side *side)
{
	uint64_t now = world->net.now, due, talk;
	struct datagram out;

	if (side->dies && now >= beginning + side->dies)
		return UINT64_MAX;
	if (side->path.connected && !side->chat.started) {
		path_carry(&side->path, &side->chat.post);
		chat_start(&side->chat, now);
	}
	if (side->leaves && now >= beginning + side->leaves)
		chat_leave(&side->chat);
	type(side, now);
	if (chat_follow(&side->chat, side->path.talk.bye_received, now) && !side->parted) {
		side->parted = true;
		if (chat_said_all(&side->chat))
			path_part(&side->path, chat_is_hurried(&side->chat) ? CHAT_PARTING : 0,
				  now);
		else
			path_lose(&side->path, now);
	}
	while (path_send(&side->path, now, &out))
		fake_send(&world->net, &side->at, &out.to, out.bytes, out.length);
	if (path_over(&side->path) && !side->ended)
		side->ended = now;
	due = side->parted ? UINT64_MAX : chat_due(&side->chat);
	talk = path_due(&side->path);
	if (side->leaves && now < beginning + side->leaves && beginning + side->leaves < due)
		due = beginning + side->leaves;
	return due < talk ? due : talk;
}

static void deliver(struct world *world, const struct fake_packet *packet)
{
	struct side *side = &world->sides[endpoint_equal(&packet->to, &world->sides[BOB].at)];
	uint64_t now = world->net.now;
	struct stun_message message;

	if ((now >= world->broken_from && now < world->broken_until) ||
	    (side->dies && now >= beginning + side->dies))
		return;
	if (stun_parse(packet->bytes, packet->length, &message))
		(void)path_receive(&side->path, &packet->from, &message, now);
}

static bool is_over(const struct world *world, const struct side *side)
{
	return path_over(&side->path) || (side->dies && world->net.now >= beginning + side->dies);
}

static void play(struct world *world)
{
	unsigned int turns = 0;
	struct fake_packet in;
	uint64_t due, own;
	size_t i;

	begin(world);
	for (;;) {
		cr_assert_lt(turns++, 300000, "it does not come to an end");
		due = UINT64_MAX;
		for (i = 0; i < PEERS; i++) {
			own = act(world, &world->sides[i]);
			due = own < due ? own : due;
		}
		if (world->until_round && world->sides[ANN].path.seal.round == world->until_round)
			return;
		if (is_over(world, &world->sides[ANN]) && is_over(world, &world->sides[BOB]))
			return;
		own = fake_due(&world->net);
		due = own < due ? own : due;
		cr_assert_neq(due, UINT64_MAX, "it waits for nothing");
		cr_assert_geq(due, world->net.now, "it wants to act in the past");
		world->net.now = due;
		while (fake_arrive(&world->net, &in))
			deliver(world, &in);
	}
}

static void expect_in_order(const struct world *world)
{
	size_t i;

	for (i = 0; i < PEERS; i++) {
		cr_expect_eq(world->sides[i].path.state, PATH_DONE, "%zu: path %d", i,
			     world->sides[i].path.state);
		cr_expect(chat_said_all(&world->sides[i].chat), "%zu has not said all", i);
	}
}

Test(chat, says_who_is_there_and_what_is_typed)
{
	struct world *world = make_world(1);

	world->sides[ANN].input = "hello\nhow are you?\n";
	world->sides[BOB].input = "fine\xff\033[2J";
	play(world);
	expect_in_order(world);
	cr_expect_str_eq(world->sides[BOB].name, "ann");
	cr_expect_str_eq(world->sides[ANN].name, "bob");
	cr_expect_str_eq(world->sides[BOB].heard, "hello\nhow are you?\n");
	cr_expect_str_eq(world->sides[ANN].heard, "fine\xef\xbf\xbd\xef\xbf\xbd[2J\n");
	cr_expect_eq(chat_said(&world->sides[ANN].chat), 2);
	cr_expect_eq(world->sides[ANN].chat.heard, 1);
	free(world);
}

/* @count lines, each with its number and of another length. */
static char *many_lines(unsigned int count)
{
	char *text = calloc(count, 120), *to = text;
	unsigned int i;

	cr_assert_not_null(text);
	for (i = 0; i < count; i++)
		to += sprintf(
			to, "%u %.*s\n", i, (int)(i % 97),
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaaaaaaa");
	return text;
}

Test(chat, two_files_arrive_whole_over_a_network_that_loses_and_doubles)
{
	char *ann = many_lines(900), *bob = many_lines(300);
	uint64_t seed;

	for (seed = 1; seed <= 5; seed++) {
		struct world *world = make_world(seed);

		world->net.loss = 200;
		world->net.doubles = 100;
		world->net.jitter = 20 * MSEC;
		world->sides[ANN].input = ann;
		world->sides[BOB].input = bob;
		play(world);
		expect_in_order(world);
		cr_expect_str_eq(world->sides[BOB].heard, ann, "seed %lu", (unsigned long)seed);
		cr_expect_str_eq(world->sides[ANN].heard, bob, "seed %lu", (unsigned long)seed);
		free(world);
	}
	free(ann);
	free(bob);
}

Test(chat, who_leaves_first_has_said_all_and_the_other_person_is_told)
{
	struct world *world = make_world(3);

	world->sides[ANN].input = "bye\n";
	world->sides[BOB].config.typed = true;
	world->sides[BOB].open = true;
	play(world);
	expect_in_order(world);
	cr_expect_str_eq(world->sides[BOB].heard, "bye\n");
	cr_expect_eq(world->sides[BOB].left, 1, "told %u times", world->sides[BOB].left);
	cr_expect_eq(world->sides[ANN].left, 0, "it was ann who left");
	free(world);
}

Test(chat, a_pipe_that_stays_open_and_quiet_does_not_keep_who_is_left)
{
	struct world *world = make_world(4);

	world->sides[BOB].input = "one\n";
	world->sides[BOB].open = true;
	play(world);
	expect_in_order(world);
	cr_expect_str_eq(world->sides[ANN].heard, "one\n");
	cr_expect_lt(world->sides[BOB].ended, beginning + 2 * SEC);
	free(world);
}

Test(chat, what_a_file_still_holds_is_said_after_the_other_has_left)
{
	char *file = many_lines(500);
	struct world *world = make_world(5);

	world->sides[BOB].input = file;
	world->net.loss = 100;
	play(world); /* ann has nothing to say at all, and says so at once */
	expect_in_order(world);
	cr_expect_str_eq(world->sides[ANN].heard, file);
	free(file);
	free(world);
}

Test(chat, goes_on_over_a_path_that_died_and_was_found_again)
{
	char *file = many_lines(400);
	struct world *world = make_world(6);

	world->sides[ANN].input = file;
	world->broken_from = beginning + 500 * MSEC;
	world->broken_until = beginning + 4 * SEC;
	play(world);
	expect_in_order(world);
	cr_expect_geq(world->sides[ANN].path.repunched, 1, "the path did not die at all");
	cr_expect_str_eq(world->sides[BOB].heard, file);
	free(file);
	free(world);
}

Test(chat, who_leaves_does_not_wait_for_one_that_has_vanished)
{
	struct world *world = make_world(7);

	world->sides[ANN].open = true;
	world->sides[BOB].open = true;
	world->sides[BOB].dies = 500 * MSEC;
	world->sides[ANN].leaves = 600 * MSEC;
	play(world);
	cr_expect_eq(world->sides[ANN].path.state, PATH_LOST);
	cr_expect_not(chat_said_all(&world->sides[ANN].chat), "nobody has acknowledged it");
	cr_expect_lt(world->sides[ANN].ended, beginning + 600 * MSEC + CHAT_PARTING + SEC);
	free(world);
}

Test(chat, one_that_vanishes_is_noticed_by_who_stays)
{
	struct world *world = make_world(8);

	world->sides[ANN].open = true;
	world->sides[BOB].open = true;
	world->sides[BOB].dies = 500 * MSEC;
	world->until_round = 1;
	play(world);
	cr_expect_eq(world->sides[ANN].path.seal.round, 1, "it is not looked for");
	cr_expect_geq(world->net.now, beginning + SEC);
	cr_expect_leq(world->net.now, beginning + 3 * SEC);
	free(world);
}

Test(chat, interrupted_it_still_delivers_what_was_typed)
{
	char *file = many_lines(30);
	struct world *world = make_world(9);

	world->net.loss = 100;
	world->sides[ANN].input = file;
	world->sides[ANN].open = true;
	world->sides[ANN].leaves = 60 * MSEC; /* all is read by then, not all is said */
	world->sides[BOB].open = true;
	world->sides[BOB].config.typed = true;
	play(world);
	expect_in_order(world);
	cr_expect_str_eq(world->sides[BOB].heard, file);
	free(file);
	free(world);
}

Test(chat, a_letter_of_a_later_version_is_passed_over)
{
	struct world *world = make_world(10);
	struct side *ann = &world->sides[ANN];

	begin(world);
	ann->chat.post.arrived(&ann->chat, (const uint8_t *)"\x77what?", 6);
	ann->chat.post.arrived(&ann->chat, (const uint8_t *)"", 0);
	cr_expect_eq(ann->length, 0);
	cr_expect_str_eq(ann->name, "");
	ann->chat.post.arrived(&ann->chat, (const uint8_t *)"\1", 1);
	cr_expect_str_eq(ann->chat.peer, "peer", "an empty name is none");
	ann->chat.post.arrived(&ann->chat,
			       (const uint8_t *)"\1"
						"0123456789012345678901234567890123456789",
			       41);
	cr_expect_eq(strlen(ann->chat.peer), CHAT_NAME_MAX);
	free(world);
}

/* What bob wrote, as @class, reaches ann. */
static void hand_over(struct world *world, enum stun_class class)
{
	struct side *ann = &world->sides[ANN], *bob = &world->sides[BOB];
	const struct random_source random = fake_random_source(&world->net);
	uint8_t bytes[LETTER_SEALED_MAX], id[STUN_ID_SIZE];
	struct stun_builder builder;
	struct stun_message message;
	size_t length;

	transaction_new_id(&random, id);
	seal_begin(&bob->path.seal, &builder, bytes, sizeof(bytes), class, METHOD_LETTER, id);
	if (class == STUN_REQUEST) {
		stun_put_u32(&builder, ATTRIBUTE_SEQUENCE, 1);
		stun_put(&builder, STUN_DATA, "\2hi", 3);
	}
	length = seal_end(&bob->path.seal, &builder);
	cr_assert(stun_parse(bytes, length, &message));
	cr_expect_eq(path_receive(&ann->path, &bob->at, &message, world->net.now), SEALED_LETTER);
}

/* It may have been on its way since an earlier round, over a path that is dead. */
Test(letter, its_acknowledgement_settles_no_path_but_a_letter_does)
{
	struct world *world = make_world(11);
	struct side *ann = &world->sides[ANN];

	begin(world);
	hand_over(world, STUN_SUCCESS);
	cr_expect_eq(ann->path.state, PATH_SEEKING);
	hand_over(world, STUN_REQUEST);
	cr_expect_eq(ann->path.state, PATH_TALKING);
	cr_expect_eq(ann->length, 0, "nobody listens to letters yet");
	path_carry(&ann->path, &ann->chat.post);
	hand_over(world, STUN_REQUEST);
	cr_expect_str_eq(ann->heard, "hi\n");
	hand_over(world, STUN_REQUEST);
	cr_expect_str_eq(ann->heard, "hi\n", "repeated, it is heard once");
	free(world);
}
