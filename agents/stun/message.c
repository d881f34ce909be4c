/* SPDX-License-Identifier: MIT */
#include "agents/stun/message.h"

#include <string.h>

enum { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2 }; /* RFC 8489 section 14.1 */

static uint16_t get_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get_u32(const uint8_t *bytes)
{
	return (uint32_t)get_u16(bytes) << 16 | get_u16(bytes + 2);
}

static void set_u16(uint8_t *bytes, size_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static void set_u32(uint8_t *bytes, uint32_t value)
{
	set_u16(bytes, value >> 16);
	set_u16(bytes + 2, value & 0xffff);
}

static size_t padded(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

/* Method and class interleave in the type: M11..M7 C1 M6..M4 C0 M3..M0. */
static uint16_t type_join(enum stun_class class, uint16_t method)
{
	unsigned int c = class;

	return (uint16_t)((method & 0xf80U) << 2 | (method & 0x070U) << 1 | (method & 0x00fU) |
			  (c & 2U) << 7 | (c & 1U) << 4);
}

static enum stun_class type_class(uint16_t type)
{
	return (enum stun_class)((type >> 7 & 2U) | (type >> 4 & 1U));
}

static uint16_t type_method(uint16_t type)
{
	return (uint16_t)((type & 0x3e00U) >> 2 | (type & 0x00e0U) >> 1 | (type & 0x000fU));
}

/* The attribute at @offset, wholly inside the message, or false. */
static bool attribute_at(const uint8_t *bytes, size_t length, size_t offset,
			 struct stun_attribute *ret)
{
	struct stun_attribute attribute;

	if (length - offset < 4)
		return false;
	attribute.type = get_u16(bytes + offset);
	attribute.length = get_u16(bytes + offset + 2);
	attribute.value = bytes + offset + 4;
	attribute.offset = offset;
	if (length - offset - 4 < padded(attribute.length))
		return false;
	*ret = attribute;
	return true;
}

static size_t attribute_end(const struct stun_attribute *attribute)
{
	return attribute->offset + 4 + padded(attribute->length);
}

bool stun_parse(const void *bytes, size_t length, struct stun_message *ret)
{
	const uint8_t *octets = bytes;
	size_t offset = STUN_HEADER_SIZE;
	struct stun_attribute attribute;

	if (length < STUN_HEADER_SIZE || length > STUN_MESSAGE_MAX || length % 4 != 0)
		return false;
	if ((octets[0] & 0xc0) != 0 || get_u16(octets + 2) != length - STUN_HEADER_SIZE)
		return false;
	while (offset < length) {
		if (!attribute_at(octets, length, offset, &attribute))
			return false;
		offset = attribute_end(&attribute);
		if (attribute.type == STUN_FINGERPRINT && offset != length)
			return false;
	}
	*ret = (struct stun_message){
		.bytes = octets,
		.length = length,
		.class = type_class(get_u16(octets)),
		.method = type_method(get_u16(octets)),
		.classic = get_u32(octets + 4) != STUN_COOKIE,
	};
	return true;
}

const uint8_t *stun_id(const struct stun_message *message)
{
	return message->bytes + 4;
}

bool stun_next(const struct stun_message *message, struct stun_attribute *attribute)
{
	size_t offset = attribute->value ? attribute_end(attribute) : STUN_HEADER_SIZE;
	bool sealed = attribute->type == STUN_MESSAGE_INTEGRITY ||
		      attribute->type == STUN_MESSAGE_INTEGRITY_SHA256;

	while (attribute_at(message->bytes, message->length, offset, attribute)) {
		if (!sealed || attribute->type == STUN_MESSAGE_INTEGRITY_SHA256 ||
		    attribute->type == STUN_FINGERPRINT)
			return true;
		offset = attribute_end(attribute);
	}
	return false;
}

bool stun_find(const struct stun_message *message, uint16_t type, struct stun_attribute *ret)
{
	struct stun_attribute attribute = {0};

	while (stun_next(message, &attribute)) {
		if (attribute.type == type) {
			*ret = attribute;
			return true;
		}
	}
	return false;
}

bool stun_read_u32(const struct stun_attribute *attribute, uint32_t *ret)
{
	if (attribute->length != 4)
		return false;
	*ret = get_u32(attribute->value);
	return true;
}

bool stun_read_address(const struct stun_attribute *attribute, struct endpoint *ret)
{
	struct endpoint endpoint = {.addr.family = AF_UNSPEC};

	if (attribute->length < 4)
		return false;
	if (attribute->value[1] == FAMILY_IPV4 && attribute->length == 8)
		endpoint.addr.family = AF_INET;
	else if (attribute->value[1] == FAMILY_IPV6 && attribute->length == 20)
		endpoint.addr.family = AF_INET6;
	else
		return false;
	endpoint.port = get_u16(attribute->value + 2);
	memcpy(endpoint.addr.bytes, attribute->value + 4, attribute->length - 4U);
	*ret = endpoint;
	return true;
}

/* XOR with the cookie, and beyond its 4 bytes with the transaction id: they stand in a row. */
static void xor_endpoint(const uint8_t id[STUN_ID_SIZE], struct endpoint *endpoint)
{
	size_t count = addr_bits(&endpoint->addr) / 8U;
	size_t i;

	endpoint->port ^= (uint16_t)((uint32_t)STUN_COOKIE >> 16);
	for (i = 0; i < count; i++)
		endpoint->addr.bytes[i] ^= id[i];
}

bool stun_read_xor_address(const struct stun_message *message,
			   const struct stun_attribute *attribute, struct endpoint *ret)
{
	struct endpoint endpoint;

	if (message->classic || !stun_read_address(attribute, &endpoint))
		return false;
	xor_endpoint(stun_id(message), &endpoint);
	*ret = endpoint;
	return true;
}

bool stun_read_error(const struct stun_attribute *attribute, struct stun_error_code *ret)
{
	unsigned int hundreds, rest;

	if (attribute->length < 4)
		return false;
	hundreds = attribute->value[2] & 7U;
	rest = attribute->value[3];
	if (hundreds < 3 || hundreds > 6 || rest > 99)
		return false;
	ret->code = hundreds * 100 + rest;
	ret->phrase = (const char *)attribute->value + 4;
	ret->phrase_length = attribute->length - 4U;
	return true;
}

bool stun_mapped_address(const struct stun_message *message, struct endpoint *ret)
{
	struct stun_attribute attribute;

	/* The XORed form first: a meddling NAT rewrites addresses it recognises in payloads. */
	if (stun_find(message, STUN_XOR_MAPPED_ADDRESS, &attribute) &&
	    stun_read_xor_address(message, &attribute, ret))
		return true;
	if (stun_find(message, STUN_XOR_MAPPED_ADDRESS_DRAFT, &attribute) &&
	    stun_read_xor_address(message, &attribute, ret))
		return true;
	return stun_find(message, STUN_MAPPED_ADDRESS, &attribute) &&
	       stun_read_address(&attribute, ret);
}

bool stun_other_address(const struct stun_message *message, struct endpoint *ret)
{
	struct stun_attribute attribute;

	if (stun_find(message, STUN_OTHER_ADDRESS, &attribute) &&
	    stun_read_address(&attribute, ret))
		return true;
	return stun_find(message, STUN_CHANGED_ADDRESS, &attribute) &&
	       stun_read_address(&attribute, ret);
}

void stun_begin(struct stun_builder *builder, void *buffer, size_t capacity, enum stun_class class,
		uint16_t method, const uint8_t id[STUN_ID_SIZE])
{
	*builder = (struct stun_builder){.bytes = buffer, .capacity = capacity};
	if (capacity < STUN_HEADER_SIZE) {
		builder->failed = true;
		return;
	}
	set_u16(builder->bytes, type_join(class, method));
	set_u16(builder->bytes + 2, 0);
	memcpy(builder->bytes + 4, id, STUN_ID_SIZE);
	builder->length = STUN_HEADER_SIZE;
}

/* Append an attribute's header and give room for its value, padding zeroed; NULL when full. */
static uint8_t *append(struct stun_builder *builder, uint16_t type, size_t length)
{
	size_t size = 4 + padded(length);
	uint8_t *at = builder->bytes + builder->length;

	if (builder->failed || length > UINT16_MAX || builder->capacity - builder->length < size ||
	    builder->length + size > STUN_MESSAGE_MAX) {
		builder->failed = true;
		return NULL;
	}
	set_u16(at, type);
	set_u16(at + 2, length);
	memset(at + 4 + length, 0, padded(length) - length);
	builder->length += size;
	set_u16(builder->bytes + 2, builder->length - STUN_HEADER_SIZE);
	return at + 4;
}

void stun_put(struct stun_builder *builder, uint16_t type, const void *value, size_t length)
{
	uint8_t *room = append(builder, type, length);

	if (room && length > 0)
		memcpy(room, value, length);
}

void stun_put_u32(struct stun_builder *builder, uint16_t type, uint32_t value)
{
	uint8_t *room = append(builder, type, 4);

	if (room)
		set_u32(room, value);
}

void stun_put_zeros(struct stun_builder *builder, uint16_t type, size_t length)
{
	uint8_t *room = append(builder, type, length);

	if (room)
		memset(room, 0, length);
}

void stun_put_address(struct stun_builder *builder, uint16_t type, const struct endpoint *endpoint)
{
	size_t size = addr_bits(&endpoint->addr) / 8U;
	uint8_t *room;

	if (size == 0) {
		builder->failed = true;
		return;
	}
	room = append(builder, type, 4 + size);
	if (!room)
		return;
	room[0] = 0;
	room[1] = endpoint->addr.family == AF_INET ? FAMILY_IPV4 : FAMILY_IPV6;
	set_u16(room + 2, endpoint->port);
	memcpy(room + 4, endpoint->addr.bytes, size);
}

void stun_put_xor_address(struct stun_builder *builder, uint16_t type,
			  const struct endpoint *endpoint)
{
	struct endpoint masked = *endpoint;

	if (builder->failed)
		return;
	xor_endpoint(builder->bytes + 4, &masked);
	stun_put_address(builder, type, &masked);
}

void stun_put_error(struct stun_builder *builder, unsigned int code, const char *phrase)
{
	size_t length = strlen(phrase);
	uint8_t *room = append(builder, STUN_ERROR_CODE, 4 + length);

	if (!room)
		return;
	set_u32(room, code / 100 << 8 | code % 100);
	memcpy(room + 4, phrase, length);
}

void stun_put_unknown(struct stun_builder *builder, const uint16_t *types, size_t count)
{
	bool classic = !builder->failed && get_u32(builder->bytes + 4) != STUN_COOKIE;
	size_t total = classic ? count + (count & 1) : count;
	uint8_t *room = append(builder, STUN_UNKNOWN_ATTRIBUTES, 2 * total);
	size_t i;

	for (i = 0; room && i < total; i++)
		set_u16(room + 2 * i, types[i < count ? i : count - 1]);
}

size_t stun_end(const struct stun_builder *builder)
{
	return builder->failed ? 0 : builder->length;
}
