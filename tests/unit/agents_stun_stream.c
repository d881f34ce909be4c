/* SPDX-License-Identifier: MIT */
/* STUN messages in a stream: found however the bytes come, and an end to what is none. */
#include <criterion/criterion.h>
#include <string.h>

#include "agents/stun/integrity.h"
#include "agents/stun/stream.h"

enum { CAPACITY = 128 };

static size_t write_message(uint8_t *buffer, uint8_t number, size_t padding)
{
	const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, number};
	struct stun_builder builder;

	stun_begin(&builder, buffer, 4096, STUN_REQUEST, STUN_BINDING, id);
	stun_put_zeros(&builder, STUN_PADDING, padding);
	stun_put_fingerprint(&builder);
	return stun_end(&builder);
}

/* Put @bytes in, @step at a time; returns how many messages came out, -1 when it broke. */
static int feed(struct stun_stream *stream, const uint8_t *bytes, size_t length, size_t step,
		uint8_t *ret_first)
{
	int messages = 0;

	while (length > 0) {
		struct stun_message message;
		size_t size, count;
		void *room = stun_stream_room(stream, &size);
		enum stun_stream_result result;

		cr_assert_gt(size, 0, "a stream that wants more has no room");
		count = length < step ? length : step;
		count = count < size ? count : size;
		memcpy(room, bytes, count);
		stun_stream_added(stream, count);
		bytes += count;
		length -= count;
		while ((result = stun_stream_next(stream, &message)) == STREAM_MESSAGE)
			ret_first[messages++] = stun_id(&message)[4];
		if (result == STREAM_BROKEN)
			return -1;
	}
	return messages;
}

Test(stream, messages_are_found_however_the_bytes_come)
{
	uint8_t bytes[1024], buffer[CAPACITY], first[16];
	struct stun_stream stream;
	size_t length = 0, step;

	length += write_message(bytes, 1, 0);
	length += write_message(bytes + length, 2, 60);
	length += write_message(bytes + length, 3, 4);
	length += write_message(bytes + length, 4, CAPACITY - STUN_HEADER_SIZE - 4 - 8);
	for (step = 1; step <= length; step++) {
		stun_stream_init(&stream, buffer, sizeof(buffer));
		cr_assert_eq(feed(&stream, bytes, length, step, first), 4, "%zu at a time", step);
		cr_assert_eq(memcmp(first, "\1\2\3\4", 4), 0, "%zu at a time", step);
	}
}

Test(stream, a_message_longer_than_the_buffer_is_the_end)
{
	uint8_t bytes[1024], buffer[CAPACITY], first[16];
	struct stun_stream stream;
	size_t length = write_message(bytes, 1, CAPACITY - STUN_HEADER_SIZE - 4 - 8 + 4);

	stun_stream_init(&stream, buffer, sizeof(buffer));
	cr_expect_eq(feed(&stream, bytes, 8, 1, first), -1, "its header alone tells");
	stun_stream_init(&stream, buffer, sizeof(buffer));
	cr_expect_eq(feed(&stream, bytes, length, 50, first), -1);
}

static void expect_broken(const uint8_t *bytes, size_t length, const char *what)
{
	uint8_t buffer[CAPACITY], whole[CAPACITY], first[16];
	struct stun_message message;
	struct stun_stream stream;
	size_t size;

	stun_stream_init(&stream, buffer, sizeof(buffer));
	cr_expect_eq(feed(&stream, bytes, length, length, first), -1, "%s", what);
	/* Nothing that comes later makes it good again. */
	size = write_message(whole, 1, 0);
	memcpy(stun_stream_room(&stream, &length), whole, size);
	stun_stream_added(&stream, size);
	cr_expect_eq(stun_stream_next(&stream, &message), STREAM_BROKEN, "%s, later", what);
}

Test(stream, what_is_no_message_breaks_it_for_good)
{
	uint8_t bytes[CAPACITY];
	size_t length;

	expect_broken((const uint8_t *)"\xff", 1, "two leading ones in the first byte");
	write_message(bytes, 1, 0);
	bytes[4] ^= 1;
	expect_broken(bytes, 8, "no cookie");
	length = write_message(bytes, 1, 0);
	bytes[3] |= 1;
	expect_broken(bytes, length, "a length that is no multiple of 4");
	length = write_message(bytes, 1, 4);
	bytes[STUN_HEADER_SIZE + 2] = 0x7f;
	expect_broken(bytes, length, "an attribute longer than its message");
}
