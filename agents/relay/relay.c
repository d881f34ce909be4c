/* SPDX-License-Identifier: MIT */
/*
 * How this works: who has a TURN server allocates there at once, while it looks for the other peer
 * at the rendezvous, and offers its relayed endpoint with the Join. It says "dialled" when it
 * has done so; at "go" therefore each knows what the other has, and both choose alike:
 *
 *     both allocated    host --> our server --> their server --> peer
 *     we alone          host --> our server --> peer, at whatever endpoint of its public address
 *     they alone        host --> their server --> peer
 *     neither           host --> rendezvous --> peer
 *
 * With both, neither NAT sees anything but its own server, and what has to be admitted is known
 * beforehand to the port. With one, half the way is saved; the port from which the
 * other's NAT lets it speak is learned from its first packet.
 *
 * What is carried is the same in each case and the same as on a direct path (punch/path.c). The
 * relay sees sealed words only; the rendezvous made the seal's key and could break it, a
 * TURN server could not.
 */
#include "agents/relay/relay.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agents/rendezvous/offer.h"

static void __attribute__((format(printf, 2, 3)))
say(const struct relay *relay, const char *format, ...)
{
	char line[240];
	va_list arguments;

	if (!relay->config.say)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	relay->config.say(relay->config.say_context, line);
}

static void __attribute__((format(printf, 4, 5)))
finish(struct relay *relay, enum relay_phase phase, uint64_t now, const char *format, ...)
{
	va_list arguments;

	relay->phase = phase;
	relay->ended = now;
	relay->leave_due = true;
	va_start(arguments, format);
	vsnprintf(relay->reason, sizeof(relay->reason), format, arguments);
	va_end(arguments);
	if (relay->reason[0] != '\0')
		say(relay, "%s", relay->reason);
}

/* With a result, the other may still need our last answers: they are to be sent first. */
static bool has_ended(const struct relay *relay)
{
	return relay->phase > RELAY_DONE || (relay->phase == RELAY_DONE && path_over(&relay->path));
}

void relay_start(struct relay *relay, const struct relay_config *config, uint64_t now)
{
	*relay = (struct relay){.config = *config, .started = now, .turn.phase = TURN_CLOSED};
	relay->config.turn.random = relay->config.talk.random = config->meeting.random;
	meeting_start(&relay->meeting, &config->meeting, now);
	if (config->with_turn)
		turn_start(&relay->turn, &relay->config.turn, now);
}

struct endpoint relay_endpoint(const struct relay *relay)
{
	switch (relay->way) {
	case WAY_RENDEZVOUS:
		return relay->meeting.rendezvous;
	case WAY_OURS:
	case WAY_BOTH:
		return relay->config.turn.server;
	case WAY_THEIRS:
		return relay->peer_relayed;
	}
	return (struct endpoint){0};
}

static bool by_our_turn(const struct relay *relay)
{
	return relay->way == WAY_OURS || relay->way == WAY_BOTH;
}

/* ---- from one phase to the next ---- */

static void offer_relayed(struct relay *relay)
{
	char text[ENDPOINT_TEXT_MAX];
	struct offer offer = {0};

	relay->offered = true;
	offer_put_endpoint(&offer, OFFER_RELAYED, &relay->turn.relayed);
	meeting_offer(&relay->meeting, offer.bytes, offer.length);
	say(relay, "allocated %s", endpoint_format(&relay->turn.relayed, text));
}

static void choose_way(struct relay *relay, uint64_t now)
{
	const struct introduction *peer = &relay->meeting.peer;
	bool ours = relay->config.with_turn;
	bool theirs = offer_find_endpoint(peer->offer, peer->offer_length, OFFER_RELAYED,
					  &relay->peer_relayed);

	relay->phase = RELAY_ADMITTING;
	relay->way = ours && theirs ? WAY_BOTH
		     : ours         ? WAY_OURS
		     : theirs       ? WAY_THEIRS
				    : WAY_RENDEZVOUS;
	relay->peer = theirs ? relay->peer_relayed : peer->peer_public;
	/* A channel wants the exact endpoint, which only a relay's own is before it has spoken. */
	if (ours && !turn_admit(&relay->turn, &relay->peer, relay->config.channels && theirs, now))
		finish(relay, RELAY_FAILED, now, "the allocation is gone");
}

static void seek(struct relay *relay, uint64_t now)
{
	uint64_t first = relay->meeting.round_trip;
	const struct transaction_timing timing = {
		.first = first < 5 * MSEC     ? 5 * MSEC
			 : first > 100 * MSEC ? 100 * MSEC
					      : first,
		.longest = 200 * MSEC,
	};
	struct seal seal = {.role = relay->meeting.peer.role};
	char text[ENDPOINT_TEXT_MAX];

	memcpy(seal.token, relay->meeting.peer.token, TOKEN_SIZE);
	relay->phase = RELAY_SEEKING;
	path_start(&relay->path, &seal, &timing, &relay->config.talk);
	(void)candidates_add(&relay->path.candidates, CANDIDATE_PUBLIC, &relay->peer, now);
	say(relay, "trying to reach the peer at %s", endpoint_format(&relay->peer, text));
}

