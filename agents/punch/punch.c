/* SPDX-License-Identifier: MIT */
/*
 * How this works
 *
 *     JOINING    Join(joined) until the rendezvous has both peers and tells each about
 *                the other: public endpoint, private endpoints, role, shared token
 *     DIALLING   one packet from a fresh socket to the peer's public endpoint: the
 *                negative control. If it arrives, the peer's NAT lets strangers in and a direct
 *                path later proves little about punching. Then Join(dialled) until "go",
 *                which says that both have dialled, so that no punch of ours could have opened
 *                the door for the peer's blind packet
 *     PUNCHING   candidates.c
 *     TALKING    talk.c; the rendezvous is not needed any more
 *
 * A check of the peer's is as good as a "go": it would not send one before.
 */
#include "agents/punch/punch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"

static void __attribute__((format(printf, 2, 3)))
say(const struct punch *punch, const char *format, ...)
{
	char line[240];
	va_list arguments;

	if (!punch->config.say)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	punch->config.say(punch->config.say_context, line);
}

bool punch_over(const struct punch *punch)
{
	return punch->phase >= PHASE_DONE && punch->reply_count == 0 && !punch->leave_due;
}

static void __attribute__((format(printf, 4, 5)))
finish(struct punch *punch, enum punch_phase phase, uint64_t now, const char *format, ...)
{
	va_list arguments;

	punch->phase = phase;
	punch->ended = now;
	/* One that settled has left already. */
	if (phase == PHASE_FAILED)
		punch->leave_due = true;
	va_start(arguments, format);
	vsnprintf(punch->reason, sizeof(punch->reason), format, arguments);
	va_end(arguments);
	if (phase != PHASE_DONE)
		say(punch, "%s", punch->reason);
}

