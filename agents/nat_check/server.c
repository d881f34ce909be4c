/* SPDX-License-Identifier: MIT */
/*
 * How this works: the server keeps, for each check, where the assist saw the client's sockets, and
 * nothing else. Checks live in a table of sets, as a processor's cache does: an id picks its set
 * by a keyed hash and looks at the few places there, so that any number of clients, or of
 * forged ones, costs the same, and memory is what it was at the start. A set that is full
 * of checks that are not idle turns newcomers away.
 *
 * Only the configured assist is believed about where a client was seen, else anybody could have
 * the server send to anybody. What is sent is never larger than what asked for it.
 */
#include "agents/nat_check/server.h"

#include <stdlib.h>
#include <string.h>

#include "agents/stun/server.h"

enum { SETS = 2048, WAYS = 8 };

struct check {
	bool used;
	uint8_t id[CHECK_SIZE];
	uint64_t heard;
	bool seen[STEP_COUNT];
	struct endpoint where[STEP_COUNT]; /* by the assist */
};

struct check_server {
	struct check_server_config config;
	uint64_t key;
	struct check sets[SETS][WAYS];
};

struct check_server *check_server_new(const struct check_server_config *config)
{
	struct check_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->config = *config;
	random_fill(&config->random, &server->key, sizeof(server->key));
	return server;
}

void check_server_free(struct check_server *server)
{
	free(server);
}

static struct check *set_of(struct check_server *server, const uint8_t id[CHECK_SIZE])
{
	uint64_t hash;

	memcpy(&hash, id, sizeof(hash));
	hash = (hash ^ server->key) * UINT64_C(0x9e3779b97f4a7c15);
	return server->sets[(hash >> 40) % SETS];
}

/* The check called @id, made now if there was none; NULL when there is no room. */
static struct check *check_of(struct check_server *server, const uint8_t id[CHECK_SIZE],
			      uint64_t now)
{
	struct check *set = set_of(server, id), *free_one = NULL;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		bool idle = set[i].used && now - set[i].heard > server->config.idle;

		if (set[i].used && !idle && memcmp(set[i].id, id, CHECK_SIZE) == 0) {
			set[i].heard = now;
			return &set[i];
		}
		if (!set[i].used || idle)
			free_one = &set[i];
	}
	if (!free_one)
		return NULL;
	*free_one = (struct check){.used = true, .heard = now};
	memcpy(free_one->id, id, CHECK_SIZE);
	return free_one;
}

static bool valid_step(uint32_t step)
{
	return step == STEP_SAME || step == STEP_APART;
}

static bool answer_register(struct check_server *server, const struct endpoint *from,
			    const struct stun_message *message, const struct check_message *content,
			    uint64_t now, struct datagram *ret)
{
	struct stun_builder builder;
	struct check *check;

	if (!valid_step(content->step) || !(check = check_of(server, content->check, now)))
		return false;
	stun_begin(&builder, ret->bytes, sizeof(ret->bytes), STUN_SUCCESS, METHOD_REGISTER,
		   stun_id(message));
	stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, from);
	if (check->seen[content->step])
		stun_put_xor_address(&builder, ATTRIBUTE_ASSIST_SAW, &check->where[content->step]);
	stun_put_address(&builder, STUN_OTHER_ADDRESS, &server->config.local[SERVER_OTHER]);
	ret->to = *from;
	ret->length = stun_end(&builder);
	return ret->length > 0;
}

/* Told by the assist; nothing is answered, for the client repeats until it is known. */
static void note_seen(struct check_server *server, const struct endpoint *from,
		      const struct stun_message *message, const struct check_message *content,
		      uint64_t now)
{
	struct stun_attribute attribute;
	struct endpoint where;
	struct check *check;

	if (!addr_equal(&from->addr, &server->config.assist) || !valid_step(content->step) ||
	    !stun_find(message, ATTRIBUTE_ASSIST_SAW, &attribute) ||
	    !stun_read_xor_address(message, &attribute, &where) ||
	    !(check = check_of(server, content->check, now)))
		return;
	check->seen[content->step] = true;
	check->where[content->step] = where;
}

static bool answer_ask(struct check_server *server, const struct endpoint *from,
		       const struct stun_message *message, const struct check_message *content,
		       uint64_t now, struct datagram *ret)
{
	struct stun_builder builder;
	struct check *check = check_of(server, content->check, now);

	if (!check)
		return false;
	if (content->step == TEST_STRANGER && check->seen[STEP_APART]) {
		ret->socket = SERVER_MAIN;
		ret->to = check->where[STEP_APART];
	} else if (content->step == TEST_OTHER_PORT) {
		ret->socket = SERVER_OTHER;
		ret->to = *from;
	} else {
		return false;
	}
	check_begin(&builder, ret, STUN_INDICATION, METHOD_TEST, stun_id(message), content);
	ret->length = stun_end(&builder);
	return true;
}

/* A plain Binding request: the controls, and whoever just wants to know its address. */
static bool answer_binding(const struct check_server *server, size_t socket,
			   const struct endpoint *from, const void *bytes, size_t length,
			   struct datagram *ret)
{
	struct stun_server stun = {.endpoints = {{server->config.local[SERVER_MAIN],
						  server->config.local[SERVER_OTHER]}}};
	struct stun_reply reply;

	reply = stun_server_answer(&stun, (struct stun_socket){.port = (unsigned int)socket}, from,
				   bytes, length, ret->bytes, sizeof(ret->bytes));
	ret->socket = reply.by.port;
	ret->to = reply.to;
	ret->length = reply.length;
	return reply.length > 0;
}

bool check_server_receive(struct check_server *server, size_t socket, const struct endpoint *from,
			  const void *bytes, size_t length, uint64_t now, struct datagram *ret)
{
	struct check_message content;
	struct stun_message message;

	ret->socket = socket;
	if (!stun_parse(bytes, length, &message))
		return false;
	if (message.method == STUN_BINDING)
		return answer_binding(server, socket, from, bytes, length, ret);
	if (message.class == STUN_INDICATION && message.method == METHOD_SEEN &&
	    check_read(&message, &content)) {
		note_seen(server, from, &message, &content, now);
		return false;
	}
	if (message.class != STUN_REQUEST || length < CHECK_PADDED || socket != SERVER_MAIN ||
	    !check_read(&message, &content))
		return false;
	if (message.method == METHOD_REGISTER)
		return answer_register(server, from, &message, &content, now, ret);
	return message.method == METHOD_ASK &&
	       answer_ask(server, from, &message, &content, now, ret);
}

bool check_assist_receive(const struct endpoint *server, const struct endpoint *from,
			  const void *bytes, size_t length, struct datagram *ret)
{
	struct check_message content;
	struct stun_message message;
	struct stun_builder builder;

	if (!stun_parse(bytes, length, &message) || message.class != STUN_REQUEST ||
	    message.method != METHOD_REGISTER || length < CHECK_PADDED ||
	    !check_read(&message, &content) || !valid_step(content.step))
		return false;
	ret->socket = 0;
	ret->to = *server;
	check_begin(&builder, ret, STUN_INDICATION, METHOD_SEEN, stun_id(&message), &content);
	stun_put_xor_address(&builder, ATTRIBUTE_ASSIST_SAW, from);
	ret->length = stun_end(&builder);
	return ret->length > 0;
}
