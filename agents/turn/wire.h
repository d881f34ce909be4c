/* SPDX-License-Identifier: MIT */
/*
 * TURN on the wire (RFC 8656): its methods, and payload between a client and its server. That
 * travels in Send and Data indications, which name the peer each time, or in ChannelData
 * of 4 bytes more than the payload, once a number stands for the peer:
 *
 *     0                   1                   2                   3
 *    |  channel, 0x4000 to 0x4fff    |    length of the payload      | payload ...
 *
 * The first two bits tell the two apart: STUN has 00 there.
 */
#ifndef NATSIM_AGENTS_TURN_WIRE_H
#define NATSIM_AGENTS_TURN_WIRE_H

#include "agents/stun/message.h"

/* RFC 8656 section 17. */
enum turn_method {
	TURN_ALLOCATE = 0x003,
	TURN_REFRESH = 0x004,
	TURN_SEND = 0x006,
	TURN_DATA = 0x007,
	TURN_CREATE_PERMISSION = 0x008,
	TURN_CHANNEL_BIND = 0x009,
};

enum {
	TURN_CHANNEL_FIRST = 0x4000,
	TURN_CHANNEL_LAST = 0x4fff,
	TURN_CHANNEL_HEADER = 4,
	TURN_PORT = 3478,
	TURN_TRANSPORT_UDP = 17, /* in REQUESTED-TRANSPORT, in the first of four bytes */
};

/* Payload as it arrived: still the datagram's bytes. */
struct turn_payload {
	struct endpoint peer; /* of an indication */
	uint16_t channel;     /* of ChannelData, else 0 */
	const uint8_t *bytes;
	size_t length;
};

/*
 * Write an indication of @method (TURN_SEND to the server, TURN_DATA from it) that carries
 * payload to or from @peer. Returns its length, 0 when @capacity does not do.
 */
size_t turn_indication_write(enum turn_method method, const uint8_t id[STUN_ID_SIZE],
			     const struct endpoint *peer, const void *payload, size_t length,
			     void *buffer, size_t capacity);
bool turn_indication_read(const struct stun_message *message, enum turn_method method,
			  struct turn_payload *ret);

size_t turn_channel_write(uint16_t channel, const void *payload, size_t length, void *buffer,
			  size_t capacity);

/* False, and *ret untouched, for anything that is no whole ChannelData message. */
bool turn_channel_read(const void *datagram, size_t length, struct turn_payload *ret);

#endif
