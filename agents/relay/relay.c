/* SPDX-License-Identifier: MIT */
/*
 * How this works: who has a TURN server allocates there at once, while it looks for the other peer
 * at the rendezvous, and offers its relayed endpoint with the Join. It says "dialled" when it
 * has done so, so that at "go" both know which relay it is to be (carrier.c). Who may do without
 * says so too when it is refused or has waited long enough.
 *
 * What is carried is the same in each case and the same as on a direct path (punch/path.c). The
 * relay sees sealed words only; the rendezvous made the seal's key and could break it, a
 * TURN server could not.
 */
#include "agents/relay/relay.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
		say(&relay->config.say, "%s", relay->reason);
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

/* ---- from one phase to the next ---- */

static void offer_relayed(struct relay *relay)
{
	char text[ENDPOINT_TEXT_MAX];

	relay->offered = true;
	carrier_offer(&relay->meeting, &relay->turn);
	say(&relay->config.say, "allocated %s", endpoint_format(&relay->turn.relayed, text));
}

static void choose(struct relay *relay, uint64_t now)
{
	relay->phase = RELAY_ADMITTING;
	if (carrier_choose(&relay->carrier, &relay->meeting, &relay->turn, relay->offered,
			   relay->config.channels, now) < 0)
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
	(void)candidates_add(&relay->path.candidates, CANDIDATE_PUBLIC, &relay->carrier.peer, now);
	say(&relay->config.say, "trying to reach the peer at %s",
	    endpoint_format(&relay->carrier.peer, text));
}

static void admit_or_fail(struct relay *relay, uint64_t now)
{
	if (!carrier_uses_turn(&relay->carrier)) {
		seek(relay, now);
		return;
	}
	switch (turn_admission(&relay->turn, &relay->carrier.peer)) {
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

	if (relay->phase == RELAY_SEEKING && relay->path.state >= PATH_TALKING) {
		relay->phase = RELAY_TALKING;
		say(&relay->config.say, "connected");
		carrier_found(&relay->carrier, &relay->path.candidates.settled->to,
			      relay->config.channels, now);
		/* The rendezvous is done, unless it is what carries us. */
		relay->leave_due = relay->carrier.way != CARRIER_RENDEZVOUS;
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
	double seconds = to_ms(now - relay->started) / 1000;
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

/* Without an allocation of ours, the peer's or the rendezvous relays. */
static bool can_do_without(const struct relay *relay)
{
	return relay->config.allocates_within > 0 && !relay->offered;
}

static uint64_t allocation_due(const struct relay *relay)
{
	return can_do_without(relay) && relay->turn.phase == TURN_ALLOCATING &&
			       !relay->turn.unwanted
		       ? relay->started + relay->config.allocates_within
		       : UINT64_MAX;
}

static void do_without(struct relay *relay, uint64_t now)
{
	snprintf(relay->turn.reason, sizeof(relay->turn.reason),
		 "the TURN server did not answer in time");
	say(&relay->config.say, "%s", relay->turn.reason);
	turn_close(&relay->turn, now);
}

static void follow_turn(struct relay *relay, uint64_t now)
{
	if (relay->turn.phase == TURN_READY && !relay->offered)
		offer_relayed(relay);
	if (now >= allocation_due(relay))
		do_without(relay, now);
	if (relay->turn.phase != TURN_FAILED || relay->phase >= RELAY_DONE || can_do_without(relay))
		return;
	if (relay->phase < RELAY_TALKING)
		finish(relay, RELAY_FAILED, now, "%s", relay->turn.reason);
	else if (carrier_uses_turn(&relay->carrier))
		finish(relay, RELAY_LOST, now, "%s", relay->turn.reason);
}

static void advance(struct relay *relay, uint64_t now)
{
	bool allocating = relay->turn.phase == TURN_ALLOCATING && !relay->turn.unwanted;

	follow_turn(relay, now);
	if (relay->phase == RELAY_MEETING && relay->meeting.phase == MEETING_REFUSED)
		finish(relay, RELAY_FAILED, now, "session refused: %s", relay->meeting.refusal);
	if (relay->phase == RELAY_MEETING && relay->meeting.phase == MEETING_PAIRED && !allocating)
		meeting_dialled(&relay->meeting, now);
	if (relay->phase == RELAY_MEETING && relay->meeting.phase == MEETING_GO)
		choose(relay, now);
	if (relay->phase == RELAY_ADMITTING)
		admit_or_fail(relay, now);
	if (relay->phase == RELAY_SEEKING || relay->phase == RELAY_TALKING)
		follow_path(relay, now);
	if (relay->phase < RELAY_TALKING && now >= relay->started + relay->config.timeout)
		fail_late(relay, now);
	if (has_ended(relay) && relay->turn.phase < TURN_CLOSING)
		turn_close(&relay->turn, now);
}

void relay_abandon(struct relay *relay, uint64_t now)
{
	if (relay->phase < RELAY_TALKING)
		fail_late(relay, now);
	else if (relay->phase == RELAY_TALKING)
		finish(relay, RELAY_FAILED, now, "it is not needed");
	advance(relay, now);
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

bool relay_send(struct relay *relay, uint64_t now, struct datagram *ret)
{
	bool on_path = relay->phase == RELAY_SEEKING || relay->phase == RELAY_TALKING ||
		       relay->phase == RELAY_DONE || relay->phase == RELAY_LOST;

	advance(relay, now);
	ret->socket = 0;
	while (on_path && path_send(&relay->path, now, ret)) {
		if (carrier_wrap(&relay->carrier, ret))
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
	own = allocation_due(relay);
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

void relay_receive(struct relay *relay, const struct endpoint *from, const void *datagram,
		   size_t length, uint64_t now)
{
	struct turn_payload payload, inside;
	struct stun_message message;
	bool relayed = turn_receive(&relay->turn, from, datagram, length, now, &payload);

	if (!relayed && stun_parse(datagram, length, &message))
		(void)meeting_receive(&relay->meeting, from, &message, now);
	/* What was in the envelope is read as if it had come straight from the peer. */
	if ((relay->phase == RELAY_SEEKING || relay->phase == RELAY_TALKING) &&
	    carrier_unwrap(&relay->carrier, from, datagram, length, relayed ? &payload : NULL,
			   &inside) &&
	    stun_parse(inside.bytes, inside.length, &message))
		(void)path_receive(&relay->path, &inside.peer, &message, now);
	advance(relay, now);
}

void relay_refused(struct relay *relay, const struct endpoint *to)
{
	if (relay->config.with_turn && endpoint_equal(to, &relay->config.turn.server))
		turn_refused(&relay->turn);
}
