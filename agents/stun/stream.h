/* SPDX-License-Identifier: MIT */
/*
 * STUN messages out of a stream of bytes (RFC 8489 section 6.2.2): nothing stands
 * between them, each says in its header how long it is. No allocation, no socket.
 */
#ifndef NATSIM_AGENTS_STUN_STREAM_H
#define NATSIM_AGENTS_STUN_STREAM_H

#include "agents/stun/message.h"

struct stun_stream {
	uint8_t *bytes; /* the caller's, @capacity of them */
	size_t capacity;
	size_t taken;  /* of `length`: given out as messages already */
	size_t length; /* what is in the buffer */
	bool broken;
};

/* Take @buffer, into which the longest message that is wanted must fit. */
void stun_stream_init(struct stun_stream *stream, void *buffer, size_t capacity);

/*
 * Where the next bytes of the stream go, and how many fit: never none after
 * stun_stream_next() said STREAM_MORE. Messages given out before are void now.
 */
void *stun_stream_room(struct stun_stream *stream, size_t *ret_size);
void stun_stream_added(struct stun_stream *stream, size_t count);

enum stun_stream_result {
	STREAM_MESSAGE,
	STREAM_MORE, /* the next message is not whole yet */
	/*
	 * What comes is no STUN message, one without a cookie (RFC 3489 knows no streams), or
	 * one longer than the buffer. In a stream nobody can tell where the next
	 * would begin, so this is the end of it.
	 */
	STREAM_BROKEN,
};

/* The next message, valid until stun_stream_room(). */
enum stun_stream_result stun_stream_next(struct stun_stream *stream, struct stun_message *ret);

#endif
