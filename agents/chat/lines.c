/* SPDX-License-Identifier: MIT */
#include "agents/chat/lines.h"

#include <string.h>

void *lines_room(struct lines *lines, size_t *ret_size)
{
	memmove(lines->bytes, lines->bytes + lines->taken, lines->length - lines->taken);
	lines->length -= lines->taken;
	lines->taken = 0;
	*ret_size = sizeof(lines->bytes) - lines->length;
	return lines->bytes + lines->length;
}

void lines_added(struct lines *lines, size_t count)
{
	lines->length += count;
}

static bool is_inside(uint8_t byte)
{
	return (byte & 0xc0) == 0x80; /* of a character of several bytes */
}

/* At most @max, and not within a character, if that is what it is. */
static size_t cut(const uint8_t *bytes, size_t max)
{
	size_t at = max;

	while (at > 0 && max - at < 3 && is_inside(bytes[at]))
		at--;
	return at == 0 || is_inside(bytes[at]) ? max : at;
}

bool lines_next(struct lines *lines, size_t max, const uint8_t **ret, size_t *ret_length)
{
	const uint8_t *start = lines->bytes + lines->taken;
	size_t left = lines->length - lines->taken;
	const uint8_t *end = memchr(start, '\n', left);
	size_t length = end ? (size_t)(end - start) : left;

	*ret = start;
	if (length > max) {
		*ret_length = cut(start, max);
		lines->taken += *ret_length;
		return true;
	}
	if (!end && (!lines->ended || left == 0))
		return false;
	lines->taken += length + (end ? 1 : 0);
	*ret_length = length > 0 && start[length - 1] == '\r' ? length - 1 : length;
	return true;
}
