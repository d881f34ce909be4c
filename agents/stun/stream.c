/* SPDX-License-Identifier: MIT */
#include "agents/stun/stream.h"

#include <string.h>

void stun_stream_init(struct stun_stream *stream, void *buffer, size_t capacity)
{
	*stream = (struct stun_stream){.bytes = buffer, .capacity = capacity};
}

void *stun_stream_room(struct stun_stream *stream, size_t *ret_size)
{
	if (stream->taken > 0) {
		stream->length -= stream->taken;
		memmove(stream->bytes, stream->bytes + stream->taken, stream->length);
		stream->taken = 0;
	}
	*ret_size = stream->capacity - stream->length;
	return stream->bytes + stream->length;
}

void stun_stream_added(struct stun_stream *stream, size_t count)
{
	stream->length += count;
}

/*
 * How long the message that begins with @bytes is, as soon as its header tells; 0 when
 * that cannot be told yet, SIZE_MAX when no message begins like this.
 */
static size_t whole_length(const uint8_t *bytes, size_t count)
{
	static const uint8_t cookie[4] = {
		(uint8_t)((uint32_t)STUN_COOKIE >> 24), (uint8_t)((uint32_t)STUN_COOKIE >> 16),
		(uint8_t)((uint32_t)STUN_COOKIE >> 8), (uint8_t)STUN_COOKIE};
	size_t length;

	if (count >= 1 && (bytes[0] & 0xc0) != 0)
		return SIZE_MAX;
	if (count < 8)
		return 0;
	length = (size_t)(bytes[2] << 8 | bytes[3]);
	if (length % 4 != 0 || memcmp(bytes + 4, cookie, sizeof(cookie)) != 0)
		return SIZE_MAX;
	return STUN_HEADER_SIZE + length;
}

enum stun_stream_result stun_stream_next(struct stun_stream *stream, struct stun_message *ret)
{
	const uint8_t *bytes = stream->bytes + stream->taken;
	size_t count = stream->length - stream->taken;
	size_t length = whole_length(bytes, count);

	if (stream->broken || length > stream->capacity) {
		stream->broken = true;
		return STREAM_BROKEN;
	}
	if (length == 0 || length > count)
		return STREAM_MORE;
	if (!stun_parse(bytes, length, ret)) {
		stream->broken = true;
		return STREAM_BROKEN;
	}
	stream->taken += length;
	return STREAM_MESSAGE;
}
