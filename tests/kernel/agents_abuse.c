/* SPDX-License-Identifier: MIT */
/* The servers under UDP floods of anything: they answer who asks, send nobody more than came, and
 * do not grow. */
#include <criterion/criterion.h>
#include <signal.h>

#include "agents/rendezvous/protocol.h"
#include "agents/stun/integrity.h"
#include "support/siege.h"

static uint32_t dice = 1;

static uint32_t draw(void)
{
	dice = dice * 1664525 + 1013904223;
	return dice >> 8;
}

static size_t write_binding(uint8_t *ret, size_t capacity)
{
	const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 7};
	struct stun_builder builder;

	stun_begin(&builder, ret, capacity, STUN_REQUEST, STUN_BINDING, id);
	stun_put_u32(&builder, STUN_CHANGE_REQUEST, 0);
	stun_put_fingerprint(&builder);
	return stun_end(&builder);
}

static size_t write_join(unsigned int session, uint8_t peer, uint8_t *ret, size_t capacity)
{
	const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, peer};
	struct join join = {.stage = JOIN_JOINED, .peer = {peer}};

	join.session_length = (size_t)snprintf((char *)join.session, SESSION_NAME_MAX,
					       "a session among many, number %u", session);
	return join_write(&join, id, ret, capacity);
}

/* What is wrong with @request in one of many ways, or with nothing; returns its new length. */
static size_t spoil(uint8_t *request, size_t length, size_t capacity)
{
	size_t i;

	switch (draw() % 6) {
	case 0:
		request[draw() % length] ^= (uint8_t)(1 + draw() % 255);
		return length;
	case 1:
		return draw() % length;
	case 2:
		for (i = 0; i < length; i++)
			request[i] = (uint8_t)draw();
		return length;
	case 3: /* larger than any request, in fragments */
		if (draw() % 64 == 0) {
			memset(request + length, 0xff, capacity - length);
			return capacity;
		}
		return length;
	case 4: /* a response, an error, an indication */
		request[0] |= (uint8_t)(draw() & 1);
		request[1] |= 0x10;
		return length;
	}
	return length;
}

/* ---- stun-server ---- */

enum { DATAGRAMS = 20000, EACH = 50, OVERSIZED = 65507 };

static bool answers(int fd)
{
	uint8_t request[64], reply[512];
	size_t length = write_binding(request, sizeof(request));
	ssize_t n = exchange(fd, SOCK_DGRAM, request, length, reply, sizeof(reply));
	struct stun_message message;

	return n > 0 && stun_parse(reply, (size_t)n, &message);
}

static int body_stun_flood(void *data)
{
	static uint8_t bytes[OVERSIZED];
	AUTO_CLOSE int fd = -1, asker = -1;
	unsigned long requests, replies;
	AUTO_BUILT struct built built;
	struct child *server;
	int files, i;
	long memory;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "stun-server --primary 9.9.9.9 --alternate 9.9.9.10",
			    &server) == 0,
	       "no stun-server");
	fd = connected_to(&built, "open", SOCK_DGRAM, "9.9.9.9", 3478);
	asker = connected_to(&built, "pc1", SOCK_DGRAM, "9.9.9.9", 3478);
	EXPECT(answers(asker), "it does not answer at all");
	files = files_of(server);
	memory = memory_of(server);
	EXPECT(files > 0 && memory >= 0, "nothing is known of process %d", server->pid);
	for (i = 0; i < DATAGRAMS; i++) {
		size_t length = write_binding(bytes, sizeof(bytes));

		(void)send(fd, bytes, spoil(bytes, length, sizeof(bytes)), 0);
		if (i % EACH == 0)
			EXPECT(answers(asker), "no answer after %d datagrams", i);
	}
	EXPECT(answers(asker), "no answer after the flood");
	EXPECT(files_of(server) == files, "%d open files, not %d", files_of(server), files);
	EXPECT(memory_of(server) < memory + 512, "%ld KiB, before %ld", memory_of(server), memory);
	EXPECT(end_server(&built, server, &requests, &replies) == 0, "see above");
	EXPECT(requests > DATAGRAMS / 2, "only %lu datagrams arrived", requests);
	EXPECT(replies < requests, "%lu replies to %lu datagrams", replies, requests);
	return 0;
}

