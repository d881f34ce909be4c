/* SPDX-License-Identifier: MIT */
/*
 * The mapping tests over TCP (RFC 5780 section 4.3): three connections from one local port, each to
 * another endpoint of the server. A core without sockets: it says where to connect and what to
 * say there, and is told what came of it.
 */
#ifndef NATSIM_AGENTS_DETECT_TCP_MAPPING_H
#define NATSIM_AGENTS_DETECT_TCP_MAPPING_H

#include "agents/detect/classify.h"
#include "agents/detect/notes.h"
#include "agents/net/random.h"
#include "agents/stun/message.h"

/* A1:P1, A2:P1 and A2:P2, as over UDP. */
enum { TCP_PRIMARY, TCP_ADDRESS, TCP_BOTH, TCP_COUNT };

enum tcp_test_state {
	TCP_UNKNOWN, /* where to: the first answer tells */
	TCP_DIALLING,
	TCP_ASKED,
	TCP_ANSWERED,
	TCP_FAILED
};

struct tcp_mapping {
	struct endpoint local;
	struct {
		enum tcp_test_state state;
		bool dialled; /* tcp_mapping_dial() has given it out */
		uint8_t id[STUN_ID_SIZE];
		struct endpoint to, mapped;
	} tests[TCP_COUNT];
	struct notes notes;
};

/* @local is what all connections are bound to; @notes is where to tell. */
void tcp_mapping_start(struct tcp_mapping *mapping, const struct endpoint *server,
		       const struct endpoint *local, const struct random_source *random,
		       const struct notes *notes);

/* The next test to connect, and where to; TCP_COUNT: none now. */
size_t tcp_mapping_dial(struct tcp_mapping *mapping, struct endpoint *ret);

/* It is connected: returns the length of the request to send, written into @buffer. */
size_t tcp_mapping_connected(struct tcp_mapping *mapping, size_t test, void *buffer,
			     size_t capacity);

void tcp_mapping_receive(struct tcp_mapping *mapping, size_t test,
			 const struct stun_message *message);

/* No connection, or no answer over it; @error is an errno, 0 for an end of the stream. */
void tcp_mapping_fail(struct tcp_mapping *mapping, size_t test, int error);

bool tcp_mapping_over(const struct tcp_mapping *mapping);

/* Whether the first test was answered, and then where it was seen. */
bool tcp_mapping_mapped(const struct tcp_mapping *mapping, struct endpoint *ret);

enum behaviour tcp_mapping_verdict(const struct tcp_mapping *mapping);

#endif
