/* SPDX-License-Identifier: MIT */
/*
 * STUN messages as bytes: reading one without trusting it, and writing one into a
 * buffer of the caller. No allocation, no sockets, no clock.
 *
 *     0                   1                   2                   3
 *    |0 0|  type: method and class |       length of what follows      |
 *    |                magic cookie 0x2112A442 (RFC 8489)               |
 *    |                transaction id, 96 bits                          |
 *    |     attribute type      |      length       | value, padded to 4 ...
 *
 * Two dialects share this layout. Before RFC 5389 the cookie was part of a 128-bit
 * transaction id, so a message without it comes from an RFC 3489 speaker. Both are
 * handled by keeping the 16 bytes together as the id.
 */
#ifndef NATSIM_AGENTS_STUN_MESSAGE_H
#define NATSIM_AGENTS_STUN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	STUN_HEADER_SIZE = 20,
	STUN_ID_SIZE = 16,
	STUN_MESSAGE_MAX = 65507, /* the largest UDP payload over IPv4 */
	STUN_COOKIE = 0x2112A442,
};

enum stun_class {
	STUN_REQUEST,
	STUN_INDICATION,
	STUN_SUCCESS,
	STUN_ERROR
}; /* RFC 8489 section 5 */

enum { STUN_BINDING = 0x001 };

/* Numbers from the IANA registry; the section is where the meaning is defined. */
enum stun_type {
	STUN_MAPPED_ADDRESS = 0x0001,           /* RFC 8489 14.1 */
	STUN_RESPONSE_ADDRESS = 0x0002,         /* RFC 3489 11.2.2 */
	STUN_CHANGE_REQUEST = 0x0003,           /* RFC 5780 7.2 */
	STUN_SOURCE_ADDRESS = 0x0004,           /* RFC 3489 11.2.5 */
	STUN_CHANGED_ADDRESS = 0x0005,          /* RFC 3489 11.2.3 */
	STUN_USERNAME = 0x0006,                 /* RFC 8489 14.3 */
	STUN_PASSWORD = 0x0007,                 /* RFC 3489 11.2.7 */
	STUN_MESSAGE_INTEGRITY = 0x0008,        /* RFC 8489 14.5 */
	STUN_ERROR_CODE = 0x0009,               /* RFC 8489 14.8 */
	STUN_UNKNOWN_ATTRIBUTES = 0x000a,       /* RFC 8489 14.13 */
	STUN_REFLECTED_FROM = 0x000b,           /* RFC 3489 11.2.11 */
	STUN_CHANNEL_NUMBER = 0x000c,           /* RFC 8656 18.1 */
	STUN_LIFETIME = 0x000d,                 /* RFC 8656 18.2 */
	STUN_XOR_PEER_ADDRESS = 0x0012,         /* RFC 8656 18.3 */
	STUN_DATA = 0x0013,                     /* RFC 8656 18.4 */
	STUN_REALM = 0x0014,                    /* RFC 8489 14.9 */
	STUN_NONCE = 0x0015,                    /* RFC 8489 14.10 */
	STUN_XOR_RELAYED_ADDRESS = 0x0016,      /* RFC 8656 18.5 */
	STUN_REQUESTED_TRANSPORT = 0x0019,      /* RFC 8656 18.8 */
	STUN_MESSAGE_INTEGRITY_SHA256 = 0x001c, /* RFC 8489 14.6 */
	STUN_PASSWORD_ALGORITHM = 0x001d,       /* RFC 8489 14.12 */
	STUN_USERHASH = 0x001e,                 /* RFC 8489 14.4 */
	STUN_XOR_MAPPED_ADDRESS = 0x0020,       /* RFC 8489 14.2 */
	STUN_PRIORITY = 0x0024,                 /* RFC 8445 16.1 */
	STUN_USE_CANDIDATE = 0x0025,            /* RFC 8445 16.1 */
	STUN_PADDING = 0x0026,                  /* RFC 5780 7.6 */
	STUN_RESPONSE_PORT = 0x0027,            /* RFC 5780 7.5 */
	STUN_PASSWORD_ALGORITHMS = 0x8002,      /* RFC 8489 14.11 */
	STUN_XOR_MAPPED_ADDRESS_DRAFT = 0x8020, /* what servers sent before 0x0020 was assigned */
	STUN_SOFTWARE = 0x8022,                 /* RFC 8489 14.14 */
	STUN_FINGERPRINT = 0x8028,              /* RFC 8489 14.7 */
	STUN_ICE_CONTROLLED = 0x8029,           /* RFC 8445 16.1 */
	STUN_ICE_CONTROLLING = 0x802a,          /* RFC 8445 16.1 */
	STUN_RESPONSE_ORIGIN = 0x802b,          /* RFC 5780 7.3 */
	STUN_OTHER_ADDRESS = 0x802c,            /* RFC 5780 7.4 */
};

