/* SPDX-License-Identifier: MIT */
/*
 * Signalling: two peers that name the same session learn each other's description, a text of
 * candidates and credentials, through the rendezvous. Fed with time and datagrams.
 */
#ifndef NATSIM_AGENTS_ICE_EXCHANGE_H
#define NATSIM_AGENTS_ICE_EXCHANGE_H

#include "agents/net/datagram.h"
#include "agents/punch/letters.h"
#include "agents/rendezvous/meeting.h"

enum { DESCRIPTION_MAX = 6 * LETTER_MAX };

struct exchange {
	struct meeting meeting;
	struct letters letters; /* once `introduced` */
	struct seal seal;       /* the same */
	bool introduced;
	bool described, posted; /* ours is known; it is on its way */
	char ours[DESCRIPTION_MAX + 1];
	char theirs[DESCRIPTION_MAX + 1];
	size_t theirs_length;
	bool complete; /* theirs is */
	bool overlong; /* theirs is longer than anything we would send */
};

void exchange_start(struct exchange *exchange, const struct meeting_config *config, uint64_t now);

/* Ours, to be sent as soon as there is somebody to send it to; once. False: it is too long. */
bool exchange_describe(struct exchange *exchange, const char *description);

/* The other peer's; NULL until all of it has come. */
const char *exchange_theirs(const struct exchange *exchange);

/* The next datagram for the rendezvous. Call until false, and again at exchange_due(). */
bool exchange_send(struct exchange *exchange, uint64_t now, struct datagram *ret);
uint64_t exchange_due(const struct exchange *exchange);

void exchange_receive(struct exchange *exchange, const struct endpoint *from, const void *datagram,
		      size_t length, uint64_t now);

/* The last word to the rendezvous; false when there is none to say (any more). */
bool exchange_leave(struct exchange *exchange, struct datagram *ret);

#endif
