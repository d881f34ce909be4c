/* SPDX-License-Identifier: MIT */
/*
 * Anything at all as what comes over a TCP connection: the same messages come out of it however it
 * was cut, they are what went in, and a stream that wants more has room for it.
 */
#include <stdlib.h>
#include <string.h>

#include "agents/stun/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAPACITY = 512 };

struct outcome {
	size_t messages;
	size_t taken; /* bytes of them */
	bool broken;
};

/* The input in pieces of as many bytes as @cut says, in turn. */
static struct outcome read_in_pieces(const uint8_t *data, size_t size, uint32_t cut)
{
	uint8_t buffer[CAPACITY];
	struct outcome outcome = {0};
	struct stun_message message;
	struct stun_stream stream;
	size_t given = 0;

	stun_stream_init(&stream, buffer, sizeof(buffer));
	for (;;) {
		enum stun_stream_result result = stun_stream_next(&stream, &message);
		size_t room, piece;
		void *at;

		if (result == STREAM_MESSAGE) {
			if (memcmp(message.bytes, data + outcome.taken, message.length) != 0)
				abort();
			outcome.messages++;
			outcome.taken += message.length;
			continue;
		}
		outcome.broken = result == STREAM_BROKEN;
		if (outcome.broken || given == size)
			return outcome;
		at = stun_stream_room(&stream, &room);
		if (room == 0)
			abort();
		cut = cut * 1664525 + 1013904223;
		piece = 1 + (cut >> 16) % 600;
		piece = piece < room ? piece : room;
		piece = piece < size - given ? piece : size - given;
		memcpy(at, data + given, piece);
		stun_stream_added(&stream, piece);
		given += piece;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome one = read_in_pieces(data, size, 1), other;
	uint32_t cut;

	for (cut = 2; cut < 6; cut++) {
		other = read_in_pieces(data, size, cut);
		if (one.messages != other.messages || one.taken != other.taken ||
		    one.broken != other.broken)
			abort();
	}
	return 0;
}
