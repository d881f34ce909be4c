/* SPDX-License-Identifier: MIT */
#include "agents/turn/peers.h"

struct turn_peer *turn_peers_find(struct turn_peers *peers, const struct endpoint *endpoint)
{
	size_t i;

	for (i = 0; i < peers->count; i++) {
		if (endpoint_equal(&peers->list[i].endpoint, endpoint))
			return &peers->list[i];
	}
	return NULL;
}

struct turn_peer *turn_peers_add(struct turn_peers *peers, const struct endpoint *endpoint)
{
	struct turn_peer *peer = &peers->list[peers->count];

	if (peers->count == TURN_PEERS_MAX)
		return NULL;
	peers->count++;
	*peer = (struct turn_peer){.endpoint = *endpoint};
	return peer;
}

void turn_peers_want_channel(struct turn_peers *peers, struct turn_peer *peer)
{
	/* Nobody is ever taken out, so no number gets a second meaning. */
	peer->channel = (uint16_t)(TURN_CHANNEL_FIRST + (peer - peers->list));
}

bool turn_peers_permit(const struct turn_peers *peers, const struct addr *addr)
{
	size_t i;

	for (i = 0; i < peers->count; i++) {
		if (peers->list[i].admission == ADMISSION_GRANTED &&
		    addr_equal(&peers->list[i].endpoint.addr, addr))
			return true;
	}
	return false;
}

bool turn_peers_name(const struct turn_peers *peers, struct turn_payload *payload)
{
	size_t index = (size_t)payload->channel - TURN_CHANNEL_FIRST;

	/* It may come before the answer that says it is bound (RFC 8656 section 12). */
	if (index >= peers->count || peers->list[index].channel != payload->channel)
		return false;
	payload->peer = peers->list[index].endpoint;
	return true;
}
