/* SPDX-License-Identifier: MIT */
/*
 * Messages between two peers, sealed with the token the rendezvous gave the pair, and
 * marked with the sender's role: a private address may belong to anybody, even to
 * ourselves, and only the other peer's words count.
 */
#ifndef NATSIM_AGENTS_PUNCH_SEAL_H
#define NATSIM_AGENTS_PUNCH_SEAL_H

#include "agents/rendezvous/protocol.h"

enum { SEALED_MAX = 256, PAYLOAD_MAX = 64 };

struct seal {
	uint8_t token[TOKEN_SIZE];
	enum peer_role role; /* our own */
	uint32_t sight;      /* what we saw of the other (technique.h); goes with every request */
	uint32_t round;      /* how often the path was punched again; goes with every request */
};

enum sealed_kind {
	SEALED_NONE,    /* not the peer's, or not whole */
	SEALED_BLIND,   /* the negative control */
	SEALED_CHECK,   /* does this path work? */
	SEALED_MESSAGE, /* payload */
	SEALED_BYE,     /* all of mine arrived */
	SEALED_REPLY,   /* to any of the last three; `id` says which */
	SEALED_LETTER,  /* or its acknowledgement: for letters.h to open */
};

struct sealed {
	enum sealed_kind kind;
	uint8_t id[STUN_ID_SIZE];
	bool nominated;        /* SEALED_CHECK: USE-CANDIDATE */
	uint32_t sequence;     /* SEALED_MESSAGE; SEALED_BYE: 1 when the sender has our Bye */
	uint32_t sight, round; /* the sender's, of a request */
};

/* Each returns the length written into @buffer (SEALED_MAX bytes always do). */
size_t seal_blind(const struct seal *seal, const uint8_t id[STUN_ID_SIZE], void *buffer);
size_t seal_check(const struct seal *seal, const uint8_t id[STUN_ID_SIZE], bool nominate,
		  void *buffer);
size_t seal_message(const struct seal *seal, const uint8_t id[STUN_ID_SIZE], uint32_t sequence,
		    void *buffer);
size_t seal_bye(const struct seal *seal, const uint8_t id[STUN_ID_SIZE], bool has_theirs,
		void *buffer);

/* The reply to @kind, telling @from how we see it. */
size_t seal_reply(const struct seal *seal, const struct sealed *request,
		  const struct endpoint *from, void *buffer);

/* The seal around anything else: begin, put attributes, end, which returns the length or 0. */
void seal_begin(const struct seal *seal, struct stun_builder *builder, void *buffer,
		size_t capacity, enum stun_class class, uint16_t method,
		const uint8_t id[STUN_ID_SIZE]);
size_t seal_end(const struct seal *seal, struct stun_builder *builder);

/* Did the other peer of this very pair write @message? */
bool seal_is_theirs(const struct seal *seal, const struct stun_message *message);

/* Open what came; kind SEALED_NONE unless the other peer of this very pair wrote it. */
struct sealed seal_open(const struct seal *seal, const struct stun_message *message);

#endif