Test(stun_server, answers_through_a_flood_of_anything, .timeout = 60)
{
	in_lab(body_stun_flood, NULL);
}

/* A request that seems to come from another server: they must not go on answering each other. */
static int body_mirror(void *data)
{
	const struct sockaddr_in one = address_of("9.9.9.9", 3478),
				 two = address_of("7.7.7.7", 3478);
	unsigned long requests, replies;
	AUTO_CLOSE int raw = -1, ask_one = -1, ask_other = -1;
	AUTO_BUILT struct built built;
	struct child *server, *other;
	uint8_t bytes[64];
	size_t length = write_binding(bytes, sizeof(bytes));
	int i;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "stun-server --primary 9.9.9.9 --alternate 9.9.9.10",
			    &server) == 0,
	       "no stun-server");
	EXPECT(start(&built, "open", "stun-server --primary 7.7.7.7", &other) == 0 &&
		       wait_for(&built, other, "ready", 5000) == 0,
	       "no second stun-server");
	raw = socket_on(&built, "open", SOCK_RAW, IPPROTO_RAW);
	ask_one = connected_to(&built, "pc1", SOCK_DGRAM, "9.9.9.9", 3478);
	ask_other = connected_to(&built, "pc1", SOCK_DGRAM, "7.7.7.7", 3478);
	for (i = 0; i < 50; i++)
		EXPECT(forge_udp(raw, &two, &one, bytes, length) == 0, "cannot forge");
	/* Each has one queue: when it has answered this it has seen all of those. */
	EXPECT(answers(ask_one) && answers(ask_other), "they have died of it");
	EXPECT(end_server(&built, server, &requests, &replies) == 0, "see above");
	EXPECT(requests == 51 && replies == 51, "%lu requests, %lu replies", requests, replies);
	EXPECT(end_server(&built, other, &requests, &replies) == 0, "see above");
	EXPECT(requests == 51 && replies == 1, "%lu requests, %lu replies", requests, replies);
	return 0;
}

Test(stun_server, does_not_talk_to_another_for_ever, .timeout = 60)
{
	in_lab(body_mirror, NULL);
}

/* ---- rendezvous ---- */

enum { SESSIONS = 10000, MEMORY_MAX_KIB = 20 * 1024 };

/* The stage that @peer of @session is told, 0 without an answer, or the code of a refusal. */
static unsigned int join(int fd, unsigned int session, uint8_t peer)
{
	uint8_t request[JOIN_SIZE], reply[512];
	size_t length = write_join(session, peer, request, sizeof(request));
	struct introduction told;
	struct stun_attribute attribute;
	struct stun_message message;
	struct stun_error_code error;
	ssize_t n;

	do { /* news of other sessions comes to the same socket */
		n = exchange(fd, SOCK_DGRAM, request, length, reply, sizeof(reply));
		if (n <= 0 || !stun_parse(reply, (size_t)n, &message))
			return 0;
	} while (message.class == STUN_INDICATION);
	if (message.class == STUN_ERROR && stun_find(&message, STUN_ERROR_CODE, &attribute) &&
	    stun_read_error(&attribute, &error))
		return error.code;
	return introduction_read(&message, &told) ? told.stage : 0;
}

