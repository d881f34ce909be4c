/* SPDX-License-Identifier: MIT */
/*
 * How this works: once both have joined, what each has to say goes in letters (punch/letters.h),
 * which the rendezvous relays: sealed, in order, repeated until acknowledged. A description that
 * is longer than a letter takes several. Its end is an empty letter, so the text may be anything.
 *
 * Nobody dials here and nobody waits for "go": the peers have no endpoint of each other's
 * to be early at. The session lives for as long as we do, for a late acknowledgement needs it.
 */
#include "agents/ice/exchange.h"

#include <string.h>

void exchange_start(struct exchange *exchange, const struct meeting_config *config, uint64_t now)
{
	memset(exchange, 0, sizeof(*exchange));
	meeting_start(&exchange->meeting, config, now);
}

bool exchange_describe(struct exchange *exchange, const char *description)
{
	if (strlen(description) > DESCRIPTION_MAX)
		return false;
	strcpy(exchange->ours, description);
	exchange->described = true;
	return true;
}

const char *exchange_theirs(const struct exchange *exchange)
{
	return exchange->complete ? exchange->theirs : NULL;
}

static void introduce(struct exchange *exchange)
{
	const struct introduction *peer = &exchange->meeting.peer;

	exchange->introduced = true;
	exchange->seal.role = peer->role;
	memcpy(exchange->seal.token, peer->token, TOKEN_SIZE);
	letters_start(&exchange->letters, &exchange->seal, &exchange->meeting.random,
		      exchange->meeting.round_trip);
}

static void post(struct exchange *exchange)
{
	size_t length = strlen(exchange->ours), at, part;

	exchange->posted = true;
	for (at = 0; at < length; at += part) {
		part = length - at < LETTER_MAX ? length - at : LETTER_MAX;
		(void)letters_put(&exchange->letters, exchange->ours + at, part);
	}
	(void)letters_put(&exchange->letters, "", 0);
}

static void advance(struct exchange *exchange)
{
	bool paired = exchange->meeting.phase == MEETING_PAIRED ||
		      exchange->meeting.phase == MEETING_DIALLED ||
		      exchange->meeting.phase == MEETING_GO;

	if (paired && !exchange->introduced)
		introduce(exchange);
	if (exchange->introduced && exchange->described && !exchange->posted)
		post(exchange);
}

/* ---- sending ---- */

static bool to_rendezvous(const struct exchange *exchange, size_t length, struct datagram *ret)
{
	ret->socket = 0;
	ret->to = exchange->meeting.rendezvous;
	ret->length = length;
	return length > 0;
}

static size_t send_letter(struct exchange *exchange, uint64_t now, void *buffer, size_t capacity)
{
	uint8_t sealed[LETTER_SEALED_MAX], id[STUN_ID_SIZE];
	size_t length;

	if (!exchange->introduced)
		return 0;
	length = letters_send(&exchange->letters, now, sealed);
	if (length == 0)
		return 0;
	transaction_new_id(&exchange->meeting.random, id);
	return relay_write(&exchange->meeting.join, id, sealed, length, buffer, capacity);
}

bool exchange_send(struct exchange *exchange, uint64_t now, struct datagram *ret)
{
	advance(exchange);
	if (to_rendezvous(exchange, meeting_send(&exchange->meeting, now, ret->bytes), ret))
		return true;
	return to_rendezvous(exchange, send_letter(exchange, now, ret->bytes, sizeof(ret->bytes)),
			     ret);
}

uint64_t exchange_due(const struct exchange *exchange)
{
	uint64_t due = meeting_due(&exchange->meeting);
	uint64_t own = exchange->introduced ? letters_due(&exchange->letters) : UINT64_MAX;

	return own < due ? own : due;
}

bool exchange_leave(struct exchange *exchange, struct datagram *ret)
{
	return to_rendezvous(exchange, meeting_leave(&exchange->meeting, ret->bytes), ret);
}

/* ---- receiving ---- */

static void take_letter(struct exchange *exchange, const uint8_t *bytes, size_t length)
{
	if (exchange->complete || exchange->overlong)
		return;
	if (length == 0) {
		exchange->theirs[exchange->theirs_length] = '\0';
		exchange->complete = true;
	} else if (length > DESCRIPTION_MAX - exchange->theirs_length) {
		exchange->overlong = true;
	} else {
		memcpy(exchange->theirs + exchange->theirs_length, bytes, length);
		exchange->theirs_length += length;
	}
}

static void open_envelope(struct exchange *exchange, const struct stun_message *envelope)
{
	struct stun_message message;
	const uint8_t *bytes;
	size_t length;

	if (relayed_read(envelope, &bytes, &length) && stun_parse(bytes, length, &message) &&
	    letters_receive(&exchange->letters, &message, &bytes, &length))
		take_letter(exchange, bytes, length);
}

void exchange_receive(struct exchange *exchange, const struct endpoint *from, const void *datagram,
		      size_t length, uint64_t now)
{
	struct stun_message message;

	if (!endpoint_equal(from, &exchange->meeting.rendezvous) ||
	    !stun_parse(datagram, length, &message))
		return;
	if (!meeting_receive(&exchange->meeting, from, &message, now) && exchange->introduced)
		open_envelope(exchange, &message);
	advance(exchange);
}
