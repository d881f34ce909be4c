/* SPDX-License-Identifier: MIT */
/*
 * A server's TCP side: listeners and a bounded number of connections, all watched
 * through one descriptor, over which whole STUN messages come and go.
 *
 * What strangers can make it hold is bounded: connections (the one silent for the longest
 * gives way to a new one), input (one message each), output (a peer that does not read is
 * not read from, and dropped when the rest does not fit), time (without a whole
 * message for the idle time a connection is closed).
 */
#ifndef NATSIM_AGENTS_NET_TCP_SERVER_H
#define NATSIM_AGENTS_NET_TCP_SERVER_H

#include "agents/stun/message.h"
#include "base/addr.h"
#include "base/cleanup.h"
#include "base/diag.h"

enum { TCP_SERVER_LISTENERS_MAX = 4, TCP_SERVER_MESSAGE_MAX = 2048 };

struct tcp_server;

/* Who is at the other end: of one remote endpoint there may be a connection to each listener. */
struct tcp_client {
	size_t listener; /* its number, from 0 in the order of tcp_server_listen() */
	struct endpoint from;
};

struct tcp_server_config {
	size_t connections; /* at most at one time, and no more than the process may open files */
	uint64_t idle;      /* nanoseconds without a whole message */
	/* A message came; the answer, if any, is for tcp_server_send(). */
	void (*receive)(void *context, struct tcp_server *server, const struct tcp_client *client,
			const struct stun_message *message, uint64_t now);
	void *context;
};

/* Returns 0 or -errno with the reason in @d. */
int tcp_server_new(const struct tcp_server_config *config, struct tcp_server **ret, struct diag *d);
void tcp_server_free(struct tcp_server *server); /* closes everything */
DEFINE_CLEANUP(struct tcp_server *, tcp_server_free)

/* Returns the listener's number, or -errno with the reason in @d. */
int tcp_server_listen(struct tcp_server *server, const struct endpoint *local,
		      struct endpoint *ret_bound, struct diag *d);

/* Readable when tcp_server_serve() has something to do; the server's own. */
int tcp_server_fd(const struct tcp_server *server);

/* Do what is to be done now, without waiting. */
void tcp_server_serve(struct tcp_server *server, uint64_t now);

/* Close what is idle at @now. Returns when to call again, UINT64_MAX without a connection. */
uint64_t tcp_server_expire(struct tcp_server *server, uint64_t now);

/* Returns 0, -ENOTCONN when there is no such connection (any more), or -EMSGSIZE when it had to be
 * dropped because nobody reads at the other end. */
int tcp_server_send(struct tcp_server *server, const struct tcp_client *client, const void *bytes,
		    size_t length);

size_t tcp_server_connections(const struct tcp_server *server);

#endif
