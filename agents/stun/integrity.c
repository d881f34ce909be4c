/* SPDX-License-Identifier: MIT */
#include "agents/stun/integrity.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>
#include <zlib.h>

enum {
	CRC_MASK = 0x5354554e
}; /* "STUN": keeps the CRC apart from one the payload itself carries */

/* The header as it is hashed: with the length the message has when it ends with the attribute
 * at @offset and its @digest_size bytes, whatever follows later. */
static void header_for(const uint8_t *bytes, size_t offset, size_t digest_size,
		       uint8_t ret[STUN_HEADER_SIZE])
{
	size_t length = offset + 4 + digest_size - STUN_HEADER_SIZE;

	memcpy(ret, bytes, STUN_HEADER_SIZE);
	ret[2] = (uint8_t)(length >> 8);
	ret[3] = (uint8_t)length;
}

static void hmac_sha1(const uint8_t *bytes, size_t offset, const void *key, size_t key_length,
		      uint8_t digest[SHA1_DIGEST_SIZE])
{
	uint8_t header[STUN_HEADER_SIZE];
	struct hmac_sha1_ctx context;

	header_for(bytes, offset, SHA1_DIGEST_SIZE, header);
	hmac_sha1_set_key(&context, key_length, key);
	hmac_sha1_update(&context, sizeof(header), header);
	hmac_sha1_update(&context, offset - sizeof(header), bytes + sizeof(header));
	hmac_sha1_digest(&context, SHA1_DIGEST_SIZE, digest);
}

static void hmac_sha256(const uint8_t *bytes, size_t offset, const void *key, size_t key_length,
			uint8_t digest[SHA256_DIGEST_SIZE])
{
	uint8_t header[STUN_HEADER_SIZE];
	struct hmac_sha256_ctx context;

	header_for(bytes, offset, SHA256_DIGEST_SIZE, header);
	hmac_sha256_set_key(&context, key_length, key);
	hmac_sha256_update(&context, sizeof(header), header);
	hmac_sha256_update(&context, offset - sizeof(header), bytes + sizeof(header));
	hmac_sha256_digest(&context, SHA256_DIGEST_SIZE, digest);
}

void stun_put_integrity(struct stun_builder *builder, const void *key, size_t key_length)
{
	size_t offset = builder->length;

	stun_put_zeros(builder, STUN_MESSAGE_INTEGRITY, SHA1_DIGEST_SIZE);
	if (!builder->failed)
		hmac_sha1(builder->bytes, offset, key, key_length, builder->bytes + offset + 4);
}

void stun_put_integrity_sha256(struct stun_builder *builder, const void *key, size_t key_length)
{
	size_t offset = builder->length;

	stun_put_zeros(builder, STUN_MESSAGE_INTEGRITY_SHA256, SHA256_DIGEST_SIZE);
	if (!builder->failed)
		hmac_sha256(builder->bytes, offset, key, key_length, builder->bytes + offset + 4);
}

bool stun_check_integrity(const struct stun_message *message, const void *key, size_t key_length)
{
	struct stun_attribute attribute;
	uint8_t digest[SHA1_DIGEST_SIZE];

	if (!stun_find(message, STUN_MESSAGE_INTEGRITY, &attribute) ||
	    attribute.length != SHA1_DIGEST_SIZE)
		return false;
	hmac_sha1(message->bytes, attribute.offset, key, key_length, digest);
	return memeql_sec(digest, attribute.value, sizeof(digest));
}

bool stun_check_integrity_sha256(const struct stun_message *message, const void *key,
				 size_t key_length)
{
	struct stun_attribute attribute;
	uint8_t digest[SHA256_DIGEST_SIZE];

	if (!stun_find(message, STUN_MESSAGE_INTEGRITY_SHA256, &attribute) ||
	    attribute.length != SHA256_DIGEST_SIZE)
		return false;
	hmac_sha256(message->bytes, attribute.offset, key, key_length, digest);
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
