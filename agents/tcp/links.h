/* SPDX-License-Identifier: MIT */
/*
 * The sockets of a core whose connections are numbers: a listener and the connections that share
 * its port, watched through one descriptor, STUN messages going in and out.
 */
#ifndef NATSIM_AGENTS_TCP_LINKS_H
#define NATSIM_AGENTS_TCP_LINKS_H

#include "agents/net/tcp.h"
#include "agents/stun/stream.h"

struct link;

struct links {
	int epoll; /* readable when links_drain() has something to do */
	int listener;
	struct endpoint local; /* what the listener is bound to */
	struct link *list;
	size_t count;
};

#define LINKS_NONE                          \
	{                                   \
		.epoll = -1, .listener = -1 \
	}

struct links_events {
	void (*connected)(void *context, size_t link, uint64_t now);
	void (*failed)(void *context, size_t link, const struct tcp_refusal *refusal, uint64_t now);
	int (*accepted)(void *context, const struct endpoint *from,
			uint64_t now); /* returns the number it gets, or -1 */
	void (*message)(void *context, size_t link, const struct stun_message *message,
			uint64_t now);
	void (*ended)(void *context, size_t link, uint64_t now);
};

/* Listen on @local and make room for @count connections. Returns 0 or -errno with the reason in
 * @d; @links is to be cleared in any case. */
int links_open(struct links *links, const struct endpoint *local, size_t count, struct diag *d);
void links_clear(struct links *links);

/*
 * Connect from the shared port, or from a @fresh one; what @link was before is aborted. Returns 0,
 * and links_drain() tells what became of it, or -errno.
 */
int links_connect(struct links *links, size_t link, const struct endpoint *to, bool fresh);

/* Returns 0 or -errno: the connection is of no use any more, which links_drain() will tell. */
int links_send(struct links *links, size_t link, const void *bytes, size_t length);

void links_close(struct links *links, size_t link);
void links_abort(struct links *links, size_t link);

/* The own end of a connection. */
int links_local(const struct links *links, size_t link, struct endpoint *ret);

/* Hand over what has happened. */
void links_drain(struct links *links, const struct links_events *events, void *context);

#endif