static void admit_or_fail(struct relay *relay, uint64_t now)
{
	if (!by_our_turn(relay)) {
		seek(relay, now);
		return;
	}
	switch (turn_admission(&relay->turn, &relay->peer)) {
	case ADMISSION_ASKED:
		break;
	case ADMISSION_GRANTED:
		seek(relay, now);
		break;
	case ADMISSION_REFUSED:
		finish(relay, RELAY_FAILED, now, "%s", relay->turn.reason);
		break;
	}
}

static void follow_path(struct relay *relay, uint64_t now)
{
	const struct talk *talk = &relay->path.talk;
	struct endpoint to;

	if (relay->phase == RELAY_SEEKING && relay->path.state >= PATH_TALKING) {
		relay->phase = RELAY_TALKING;
		say(relay, "connected");
		to = relay->path.candidates.settled->to;
		if (relay->way == WAY_OURS && relay->config.channels)
			(void)turn_admit(&relay->turn, &to, true, now);
		relay->peer = to;
		/* The rendezvous is done, unless it is what carries us. */
		relay->leave_due = relay->way != WAY_RENDEZVOUS;
	}
	if (relay->phase != RELAY_TALKING)
		return;
	if (relay->path.state == PATH_DONE)
		finish(relay, RELAY_DONE, now, "%s", "");
	else if (relay->path.state == PATH_LOST)
		finish(relay, RELAY_LOST, now,
		       "nothing of the peer's came any more after it had acknowledged %u of %u "
		       "messages and sent %u",
		       talk->acknowledged, relay->config.talk.messages, talk->received);
}

/* Why there is no path, from what was seen. */
static void fail_late(struct relay *relay, uint64_t now)
{
	double seconds = to_ms(relay->config.timeout) / 1000;
	char text[ENDPOINT_TEXT_MAX];

	if (relay->config.with_turn && relay->turn.phase == TURN_ALLOCATING)
		finish(relay, RELAY_FAILED, now, "the TURN server %s did not answer in %.1f s",
		       endpoint_format(&relay->config.turn.server, text), seconds);
	else if (!relay->meeting.welcomed)
		finish(relay, RELAY_FAILED, now, "no rendezvous: %s did not answer in %.1f s",
		       endpoint_format(&relay->meeting.rendezvous, text), seconds);
	else if (relay->meeting.phase == MEETING_JOINING)
		finish(relay, RELAY_FAILED, now, "nobody else joined the session in %.1f s",
		       seconds);
	else if (relay->phase == RELAY_MEETING)
		finish(relay, RELAY_FAILED, now,
		       "the other peer was introduced, but never got its relay ready");
	else if (relay->phase == RELAY_ADMITTING)
		finish(relay, RELAY_FAILED, now, "the TURN server does not answer any more");
	else if (candidates_heard(&relay->path.candidates))
		finish(relay, RELAY_FAILED, now,
		       "only one way: the peer's packets arrived, but none of ours was answered");
	else
		finish(relay, RELAY_FAILED, now, "nothing of the peer's came over the relay");
}

static void follow_turn(struct relay *relay, uint64_t now)
{
	if (relay->turn.phase == TURN_READY && !relay->offered)
		offer_relayed(relay);
	if (relay->turn.phase != TURN_FAILED || relay->phase >= RELAY_DONE)
		return;
	if (relay->phase < RELAY_TALKING)
		finish(relay, RELAY_FAILED, now, "%s", relay->turn.reason);
	else if (by_our_turn(relay))
		finish(relay, RELAY_LOST, now, "%s", relay->turn.reason);
}

static void advance(struct relay *relay, uint64_t now)
{
	bool allocating = relay->turn.phase == TURN_ALLOCATING;

	follow_turn(relay, now);
	if (relay->phase == RELAY_MEETING && relay->meeting.phase == MEETING_REFUSED)
		finish(relay, RELAY_FAILED, now, "session refused: %s", relay->meeting.refusal);
	if (relay->phase == RELAY_MEETING && relay->meeting.phase == MEETING_PAIRED && !allocating)
		meeting_dialled(&relay->meeting, now);
	if (relay->phase == RELAY_MEETING && relay->meeting.phase == MEETING_GO)
		choose_way(relay, now);
	if (relay->phase == RELAY_ADMITTING)
		admit_or_fail(relay, now);
	if (relay->phase == RELAY_SEEKING || relay->phase == RELAY_TALKING)
		follow_path(relay, now);
	if (relay->phase < RELAY_TALKING && now >= relay->started + relay->config.timeout)
		fail_late(relay, now);
	if (has_ended(relay) && relay->turn.phase < TURN_CLOSING)
		turn_close(&relay->turn, now);
}

/* ---- sending ---- */

