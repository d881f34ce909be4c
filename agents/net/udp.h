/* SPDX-License-Identifier: MIT */
/* UDP sockets that carry struct endpoint. All of them non-blocking and close-on-exec. */
#ifndef NATSIM_AGENTS_NET_UDP_H
#define NATSIM_AGENTS_NET_UDP_H

#include <sys/types.h>

#include "base/addr.h"
#include "base/diag.h"

/*
 * Bind a socket to @local, whose port may be 0 and whose address may be the family's
 * wildcard. Returns the descriptor, or -errno with the reason in @d. *ret_bound, if
 * wanted, is what it was bound to.
 */
int udp_open(const struct endpoint *local, struct endpoint *ret_bound, struct diag *d);

/* The address this host would speak from to @remote. Nothing is sent. */
int udp_source_for(const struct endpoint *remote, struct addr *ret, struct diag *d);

/* Ask the kernel to keep ICMP errors for udp_error() instead of failing the next call with them. */
int udp_keep_errors(int fd, sa_family_t family);

/* Returns the datagram's length, -EAGAIN when there is none, or another -errno. */
ssize_t udp_receive(int fd, void *buffer, size_t capacity, struct endpoint *ret_from);

/*
 * Send, best effort: a datagram that does not fit the queue or meets a refusal is a
 * lost datagram like any other. Returns 0, or -errno for those who want to know.
 */
int udp_send(int fd, const struct endpoint *to, const void *bytes, size_t length);

/* An ICMP error that came back for a datagram sent. */
struct udp_error {
	struct endpoint destination; /* where the datagram went */
	struct addr reporter;        /* who sent the error; AF_UNSPEC if this host did */
	int error;                   /* ECONNREFUSED: port unreachable, EHOSTUNREACH, ... */
};

/* Returns 0 and the oldest error kept, or -EAGAIN. */
int udp_error(int fd, struct udp_error *ret);

#endif
