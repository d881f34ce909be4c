/* SPDX-License-Identifier: MIT */
/*
 * Talking over a settled path: numbered messages both ways, each acknowledged before
 * the next, an orderly end, and noticing that the peer has vanished.
 */
#ifndef NATSIM_AGENTS_PUNCH_TALK_H
#define NATSIM_AGENTS_PUNCH_TALK_H

#include "agents/net/random.h"
#include "agents/punch/seal.h"
#include "agents/stun/transaction.h"

struct talk_config {
	uint32_t messages; /* to be sent */
	uint64_t interval; /* nanoseconds between one's acknowledgement and the next */
	struct random_source random;
};

enum talk_state {
	TALK_OPEN,
	TALK_DONE, /* everything acknowledged both ways, as both know */
	TALK_LOST, /* the peer has vanished */
};

/* What is being asked; one question at a time. */
enum talk_question { TALK_NOTHING, TALK_MESSAGE, TALK_BYE, TALK_ALIVE };

struct talk {
	struct talk_config config;
	enum talk_state state;
	enum talk_question question;
	uint8_t id[STUN_ID_SIZE];
	struct transaction transaction;
	uint64_t first_sent;
	uint64_t next;         /* when the next question may be asked */
	uint64_t heard;        /* when the peer was last heard */
	uint32_t acknowledged; /* of our messages */
	uint32_t received;     /* distinct messages of the peer's */
	bool bye_received, bye_delivered;
	uint64_t srtt, rttvar;
	unsigned int refusals;
};

/* @round_trip is what is known of the path so far. */
void talk_start(struct talk *talk, const struct talk_config *config, uint64_t round_trip,
		uint64_t now);

/* Write the next request to be sent at @now into @buffer; returns its length, 0 for none. */
size_t talk_send(struct talk *talk, const struct seal *seal, uint64_t now, void *buffer);
uint64_t talk_due(const struct talk *talk);

/* An authentic message came. Returns true when it is to be answered. */
bool talk_receive(struct talk *talk, const struct sealed *sealed, uint64_t now);

/* The peer's host says that nobody listens there any more. */
void talk_refused(struct talk *talk);

#endif
