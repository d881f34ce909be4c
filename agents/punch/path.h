/* SPDX-License-Identifier: MIT */
/*
 * From candidates to payload: seeking a path (candidates.h), then talking over it (talk.h),
 * with every word sealed (seal.h), and seeking again when it dies. What two peers do once they
 * know of each other, however they came to know. Sockets are numbers; who has only one need not
 * speak of it.
 */
#ifndef NATSIM_AGENTS_PUNCH_PATH_H
#define NATSIM_AGENTS_PUNCH_PATH_H

#include "agents/net/datagram.h"
#include "agents/punch/candidates.h"
#include "agents/punch/letters.h"
#include "agents/punch/talk.h"

enum path_state {
	PATH_SEEKING,
	PATH_TALKING,
	PATH_DONE, /* everything acknowledged both ways */
	PATH_LOST, /* the path has died, or the peer */
};

struct path_reply {
	size_t socket;
	struct endpoint to;
	size_t length;
	uint8_t bytes[SEALED_MAX];
};

/* What is said over a path beyond numbered messages, for as long as it is talked over. */
struct path_post {
	struct letters letters;
	/* One of the peer's has come: each once, and in order. */
	void (*arrived)(void *context, const uint8_t *bytes, size_t length);
	void *context;
};

struct path {
	enum path_state state;
	struct seal seal;
	struct talk_config config;
	struct transaction_timing timing;
	struct candidates candidates;
	struct talk talk;
	struct path_post *post; /* NULL: letters are not listened to */
	uint32_t rounds; /* how often a dead path is sought again; 0 unless the caller sets it */
	uint32_t
		repunched; /* how often it was found again; seal.round is how often it was sought */
	uint32_t peer_sight;          /* what the peer says it saw of us (technique.h) */
	uint64_t sought;              /* since when it is sought again */
	uint64_t connected, ended;    /* the first time; at last */
	struct path_reply replies[8]; /* answers waiting to be sent */
	size_t reply_first, reply_count;
};

/* No candidate yet: they are added, at any time, with candidates_add(&path->candidates, ...). */
void path_start(struct path *path, const struct seal *seal, const struct transaction_timing *timing,
		const struct talk_config *config);

/* The next datagram at @now. Call until false. */
bool path_send(struct path *path, uint64_t now, struct datagram *ret);

/* UINT64_MAX when nothing is to be done until something comes. */
uint64_t path_due(const struct path *path);

/* Over and every answer sent. */
bool path_over(const struct path *path);

/* Takes a message of the peer's; returns what it was, SEALED_NONE for anything not the peer's.
 * A blind dial is the caller's to make something of. */
enum sealed_kind path_receive(struct path *path, const struct endpoint *from,
			      const struct stun_message *message, uint64_t now);

/* The same for what came to another than the main one of our sockets. */
enum sealed_kind path_receive_on(struct path *path, size_t socket, const struct endpoint *from,
				 const struct stun_message *message, uint64_t now);

/*
 * One that was parked (nothing to say, a long hold) is chosen: @messages are said, and the
 * path is kept for @hold nanoseconds after them.
 */
void path_release(struct path *path, uint32_t messages, uint64_t hold, uint64_t now);

/*
 * From now on letters pass over @path, which is settled: put them into @post->letters, which is
 * started here, and follow it with path_send(). The last one is to be acknowledged before the
 * path is released to end. Borrows @post, whose callback is set.
 */
void path_carry(struct path *path, struct path_post *post);

/*
 * Nothing more is to be said: it may end, once the peer is of that mind too. Unless @patience is 0,
 * a peer that is not heard for so long is not looked for again.
 */
void path_part(struct path *path, uint64_t patience, uint64_t now);

/* It was sought again for long enough: give up. */
void path_lose(struct path *path, uint64_t now);

/* @to's own host answered that nobody listens there. */
void path_refused(struct path *path, const struct endpoint *to, uint64_t now);

#endif
