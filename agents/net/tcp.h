/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets that carry struct endpoint. All of them non-blocking, close-on-exec, and
 * bound with SO_REUSEADDR and SO_REUSEPORT, so that one local port serves a listener
 * and any number of connections at once: a NAT that maps by the internal endpoint
 * shows all of them at the same external one.
 */
#ifndef NATSIM_AGENTS_NET_TCP_H
#define NATSIM_AGENTS_NET_TCP_H

#include <sys/types.h>

#include "base/addr.h"
#include "base/diag.h"

/*
 * A socket bound to @local, whose port may be 0 and whose address may be the family's
 * wildcard; it neither listens nor connects. Returns the descriptor, or -errno with
 * the reason in @d. *ret_bound, if wanted, is what it was bound to.
 */
int tcp_open(const struct endpoint *local, struct endpoint *ret_bound, struct diag *d);

/* The same, listening. */
int tcp_listen(const struct endpoint *local, struct endpoint *ret_bound, struct diag *d);

/* Returns the descriptor of a new connection and its other end, or -errno. */
int tcp_accept(int listener, struct endpoint *ret_from);

/* Returns 0 when connected, -EINPROGRESS, or another -errno. */
int tcp_connect(int fd, const struct endpoint *to);

/* Why a connect() did not come about. */
struct tcp_refusal {
	int error;            /* ECONNREFUSED, ETIMEDOUT, ... */
	bool icmp;            /* an ICMP error said so, not a reset */
	struct addr reporter; /* of the ICMP error; AF_UNSPEC when not known */
};

/*
 * What has become of a connect(): 0 connected, -EINPROGRESS not known yet, or another
 * -errno, and then *ret, if wanted, tells more.
 */
int tcp_result(int fd, struct tcp_refusal *ret);

/* The socket's own end, as far as it is known. Returns 0 or -errno. */
int tcp_local(int fd, struct endpoint *ret);

/* Returns how many bytes came, 0 when the other end has closed its direction, or -errno. */
ssize_t tcp_receive(int fd, void *buffer, size_t capacity);

/* Returns how many bytes were taken, which may be fewer than @length, or -errno. */
ssize_t tcp_send(int fd, const void *bytes, size_t length);

/* Close with a reset if connected: what is not delivered yet is lost, and the port is free at once.
 */
void tcp_abort(int fd);

#endif
