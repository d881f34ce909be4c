/* SPDX-License-Identifier: MIT */
/* Lines out of a stream of bytes, none longer than wanted. No allocation, no descriptor. */
#ifndef NATSIM_AGENTS_CHAT_LINES_H
#define NATSIM_AGENTS_CHAT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINES_MAX_BYTES = 4096 };

struct lines {
	uint8_t bytes[LINES_MAX_BYTES];
	size_t taken; /* of `length`: given out already */
	size_t length;
	bool ended; /* nothing more comes: what is left is a line too */
};

/* Where the next bytes go, and how many fit: 0 when lines are to be taken first. What
 * lines_next() gave out is void now. */
void *lines_room(struct lines *lines, size_t *ret_size);
void lines_added(struct lines *lines, size_t count);

/*
 * The next line of at most @max bytes, without its end ("\n" or "\r\n"), valid until
 * lines_room(). A longer one comes in pieces, cut between two characters. Returns false when there
 * is none yet.
 */
bool lines_next(struct lines *lines, size_t max, const uint8_t **ret, size_t *ret_length);

#endif