static int body_sessions(void *data)
{
	AUTO_CLOSE int a = -1, b = -1, raw = -1;
	const struct sockaddr_in to = address_of("9.9.9.9", 1024);
	AUTO_BUILT struct built built;
	unsigned long requests, replies;
	struct child *server;
	uint8_t bytes[JOIN_SIZE];
	unsigned int i, stage;
	int files;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous --listen 9.9.9.9 --idle 600", &server) == 0,
	       "no rendezvous");
	a = connected_to(&built, "open", SOCK_DGRAM, "9.9.9.9", 1024);
	b = connected_to(&built, "open", SOCK_DGRAM, "9.9.9.9", 1024);
	raw = socket_on(&built, "open", SOCK_RAW, IPPROTO_RAW);
	files = files_of(server);
	for (i = 0; i < SESSIONS; i++) {
		stage = join(a, i, 1);
		EXPECT(stage == SESSION_WAITING, "session %u: %u", i, stage);
	}
	for (i = 0; i < SESSIONS; i++) {
		uint8_t news[512];

		stage = join(b, i, 2);
		EXPECT(stage == SESSION_PAIRED, "session %u: %u", i, stage);
		(void)recv(a, news, sizeof(news), 0); /* so that its queue does not fill */
	}
	EXPECT(join(b, SESSIONS / 2, 3) == 403, "a third peer");
	/* Names that nobody wants, from sources that nobody has: more than there is room for. */
	for (i = 0; i < SESSIONS; i++) {
		struct sockaddr_in from = address_of("8.8.0.0", (uint16_t)(1024 + i));

		from.sin_addr.s_addr |= htonl(i % 65536);
		(void)forge_udp(raw, &from, &to, bytes,
				write_join(SESSIONS + i, 1, bytes, sizeof(bytes)));
		if (i % EACH == 0)
			EXPECT(join(b, 0, 2) == SESSION_PAIRED, "after %u forged Joins", i);
	}
	EXPECT(memory_of(server) < MEMORY_MAX_KIB, "%ld KiB", memory_of(server));
	EXPECT(files_of(server) == files, "%d open files, not %d", files_of(server), files);
	EXPECT(end_server(&built, server, &requests, &replies) == 0, "see above");
	EXPECT(requests > 5 * SESSIONS / 2, "only %lu datagrams arrived", requests);
	return 0;
}

Test(rendezvous, holds_10000_sessions_and_a_flood_of_forged_names, .timeout = 60)
{
	in_lab(body_sessions, NULL);
}

static int body_junk(void *data)
{
	static uint8_t bytes[OVERSIZED];
	AUTO_CLOSE int fd = -1, asker = -1;
	unsigned long requests, replies;
	AUTO_BUILT struct built built;
	struct child *server;
	unsigned int i;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous --listen 9.9.9.9", &server) == 0, "no rendezvous");
	fd = connected_to(&built, "open", SOCK_DGRAM, "9.9.9.9", 1024);
	asker = connected_to(&built, "pc1", SOCK_DGRAM, "9.9.9.9", 1024);
	for (i = 0; i < DATAGRAMS / 2; i++) {
		size_t length =
			write_join(1 + draw() % 100, (uint8_t)(draw() % 4), bytes, sizeof(bytes));

		(void)send(fd, bytes, spoil(bytes, length, sizeof(bytes)), 0);
		if (i % EACH == 0)
			EXPECT(join(asker, 0, 1) == SESSION_WAITING, "after %u datagrams", i);
	}
	EXPECT(end_server(&built, server, &requests, &replies) == 0, "see above");
	EXPECT(requests > DATAGRAMS / 4, "only %lu datagrams arrived", requests);
	return 0;
}

Test(rendezvous, answers_through_a_flood_of_anything, .timeout = 60)
{
	in_lab(body_junk, NULL);
}

/* What it says to who watches: "ADDRESS:PORT: N answers, M sessions". */
static int last_sessions(const struct child *server)
{
	const char *text = err(server), *last = NULL;
	int answers = -1, sessions = -1;

	while ((text = strstr(text, " answers, "))) {
		last = text;
		text++;
	}
	while (last && last > err(server) && last[-1] != ' ')
		last--;
	return last && sscanf(last, "%d answers, %d sessions", &answers, &sessions) == 2 ? sessions
											 : -1;
}

static int body_idle(void *data)
{
	AUTO_BUILT struct built built;
	AUTO_CLOSE int fd = -1;
	struct child *server;
	uint64_t deadline;
	unsigned int i;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous --listen 9.9.9.9 --idle 0.2 -v", &server) == 0,
	       "no rendezvous");
	fd = connected_to(&built, "open", SOCK_DGRAM, "9.9.9.9", 1024);
	for (i = 1; i <= 200; i++)
		EXPECT(join(fd, i, 1) == SESSION_WAITING, "session %u", i);
	deadline = lab_clock() + 10000 * MS;
	do {
		struct lab_event event;

		EXPECT(lab_clock() < deadline, "it remembers: %d sessions", last_sessions(server));
		EXPECT(join(fd, 0, 1) == SESSION_WAITING, "the one that is spoken of");
		EXPECT(lab_next(built.lab, lab_clock() + 50 * MS, &event) == 0, "no event");
	} while (last_sessions(server) != 1);
	return 0;
}

Test(rendezvous, forgets_what_nobody_speaks_of_and_nothing_else, .timeout = 60)
{
	in_lab(body_idle, NULL);
}
