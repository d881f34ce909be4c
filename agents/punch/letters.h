/* SPDX-License-Identifier: MIT */
/*
 * Letters: what two peers have to say to each other beyond "message 1", as bytes of up to a
 * kilobyte. Each is sealed, numbered, repeated until acknowledged, and delivered once and in
 * order. By whichever way: a path, a relay, or the rendezvous while there is no path yet
 * (relay_write()), which is what makes it a signalling channel.
 */
#ifndef NATSIM_AGENTS_PUNCH_LETTERS_H
#define NATSIM_AGENTS_PUNCH_LETTERS_H

#include "agents/net/random.h"
#include "agents/punch/seal.h"
#include "agents/stun/transaction.h"

enum {
	LETTER_MAX = 1024,        /* bytes of one */
	LETTER_SEALED_MAX = 1120, /* what one is on its way; fits a Relay */
	LETTERS_MAX = 8,          /* waiting to be sent */
};

struct letter {
	size_t length;
	uint8_t bytes[LETTER_MAX];
};

struct letters {
	struct seal seal;
	struct random_source random;
	uint64_t first; /* nanoseconds until a letter is repeated; doubles up to a second */
	struct letter waiting[LETTERS_MAX];
	size_t oldest, count;
	uint8_t id[STUN_ID_SIZE]; /* of the oldest */
	struct transaction transaction;
	bool asked;        /* the oldest has been sent at least once */
	uint32_t sent;     /* letters acknowledged */
	uint32_t received; /* letters delivered */
	bool answer_due;
	uint8_t answer_id[STUN_ID_SIZE];
};

/* @round_trip is what is known of the way, 0 for nothing. */
void letters_start(struct letters *letters, const struct seal *seal,
		   const struct random_source *random, uint64_t round_trip);

/* Send @bytes; false when they are too long, or LETTERS_MAX are waiting. */
bool letters_put(struct letters *letters, const void *bytes, size_t length);

/* Write what is to be sent to the other peer at @now into LETTER_SEALED_MAX bytes; returns its
 * length, 0 for nothing until letters_due(). */
size_t letters_send(struct letters *letters, uint64_t now, void *buffer);

/* 0 when something is to be sent at once, UINT64_MAX when nothing is. */
uint64_t letters_due(const struct letters *letters);

/*
 * Takes what belongs to letters (METHOD_LETTER). Returns true when it was a new one: *ret are its
 * bytes, still the message's.
 */
bool letters_receive(struct letters *letters, const struct stun_message *message,
		     const uint8_t **ret, size_t *ret_length);

#endif
