/* SPDX-License-Identifier: MIT */
/*
 * Anything at all as the answer to what a detection asks, in each of its stages, and as a request
 * to the helpers of nat-check. An input seldom has the right transaction id, so it is given it.
 */
#include <stdlib.h>
#include <string.h>

#include "agents/detect/survey.h"
#include "agents/nat_check/client.h"
#include "agents/nat_check/server.h"
#include "agents/net/clock.h"
#include "fuzz/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct endpoint server = {.addr = {AF_INET, {9, 9, 9, 9}}, .port = 3478};
static const struct endpoint assist = {.addr = {AF_INET, {8, 8, 8, 8}}, .port = 3488};

enum { SOCKETS = 32, TURNS = 60 };

static struct endpoint local[SOCKETS];

/* Repeatable, and different from call to call within one input. */
static void fill(void *context, void *bytes, size_t length)
{
	uint8_t *counter = context;

	memset(bytes, (*counter)++, length);
}

/* The input as an answer to @asked: the id is right, the rest as it is. Returns its length. */
static size_t answer_to(const struct datagram *asked, const uint8_t *data, size_t size,
			uint8_t *ret)
{
	size_t length = size < DATAGRAM_MAX ? size : DATAGRAM_MAX;

	memcpy(ret, data, length);
	if (length >= STUN_HEADER_SIZE)
		memcpy(ret + 4, asked->bytes + 4, STUN_ID_SIZE);
	return length;
}

static void tell_the_detector(const uint8_t *data, size_t size)
{
	uint8_t counter = 0, bytes[DATAGRAM_MAX];
	struct survey_config config = {
		.detect = {.server = server,
			   .local = local,
			   .timeout = SEC,
			   .random = {.fill = fill, .context = &counter}},
		.longest = SEC,
		.unfragmented = 1500,
	};
	static struct survey survey;
	unsigned int turns = TURNS;
	struct datagram out;
	uint64_t now = 0;

	memset(config.wanted, true, sizeof(config.wanted));
	survey_start(&survey, &config, now);
	while (!survey.done && turns-- > 0) {
		while (survey_send(&survey, now, &out)) {
			size_t length = answer_to(&out, data, size, bytes);

			if (out.socket >= survey_sockets(config.wanted))
				abort();
			survey_receive(&survey, out.socket, &out.to, bytes, length, now);
			survey_receive(&survey, (out.socket + size) % SOCKETS, &assist, bytes,
				       length, now);
		}
		if (survey_due(&survey) != UINT64_MAX && survey_due(&survey) > now)
			now = survey_due(&survey);
	}
}

static void tell_the_client(const uint8_t *data, size_t size)
{
	uint8_t counter = 0, bytes[DATAGRAM_MAX];
	const struct check_client_config config = {
		.server = server,
		.assist = assist,
		.local = local,
		.timeout = SEC,
		.random = {.fill = fill, .context = &counter},
	};
	struct check_client client;
	unsigned int turns = TURNS;
	struct datagram out;
	uint64_t now = 0;

	check_client_start(&client, &config, now);
	while (!check_client_over(&client) && turns-- > 0) {
		while (check_client_send(&client, now, &out)) {
			size_t length = answer_to(&out, data, size, bytes);

			if (out.socket >= CLIENT_SOCKETS)
				abort();
			check_client_receive(&client, out.socket, &server, bytes, length, now);
		}
		if (check_client_due(&client) != UINT64_MAX && check_client_due(&client) > now)
			now = check_client_due(&client);
	}
}

static void ask_the_helpers(const uint8_t *data, size_t size)
{
	static struct check_server *helper;
	static uint64_t now;
	struct datagram out;
	uint8_t counter = 0;

	if (!helper) {
		const struct check_server_config config = {
			.local = {server, {.addr = server.addr, .port = 3489}},
			.assist = assist.addr,
			.idle = SEC,
			.random = {.fill = fill, .context = &counter},
		};

		helper = check_server_new(&config);
	}
	/* A plain Binding request is answered in full, everything else in at most its size. */
	if (helper &&
	    check_server_receive(helper, size % SERVER_SOCKETS, size % 3 ? &assist : &local[0],
				 data, size, now += MSEC, &out) &&
	    out.length > size + 128)
		abort();
	if (check_assist_receive(&server, &local[0], data, size, &out) && out.length > size)
		abort();
}

static void consider(const uint8_t *data, size_t size)
{
	size_t i;

	for (i = 0; i < SOCKETS; i++)
		local[i] = (struct endpoint){.addr = {AF_INET, {192, 168, 1, 1}},
					     .port = (uint16_t)(40000 + i)};
	tell_the_detector(data, size);
	tell_the_client(data, size);
	ask_the_helpers(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t message[RECIPE_SIZE];

	if (size > 0 && data[0] & 8)
		consider(data, size);
	else
		consider(message, recipe_write(data, size, message));
	return 0;
}
