/* SPDX-License-Identifier: MIT */
#include "agents/portmap/wire.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	RESPONSE = 0x80, /* in the opcode */

	NAT_PMP_VERSION = 0,
	NAT_PMP_OP_ADDRESS = 0,
	NAT_PMP_OP_UDP = 1,
	NAT_PMP_OP_TCP = 2,
	NAT_PMP_ADDRESS_SIZE = 12, /* of the answer; RFC 6886 section 3.2 */
	NAT_PMP_MAPPING_SIZE = 16, /* section 3.3 */
	NAT_PMP_ERROR_SIZE = 8,    /* version, opcode, result, epoch: section 3.5 */

	PCP_VERSION = 2,
	PCP_OP_MAP = 1,
	PCP_HEADER_SIZE = 24, /* RFC 6887 sections 7.1 and 7.2 */
	PCP_MAP_SIZE = 36,    /* section 11.1 */
	PCP_UNSUPPORTED_VERSION = 1,
};

/* A message of at most PORTMAP_REQUEST_MAX bytes that is being written or read. */
struct cursor {
	uint8_t *bytes;
	size_t at;
};

static void put(struct cursor *cursor, const void *bytes, size_t length)
{
	memcpy(cursor->bytes + cursor->at, bytes, length);
	cursor->at += length;
}

static void put8(struct cursor *cursor, uint8_t value)
{
	put(cursor, &value, 1);
}

static void put16(struct cursor *cursor, uint16_t value)
{
	const uint16_t raw = htons(value);

	put(cursor, &raw, 2);
}

static void put32(struct cursor *cursor, uint32_t value)
{
	const uint32_t raw = htonl(value);

	put(cursor, &raw, 4);
}

/* PCP writes an IPv4 address as ::ffff:a.b.c.d (section 5). */
static void put_mapped(struct cursor *cursor, const struct addr *addr)
{
	static const uint8_t zeros[10];
	const uint32_t ipv4 = addr ? addr_to_ipv4(addr) : 0;

	if (addr && addr->family == AF_INET6) {
		put(cursor, addr->bytes, 16);
		return;
	}
	put(cursor, zeros, sizeof(zeros));
	put16(cursor, 0xffff);
	put(cursor, &ipv4, 4);
}

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static struct addr get_ipv4(const uint8_t *bytes)
{
	uint32_t ipv4;

	memcpy(&ipv4, bytes, 4);
	return addr_from_ipv4(ipv4);
}

static struct addr get_mapped(const uint8_t *bytes)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	struct addr addr = {.family = AF_INET6};

	if (memcmp(bytes, prefix, sizeof(prefix)) == 0)
		return get_ipv4(bytes + sizeof(prefix));
	memcpy(addr.bytes, bytes, 16);
	return addr;
}

size_t portmap_encode_address(void *buffer)
{
	struct cursor cursor = {.bytes = buffer};

	put8(&cursor, NAT_PMP_VERSION);
	put8(&cursor, NAT_PMP_OP_ADDRESS);
	return cursor.at;
}

static size_t encode_nat_pmp(const struct portmap_wish *wish, struct cursor *cursor)
{
	put8(cursor, NAT_PMP_VERSION);
	put8(cursor, wish->tcp ? NAT_PMP_OP_TCP : NAT_PMP_OP_UDP);
	put16(cursor, 0);
	put16(cursor, wish->internal);
	put16(cursor, wish->lifetime ? wish->external : 0); /* section 3.4: 0 when deleting */
	put32(cursor, wish->lifetime);
	return cursor->at;
}

static size_t encode_pcp(const struct portmap_wish *wish, const struct addr *client,
			 const uint8_t nonce[PORTMAP_NONCE_SIZE], struct cursor *cursor)
{
	put8(cursor, PCP_VERSION);
	put8(cursor, PCP_OP_MAP);
	put16(cursor, 0);
	put32(cursor, wish->lifetime);
	put_mapped(cursor, client);
	put(cursor, nonce, PORTMAP_NONCE_SIZE);
	put8(cursor, wish->tcp ? IPPROTO_TCP : IPPROTO_UDP);
	put8(cursor, 0);
	put16(cursor, 0);
	put16(cursor, wish->internal);
	put16(cursor, wish->external);
	put_mapped(cursor, NULL);
	return cursor->at;
}

size_t portmap_encode_wish(enum portmap_protocol protocol, const struct portmap_wish *wish,
			   const struct addr *client, const uint8_t nonce[PORTMAP_NONCE_SIZE],
			   void *buffer)
{
	struct cursor cursor = {.bytes = buffer};

	return protocol == PORTMAP_PCP ? encode_pcp(wish, client, nonce, &cursor)
				       : encode_nat_pmp(wish, &cursor);
}

