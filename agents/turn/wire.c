/* SPDX-License-Identifier: MIT */
#include "agents/turn/wire.h"

#include <string.h>

size_t turn_indication_write(enum turn_method method, const uint8_t id[STUN_ID_SIZE],
			     const struct endpoint *peer, const void *payload, size_t length,
			     void *buffer, size_t capacity)
{
	struct stun_builder builder;

	stun_begin(&builder, buffer, capacity, STUN_INDICATION, (uint16_t)method, id);
	stun_put_xor_address(&builder, STUN_XOR_PEER_ADDRESS, peer);
	stun_put(&builder, STUN_DATA, payload, length);
	return stun_end(&builder);
}

bool turn_indication_read(const struct stun_message *message, enum turn_method method,
			  struct turn_payload *ret)
{
	struct stun_attribute peer, data;
	struct turn_payload payload = {0};

	/* RFC 8656 section 11.4: one without either is dropped. */
	if (message->class != STUN_INDICATION || message->method != method ||
	    !stun_find(message, STUN_XOR_PEER_ADDRESS, &peer) ||
	    !stun_read_xor_address(message, &peer, &payload.peer) ||
	    !stun_find(message, STUN_DATA, &data))
		return false;
	payload.bytes = data.value;
	payload.length = data.length;
	*ret = payload;
	return true;
}

size_t turn_channel_write(uint16_t channel, const void *payload, size_t length, void *buffer,
			  size_t capacity)
{
	uint8_t *bytes = buffer;

	if (length > UINT16_MAX || capacity < TURN_CHANNEL_HEADER ||
	    capacity - TURN_CHANNEL_HEADER < length)
		return 0;
	bytes[0] = (uint8_t)(channel >> 8);
	bytes[1] = (uint8_t)channel;
	bytes[2] = (uint8_t)(length >> 8);
	bytes[3] = (uint8_t)length;
	if (length > 0)
		memcpy(bytes + TURN_CHANNEL_HEADER, payload, length);
	return TURN_CHANNEL_HEADER + length;
}

bool turn_channel_read(const void *datagram, size_t length, struct turn_payload *ret)
{
	const uint8_t *bytes = datagram;
	struct turn_payload payload = {0};

	if (length < TURN_CHANNEL_HEADER)
		return false;
	payload.channel = (uint16_t)(bytes[0] << 8 | bytes[1]);
	payload.length = (size_t)bytes[2] << 8 | bytes[3];
	payload.bytes = bytes + TURN_CHANNEL_HEADER;
	/* Padding may follow, even over UDP (RFC 8656 section 12.5). */
	if (payload.channel < TURN_CHANNEL_FIRST || payload.channel > TURN_CHANNEL_LAST ||
	    length - TURN_CHANNEL_HEADER < payload.length)
		return false;
	*ret = payload;
	return true;
}
