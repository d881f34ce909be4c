/* SPDX-License-Identifier: MIT */
/*
 * How this works: one request at a time for the allocation (Allocate, then Refresh, at last
 * Refresh with a lifetime of 0), and one for each peer. A peer without a channel costs
 * CreatePermission; with one ChannelBind, which renews the permission as well, so that nobody
 * needs two. What has been granted is asked for again when a quarter of its life is left,
 * or a minute: enough for several lost datagrams, as RFC 8656 section 8 advises.
 *
 * Any request may be answered with 401, the server's challenge, or 438, a newer nonce, and is then
 * repeated at once under a new transaction id. A request that was sealed and still gets 401 has
 * the wrong password; one that gets 438 over and over has a server that makes fun of us.
 *
 * Only what carries the server's seal counts, errors included, except the challenges
 * themselves, which cannot have one (RFC 8489 section 9.2.5).
 */
#include "agents/turn/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agents/stun/integrity.h"
#include "agents/turn/meaning.h"

#define PERMISSION_LIFE (300 * SEC) /* RFC 8656 section 9 */
#define CHANNEL_LIFE (600 * SEC)    /* RFC 8656 section 12 */
#define RENEW_BEFORE (60 * SEC)     /* RFC 8656 section 8 */
enum { LIFETIME_DEFAULT = 600, CHALLENGES_MAX = 3, REFUSALS_MAX = 2 };

/* Nobody waits long for a server to forget us: it will do so by itself. */
static const struct transaction_timing closing_timing = {
	.first = 50 * MSEC, .longest = 100 * MSEC, .sends = 3, .last = 100 * MSEC};

/* For an answer that is under way; an allocation that nobody gives back expires by itself. */
#define GRANT_PATIENCE (300 * MSEC)

/* What we have already is worth asking for until it is gone, and often. */
static const struct transaction_timing renewing_timing = {
	.first = 500 * MSEC, .longest = 4 * SEC, .sends = 8, .last = 4 * SEC};

static void __attribute__((format(printf, 2, 3))) fail(struct turn *turn, const char *format, ...)
{
	va_list arguments;

	turn->phase = TURN_FAILED;
	turn->allocation.open = false;
	va_start(arguments, format);
	vsnprintf(turn->reason, sizeof(turn->reason), format, arguments);
	va_end(arguments);
}

static void ask(struct turn *turn, struct turn_request *request,
		const struct transaction_timing *timing, uint64_t now)
{
	request->open = true;
	transaction_new_id(&turn->config.random, request->id);
	transaction_start(&request->transaction, timing, now);
}

static void ask_afresh(struct turn *turn, struct turn_request *request,
		       const struct transaction_timing *timing, uint64_t now)
{
	request->challenges = 0;
	ask(turn, request, timing, now);
}

void turn_start(struct turn *turn, const struct turn_config *config, uint64_t now)
{
	*turn = (struct turn){.config = *config, .renew = UINT64_MAX};
	if (turn->config.permission_life == 0)
		turn->config.permission_life = PERMISSION_LIFE;
	if (turn->config.channel_life == 0)
		turn->config.channel_life = CHANNEL_LIFE;
	credentials_start(&turn->credentials, config->user, config->password);
	ask_afresh(turn, &turn->allocation, &TRANSACTION_RFC8489, now);
}

/* When to renew what lives for @life from @now. */
static uint64_t renewal(uint64_t life, uint64_t now)
{
	return now + life - (life / 4 < RENEW_BEFORE ? life / 4 : RENEW_BEFORE);
}

bool turn_admit(struct turn *turn, const struct endpoint *endpoint, bool channel, uint64_t now)
{
	struct turn_peer *peer = turn_peers_find(&turn->peers, endpoint);

	if (turn->phase != TURN_READY)
		return false;
	if (peer && (peer->channel != 0 || !channel))
		return true;
	if (!peer)
		peer = turn_peers_add(&turn->peers, endpoint);
	if (!peer)
		return false;
	if (channel)
		turn_peers_want_channel(&turn->peers, peer);
	ask_afresh(turn, &peer->request, &TRANSACTION_RFC8489, now);
	return true;
}

enum turn_admission turn_admission(const struct turn *turn, const struct endpoint *endpoint)
{
	const struct turn_peer *peer = turn_peers_find((struct turn_peers *)&turn->peers, endpoint);

	return peer ? peer->admission : ADMISSION_REFUSED;
}

