/* SPDX-License-Identifier: MIT */
/*
 * What a STUN server answers, as a pure function of a datagram and the socket it
 * came in on. Which socket a reply leaves by is part of the answer:
 *
 *              port 0     port 1
 *     ip 0    A1:P1      A1:P2       a request to A1:P1 that asks to change
 *     ip 1    A2:P1      A2:P2       both is answered by A2:P2
 */
#ifndef NATSIM_AGENTS_STUN_SERVER_H
#define NATSIM_AGENTS_STUN_SERVER_H

#include "agents/stun/message.h"

enum {
	/* Four addresses, SOFTWARE: more is not told unless as much was sent. */
	STUN_ANSWER_GROWTH_IPV4 = 4 * 12 + 12,
	STUN_ANSWER_GROWTH_IPV6 = 4 * 24 + 12,
};

struct stun_server {
	struct endpoint endpoints[2][2]; /* [ip][port] */
	bool alternate;                  /* there is a second address: endpoints[1] is meaningful */
	const char *software;            /* sent as SOFTWARE to those who know it, or NULL */
};

struct stun_socket {
	unsigned int ip, port; /* 0 or 1 each */
	bool stream;           /* TCP: the answer has to go back the way the request came */
};

struct stun_reply {
	struct stun_socket by;
	struct endpoint to;
	size_t length; /* of what was written into the buffer; 0: silence */
};

/*
 * Answer @datagram, which came from @from to socket @at, into @buffer. Anything but
 * a well-formed Binding request is met with silence. What would send the answer elsewhere
 * over a stream is refused with 420 (RFC 5780 section 3).
 *
 * An answer is at most STUN_ANSWER_GROWTH_IPV4 (or _IPV6) bytes longer than what it answers, with a
 * `software` of up to 8 bytes: as packets, headers included, not 2.3 (2.6) times as large.
 */
struct stun_reply stun_server_answer(const struct stun_server *server, struct stun_socket at,
				     const struct endpoint *from, const void *datagram,
				     size_t length, void *buffer, size_t capacity);

#endif