static bool to_rendezvous(const struct relay *relay, size_t length, struct datagram *ret)
{
	ret->to = relay->meeting.rendezvous;
	ret->length = length;
	return length > 0;
}

static bool to_turn(const struct relay *relay, size_t length, struct datagram *ret)
{
	ret->to = relay->config.turn.server;
	ret->length = length;
	return length > 0;
}

/* Put what is for the peer into what is for the relay. False when it cannot be: it is lost. */
static bool wrap(struct relay *relay, struct datagram *ret)
{
	uint8_t payload[SEALED_MAX], id[STUN_ID_SIZE];
	struct endpoint peer = ret->to;
	size_t length = ret->length;

	if (relay->way == WAY_THEIRS)
		return true; /* for its relayed endpoint, and that is a relay's */
	if (length > sizeof(payload))
		return false;
	memcpy(payload, ret->bytes, length);
	if (relay->way == WAY_RENDEZVOUS) {
		transaction_new_id(&relay->config.meeting.random, id);
		return to_rendezvous(relay,
				     relay_write(&relay->meeting.join, id, payload, length,
						 ret->bytes, sizeof(ret->bytes)),
				     ret);
	}
	return to_turn(
		relay,
		turn_write(&relay->turn, &peer, payload, length, ret->bytes, sizeof(ret->bytes)),
		ret);
}

bool relay_send(struct relay *relay, uint64_t now, struct datagram *ret)
{
	bool on_path = relay->phase == RELAY_SEEKING || relay->phase == RELAY_TALKING ||
		       relay->phase == RELAY_DONE || relay->phase == RELAY_LOST;

	advance(relay, now);
	ret->socket = 0;
	while (on_path && path_send(&relay->path, now, ret)) {
		if (wrap(relay, ret))
			return true;
	}
	advance(relay, now);
	if (relay->leave_due && (relay->phase == RELAY_TALKING || has_ended(relay))) {
		relay->leave_due = false;
		if (to_rendezvous(relay, meeting_leave(&relay->meeting, ret->bytes), ret))
			return true;
	}
	return to_rendezvous(relay, meeting_send(&relay->meeting, now, ret->bytes), ret) ||
	       to_turn(relay, turn_send(&relay->turn, now, ret->bytes), ret);
}

uint64_t relay_due(const struct relay *relay)
{
	uint64_t due =
		relay->phase < RELAY_TALKING ? relay->started + relay->config.timeout : UINT64_MAX;
	uint64_t own;

	own = meeting_due(&relay->meeting);
	if (own < due)
		due = own;
	own = turn_due(&relay->turn);
	if (own < due)
		due = own;
	if (relay->phase != RELAY_SEEKING && relay->phase != RELAY_TALKING)
		return due;
	own = path_due(&relay->path);
	return own < due ? own : due;
}

bool relay_over(const struct relay *relay)
{
	return has_ended(relay) && !relay->leave_due && turn_over(&relay->turn);
}

bool relay_leave(struct relay *relay, uint64_t now, struct datagram *ret)
{
	ret->socket = 0;
	if (to_rendezvous(relay, meeting_leave(&relay->meeting, ret->bytes), ret))
		return true;
	if (relay->turn.phase == TURN_READY)
		turn_close(&relay->turn, now);
	return to_turn(relay, turn_send(&relay->turn, now, ret->bytes), ret);
}

/* ---- receiving ---- */

/* What was in the envelope, as if it had come straight from @from. */
static void take_payload(struct relay *relay, const struct endpoint *from, const uint8_t *bytes,
			 size_t length, uint64_t now)
{
	struct stun_message message;

	if (relay->phase != RELAY_SEEKING && relay->phase != RELAY_TALKING)
		return;
	if (stun_parse(bytes, length, &message))
		(void)path_receive(&relay->path, from, &message, now);
}

void relay_receive(struct relay *relay, const struct endpoint *from, const void *datagram,
		   size_t length, uint64_t now)
{
	struct turn_payload payload;
	struct stun_message message;
	const uint8_t *bytes;
	size_t count;

	if (turn_receive(&relay->turn, from, datagram, length, now, &payload)) {
		if (by_our_turn(relay))
			take_payload(relay, &payload.peer, payload.bytes, payload.length, now);
	} else if (stun_parse(datagram, length, &message) &&
		   !meeting_receive(&relay->meeting, from, &message, now)) {
		if (relay->way == WAY_THEIRS && endpoint_equal(from, &relay->peer_relayed))
			take_payload(relay, from, datagram, length, now);
		else if (relay->way == WAY_RENDEZVOUS &&
			 endpoint_equal(from, &relay->meeting.rendezvous) &&
			 relayed_read(&message, &bytes, &count))
			take_payload(relay, &relay->peer, bytes, count, now);
	}
	advance(relay, now);
}

void relay_refused(struct relay *relay, const struct endpoint *to)
{
	if (relay->config.with_turn && endpoint_equal(to, &relay->config.turn.server))
		turn_refused(&relay->turn);
}