/* The server may have granted what was asked for last. Its challenge would be no grant. */
static bool may_be_granted(const struct turn *turn)
{
	return turn->allocation.transaction.sent > 0 &&
	       (turn->credentials.challenged || !turn->config.user);
}

static void close_allocating(struct turn *turn, uint64_t now)
{
	if (!may_be_granted(turn)) {
		turn->phase = TURN_CLOSED;
		turn->allocation.open = false;
	} else if (!turn->unwanted || now + GRANT_PATIENCE < turn->give_up) {
		turn->unwanted = true;
		turn->give_up = now + GRANT_PATIENCE;
	}
}

void turn_close(struct turn *turn, uint64_t now)
{
	size_t i;

	for (i = 0; i < turn->peers.count; i++)
		turn->peers.list[i].request.open = false;
	turn->renew = UINT64_MAX;
	if (turn->phase == TURN_READY) {
		turn->phase = TURN_CLOSING;
		ask_afresh(turn, &turn->allocation, &closing_timing, now);
	} else if (turn->phase == TURN_ALLOCATING) {
		close_allocating(turn, now);
	}
}

bool turn_over(const struct turn *turn)
{
	return turn->phase >= TURN_CLOSED;
}

/* ---- sending ---- */

static size_t end(const struct turn *turn, struct stun_builder *builder)
{
	credentials_put(&turn->credentials, builder);
	stun_put_fingerprint(builder);
	return stun_end(builder);
}

static size_t write_allocation(const struct turn *turn, void *buffer)
{
	bool allocate = turn->phase == TURN_ALLOCATING;
	struct stun_builder builder;

	stun_begin(&builder, buffer, TURN_MESSAGE_MAX, STUN_REQUEST,
		   allocate ? TURN_ALLOCATE : TURN_REFRESH, turn->allocation.id);
	if (allocate)
		stun_put_u32(&builder, STUN_REQUESTED_TRANSPORT,
			     (uint32_t)TURN_TRANSPORT_UDP << 24);
	if (turn->phase == TURN_CLOSING)
		stun_put_u32(&builder, STUN_LIFETIME, 0);
	else if (turn->config.lifetime > 0)
		stun_put_u32(&builder, STUN_LIFETIME, turn->config.lifetime);
	return end(turn, &builder);
}

static size_t write_admission(const struct turn *turn, const struct turn_peer *peer, void *buffer)
{
	struct stun_builder builder;

	stun_begin(&builder, buffer, TURN_MESSAGE_MAX, STUN_REQUEST,
		   peer->channel ? TURN_CHANNEL_BIND : TURN_CREATE_PERMISSION, peer->request.id);
	if (peer->channel)
		stun_put_u32(&builder, STUN_CHANNEL_NUMBER, (uint32_t)peer->channel << 16);
	stun_put_xor_address(&builder, STUN_XOR_PEER_ADDRESS, &peer->endpoint);
	return end(turn, &builder);
}

/* Nobody answers the allocation's request. */
static void give_up(struct turn *turn, uint64_t now)
{
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(&turn->config.server, text);
	if (turn->phase == TURN_CLOSING) {
		turn->phase = TURN_CLOSED;
		turn->allocation.open = false;
	} else if (turn->phase == TURN_ALLOCATING) {
		fail(turn, "the TURN server %s did not answer", text);
	} else if (now < turn->expires) {
		turn->allocation.open = false; /* and asked for again, being due */
	} else {
		fail(turn, "the TURN server %s does not answer any more", text);
	}
}

static size_t send_allocation(struct turn *turn, uint64_t now, void *buffer)
{
	if (turn->phase == TURN_READY && !turn->allocation.open && now >= turn->renew)
		ask_afresh(turn, &turn->allocation, &renewing_timing, now);
	if (turn->unwanted && turn->phase == TURN_ALLOCATING && now >= turn->give_up) {
		turn->phase = TURN_CLOSED;
		turn->allocation.open = false;
	}
	if (!turn->allocation.open)
		return 0;
	switch (transaction_step(&turn->allocation.transaction, now)) {
	case TRANSACTION_SEND:
		return write_allocation(turn, buffer);
	case TRANSACTION_WAIT:
		return 0;
	case TRANSACTION_FAIL:
		give_up(turn, now);
		return turn->phase == TURN_READY ? send_allocation(turn, now, buffer) : 0;
	}
	return 0;
}

