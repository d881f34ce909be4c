/* SPDX-License-Identifier: MIT */
/*
 * Talking over a settled path: numbered messages both ways, each acknowledged before
 * the next, keeping the path while there is nothing to say, an orderly end, and noticing
 * that the path has died or the peer has gone.
 */
#ifndef NATSIM_AGENTS_PUNCH_TALK_H
#define NATSIM_AGENTS_PUNCH_TALK_H

#include "agents/net/random.h"
#include "agents/punch/seal.h"
#include "agents/stun/transaction.h"

#define TALK_KEEPALIVE (15 * SEC) /* RFC 8445 section 11: Tr */
#define TALK_PATIENCE (5 * SEC)

/* All times in nanoseconds. */
struct talk_config {
	uint32_t messages;  /* to be sent */
	uint64_t interval;  /* between one's acknowledgement and the next */
	uint64_t pause;     /* once, when half of the messages are acknowledged */
	uint64_t hold;      /* keep the path for this long after the last message */
	uint64_t keepalive; /* send something after so long a silence of ours; 0: TALK_KEEPALIVE */
	uint64_t patience;  /* a path is dead that answers nothing for this long; 0: TALK_PATIENCE
			     */
	struct random_source random;
};

enum talk_state {
	TALK_OPEN,
	TALK_DONE, /* everything acknowledged both ways, as both know */
	TALK_DEAD, /* nothing is answered any more: the path has died, or the peer */
	TALK_GONE, /* the peer's host says that nobody listens there any more */
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
	uint64_t next;         /* when the next message may be sent */
	uint64_t hold_until;   /* when Bye may be said; meaningful when all is acknowledged */
	uint64_t spoken;       /* when we last sent anything, a question or an answer */
	uint64_t unanswered;   /* since when we ask and hear nothing; 0: we do not ask */
	uint32_t acknowledged; /* of our messages */
	uint32_t received;     /* distinct messages of the peer's */
	uint32_t acknowledged_before, received_before; /* over paths that died */
	bool bye_received, bye_delivered;
	uint64_t srtt, rttvar;
	unsigned int refusals;
};

/* @round_trip is what is known of the path so far. */
void talk_start(struct talk *talk, const struct talk_config *config, uint64_t round_trip,
		uint64_t now);

/* There is more to be said than was known at the start, and another end to it. */
void talk_release(struct talk *talk, uint32_t messages, uint64_t hold, uint64_t now);

/* Go on where we were, over another path. */
void talk_resume(struct talk *talk, uint64_t round_trip, uint64_t now);

/* Write the next request to be sent at @now into @buffer; returns its length, 0 for none. */
size_t talk_send(struct talk *talk, const struct seal *seal, uint64_t now, void *buffer);
uint64_t talk_due(const struct talk *talk);

/* An authentic message came. Returns true when it is to be answered. */
bool talk_receive(struct talk *talk, const struct sealed *sealed, uint64_t now);

/* The peer's host says that nobody listens there any more. */
void talk_refused(struct talk *talk);

#endif
