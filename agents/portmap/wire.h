/* SPDX-License-Identifier: MIT */
/*
 * NAT-PMP (RFC 6886) and PCP MAP (RFC 6887) messages to and from bytes.
 *
 * Both are asked at the gateway's UDP port 5351 and say the same things in different
 * orders. The first byte is the version: 0 is NAT-PMP, 2 is PCP.
 */
#ifndef NATSIM_AGENTS_PORTMAP_WIRE_H
#define NATSIM_AGENTS_PORTMAP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	PORTMAP_SERVER_PORT = 5351,
	PORTMAP_REQUEST_MAX = 60,   /* bytes: a PCP MAP request */
	PORTMAP_NONCE_SIZE = 12,    /* RFC 6887 section 11.1 */
	PORTMAP_MESSAGE_MAX = 1100, /* RFC 6887 section 7 */
};

enum portmap_protocol { PORTMAP_NAT_PMP, PORTMAP_PCP };

/* What is wanted of one port. */
struct portmap_wish {
	bool tcp;          /* else UDP */
	uint16_t internal; /* not 0 */
	uint16_t external; /* a suggestion; 0: any */
	uint32_t lifetime; /* seconds; 0 deletes */
};

/* Write NAT-PMP's question for the external address; returns its length. */
size_t portmap_encode_address(void *buffer);

/* Write a request into PORTMAP_REQUEST_MAX bytes; returns its length. PCP repeats the client's own
 * address and the mapping's nonce in it. */
size_t portmap_encode_wish(enum portmap_protocol protocol, const struct portmap_wish *wish,
			   const struct addr *client, const uint8_t nonce[PORTMAP_NONCE_SIZE],
			   void *buffer);

enum portmap_kind {
	PORTMAP_ADDRESS,       /* NAT-PMP: `external` has the address, its port is 0 */
	PORTMAP_MAPPING,       /* with NAT-PMP `external` has only the port */
	PORTMAP_OTHER_VERSION, /* the gateway speaks only `version` */
};

struct portmap_answer {
	enum portmap_kind kind;
	uint8_t version;
	uint16_t result; /* 0: done */
	uint32_t epoch;  /* seconds since the gateway forgot what it knew */
	bool tcp;
	uint16_t internal;
	struct endpoint external;
	uint32_t lifetime;
	uint8_t nonce[PORTMAP_NONCE_SIZE]; /* PCP */
};

/* Returns false for what is no well-formed answer to a request of this @protocol. */
bool portmap_decode(enum portmap_protocol protocol, const void *bytes, size_t length,
		    struct portmap_answer *ret);

/* What a result code means, about the gateway: "refused by its policy". */
const char *portmap_result(enum portmap_protocol protocol, uint16_t result);

#endif