static size_t send_admission(struct turn *turn, struct turn_peer *peer, uint64_t now, void *buffer)
{
	if (peer->admission == ADMISSION_REFUSED)
		return 0;
	if (!peer->request.open && now >= peer->renew)
		ask_afresh(turn, &peer->request, &renewing_timing, now);
	if (!peer->request.open)
		return 0;
	switch (transaction_step(&peer->request.transaction, now)) {
	case TRANSACTION_SEND:
		return write_admission(turn, peer, buffer);
	case TRANSACTION_WAIT:
		return 0;
	case TRANSACTION_FAIL:
		peer->request.open = false;
		if (peer->admission == ADMISSION_GRANTED)
			return send_admission(turn, peer, now, buffer); /* afresh */
		peer->admission = ADMISSION_REFUSED;
		return 0;
	}
	return 0;
}

size_t turn_send(struct turn *turn, uint64_t now, void *buffer)
{
	size_t length = send_allocation(turn, now, buffer);
	size_t i;

	for (i = 0; length == 0 && turn->phase == TURN_READY && i < turn->peers.count; i++)
		length = send_admission(turn, &turn->peers.list[i], now, buffer);
	return length;
}

uint64_t turn_due(const struct turn *turn)
{
	uint64_t due = turn->allocation.open ? turn->allocation.transaction.due : turn->renew;
	const struct turn_peer *peer;
	uint64_t own;

	if (turn_over(turn))
		return UINT64_MAX;
	if (turn->unwanted && turn->phase == TURN_ALLOCATING && turn->give_up < due)
		due = turn->give_up;
	for (peer = turn->peers.list; peer < turn->peers.list + turn->peers.count; peer++) {
		if (turn->phase != TURN_READY || peer->admission == ADMISSION_REFUSED)
			continue;
		own = peer->request.open ? peer->request.transaction.due : peer->renew;
		if (own < due)
			due = own;
	}
	return due;
}

size_t turn_write(struct turn *turn, const struct endpoint *endpoint, const void *payload,
		  size_t length, void *buffer, size_t capacity)
{
	const struct turn_peer *peer = turn_peers_find((struct turn_peers *)&turn->peers, endpoint);
	uint8_t id[STUN_ID_SIZE];

	if (turn->phase != TURN_READY || !turn_peers_permit(&turn->peers, &endpoint->addr))
		return 0;
	if (peer && peer->bound)
		return turn_channel_write(peer->channel, payload, length, buffer, capacity);
	transaction_new_id(&turn->config.random, id);
	return turn_indication_write(TURN_SEND, id, endpoint, payload, length, buffer, capacity);
}

/* ---- receiving ---- */

/* Whose request has @id; *ret_peer is NULL for the allocation's. NULL for nobody's. */
static struct turn_request *request_of(struct turn *turn, const uint8_t id[STUN_ID_SIZE],
				       struct turn_peer **ret_peer)
{
	size_t i;

	*ret_peer = NULL;
	if (turn->allocation.open && memcmp(turn->allocation.id, id, STUN_ID_SIZE) == 0)
		return &turn->allocation;
	for (i = 0; i < turn->peers.count; i++) {
		*ret_peer = &turn->peers.list[i];
		if ((*ret_peer)->request.open &&
		    memcmp((*ret_peer)->request.id, id, STUN_ID_SIZE) == 0)
			return &(*ret_peer)->request;
	}
	return NULL;
}

static bool find_xor_address(const struct stun_message *message, uint16_t type,
			     struct endpoint *ret)
{
	struct stun_attribute attribute;

	return stun_find(message, type, &attribute) &&
	       stun_read_xor_address(message, &attribute, ret);
}

static void take_allocation(struct turn *turn, const struct stun_message *message, uint64_t now)
{
	struct stun_attribute attribute;
	uint32_t lifetime = LIFETIME_DEFAULT;

	turn->allocation.open = false;
	if (turn->phase == TURN_CLOSING) {
		turn->phase = TURN_CLOSED;
		return;
	}
	if (turn->phase == TURN_ALLOCATING &&
	    (!find_xor_address(message, STUN_XOR_RELAYED_ADDRESS, &turn->relayed) ||
	     !find_xor_address(message, STUN_XOR_MAPPED_ADDRESS, &turn->mapped))) {
		fail(turn, "the TURN server's answer does not name the relayed endpoint");
		return;
	}
	if (stun_find(message, STUN_LIFETIME, &attribute))
		(void)stun_read_u32(&attribute, &lifetime);
	if (lifetime == 0)
		lifetime = 1; /* no server says so, and none shall make us ask for ever */
	if (turn->phase == TURN_READY)
		turn->refreshes++;
	turn->phase = TURN_READY;
	turn->expires = now + lifetime * SEC;
	turn->renew = renewal(lifetime * SEC, now);
	if (turn->unwanted)
		turn_close(turn, now);
}

