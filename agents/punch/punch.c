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

static void new_id(struct punch *punch, uint8_t ret[STUN_ID_SIZE])
{
	uint8_t random[STUN_ID_SIZE - 4];

	random_fill(&punch->config.random, random, sizeof(random));
	stun_make_id(random, ret);
}

/* Tell the rendezvous (again) at @now, then at growing intervals from @first to @longest. */
static void rejoin(struct punch *punch, uint64_t first, uint64_t longest, uint64_t now)
{
	struct transaction_timing timing = {.first = first, .longest = longest};

	transaction_start(&punch->joining, &timing, now);
}

void punch_start(struct punch *punch, const struct punch_config *config, uint64_t now)
{
	*punch = (struct punch){.config = *config, .started = now, .phase = PHASE_JOINING};
	punch->join.stage = JOIN_JOINED;
	punch->join.session_length = strnlen(config->session, SESSION_NAME_MAX);
	memcpy(punch->join.session, config->session, punch->join.session_length);
	punch->join.private_count = config->private_count;
	memcpy(punch->join.privates, config->privates, sizeof(punch->join.privates));
	random_fill(&config->random, punch->join.peer, sizeof(punch->join.peer));
	new_id(punch, punch->join_id);
	rejoin(punch, 100 * MSEC, SEC, now); /* RFC 3489 section 9.3's first interval */
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static void start_punching(struct punch *punch, uint64_t now)
{
	/* Nothing is known of the path between the peers; the way to the rendezvous is a guess. */
	const struct transaction_timing timing = {
		.first = clamp(punch->rendezvous_rtt, 5 * MSEC, 100 * MSEC),
		.longest = 200 * MSEC,
	};
	size_t i;

	punch->phase = PHASE_PUNCHING;
	say(punch, "both have dialled: punching");
	candidates_start(&punch->candidates, punch->peer.role, &punch->config.random, &timing);
	/* Private ones first: behind the same NAT they are the short way. */
	for (i = 0; i < punch->peer.private_count; i++) {
		enum candidate_kind kind =
			endpoint_equal(&punch->peer.privates[i], &punch->peer.peer_public)
				? CANDIDATE_PUBLIC
				: CANDIDATE_PRIVATE;

		(void)candidates_add(&punch->candidates, kind, &punch->peer.privates[i], now);
	}
	(void)candidates_add(&punch->candidates, CANDIDATE_PUBLIC, &punch->peer.peer_public, now);
}

static void connect_if_settled(struct punch *punch, uint64_t now)
{
	const struct candidate *settled = punch->candidates.settled;
	const struct talk_config config = {
		.messages = punch->config.messages,
		.interval = punch->config.interval,
		.random = punch->config.random,
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
	struct punch_packet *reply;

	if (punch->reply_count == room)
		return; /* as good as lost; it will be asked for again */
	reply = &punch->replies[(punch->reply_first + punch->reply_count) % room];
	reply->by = PUNCH_MAIN;
	reply->to = *from;
	reply->length = seal_reply(&punch->seal, request, from, reply->bytes);
	punch->reply_count++;
}

static bool take_reply(struct punch *punch, struct punch_packet *ret)
{
	size_t room = sizeof(punch->replies) / sizeof(*punch->replies);

	if (punch->reply_count == 0)
		return false;
	*ret = punch->replies[punch->reply_first];
	punch->reply_first = (punch->reply_first + 1) % room;
	punch->reply_count--;
	return true;
}

bool punch_leave(struct punch *punch, struct punch_packet *ret)
{
	uint8_t id[STUN_ID_SIZE];

	punch->leave_due = false;
	/* A Join whose answer never came may have arrived all the same. */
	if (punch->refused || punch->left || punch->join_sent == 0)
		return false;
	punch->left = true;
	new_id(punch, id);
	ret->by = PUNCH_MAIN;
	ret->to = punch->config.rendezvous;
	ret->length = leave_write(&punch->join, id, ret->bytes, sizeof(ret->bytes));
	return true;
}

static void dial_blind(struct punch *punch, struct punch_packet *ret)
{
	char text[ENDPOINT_TEXT_MAX];
	uint8_t id[STUN_ID_SIZE];

	punch->blind_due = false;
	new_id(punch, id);
	ret->by = PUNCH_BLIND;
	ret->to = punch->peer.peer_public;
	ret->length = seal_blind(&punch->seal, id, ret->bytes);
	say(punch, "blind dial to %s from a fresh socket", endpoint_format(&ret->to, text));
}

static bool send_join(struct punch *punch, uint64_t now, struct punch_packet *ret)
{
	if (transaction_step(&punch->joining, now) != TRANSACTION_SEND)
		return false;
	if (punch->joining.sent == 1)
		punch->join_sent = now;
	ret->by = PUNCH_MAIN;
	ret->to = punch->config.rendezvous;
	ret->length = join_write(&punch->join, punch->join_id, ret->bytes, sizeof(ret->bytes));
	return true;
}

static bool send_check(struct punch *punch, uint64_t now, struct punch_packet *ret)
{
	struct candidate_check check;

	if (!candidates_send(&punch->candidates, now, &check))
		return false;
	ret->by = PUNCH_MAIN;
	ret->to = check.candidate->to;
	ret->length = seal_check(&punch->seal, check.id, check.nominate, ret->bytes);
	return true;
}

static bool send_talk(struct punch *punch, uint64_t now, struct punch_packet *ret)
{
	ret->by = PUNCH_MAIN;
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

	endpoint_format(&punch->config.rendezvous, text);
	if (!punch->welcomed)
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

bool punch_send(struct punch *punch, uint64_t now, struct punch_packet *ret)
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
			dial_blind(punch, ret);
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
		due = punch->joining.due;
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
		open_sealed(punch, &punch->peer.peer_public, &message, now);
	punch->held_length = 0;
}

static void take_pair(struct punch *punch, const struct introduction *introduction, uint64_t now)
{
	char own[ENDPOINT_TEXT_MAX], peer[ENDPOINT_TEXT_MAX];
	uint64_t first = clamp(2 * punch->rendezvous_rtt, 20 * MSEC, 500 * MSEC);

	punch->peer = *introduction;
	punch->seal.role = introduction->role;
	memcpy(punch->seal.token, introduction->token, TOKEN_SIZE);
	say(punch, "paired: we are %s, the peer is %s", endpoint_format(&introduction->mapped, own),
	    endpoint_format(&introduction->peer_public, peer));
	punch->phase = PHASE_DIALLING;
	punch->blind_due = true;
	punch->join.stage = JOIN_DIALLED;
	new_id(punch, punch->join_id);
	rejoin(punch, first, SEC, now);
	open_held(punch, now);
}

static void take_introduction(struct punch *punch, const struct stun_message *message, uint64_t now)
{
	bool answer = message->class == STUN_SUCCESS;
	struct introduction introduction;

	/* A push has our last Join's id too, which no stranger knows. */
	if (memcmp(stun_id(message), punch->join_id, STUN_ID_SIZE) != 0)
		return;
	if (!introduction_read(message, &introduction))
		return;
	if (answer && punch->joining.sent > 0)
		punch->rendezvous_rtt = now - punch->join_sent;
	punch->welcomed = true;
	if (introduction.stage == SESSION_WAITING && punch->phase == PHASE_JOINING) {
		/* Keep the mapping open and the rendezvous aware of us until somebody comes. */
		punch->peer.mapped = introduction.mapped;
		punch->joining.due = now + SEC;
		punch->joining.interval = SEC;
		return;
	}
	if (introduction.stage >= SESSION_PAIRED && punch->phase == PHASE_JOINING)
		take_pair(punch, &introduction, now);
	/* Before our own blind packet has left, "go" cannot be meant for us. */
	if (introduction.stage == SESSION_GO && punch->phase == PHASE_DIALLING && !punch->blind_due)
		start_punching(punch, now);
}

static void take_refusal(struct punch *punch, const struct stun_message *message, uint64_t now)
{
	struct stun_attribute attribute;
	struct stun_error_code error = {.phrase = ""};

	if (punch->phase > PHASE_DIALLING ||
	    memcmp(stun_id(message), punch->join_id, STUN_ID_SIZE) != 0)
		return;
	if (stun_find(message, STUN_ERROR_CODE, &attribute))
		(void)stun_read_error(&attribute, &error);
	punch->refused = true;
	finish(punch, PHASE_FAILED, now, "session refused: %.*s (%u)",
	       (int)(error.phrase_length < 80 ? error.phrase_length : 80), error.phrase,
	       error.code);
}

void punch_receive(struct punch *punch, const struct endpoint *from, const void *datagram,
		   size_t length, uint64_t now)
{
	struct stun_message message;

	if (punch->phase >= PHASE_DONE || !stun_parse(datagram, length, &message) ||
	    message.classic)
		return;
	if (message.method != METHOD_JOIN)
		open_sealed(punch, from, &message, now);
	else if (!endpoint_equal(from, &punch->config.rendezvous))
		return;
	else if (message.class == STUN_ERROR)
		take_refusal(punch, &message, now);
	else if (message.class != STUN_REQUEST)
		take_introduction(punch, &message, now);
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
