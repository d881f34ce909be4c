/* SPDX-License-Identifier: MIT */
/*
 * How this works: at "go" each knows what the other has, and both choose alike:
 *
 *     both allocated    host --> our server --> their server --> peer
 *     we alone          host --> our server --> peer, at whatever endpoint of its public address
 *     they alone        host --> their server --> peer
 *     neither           host --> rendezvous --> peer
 *
 * With both, neither NAT sees anything but its own server, and what has to be admitted is known
 * beforehand to the port. With one, half the way is saved; the port from which the
 * other's NAT lets it speak is learned from its first packet.
 */
#include "agents/relay/carrier.h"

#include <errno.h>
#include <string.h>

#include "agents/rendezvous/offer.h"

void carrier_offer(struct meeting *meeting, const struct turn *turn)
{
	struct offer offer = {0};

	offer_put_endpoint(&offer, OFFER_RELAYED, &turn->relayed);
	meeting_offer(meeting, offer.bytes, offer.length);
}

int carrier_choose(struct carrier *carrier, struct meeting *meeting, struct turn *turn,
		   bool allocated, bool channel, uint64_t now)
{
	const struct introduction *peer = &meeting->peer;
	bool theirs;

	*carrier = (struct carrier){.meeting = meeting, .turn = turn};
	theirs = offer_find_endpoint(peer->offer, peer->offer_length, OFFER_RELAYED,
				     &carrier->peer_relayed);
	carrier->way = allocated && theirs ? CARRIER_BOTH
		       : allocated         ? CARRIER_OURS
		       : theirs            ? CARRIER_THEIRS
					   : CARRIER_RENDEZVOUS;
	carrier->peer = theirs ? carrier->peer_relayed : peer->peer_public;
	/* A channel wants the exact endpoint, which only a relay's own is before it has spoken. */
	if (allocated && !turn_admit(turn, &carrier->peer, channel && theirs, now))
		return -ENOBUFS;
	return 0;
}

bool carrier_uses_turn(const struct carrier *carrier)
{
	return carrier->way == CARRIER_OURS || carrier->way == CARRIER_BOTH;
}

void carrier_found(struct carrier *carrier, const struct endpoint *peer, bool channel, uint64_t now)
{
	if (carrier->way == CARRIER_OURS && channel)
		(void)turn_admit(carrier->turn, peer, true, now);
	carrier->peer = *peer;
}

struct endpoint carrier_relay(const struct carrier *carrier)
{
	switch (carrier->way) {
	case CARRIER_RENDEZVOUS:
		return carrier->meeting->rendezvous;
	case CARRIER_OURS:
	case CARRIER_BOTH:
		return carrier->turn->config.server;
	case CARRIER_THEIRS:
		return carrier->peer_relayed;
	}
	return (struct endpoint){0};
}

bool carrier_wrap(struct carrier *carrier, struct datagram *datagram)
{
	uint8_t payload[RELAYED_MAX], id[STUN_ID_SIZE];
	struct endpoint peer = datagram->to;
	size_t length = datagram->length;

	if (carrier->way == CARRIER_THEIRS)
		return true; /* it is for their relayed endpoint, and that is a relay's */
	if (length > sizeof(payload))
		return false;
	memcpy(payload, datagram->bytes, length);
	datagram->to = carrier_relay(carrier);
	if (carrier->way == CARRIER_RENDEZVOUS) {
		transaction_new_id(&carrier->meeting->random, id);
		datagram->length = relay_write(&carrier->meeting->join, id, payload, length,
					       datagram->bytes, sizeof(datagram->bytes));
	} else {
		datagram->length = turn_write(carrier->turn, &peer, payload, length,
					      datagram->bytes, sizeof(datagram->bytes));
	}
	return datagram->length > 0;
}

bool carrier_unwrap(const struct carrier *carrier, const struct endpoint *from,
		    const void *datagram, size_t length, const struct turn_payload *payload,
		    struct turn_payload *ret)
{
	struct stun_message message;

	if (payload) {
		*ret = *payload;
		return carrier_uses_turn(carrier);
	}
	switch (carrier->way) {
	case CARRIER_OURS:
	case CARRIER_BOTH:
		return false;
	case CARRIER_THEIRS:
		*ret = (struct turn_payload){.peer = *from, .bytes = datagram, .length = length};
		return endpoint_equal(from, &carrier->peer_relayed);
	case CARRIER_RENDEZVOUS:
		ret->peer = carrier->peer;
		return endpoint_equal(from, &carrier->meeting->rendezvous) &&
		       stun_parse(datagram, length, &message) &&
		       relayed_read(&message, &ret->bytes, &ret->length);
	}
	return false;
}
