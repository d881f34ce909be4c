/* SPDX-License-Identifier: MIT */
/*
 * What the roles of nat-check say to each other: STUN messages with methods of their own.
 *
 *     client --- Register(step) ---> server    <--- success: how server and assist see the step's
 * socket client --- Register(step) ---> assist ------- Seen ------> server client --- Ask(what)
 * --------> server ------- Test ------> where `what` says third party -- Knock --------> a client
 * <--- success: it came in
 */
#ifndef NATSIM_AGENTS_NAT_CHECK_WIRE_H
#define NATSIM_AGENTS_NAT_CHECK_WIRE_H

#include "agents/net/datagram.h"
#include "agents/stun/message.h"

enum {
	METHOD_REGISTER = 0xf11,
	METHOD_SEEN = 0xf12,
	METHOD_ASK = 0xf13,
	METHOD_TEST = 0xf14,
	METHOD_KNOCK = 0xf15,
};

enum {
	ATTRIBUTE_CHECK = 0x7f21, /* CHECK_SIZE random bytes: which check this belongs to */
	ATTRIBUTE_STEP = 0x7f22, /* 32 bits: enum check_step, or what to Ask for: enum check_test */
	ATTRIBUTE_ASSIST_SAW = 0x7f23, /* as XOR-MAPPED-ADDRESS */
};

enum {
	CHECK_SIZE = 8,
	CHECK_PORT = 3488,
	CHECK_OTHER_PORT = 3489,
	/* Register and Ask are padded to this, so that no answer is larger than its question. */
	CHECK_PADDED = 112
};

/* Which sockets of the client register: one with both hosts, then one with each. */
enum check_step { STEP_SAME = 1, STEP_APART = 2, STEP_COUNT };

enum check_test {
	TEST_STRANGER = 1, /* from the server to the socket that only the assist was spoken to by */
	TEST_OTHER_PORT,   /* from the server's other port to the socket that asks */
	TEST_COUNT
};

struct check_message {
	uint8_t check[CHECK_SIZE];
	uint32_t step;
};

/* CHECK and STEP of @message. False where one is missing or wrong. */
bool check_read(const struct stun_message *message, struct check_message *ret);

/* Begin a message with both. */
void check_begin(struct stun_builder *builder, struct datagram *datagram, enum stun_class class,
		 uint16_t method, const uint8_t id[STUN_ID_SIZE],
		 const struct check_message *content);

/* Pad a request to CHECK_PADDED and note its length. */
void check_pad(struct stun_builder *builder, struct datagram *datagram);

#endif
