/* SPDX-License-Identifier: MIT */
/*
 * A TURN server in memory that believes nothing: it challenges, checks every seal with keys it
 * makes by itself, forgets what is not renewed in time, and refuses on demand.
 */
#ifndef NATSIM_TESTS_SUPPORT_FAKETURN_H
#define NATSIM_TESTS_SUPPORT_FAKETURN_H

#include <criterion/criterion.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/stun/integrity.h"
#include "agents/turn/wire.h"

enum { FAKE_TURN_PEERS = 8, FAKE_TURN_METHODS = 16 };

struct fake_turn {
	/* How it is. */
	struct endpoint relayed; /* what it allocates; no family: 8.8.8.8:50000 */
	bool open;               /* wants no credentials */
	bool modern;             /* RFC 8489: password algorithms and a user's hash */
	bool always_stale;       /* no nonce is good for anything */
	unsigned int uses;       /* of a nonce; 0: any number */
	uint32_t lifetime;       /* of an allocation, seconds */
	uint64_t permission_life, channel_life;
	uint16_t refused;     /* method that is answered with `refusal` */
	unsigned int refusal; /* an error code */
	/* What it knows. */
	unsigned int nonce, nonce_uses;
	bool allocated;
	uint8_t allocated_by[STUN_ID_SIZE]; /* a repetition gets the same answer */
	uint64_t expires;
	struct {
		struct addr peer;
		uint64_t until;
	} permissions[FAKE_TURN_PEERS];
	size_t permission_count;
	struct {
		uint16_t number;
		struct endpoint peer;
		uint64_t until;
	} channels[FAKE_TURN_PEERS];
	size_t channel_count;
	unsigned int asked[FAKE_TURN_METHODS]; /* requests of each method */
	uint32_t last_lifetime;                /* in the last Refresh; UINT32_MAX for none */
};

static inline struct endpoint fake_turn_endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "the test's own endpoint %s is wrong", text);
	return endpoint;
}

/* RFC 8489 section 18.5.1, for ann, whose password is secret, in example.org. */
static inline size_t fake_turn_key(const struct fake_turn *server, uint8_t key[32])
{
	static const uint8_t text[] = "ann:example.org:secret";
	struct sha256_ctx sha256;
	struct md5_ctx md5;

	if (server->modern) {
		sha256_init(&sha256);
		sha256_update(&sha256, sizeof(text) - 1, text);
		sha256_digest(&sha256, 32, key);
		return 32;
	}
	md5_init(&md5);
	md5_update(&md5, sizeof(text) - 1, text);
	md5_digest(&md5, 16, key);
	return 16;
}

static inline void fake_turn_nonce(const struct fake_turn *server, char text[32])
{
	/* 'w' has the two leftmost of 24 feature bits: algorithms and anonymity. */
	snprintf(text, 32, "%snonce%u", server->modern ? "obMatJos2wAAA" : "", server->nonce);
}

static inline bool fake_turn_has(const struct stun_message *message, uint16_t type,
				 const void *value, size_t length)
{
	struct stun_attribute attribute;

	return stun_find(message, type, &attribute) && attribute.length == length &&
	       memcmp(attribute.value, value, length) == 0;
}

static const uint8_t fake_turn_algorithms[] = {0, 2, 0, 0, 0, 1, 0, 0}; /* SHA-256, MD5 */

/* 0 when the request is ann's, else the error it earns. */
static inline unsigned int fake_turn_judge(struct fake_turn *server,
					   const struct stun_message *message)
{
	static const uint8_t sha256[] = {0, 2, 0, 0};
	uint8_t key[32], hash[32];
	struct sha256_ctx context;
	struct stun_attribute attribute;
	char nonce[32];
	size_t length = fake_turn_key(server, key);

	if (server->open)
		return 0;
	if (!stun_find(message, STUN_MESSAGE_INTEGRITY, &attribute) &&
	    !stun_find(message, STUN_MESSAGE_INTEGRITY_SHA256, &attribute))
		return 401;
	if (!fake_turn_has(message, STUN_REALM, "example.org", 11))
		return 400;
	sha256_init(&context);
	sha256_update(&context, 15, (const uint8_t *)"ann:example.org");
	sha256_digest(&context, sizeof(hash), hash);
	if (server->modern ? !fake_turn_has(message, STUN_USERHASH, hash, sizeof(hash)) ||
				     stun_find(message, STUN_USERNAME, &attribute)
			   : !fake_turn_has(message, STUN_USERNAME, "ann", 3))
		return 401;
	if (server->modern &&
	    (!fake_turn_has(message, STUN_PASSWORD_ALGORITHMS, fake_turn_algorithms,
			    sizeof(fake_turn_algorithms)) ||
	     !fake_turn_has(message, STUN_PASSWORD_ALGORITHM, sha256, sizeof(sha256))))
		return 400;
	if (server->modern ? !stun_check_integrity_sha256(message, key, length)
			   : !stun_check_integrity(message, key, length))
		return 401;
	fake_turn_nonce(server, nonce);
	if (server->always_stale || !fake_turn_has(message, STUN_NONCE, nonce, strlen(nonce)) ||
	    (server->uses > 0 && server->nonce_uses++ == server->uses)) {
		server->nonce++;
		server->nonce_uses = 0;
		return 438;
	}
	return 0;
}

