/* SPDX-License-Identifier: MIT */
#include "agents/stun/integrity.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>
#include <zlib.h>

enum {
	CRC_MASK = 0x5354554e
}; /* "STUN": keeps the CRC apart from one the payload itself carries */

/*
 * The header is hashed with the length the message has when it ends with the
 * attribute at @offset, whatever follows later.
 */
static void hmac(const uint8_t *bytes, size_t offset, const void *key, size_t key_length,
		 uint8_t digest[SHA1_DIGEST_SIZE])
{
	size_t length = offset + 4 + SHA1_DIGEST_SIZE - STUN_HEADER_SIZE;
	const uint8_t length_bytes[2] = {(uint8_t)(length >> 8), (uint8_t)length};
	struct hmac_sha1_ctx context;

	hmac_sha1_set_key(&context, key_length, key);
	hmac_sha1_update(&context, 2, bytes);
	hmac_sha1_update(&context, sizeof(length_bytes), length_bytes);
	hmac_sha1_update(&context, offset - 4, bytes + 4);
	hmac_sha1_digest(&context, SHA1_DIGEST_SIZE, digest);
}

void stun_put_integrity(struct stun_builder *builder, const void *key, size_t key_length)
{
	size_t offset = builder->length;

	stun_put_zeros(builder, STUN_MESSAGE_INTEGRITY, SHA1_DIGEST_SIZE);
	if (!builder->failed)
		hmac(builder->bytes, offset, key, key_length, builder->bytes + offset + 4);
}

bool stun_check_integrity(const struct stun_message *message, const void *key, size_t key_length)
{
	struct stun_attribute attribute;
	uint8_t digest[SHA1_DIGEST_SIZE];

	if (!stun_find(message, STUN_MESSAGE_INTEGRITY, &attribute) ||
	    attribute.length != SHA1_DIGEST_SIZE)
		return false;
	hmac(message->bytes, attribute.offset, key, key_length, digest);
	return memeql_sec(digest, attribute.value, sizeof(digest));
}

static uint32_t fingerprint(const uint8_t *bytes, size_t length)
{
	return (uint32_t)crc32(crc32(0, Z_NULL, 0), bytes, (uInt)length) ^ CRC_MASK;
}

void stun_put_fingerprint(struct stun_builder *builder)
{
	size_t offset = builder->length;
	uint32_t crc;

	/* The CRC covers the header with the final length: reserve first, fill in after. */
	stun_put_u32(builder, STUN_FINGERPRINT, 0);
	if (builder->failed)
		return;
	crc = fingerprint(builder->bytes, offset);
	builder->bytes[offset + 4] = (uint8_t)(crc >> 24);
	builder->bytes[offset + 5] = (uint8_t)(crc >> 16);
	builder->bytes[offset + 6] = (uint8_t)(crc >> 8);
	builder->bytes[offset + 7] = (uint8_t)crc;
}

enum stun_fingerprint stun_check_fingerprint(const struct stun_message *message)
{
	struct stun_attribute attribute;
	uint32_t crc;

	if (!stun_find(message, STUN_FINGERPRINT, &attribute))
		return STUN_FINGERPRINT_ABSENT;
	if (!stun_read_u32(&attribute, &crc))
		return STUN_FINGERPRINT_WRONG;
	return crc == fingerprint(message->bytes, attribute.offset) ? STUN_FINGERPRINT_RIGHT
								    : STUN_FINGERPRINT_WRONG;
}
