/* SPDX-License-Identifier: MIT */
/*
 * Which relay stands between two peers, and what their datagrams look like on the way to it: a
 * path (punch/path.h) put into a carrier goes over the relay and does not notice.
 */
#ifndef NATSIM_AGENTS_RELAY_CARRIER_H
#define NATSIM_AGENTS_RELAY_CARRIER_H

#include "agents/net/datagram.h"
#include "agents/rendezvous/meeting.h"
#include "agents/turn/client.h"

/* Whose relay it is. Ours and the peer's: a datagram passes both, one after the other. */
enum carrier_way { CARRIER_RENDEZVOUS, CARRIER_OURS, CARRIER_BOTH, CARRIER_THEIRS };

struct carrier {
	enum carrier_way way;
	struct meeting *meeting;      /* of whom it says where the rendezvous is and who we are */
	struct turn *turn;            /* our own allocation; not looked at without one */
	struct endpoint peer;         /* what the path is to lead to */
	struct endpoint peer_relayed; /* no family: the peer has none */
};

/*
 * Choose from what both have, once the rendezvous has said "go": then both choose alike. With
 * @allocated, @turn is READY, and is asked to admit the peer, by a channel if @channel. Borrows
 * @meeting and @turn. Returns 0, or -ENOBUFS when @turn has no room for another peer.
 */
int carrier_choose(struct carrier *carrier, struct meeting *meeting, struct turn *turn,
		   bool allocated, bool channel, uint64_t now);

/* Put our relayed endpoint into what the meeting offers the other peer. */
void carrier_offer(struct meeting *meeting, const struct turn *turn);

/* Is anything sent by our own allocation? Then our server is to admit the peer first. */
bool carrier_uses_turn(const struct carrier *carrier);

/* The peer speaks from @peer, whom we did not know exactly: bind a channel to it if @channel. */
void carrier_found(struct carrier *carrier, const struct endpoint *peer, bool channel,
		   uint64_t now);

/* Where our datagrams go: the relay's endpoint. */
struct endpoint carrier_relay(const struct carrier *carrier);

/* Make of a datagram for the peer (at most 1200 bytes) one for the relay. False when that cannot
 * be: it is lost. */
bool carrier_wrap(struct carrier *carrier, struct datagram *datagram);

/*
 * A datagram came from @from that is neither the meeting's nor, unless turn_receive() called it
 * payload, the TURN server's. Returns true with what the peer sent, and as whom, in *ret.
 * @payload is what turn_receive() found, NULL for nothing.
 */
bool carrier_unwrap(const struct carrier *carrier, const struct endpoint *from,
		    const void *datagram, size_t length, const struct turn_payload *payload,
		    struct turn_payload *ret);

#endif
