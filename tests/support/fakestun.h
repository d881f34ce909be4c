/* SPDX-License-Identifier: MIT */
/* A STUN server with two addresses and two ports in the simulated network. */
#ifndef NATSIM_TESTS_SUPPORT_FAKESTUN_H
#define NATSIM_TESTS_SUPPORT_FAKESTUN_H

#include <criterion/criterion.h>

#include "agents/stun/server.h"
#include "support/fakenet.h"

struct fake_stun {
	struct stun_server server;
	bool ignores_change;        /* CHANGE-REQUEST */
	bool ignores_response_port; /* RESPONSE-PORT: answers who asked */
	bool drops_padding;         /* its answers carry none */
	struct endpoint mute;       /* this endpoint of it never answers */
};

static inline struct endpoint endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "the test's own endpoint %s is wrong", text);
	return endpoint;
}

static inline void fake_stun_make(struct fake_stun *stun)
{
	*stun = (struct fake_stun){
		.server = {.endpoints = {{endpoint("9.9.9.9:3478"), endpoint("9.9.9.9:3479")},
					 {endpoint("9.9.9.10:3478"), endpoint("9.9.9.10:3479")}},
			   .alternate = true},
	};
}

/* Answer @packet if it is for the server. */
static inline void fake_stun_serve(struct fake_stun *stun, struct fakenet *net,
				   const struct fake_packet *packet)
{
	const struct endpoint(*endpoints)[2] = stun->server.endpoints;
	struct stun_socket at;
	struct stun_reply reply;
	uint8_t bytes[2048];
	size_t i;

	for (i = 0; i < 4; i++) {
		at = (struct stun_socket){.ip = (unsigned int)i / 2, .port = i % 2};
		if (endpoint_equal(&endpoints[at.ip][at.port], &packet->to))
			break;
	}
	if (i == 4 || endpoint_equal(&packet->to, &stun->mute))
		return;
	reply = stun_server_answer(&stun->server, at, &packet->from, packet->bytes, packet->length,
				   bytes, sizeof(bytes));
	if (reply.length == 0)
		return;
	if (stun->ignores_change)
		reply.by = at;
	if (stun->ignores_response_port)
		reply.to = packet->from;
	if (stun->drops_padding && reply.length > FAKE_UNFRAGMENTED) {
		struct stun_builder builder;
		struct stun_message message;

		cr_assert(stun_parse(packet->bytes, packet->length, &message));
		stun_begin(&builder, bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING,
			   stun_id(&message));
		stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, &packet->from);
		reply.length = stun_end(&builder);
	}
	if (endpoint_equal(&endpoints[reply.by.ip][reply.by.port], &stun->mute))
		return;
	fake_send(net, &endpoints[reply.by.ip][reply.by.port], &reply.to, bytes, reply.length);
}

#endif
