/* SPDX-License-Identifier: MIT */
/* Whom an allocation's owner wants admitted, and what the server has granted so far. */
#ifndef NATSIM_AGENTS_TURN_PEERS_H
#define NATSIM_AGENTS_TURN_PEERS_H

#include "agents/stun/transaction.h"
#include "agents/turn/wire.h"

enum { TURN_PEERS_MAX = 16 };

/* A request and its repetitions, until answered. */
struct turn_request {
	bool open;
	uint8_t id[STUN_ID_SIZE];
	struct transaction transaction;
	unsigned int challenges; /* how often it was answered with one */
};

enum turn_admission { ADMISSION_ASKED, ADMISSION_GRANTED, ADMISSION_REFUSED };

struct turn_peer {
	struct endpoint endpoint;
	enum turn_admission admission;
	uint16_t channel; /* 0: none wanted */
	bool bound;       /* the channel may be used */
	struct turn_request request;
	uint64_t renew; /* when to ask again */
};

struct turn_peers {
	struct turn_peer list[TURN_PEERS_MAX];
	size_t count;
};

/* NULL for none. */
struct turn_peer *turn_peers_find(struct turn_peers *peers, const struct endpoint *endpoint);

/* A new one; NULL without room. */
struct turn_peer *turn_peers_add(struct turn_peers *peers, const struct endpoint *endpoint);

/* Choose the number of @peer's channel. */
void turn_peers_want_channel(struct turn_peers *peers, struct turn_peer *peer);

/* Is there a permission? It is for an address, whatever the port (RFC 8656 section 9). */
bool turn_peers_permit(const struct turn_peers *peers, const struct addr *addr);

/* Name the peer of what came by a channel; false for a channel of nobody's. */
bool turn_peers_name(const struct turn_peers *peers, struct turn_payload *payload);

#endif