void punch_start(struct punch *punch, const struct punch_config *config, uint64_t now)
{
	*punch = (struct punch){.config = *config, .started = now, .phase = PHASE_JOINING};
	meeting_start(&punch->meeting, &config->meeting, now);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static void start_punching(struct punch *punch, uint64_t now)
{
	const struct introduction *peer = &punch->meeting.peer;
	/* Nothing is known of the path between the peers; the way to the rendezvous is a guess. */
	const struct transaction_timing timing = {
		.first = clamp(punch->meeting.round_trip, 5 * MSEC, 100 * MSEC),
		.longest = 200 * MSEC,
	};
	size_t i;

	punch->phase = PHASE_PUNCHING;
	say(punch, "both have dialled: punching");
	candidates_start(&punch->candidates, peer->role, &punch->meeting.random, &timing);
	/* Private ones first: behind the same NAT they are the short way. */
	for (i = 0; i < peer->private_count; i++) {
		enum candidate_kind kind = endpoint_equal(&peer->privates[i], &peer->peer_public)
						   ? CANDIDATE_PUBLIC
						   : CANDIDATE_PRIVATE;

		(void)candidates_add(&punch->candidates, kind, &peer->privates[i], now);
	}
	(void)candidates_add(&punch->candidates, CANDIDATE_PUBLIC, &peer->peer_public, now);
}

static void connect_if_settled(struct punch *punch, uint64_t now)
{
	const struct candidate *settled = punch->candidates.settled;
	const struct talk_config config = {
		.messages = punch->config.messages,
		.interval = punch->config.interval,
		.random = punch->meeting.random,
	};
	char text[ENDPOINT_TEXT_MAX];

	if (punch->phase != PHASE_PUNCHING || !settled)
		return;
	say(punch, "settled on the peer's %s endpoint %s", candidate_kind_name(settled->kind),
	    endpoint_format(&settled->to, text));
	punch->phase = PHASE_TALKING;
	punch->connected = now;
	punch->leave_due = true;
	talk_start(&punch->talk, &config, punch->candidates.round_trip, now);
}

static void check_talk(struct punch *punch, uint64_t now)
{
	if (punch->phase != PHASE_TALKING)
		return;
	if (punch->talk.state == TALK_DONE)
		finish(punch, PHASE_DONE, now, "%s", "");
	else if (punch->talk.state == TALK_LOST)
		finish(punch, PHASE_LOST, now,
		       "the peer vanished after acknowledging %u of %u messages, having sent %u",
		       punch->talk.acknowledged, punch->config.messages, punch->talk.received);
}

/* ---- sending ---- */

static void seal_answer(struct punch *punch, const struct sealed *request,
			const struct endpoint *from)
{
	size_t room = sizeof(punch->replies) / sizeof(*punch->replies);
	struct punch_reply *reply;

	if (punch->reply_count == room)
		return; /* as good as lost; it will be asked for again */
	reply = &punch->replies[(punch->reply_first + punch->reply_count) % room];
	reply->to = *from;
	reply->length = seal_reply(&punch->seal, request, from, reply->bytes);
	punch->reply_count++;
}

static bool take_reply(struct punch *punch, struct datagram *ret)
{
	size_t room = sizeof(punch->replies) / sizeof(*punch->replies);
	const struct punch_reply *reply = &punch->replies[punch->reply_first];

	if (punch->reply_count == 0)
		return false;
	ret->socket = PUNCH_MAIN;
	ret->to = reply->to;
	ret->length = reply->length;
	memcpy(ret->bytes, reply->bytes, reply->length);
	punch->reply_first = (punch->reply_first + 1) % room;
	punch->reply_count--;
	return true;
}

/* @length bytes for the rendezvous were written into @ret. */
static bool to_rendezvous(const struct punch *punch, size_t length, struct datagram *ret)
{
	ret->socket = PUNCH_MAIN;
	ret->to = punch->meeting.rendezvous;
	ret->length = length;
	return length > 0;
}

bool punch_leave(struct punch *punch, struct datagram *ret)
{
	punch->leave_due = false;
	return to_rendezvous(punch, meeting_leave(&punch->meeting, ret->bytes), ret);
}

static void dial_blind(struct punch *punch, uint64_t now, struct datagram *ret)
{
	char text[ENDPOINT_TEXT_MAX];
	uint8_t id[STUN_ID_SIZE];

	punch->blind_due = false;
	transaction_new_id(&punch->meeting.random, id);
	ret->socket = PUNCH_BLIND;
	ret->to = punch->meeting.peer.peer_public;
	ret->length = seal_blind(&punch->seal, id, ret->bytes);
	say(punch, "blind dial to %s from a fresh socket", endpoint_format(&ret->to, text));
	meeting_dialled(&punch->meeting, now);
}

static bool send_join(struct punch *punch, uint64_t now, struct datagram *ret)
{
	return to_rendezvous(punch, meeting_send(&punch->meeting, now, ret->bytes), ret);
}

static bool send_check(struct punch *punch, uint64_t now, struct datagram *ret)
{
	struct candidate_check check;

	if (!candidates_send(&punch->candidates, now, &check))
		return false;
	ret->socket = PUNCH_MAIN;
	ret->to = check.candidate->to;
	ret->length = seal_check(&punch->seal, check.id, check.nominate, ret->bytes);
	return true;
}

static bool send_talk(struct punch *punch, uint64_t now, struct datagram *ret)
{
	ret->socket = PUNCH_MAIN;
	ret->to = punch->candidates.settled->to;
	ret->length = talk_send(&punch->talk, &punch->seal, now, ret->bytes);
	check_talk(punch, now);
	return ret->length > 0;
}

/* Why there is no path, from what was seen. */
static void fail_late(struct punch *punch, uint64_t now)
{
	char text[ENDPOINT_TEXT_MAX];
	double seconds = to_ms(punch->config.timeout) / 1000;

	endpoint_format(&punch->meeting.rendezvous, text);
	if (!punch->meeting.welcomed)
		finish(punch, PHASE_FAILED, now, "no rendezvous: %s did not answer in %.1f s", text,
		       seconds);
	else if (punch->phase == PHASE_JOINING)
		finish(punch, PHASE_FAILED, now, "nobody else joined the session in %.1f s",
		       seconds);
	else if (punch->phase == PHASE_DIALLING)
		finish(punch, PHASE_FAILED, now,
		       "the other peer was introduced, but never got ready to punch");
	else if (candidates_heard(&punch->candidates))
		finish(punch, PHASE_FAILED, now,
		       "only one way: the peer's packets arrived, but none of ours was answered");
	else
		finish(punch, PHASE_FAILED, now,
		       "no packet of the peer's arrived, though both sent to each other for %.1f s",
		       seconds);
}

bool punch_send(struct punch *punch, uint64_t now, struct datagram *ret)
{
	if (take_reply(punch, ret))
		return true;
	if (punch->phase < PHASE_TALKING && now >= punch->started + punch->config.timeout)
		fail_late(punch, now);
	if (punch->leave_due && punch_leave(punch, ret))
		return true;
	switch (punch->phase) {
	case PHASE_DIALLING:
		if (punch->blind_due) {
			dial_blind(punch, now, ret);
			return true;
		}
		return send_join(punch, now, ret);
	case PHASE_JOINING:
		return send_join(punch, now, ret);
	case PHASE_PUNCHING:
		return send_check(punch, now, ret);
	case PHASE_TALKING:
		return send_talk(punch, now, ret);
	case PHASE_DONE:
	case PHASE_FAILED:
	case PHASE_LOST:
		return false;
	}
	return false;
}

uint64_t punch_due(const struct punch *punch)
{
	uint64_t end = punch->started + punch->config.timeout;
	uint64_t due = UINT64_MAX;

	switch (punch->phase) {
	case PHASE_JOINING:
	case PHASE_DIALLING:
		due = meeting_due(&punch->meeting);
		break;
	case PHASE_PUNCHING:
		due = candidates_due(&punch->candidates);
		break;
	case PHASE_TALKING:
		return talk_due(&punch->talk);
	case PHASE_DONE:
	case PHASE_FAILED:
	case PHASE_LOST:
		return UINT64_MAX;
	}
	return due < end ? due : end;
}

/* ---- receiving ---- */

static void take_sealed(struct punch *punch, const struct endpoint *from,
			const struct sealed *sealed, uint64_t now)
{
	const struct candidate *settled;

	if (sealed->kind == SEALED_NONE)
		return;
	if (sealed->kind == SEALED_BLIND) {
		if (punch->blind != BLIND_RECEIVED)
			punch->blind = punch->phase == PHASE_DIALLING ? BLIND_RECEIVED : BLIND_LATE;
		say(punch, "the peer's blind dial arrived%s",
		    punch->blind == BLIND_LATE ? ", but after our first punch" : "");
		return;
	}
	if (punch->phase == PHASE_DIALLING)
		start_punching(punch, now);
	settled = punch->candidates.settled;
	if (sealed->kind == SEALED_CHECK) {
		seal_answer(punch, sealed, from);
		if (!settled)
			candidates_check(&punch->candidates, from, sealed->nominated, now);
	} else if (sealed->kind == SEALED_REPLY && !settled) {
		candidates_reply(&punch->candidates, from, sealed->id, now);
	} else if (!settled) {
		candidates_settle(&punch->candidates, from);
	}
	connect_if_settled(punch, now);
	settled = punch->candidates.settled;
	if (punch->phase != PHASE_TALKING || !endpoint_equal(from, &settled->to))
		return;
	if (talk_receive(&punch->talk, sealed, now) && sealed->kind != SEALED_CHECK)
		seal_answer(punch, sealed, from);
	check_talk(punch, now);
}

static void open_sealed(struct punch *punch, const struct endpoint *from,
			const struct stun_message *message, uint64_t now)
{
	struct sealed sealed;

	if (punch->phase == PHASE_JOINING) {
		/* The peer may know us before we know it: keep what may be its blind dial. */
		if (message->class == STUN_INDICATION && message->length <= sizeof(punch->held)) {
			memcpy(punch->held, message->bytes, message->length);
			punch->held_length = message->length;
		}
		return;
	}
	sealed = seal_open(&punch->seal, message);
	take_sealed(punch, from, &sealed, now);
}

static void open_held(struct punch *punch, uint64_t now)
{
	struct stun_message message;

	if (punch->held_length > 0 && stun_parse(punch->held, punch->held_length, &message))
		open_sealed(punch, &punch->meeting.peer.peer_public, &message, now);
	punch->held_length = 0;
}

static void take_pair(struct punch *punch, uint64_t now)
{
	const struct introduction *peer = &punch->meeting.peer;
	char own[ENDPOINT_TEXT_MAX], other[ENDPOINT_TEXT_MAX];

	punch->seal.role = peer->role;
	memcpy(punch->seal.token, peer->token, TOKEN_SIZE);
	say(punch, "paired: we are %s, the peer is %s", endpoint_format(&peer->mapped, own),
	    endpoint_format(&peer->peer_public, other));
	punch->phase = PHASE_DIALLING;
	punch->blind_due = true;
	open_held(punch, now);
}

/* The meeting may have moved on. */
static void follow_meeting(struct punch *punch, uint64_t now)
{
	if (punch->phase > PHASE_DIALLING)
		return;
	if (punch->meeting.phase == MEETING_REFUSED)
		finish(punch, PHASE_FAILED, now, "session refused: %s", punch->meeting.refusal);
	else if (punch->phase == PHASE_JOINING && punch->meeting.phase >= MEETING_PAIRED)
		take_pair(punch, now);
	else if (punch->phase == PHASE_DIALLING && punch->meeting.phase == MEETING_GO)
		start_punching(punch, now);
}

void punch_receive(struct punch *punch, const struct endpoint *from, const void *datagram,
		   size_t length, uint64_t now)
{
	struct stun_message message;

	if (punch->phase >= PHASE_DONE || !stun_parse(datagram, length, &message) ||
	    message.classic)
		return;
	if (meeting_receive(&punch->meeting, from, &message, now))
		follow_meeting(punch, now);
	else
		open_sealed(punch, from, &message, now);
}

void punch_refused(struct punch *punch, const struct endpoint *to, uint64_t now)
{
	if (punch->phase != PHASE_TALKING || !endpoint_equal(to, &punch->candidates.settled->to))
		return;
	talk_refused(&punch->talk);
	check_talk(punch, now);
}

const char *blind_name(enum blind blind)
{
	switch (blind) {
	case BLIND_NONE:
		return "none";
	case BLIND_RECEIVED:
		return "received";
	case BLIND_LATE:
		return "late";
	}
	return "none";
}
