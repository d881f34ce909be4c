/* SPDX-License-Identifier: MIT */
/*
 * An input read as a recipe for a STUN message. Bytes that are drawn are seldom a message, so what
 * looks at messages would seldom be reached; what a recipe makes always is one, whatever is wrong
 * with its attributes.
 *
 *     class, flags | method | attribute: type, length, value | attribute ...
 */
#ifndef NATSIM_TESTS_FUZZ_RECIPE_H
#define NATSIM_TESTS_FUZZ_RECIPE_H

#include "agents/stun/integrity.h"

enum { RECIPE_SIZE = 1280 };

/* Each quarter of a byte's values is a region in which somebody has defined attributes. */
static inline uint16_t recipe_type(uint8_t byte)
{
	static const uint16_t regions[4] = {0x0000, 0x7f00, 0x8000, 0x8020};

	return (uint16_t)(regions[byte >> 6] + (byte & 63));
}

/* Likewise: RFC 8489 and 8656 have the first half, the agents the other. */
static inline uint16_t recipe_method(uint8_t byte)
{
	return byte < 128 ? byte % 16 : (uint16_t)(0xf00 + byte % 32);
}

/* Writes the message into RECIPE_SIZE bytes; returns its length, 0 where it does not fit. */
static inline size_t recipe_write(const uint8_t *data, size_t size, uint8_t *ret)
{
	static const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
	struct stun_builder builder;
	size_t at = 2;

	if (size < 2)
		return 0;
	stun_begin(&builder, ret, RECIPE_SIZE, (enum stun_class)(data[0] & 3),
		   recipe_method(data[1]), id);
	while (at + 2 <= size) {
		uint16_t type = recipe_type(data[at]);
		/* Most attributes have less than 64 bytes, and none as many as all are read for. */
		size_t length = data[at + 1] < 192 ? data[at + 1] % 64 : data[at + 1] * 4U;

		at += 2;
		length = length < size - at ? length : size - at;
		/* These say that the rest is what was sent, which is said in the end if at all. */
		if (type != STUN_FINGERPRINT)
			stun_put(&builder, type, data + at, length);
		at += length;
	}
	if (data[0] & 4)
		stun_put_fingerprint(&builder);
	return stun_end(&builder);
}

#endif