static bool decode_nat_pmp(const uint8_t *bytes, size_t length, struct portmap_answer *ret)
{
	uint8_t opcode;

	if (length < NAT_PMP_ERROR_SIZE || !(bytes[1] & RESPONSE))
		return false;
	opcode = bytes[1] & 0x7f;
	ret->result = get16(bytes + 2);
	ret->epoch = get32(bytes + 4);
	if (opcode == NAT_PMP_OP_ADDRESS) {
		ret->kind = PORTMAP_ADDRESS;
		if (length >= NAT_PMP_ADDRESS_SIZE)
			ret->external.addr = get_ipv4(bytes + 8);
		return ret->result != 0 || length >= NAT_PMP_ADDRESS_SIZE;
	}
	ret->kind = PORTMAP_MAPPING;
	ret->tcp = opcode == NAT_PMP_OP_TCP;
	if ((opcode != NAT_PMP_OP_UDP && opcode != NAT_PMP_OP_TCP) || length < NAT_PMP_MAPPING_SIZE)
		return false;
	ret->internal = get16(bytes + 8);
	ret->external.port = get16(bytes + 10);
	ret->lifetime = get32(bytes + 12);
	return true;
}

static bool decode_pcp(const uint8_t *bytes, size_t length, struct portmap_answer *ret)
{
	const uint8_t *map = bytes + PCP_HEADER_SIZE;

	if (length < PCP_HEADER_SIZE || length > PORTMAP_MESSAGE_MAX || length % 4 != 0 ||
	    !(bytes[1] & RESPONSE))
		return false;
	ret->kind = PORTMAP_MAPPING;
	ret->result = bytes[3];
	ret->lifetime = get32(bytes + 4);
	ret->epoch = get32(bytes + 8);
	if ((bytes[1] & 0x7f) != PCP_OP_MAP || length < PCP_HEADER_SIZE + PCP_MAP_SIZE)
		return false;
	memcpy(ret->nonce, map, PORTMAP_NONCE_SIZE);
	ret->tcp = map[12] == IPPROTO_TCP;
	ret->internal = get16(map + 16);
	ret->external.port = get16(map + 18);
	ret->external.addr = get_mapped(map + 20);
	return map[12] == IPPROTO_TCP || map[12] == IPPROTO_UDP;
}

/* A gateway of another version answers in its own (RFC 6886 section 3.5, RFC 6887 section 9). */
static bool decode_other(const uint8_t *bytes, size_t length, struct portmap_answer *ret)
{
	ret->kind = PORTMAP_OTHER_VERSION;
	ret->result = bytes[0] == NAT_PMP_VERSION ? get16(bytes + 2) : bytes[3];
	return length >= NAT_PMP_ERROR_SIZE && (bytes[1] & RESPONSE) &&
	       ret->result == PCP_UNSUPPORTED_VERSION;
}

bool portmap_decode(enum portmap_protocol protocol, const void *bytes, size_t length,
		    struct portmap_answer *ret)
{
	const uint8_t own = protocol == PORTMAP_PCP ? PCP_VERSION : NAT_PMP_VERSION;
	const uint8_t *raw = bytes;

	*ret = (struct portmap_answer){0};
	if (length < NAT_PMP_ERROR_SIZE)
		return false;
	ret->version = raw[0];
	if (raw[0] != own)
		return decode_other(raw, length, ret);
	return protocol == PORTMAP_PCP ? decode_pcp(raw, length, ret)
				       : decode_nat_pmp(raw, length, ret);
}

const char *portmap_result(enum portmap_protocol protocol, uint16_t result)
{
	/* RFC 6886 section 3.5; RFC 6887 section 7.4. */
	static const char *const nat_pmp[] = {
		"done",
		"it does not speak this version",
		"refused by its policy",
		"it has no address outside that the internet could reach",
		"it has no ports left",
		"it does not know the operation",
	};
	static const char *const pcp[] = {
		"done",
		"it does not speak this version",
		"refused by its policy",
		"it found the request malformed",
		"it does not know the operation",
		"it does not know the option",
		"it found the option malformed",
		"it has no address outside that the internet could reach",
		"it has no ports left",
		"it does not map this transport protocol",
		"this host has as many ports as it may have",
		"it cannot give the suggested external endpoint",
		"a NAT is between this host and it",
		"it was asked for too many remote peers",
	};

	if (protocol == PORTMAP_PCP && result < sizeof(pcp) / sizeof(pcp[0]))
		return pcp[result];
	if (protocol == PORTMAP_NAT_PMP && result < sizeof(nat_pmp) / sizeof(nat_pmp[0]))
		return nat_pmp[result];
	return "refused for a reason of its own";
}