static void take_admission(struct turn *turn, struct turn_peer *peer, uint64_t now)
{
	uint64_t life = turn->config.permission_life;

	peer->request.open = false;
	if (peer->channel != 0) {
		if (peer->bound)
			turn->refreshes++;
		peer->bound = true;
		if (turn->config.channel_life < life)
			life = turn->config.channel_life;
	} else if (peer->admission == ADMISSION_GRANTED) {
		turn->refreshes++;
	}
	peer->admission = ADMISSION_GRANTED;
	peer->renew = renewal(life, now);
}

static void refuse(struct turn *turn, struct turn_peer *peer, struct turn_request *request,
		   const char *meaning, const struct stun_error_code *error)
{
	char text[ENDPOINT_TEXT_MAX];
	int length = (int)(error->phrase_length < 40 ? error->phrase_length : 40);

	request->open = false;
	endpoint_format(&turn->config.server, text);
	if (turn->phase == TURN_CLOSING) {
		turn->phase = TURN_CLOSED; /* 437: there is nothing left to give back */
		return;
	}
	if (!peer) {
		fail(turn, "the TURN server %s refuses: %s (%u %.*s)", text, meaning, error->code,
		     length, error->phrase);
		return;
	}
	peer->admission = ADMISSION_REFUSED;
	snprintf(turn->reason, sizeof(turn->reason),
		 "the TURN server %s does not admit the peer: %s (%u %.*s)", text, meaning,
		 error->code, length, error->phrase);
}

static void take_error(struct turn *turn, struct turn_peer *peer, struct turn_request *request,
		       const struct stun_message *message, uint64_t now)
{
	const struct transaction_timing timing = request->transaction.timing;
	bool sealed = turn->credentials.challenged;
	struct stun_error_code error = {.phrase = ""};
	struct stun_attribute attribute;

	if (!stun_find(message, STUN_ERROR_CODE, &attribute) ||
	    !stun_read_error(&attribute, &error))
		return;
	if (error.code != 401 && error.code != 438) {
		if (!credentials_check(&turn->credentials, message))
			return;
		refuse(turn, peer, request,
		       error.code == 437 && turn->phase != TURN_ALLOCATING
			       ? "it has forgotten the allocation"
			       : turn_meaning(error.code),
		       &error);
		return;
	}
	if (error.code == 401 && sealed)
		refuse(turn, peer, request, "wrong user or password", &error);
	else if (!turn->config.user)
		refuse(turn, peer, request, "it wants a user and a password", &error);
	else if (request->challenges++ == CHALLENGES_MAX)
		refuse(turn, peer, request, "no nonce stays fresh", &error);
	else if (!credentials_challenge(&turn->credentials, message))
		refuse(turn, peer, request, "its challenge cannot be answered", &error);
	else
		ask(turn, request, &timing, now);
}

static void take_response(struct turn *turn, const struct stun_message *message, uint64_t now)
{
	struct turn_peer *peer;
	struct turn_request *request = request_of(turn, stun_id(message), &peer);

	if (!request || request->transaction.sent == 0)
		return;
	if (message->class == STUN_ERROR)
		take_error(turn, peer, request, message, now);
	else if (!credentials_check(&turn->credentials, message))
		return; /* as if it had never come (RFC 8489 section 9.2.5) */
	else if (peer)
		take_admission(turn, peer, now);
	else
		take_allocation(turn, message, now);
}

bool turn_receive(struct turn *turn, const struct endpoint *from, const void *datagram,
		  size_t length, uint64_t now, struct turn_payload *ret)
{
	struct stun_message message;

	if (turn_over(turn) || !endpoint_equal(from, &turn->config.server))
		return false;
	turn->refusals = 0;
	if (turn_channel_read(datagram, length, ret))
		return turn_peers_name(&turn->peers, ret);
	if (!stun_parse(datagram, length, &message) || message.classic)
		return false;
	if (message.class == STUN_SUCCESS || message.class == STUN_ERROR) {
		take_response(turn, &message, now);
		return false;
	}
	return turn->phase == TURN_READY && turn_indication_read(&message, TURN_DATA, ret);
}

void turn_refused(struct turn *turn)
{
	char text[ENDPOINT_TEXT_MAX];

	if (turn->phase == TURN_ALLOCATING && ++turn->refusals == REFUSALS_MAX)
		fail(turn, "nobody listens at the TURN server %s",
		     endpoint_format(&turn->config.server, text));
}
