/* SPDX-License-Identifier: MIT */
/* The roles "server" and "assist" of nat-check, without their sockets. */
#ifndef NATSIM_AGENTS_NAT_CHECK_SERVER_H
#define NATSIM_AGENTS_NAT_CHECK_SERVER_H

#include "agents/nat_check/wire.h"
#include "agents/net/random.h"

/* The server's sockets. */
enum { SERVER_MAIN, SERVER_OTHER, SERVER_SOCKETS };

struct check_server_config {
	struct endpoint local[SERVER_SOCKETS];
	struct addr assist; /* the only host whose Seen is believed */
	uint64_t idle;      /* a check nobody spoke of for so long is forgotten; nanoseconds */
	struct random_source random;
};

struct check_server;

/* Returns NULL without memory. */
struct check_server *check_server_new(const struct check_server_config *config);
void check_server_free(struct check_server *server);

/* Answer @bytes, which came from @from to @socket; false for silence. */
bool check_server_receive(struct check_server *server, size_t socket, const struct endpoint *from,
			  const void *bytes, size_t length, uint64_t now, struct datagram *ret);

/* The assist: what to forward to @server, if anything. It keeps nothing. */
bool check_assist_receive(const struct endpoint *server, const struct endpoint *from,
			  const void *bytes, size_t length, struct datagram *ret);

#endif