/* The two flags of CHANGE-REQUEST. */
enum { STUN_CHANGE_IP = 0x4, STUN_CHANGE_PORT = 0x2 };

/* Attribute types below this must be understood by whoever gets a request with one. */
enum { STUN_COMPREHENSION_OPTIONAL = 0x8000 };

/* ---- reading ---- */

/* A datagram that is a well-formed message, and still the caller's bytes. */
struct stun_message {
	const uint8_t *bytes;
	size_t length;
	enum stun_class class;
	uint16_t method;
	bool classic; /* no cookie: RFC 3489 */
};

struct stun_attribute {
	uint16_t type;
	uint16_t length;
	const uint8_t *value;
	size_t offset; /* of the attribute's header in the message */
};

/*
 * Take @bytes for a message: header, length and every attribute's bounds are checked,
 * and that nothing follows FINGERPRINT. False, and *ret untouched, for anything else.
 */
bool stun_parse(const void *bytes, size_t length, struct stun_message *ret);

/* The 16 bytes of the transaction id, cookie included. */
const uint8_t *stun_id(const struct stun_message *message);

/*
 * The attribute after the one in *attribute; start with a zeroed one. What stands
 * behind MESSAGE-INTEGRITY is not protected by it and is passed over, except the
 * two that belong there (RFC 8489 section 14.5).
 */
bool stun_next(const struct stun_message *message, struct stun_attribute *attribute);

/* The first attribute of @type; later ones of a kind are ignored (RFC 8489 section 14). */
bool stun_find(const struct stun_message *message, uint16_t type, struct stun_attribute *ret);

/* Values of one attribute. False, and *ret untouched, when it is not what the type asks for. */
bool stun_read_u32(const struct stun_attribute *attribute, uint32_t *ret);
bool stun_read_address(const struct stun_attribute *attribute, struct endpoint *ret);
bool stun_read_xor_address(const struct stun_message *message,
			   const struct stun_attribute *attribute, struct endpoint *ret);

/* 300 to 699; the phrase is neither terminated nor to be trusted. */
struct stun_error_code {
	unsigned int code;
	const char *phrase;
	size_t phrase_length;
};
bool stun_read_error(const struct stun_attribute *attribute, struct stun_error_code *ret);

/* The mapped endpoint of a Binding response in whichever dialect it came. */
bool stun_mapped_address(const struct stun_message *message, struct endpoint *ret);

/* Where the server would answer from if asked to change both: OTHER-ADDRESS or CHANGED-ADDRESS. */
bool stun_other_address(const struct stun_message *message, struct endpoint *ret);

/* ---- writing ---- */

/* Running out of room is remembered, so that only stun_end() need be checked. */
struct stun_builder {
	uint8_t *bytes;
	size_t capacity;
	size_t length;
	bool failed;
};

/* @id is all 16 bytes: it decides the dialect. */
void stun_begin(struct stun_builder *builder, void *buffer, size_t capacity, enum stun_class class,
		uint16_t method, const uint8_t id[STUN_ID_SIZE]);

void stun_put(struct stun_builder *builder, uint16_t type, const void *value, size_t length);
void stun_put_u32(struct stun_builder *builder, uint16_t type, uint32_t value);
void stun_put_zeros(struct stun_builder *builder, uint16_t type, size_t length);
void stun_put_address(struct stun_builder *builder, uint16_t type, const struct endpoint *endpoint);
void stun_put_xor_address(struct stun_builder *builder, uint16_t type,
			  const struct endpoint *endpoint);
void stun_put_error(struct stun_builder *builder, unsigned int code, const char *phrase);

/* In RFC 3489's dialect an odd list is made even by repeating its last (section 11.2.10). */
void stun_put_unknown(struct stun_builder *builder, const uint16_t *types, size_t count);

/* The message's length, or 0 when it did not fit. */
size_t stun_end(const struct stun_builder *builder);

#endif
