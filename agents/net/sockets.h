/* SPDX-License-Identifier: MIT */
/*
 * UDP sockets by number, any number of them, watched through one descriptor: a core
 * that punches may want one, a core that guesses ports hundreds.
 */
#ifndef NATSIM_AGENTS_NET_SOCKETS_H
#define NATSIM_AGENTS_NET_SOCKETS_H

#include "agents/net/datagram.h"
#include "agents/net/udp.h"
#include "base/diag.h"

struct sockets {
	int epoll; /* readable when a socket has something */
	int *fds;  /* by number, from 0 in the order of sockets_add() */
	size_t count;
};

#define SOCKETS_NONE        \
	{                   \
		.epoll = -1 \
	}

/* What comes in, and the ICMP errors for what went out. */
struct sockets_events {
	void (*receive)(void *context, size_t socket, const struct endpoint *from,
			const void *bytes, size_t length, uint64_t now);
	void (*refused)(void *context, size_t socket, const struct udp_error *error,
			uint64_t now); /* or NULL */
};

/*
 * Open one more, bound to @local as udp_open() does, its ICMP errors kept. Returns its number,
 * or -errno with the reason in @d. The first call may have SOCKETS_NONE.
 */
int sockets_add(struct sockets *sockets, const struct endpoint *local, struct endpoint *ret_bound,
		struct diag *d);

/* The same with a socket of any other kind, which is ours from now on, also on failure. */
int sockets_adopt(struct sockets *sockets, int fd, struct diag *d);

/* Closes all; the structure is SOCKETS_NONE again. */
void sockets_clear(struct sockets *sockets);

/* Best effort, as udp_send(). */
int sockets_send(const struct sockets *sockets, const struct datagram *datagram);

/* Hand over what has come; of one socket at most so much at a time that none waits for ever. */
void sockets_drain(const struct sockets *sockets, const struct sockets_events *events,
		   void *context);

#endif