static inline size_t fake_turn_end(const struct fake_turn *server, struct stun_builder *builder,
				   bool sealed)
{
	uint8_t key[32];
	size_t length = fake_turn_key(server, key);

	if (sealed && !server->open && server->modern)
		stun_put_integrity_sha256(builder, key, length);
	else if (sealed && !server->open)
		stun_put_integrity(builder, key, length);
	stun_put_fingerprint(builder);
	return stun_end(builder);
}

static inline size_t fake_turn_error(const struct fake_turn *server,
				     const struct stun_message *request, unsigned int code,
				     uint8_t *ret)
{
	bool challenge = code == 401 || code == 438;
	struct stun_builder builder;
	char nonce[32];

	stun_begin(&builder, ret, 2048, STUN_ERROR, request->method, stun_id(request));
	stun_put_error(&builder, code, "No");
	fake_turn_nonce(server, nonce);
	if (challenge) {
		stun_put(&builder, STUN_REALM, "example.org", 11);
		stun_put(&builder, STUN_NONCE, nonce, strlen(nonce));
	}
	if (challenge && server->modern)
		stun_put(&builder, STUN_PASSWORD_ALGORITHMS, fake_turn_algorithms,
			 sizeof(fake_turn_algorithms));
	return fake_turn_end(server, &builder, !challenge);
}

static inline void fake_turn_permit(struct fake_turn *server, const struct addr *peer, uint64_t now)
{
	size_t i;

	for (i = 0; i < server->permission_count; i++) {
		if (addr_equal(&server->permissions[i].peer, peer))
			break;
	}
	cr_assert_lt(i, FAKE_TURN_PEERS);
	if (i == server->permission_count)
		server->permission_count++;
	server->permissions[i].peer = *peer;
	server->permissions[i].until = now + server->permission_life;
}

static inline bool fake_turn_permits(const struct fake_turn *server, const struct addr *peer,
				     uint64_t now)
{
	size_t i;

	for (i = 0; i < server->permission_count; i++) {
		if (addr_equal(&server->permissions[i].peer, peer))
			return server->allocated && now < server->expires &&
			       now < server->permissions[i].until;
	}
	return false;
}

static inline void fake_turn_bind(struct fake_turn *server, uint16_t number,
				  const struct endpoint *peer, uint64_t now)
{
	size_t i;

	cr_expect(number >= 0x4000 && number <= 0x4fff, "channel %04x", number);
	for (i = 0; i < server->channel_count; i++) {
		if (server->channels[i].number == number)
			break;
	}
	cr_assert_lt(i, FAKE_TURN_PEERS);
	if (i == server->channel_count)
		server->channel_count++;
	else
		cr_expect(endpoint_equal(&server->channels[i].peer, peer), "bound to another");
	server->channels[i].number = number;
	server->channels[i].peer = *peer;
	server->channels[i].until = now + server->channel_life;
}

static inline void fake_turn_admit(struct fake_turn *server, const struct stun_message *request,
				   uint64_t now)
{
	struct stun_attribute attribute;
	struct endpoint peer;
	uint32_t number;

	cr_assert(stun_find(request, STUN_XOR_PEER_ADDRESS, &attribute));
	cr_assert(stun_read_xor_address(request, &attribute, &peer));
	fake_turn_permit(server, &peer.addr, now);
	if (request->method != TURN_CHANNEL_BIND)
		return;
	cr_assert(stun_find(request, STUN_CHANNEL_NUMBER, &attribute));
	cr_assert(stun_read_u32(&attribute, &number));
	fake_turn_bind(server, (uint16_t)(number >> 16), &peer, now);
}

