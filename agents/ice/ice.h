/* SPDX-License-Identifier: MIT */
/*
 * What is around an ICE stack, as a state machine fed with time and datagrams: signalling
 * before it, talking after it. The stack itself is somebody else's.
 *
 *     stack: gathered ---+                     stack: connected ----+
 *                        v                                          v
 *     MEETING  descriptions are exchanged --> CHECKING --> TALKING over its path --> DONE
 */
#ifndef NATSIM_AGENTS_ICE_ICE_H
#define NATSIM_AGENTS_ICE_ICE_H

#include "agents/ice/exchange.h"
#include "agents/punch/path.h"

struct ice_config {
	struct meeting_config meeting;
	struct talk_config talk; /* `random` is the meeting's */
	uint64_t timeout;        /* from start to a working path */
};

enum ice_phase {
	ICE_MEETING,
	ICE_CHECKING,
	ICE_TALKING,
	ICE_DONE,
	ICE_FAILED, /* `reason` says why */
	ICE_LOST,   /* the same */
};

/* Payload carries a byte in front that no STUN message has, or the stack would take it for its
 * own (RFC 7983 section 7). */
enum { ICE_PAYLOAD_MAX = 1 + SEALED_MAX };

struct ice {
	struct ice_config config;
	enum ice_phase phase;
	struct exchange exchange;
	struct path path; /* from ICE_TALKING on */
	uint64_t started, selected, ended;
	char reason[160];
};

void ice_start(struct ice *ice, const struct ice_config *config, uint64_t now);

/* ---- what the stack has to tell ---- */

/* Its description, to be given to the other peer's stack. */
void ice_gathered(struct ice *ice, const char *description, uint64_t now);

/* It has a path to @peer. */
void ice_connected(struct ice *ice, const struct endpoint *peer, uint64_t now);

/* It has none, or will never have one. */
void ice_failed(struct ice *ice, const char *why, uint64_t now);

/* ---- what it is to be told ---- */

/* The other peer's description, once; NULL otherwise. It is to check then, in our role. */
const char *ice_description(struct ice *ice, enum peer_role *ret_role);

/* ---- to and from the rendezvous ---- */

bool ice_send(struct ice *ice, uint64_t now, struct datagram *ret);
void ice_receive(struct ice *ice, const struct endpoint *from, const void *datagram, size_t length,
		 uint64_t now);

/* ---- over the path ---- */

/* Write the next payload into ICE_PAYLOAD_MAX bytes; 0 for none until ice_due(). */
size_t ice_send_payload(struct ice *ice, uint64_t now, void *buffer);
void ice_receive_payload(struct ice *ice, const void *payload, size_t length, uint64_t now);

uint64_t ice_due(const struct ice *ice);

/* It has ended and there is nothing left to be sent. */
bool ice_over(const struct ice *ice);

#endif
