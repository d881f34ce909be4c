/* SPDX-License-Identifier: MIT */
#include "agents/rendezvous/offer.h"

#include <string.h>

enum { HEADER = 2, PORT = 2 };

static size_t address_size(sa_family_t family)
{
	return family == AF_INET6 ? 16 : 4;
}

void offer_put(struct offer *offer, enum offer_item item, const void *value, size_t length)
{
	if (length > UINT8_MAX || HEADER + length > OFFER_MAX - offer->length) {
		offer->failed = true;
		return;
	}
	offer->bytes[offer->length] = (uint8_t)item;
	offer->bytes[offer->length + 1] = (uint8_t)length;
	memcpy(offer->bytes + offer->length + HEADER, value, length);
	offer->length += HEADER + length;
}

void offer_put_endpoint(struct offer *offer, enum offer_item item, const struct endpoint *endpoint)
{
	size_t size = address_size(endpoint->addr.family);
	uint8_t value[PORT + sizeof(endpoint->addr.bytes)];

	value[0] = (uint8_t)(endpoint->port >> 8);
	value[1] = (uint8_t)endpoint->port;
	memcpy(value + PORT, endpoint->addr.bytes, size);
	offer_put(offer, item, value, PORT + size);
}

bool offer_find(const uint8_t *bytes, size_t length, enum offer_item item, const uint8_t **ret,
		size_t *ret_length)
{
	while (length >= HEADER && HEADER + (size_t)bytes[1] <= length) {
		size_t size = bytes[1];

		if (bytes[0] == item) {
			*ret = bytes + HEADER;
			*ret_length = size;
			return true;
		}
		bytes += HEADER + size;
		length -= HEADER + size;
	}
	return false;
}

bool offer_find_endpoint(const uint8_t *bytes, size_t length, enum offer_item item,
			 struct endpoint *ret)
{
	static const sa_family_t families[] = {AF_INET, AF_INET6};
	const uint8_t *value;
	size_t size, i;

	if (!offer_find(bytes, length, item, &value, &size))
		return false;
	for (i = 0; i < sizeof(families) / sizeof(*families); i++) {
		if (size != PORT + address_size(families[i]))
			continue;
		*ret = (struct endpoint){.addr.family = families[i],
					 .port = (uint16_t)(value[0] << 8 | value[1])};
		memcpy(ret->addr.bytes, value + PORT, size - PORT);
		return true;
	}
	return false;
}