/* Sets the answer's attributes, or returns an error. */
static inline unsigned int fake_turn_do(struct fake_turn *server,
					const struct stun_message *request,
					struct stun_builder *builder, uint64_t now)
{
	struct endpoint relayed =
		server->relayed.port != 0 ? server->relayed : fake_turn_endpoint("8.8.8.8:50000");
	struct endpoint mapped = fake_turn_endpoint("1.2.3.4:7777");
	struct stun_attribute attribute;

	if (server->allocated && now >= server->expires)
		server->allocated = false;
	if (request->method == server->refused)
		return server->refusal;
	if ((request->method == TURN_ALLOCATE) == server->allocated &&
	    memcmp(server->allocated_by, stun_id(request), STUN_ID_SIZE) != 0)
		return 437;
	server->last_lifetime = UINT32_MAX;
	if (stun_find(request, STUN_LIFETIME, &attribute))
		(void)stun_read_u32(&attribute, &server->last_lifetime);
	if (request->method == TURN_ALLOCATE) {
		static const uint8_t udp[] = {17, 0, 0, 0};

		if (!fake_turn_has(request, STUN_REQUESTED_TRANSPORT, udp, sizeof(udp)))
			return 400;
		memcpy(server->allocated_by, stun_id(request), STUN_ID_SIZE);
		stun_put_xor_address(builder, STUN_XOR_RELAYED_ADDRESS, &relayed);
		stun_put_xor_address(builder, STUN_XOR_MAPPED_ADDRESS, &mapped);
	}
	if (request->method == TURN_ALLOCATE || request->method == TURN_REFRESH) {
		server->allocated = server->last_lifetime != 0;
		server->expires = now + server->lifetime * SEC;
		stun_put_u32(builder, STUN_LIFETIME, server->allocated ? server->lifetime : 0);
	} else {
		fake_turn_admit(server, request, now);
	}
	return 0;
}

/* Its answer to @bytes, written into 2048 bytes at @ret; returns the length, 0 for silence. */
static inline size_t fake_turn_answer(struct fake_turn *server, const uint8_t *bytes, size_t length,
				      uint64_t now, uint8_t *ret)
{
	struct stun_message request;
	struct stun_builder builder;
	unsigned int error;

	if (!stun_parse(bytes, length, &request) || request.class != STUN_REQUEST)
		return 0;
	cr_expect_eq(stun_check_fingerprint(&request), STUN_FINGERPRINT_RIGHT);
	server->asked[request.method % FAKE_TURN_METHODS]++;
	error = fake_turn_judge(server, &request);
	stun_begin(&builder, ret, 2048, STUN_SUCCESS, request.method, stun_id(&request));
	if (!error)
		error = fake_turn_do(server, &request, &builder, now);
	return error ? fake_turn_error(server, &request, error, ret)
		     : fake_turn_end(server, &builder, true);
}

static inline bool fake_turn_channel_of(const struct fake_turn *server, const struct endpoint *peer,
					uint64_t now, uint16_t *ret)
{
	size_t i;

	for (i = 0; i < server->channel_count; i++) {
		if (endpoint_equal(&server->channels[i].peer, peer) &&
		    now < server->channels[i].until) {
			*ret = server->channels[i].number;
			return true;
		}
	}
	return false;
}

/* Its client's payload, if @bytes are some that it would let out; the peer is in *ret. */
static inline bool fake_turn_outward(const struct fake_turn *server, const uint8_t *bytes,
				     size_t length, uint64_t now, struct turn_payload *ret)
{
	struct stun_message message;
	size_t i;

	if (stun_parse(bytes, length, &message))
		return turn_indication_read(&message, TURN_SEND, ret) &&
		       fake_turn_permits(server, &ret->peer.addr, now);
	if (!turn_channel_read(bytes, length, ret))
		return false;
	for (i = 0; i < server->channel_count; i++) {
		ret->peer = server->channels[i].peer;
		if (server->channels[i].number == ret->channel)
			return now < server->channels[i].until &&
			       fake_turn_permits(server, &ret->peer.addr, now);
	}
	return false;
}

/* What @peer sent to the relayed endpoint, as the client gets it, in 2048 bytes; 0: dropped. */
static inline size_t fake_turn_inward(const struct fake_turn *server, const struct endpoint *peer,
				      const uint8_t *bytes, size_t length, uint64_t now,
				      uint8_t *ret)
{
	static const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
	uint16_t channel;

	if (!fake_turn_permits(server, &peer->addr, now))
		return 0;
	if (fake_turn_channel_of(server, peer, now, &channel))
		return turn_channel_write(channel, bytes, length, ret, 2048);
	return turn_indication_write(TURN_DATA, id, peer, bytes, length, ret, 2048);
}

#endif
