/* SPDX-License-Identifier: MIT */
/*
 * What one peer tells the other by way of the rendezvous, which passes it on unread: items of
 * type (8 bits), length (8 bits) and value, in any order. Unknown ones are passed over.
 */
#ifndef NATSIM_AGENTS_RENDEZVOUS_OFFER_H
#define NATSIM_AGENTS_RENDEZVOUS_OFFER_H

#include "agents/rendezvous/protocol.h"

/* Numbers are for ever: agents of different age meet. */
enum offer_item {
	OFFER_PATTERN = 1, /* how its NAT chooses ports: agents/predict */
	OFFER_RELAYED = 2, /* an endpoint on a relay at which it can be reached */
	OFFER_MAPPED = 3,  /* an endpoint that a port mapping protocol gave it */
	OFFER_NAT = 4,     /* its NAT's behaviours */
	OFFER_CALL = 5,    /* empty: it sends nothing before it has heard the other */
	OFFER_SELF = 6,    /* random bytes: the same peer in several sessions offers the same */
};

enum { SELF_SIZE = 8 };

struct offer {
	uint8_t bytes[OFFER_MAX];
	size_t length;
	bool failed; /* something did not fit */
};

void offer_put(struct offer *offer, enum offer_item item, const void *value, size_t length);
void offer_put_endpoint(struct offer *offer, enum offer_item item, const struct endpoint *endpoint);

/* The first such item of @length bytes that came from a peer; false when there is none, or what
 * came is not whole. */
bool offer_find(const uint8_t *bytes, size_t length, enum offer_item item, const uint8_t **ret,
		size_t *ret_length);
bool offer_find_endpoint(const uint8_t *bytes, size_t length, enum offer_item item,
			 struct endpoint *ret);

#endif
