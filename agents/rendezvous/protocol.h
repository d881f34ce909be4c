/* SPDX-License-Identifier: MIT */
/*
 * What peers and the rendezvous say to each other, and the peers among themselves:
 * STUN messages with methods and attributes of our own (agents/README.md).
 */
#ifndef NATSIM_AGENTS_RENDEZVOUS_PROTOCOL_H
#define NATSIM_AGENTS_RENDEZVOUS_PROTOCOL_H

#include "agents/stun/message.h"

enum {
	METHOD_JOIN = 0xf01,
	METHOD_LEAVE = 0xf02,
	METHOD_MESSAGE = 0xf03,
	METHOD_BYE = 0xf04,
	METHOD_RELAY = 0xf05,
	METHOD_LETTER = 0xf06,
};

enum {
	ATTRIBUTE_SESSION = 0x7f01,
	ATTRIBUTE_PEER = 0x7f02,
	ATTRIBUTE_STAGE = 0x7f03,
	ATTRIBUTE_ROLE = 0x7f04,
	ATTRIBUTE_TOKEN = 0x7f05,
	ATTRIBUTE_PRIVATE = 0x7f06,
	ATTRIBUTE_PEER_PUBLIC = 0x7f07,
	ATTRIBUTE_SEQUENCE = 0x7f08,
	ATTRIBUTE_BLIND = 0x7f09,
	ATTRIBUTE_OFFER = 0x7f0a,
	ATTRIBUTE_SIGHT = 0x7f0b,
	ATTRIBUTE_ROUND = 0x7f0c,
};

enum {
	SESSION_NAME_MAX = 64,
	PEER_ID_SIZE = 8,
	TOKEN_SIZE = 16,
	PRIVATE_MAX = 4,
	OFFER_MAX = 128,
	/*
	 * A Join is padded to this, and nothing the rendezvous sends is longer than a third
	 * of it, because it may cause three datagrams: the answer, and a push each for
	 * "paired" and "go".
	 */
	JOIN_SIZE = 1024,
	INTRODUCTION_MAX = JOIN_SIZE / 3,
	RELAYED_MAX =
		1200, /* of what the rendezvous passes on; a Relay is larger by who sends it */
	RELAY_MAX = RELAYED_MAX + 4 + SESSION_NAME_MAX + 4 + PEER_ID_SIZE,
	RELAY_PAYLOAD_MAX = RELAYED_MAX - 20 - 4 - 8, /* less header, DATA's and FINGERPRINT */
};

/* What a peer tells. */
enum join_stage { JOIN_JOINED = 1, JOIN_DIALLED = 2 };

struct join {
	uint8_t session[SESSION_NAME_MAX];
	size_t session_length; /* 1 to SESSION_NAME_MAX */
	uint8_t peer[PEER_ID_SIZE];
	enum join_stage stage; /* not in a Leave */
	struct endpoint privates[PRIVATE_MAX];
	size_t private_count;
	uint8_t offer[OFFER_MAX]; /* what the other peer shall know; nothing to the rendezvous */
	size_t offer_length;
};

/* What a peer is told. */
enum session_stage { SESSION_WAITING = 1, SESSION_PAIRED = 2, SESSION_GO = 3 };
enum peer_role { ROLE_CONTROLLING = 1, ROLE_CONTROLLED = 2 };

struct introduction {
	struct endpoint mapped; /* where the peer's own Join came from */
	enum session_stage stage;
	/* From SESSION_PAIRED on: */
	enum peer_role role;
	uint8_t token[TOKEN_SIZE];
	struct endpoint peer_public;
	struct endpoint privates[PRIVATE_MAX]; /* the other peer's */
	size_t private_count;
	uint8_t offer[OFFER_MAX]; /* the other peer's */
	size_t offer_length;
};

/* Each returns the length written, 0 when @capacity does not do. */
size_t join_write(const struct join *join, const uint8_t id[STUN_ID_SIZE], void *buffer,
		  size_t capacity);
size_t leave_write(const struct join *join, const uint8_t id[STUN_ID_SIZE], void *buffer,
		   size_t capacity);
size_t introduction_write(const struct introduction *introduction, enum stun_class class,
			  const uint8_t id[STUN_ID_SIZE], void *buffer, size_t capacity);

/*
 * A Relay: @payload for the other member of the session that @who has joined, to be passed on by
 * the rendezvous, and as it comes out there. At most RELAY_PAYLOAD_MAX bytes.
 */
size_t relay_write(const struct join *who, const uint8_t id[STUN_ID_SIZE], const void *payload,
		   size_t length, void *buffer, size_t capacity);
size_t relayed_write(const uint8_t id[STUN_ID_SIZE], const void *payload, size_t length,
		     void *buffer, size_t capacity);

/* False, and *ret undefined, when something that must be there is missing or out of range. */
bool join_read(const struct stun_message *message, struct join *ret);
bool introduction_read(const struct stun_message *message, struct introduction *ret);

/* The payload of a Relay in either direction; still the message's bytes. */
bool relayed_read(const struct stun_message *message, const uint8_t **ret, size_t *ret_length);

#endif
