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
 *     PUNCHING   path.c, candidates.c: private endpoints first, for behind the same NAT they are
 *                the short way; the public one, which there needs hairpinning, is tried beside
 *                them, and the first that answers wins
 *     TALKING    talk.c; the rendezvous is not needed any more
 *
 * A peer that is to guess ports (aim.c) measures its NAT between the blind dial and
 * Join(dialled), which carries what it learnt.
 *
 * A check of the peer's is as good as a "go": it would not send one before.
 *
 * A peer that asks to be called (connection reversal) is silent while PUNCHING: it offers
 * OFFER_CALL to the other, and checks only what it was checked from.
 *
 * A path that dies goes back from TALKING to PUNCHING, see path.c. When the endpoints that are
 * known do not help, both meet at the rendezvous again, under the session's name, to learn
 * where the other is now. What they are told is only where: the token stays the first one, so
 * that somebody else who took the name meanwhile is not taken for the peer.
 */
#include "agents/punch/punch.h"

#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/punch/guessing.h"
#include "agents/punch/introduced.h"
#include "agents/punch/reason.h"
#include "agents/rendezvous/offer.h"

bool punch_over(const struct punch *punch)
{
	return punch->phase >= PHASE_DONE && !punch->leave_due &&
	       (punch->phase == PHASE_FAILED || path_over(&punch->path));
}

static void finish(struct punch *punch, enum punch_phase phase, uint64_t now)
{
	/* The reason is told from where it ended. */
	if (phase == PHASE_FAILED)
		reason_none(punch, punch->reason, sizeof(punch->reason));
	else if (phase == PHASE_LOST)
		reason_lost(punch, punch->reason, sizeof(punch->reason));
	if (phase != PHASE_DONE)
		say(&punch->config.say, "%s", punch->reason);
	punch->phase = phase;
	punch->ended = now;
	punch->leave_due = true;
}

/* What the peer shall know of us, with the next Join. */
static void offer(struct punch *punch)
{
	struct offer offer = {.length = 0};

	if (punch->config.call_me)
		offer_put(&offer, OFFER_CALL, "", 0);
	if (addr_bits(&punch->config.mapped.addr))
		offer_put_endpoint(&offer, OFFER_MAPPED, &punch->config.mapped);
	aim_offer(&punch->aim, &offer);
	meeting_offer(&punch->meeting, offer.bytes, offer.length);
}

static void join(struct punch *punch, uint64_t now)
{
	meeting_start(&punch->meeting, &punch->config.meeting, now);
	offer(punch);
}

void punch_start(struct punch *punch, const struct punch_config *config, uint64_t now)
{
	*punch = (struct punch){.config = *config,
				.started = now,
				.deadline = now +
					    (config->patience ? config->patience : config->timeout),
				.phase = PHASE_JOINING,
				.meet_at = UINT64_MAX};
	punch->config.talk.random = config->meeting.random;
	join(punch, now);
}

static void start_punching(struct punch *punch, uint64_t now)
{
	if (guessing_aim(punch, now))
		say(&punch->config.say, "%s", punch->aim.guess.reason);
	introduced_candidates(punch, now); /* there may be news since we were paired */
	punch->phase = PHASE_PUNCHING;
	say(&punch->config.say, punch->config.call_me
					? "both have dialled: waiting for the peer's call"
					: "both have dialled: punching");
}

/* How long the endpoints that are known are all that is tried, once a path has died. */
static uint64_t before_meeting(const struct punch *punch)
{
	uint64_t wait = 4 * punch->path.talk.srtt;

	return wait < 200 * MSEC ? 200 * MSEC : wait > 2 * SEC ? 2 * SEC : wait;
}

/* The peer notices later than we, at worst when it has been silent for its keep-alive interval. */
static void start_again(struct punch *punch)
{
	const struct talk_config *talk = &punch->path.talk.config;

	punch->phase = PHASE_PUNCHING;
	punch->meeting_again = false;
	punch->meet_at = punch->path.sought + before_meeting(punch);
	punch->deadline =
		punch->path.sought + punch->config.timeout + talk->keepalive + talk->patience;
	say(&punch->config.say, "the path has died: punching again (round %u)",
	    punch->path.seal.round);
}

static void start_talking(struct punch *punch)
{
	const struct candidate *settled = punch->path.candidates.settled;
	char text[ENDPOINT_TEXT_MAX];

	say(&punch->config.say, "settled on the peer's %s endpoint %s",
	    candidate_kind_name(settled->kind), endpoint_format(&settled->to, text));
	punch->phase = PHASE_TALKING;
	punch->leave_due = true;
	punch->meet_at = UINT64_MAX;
}

/* The path may have moved on. */
static void follow_path(struct punch *punch, uint64_t now)
{
	const struct path *path = &punch->path;

	if (punch->phase < PHASE_PUNCHING || punch->phase > PHASE_TALKING)
		return;
	if (punch->phase == PHASE_PUNCHING && path->candidates.settled)
		start_talking(punch);
	switch (path->state) {
	case PATH_SEEKING:
		if (punch->phase == PHASE_TALKING)
			start_again(punch);
		return;
	case PATH_TALKING:
		return;
	case PATH_DONE:
		finish(punch, PHASE_DONE, now);
		return;
	case PATH_LOST:
		finish(punch, PHASE_LOST, now);
		return;
	}
}

void punch_abandon(struct punch *punch, uint64_t now)
{
	if (punch->phase < PHASE_DONE)
		finish(punch, PHASE_FAILED, now);
}

/* ---- sending ---- */

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

/* All is done that had to be before either punches. */
static void dialled_if_ready(struct punch *punch, uint64_t now)
{
	if (punch->phase != PHASE_DIALLING || punch->blind_due ||
	    punch->meeting.phase != MEETING_PAIRED || !aim_ready(&punch->aim, now))
		return;
	offer(punch);
	meeting_dialled(&punch->meeting, now);
}

static void dial_blind(struct punch *punch, uint64_t now, struct datagram *ret)
{
	char text[ENDPOINT_TEXT_MAX];
	uint8_t id[STUN_ID_SIZE];

	punch->blind_due = false;
	transaction_new_id(&punch->meeting.random, id);
	ret->socket = PUNCH_BLIND;
	ret->to = punch->peer.peer_public;
	ret->length = seal_blind(&punch->path.seal, id, ret->bytes);
	say(&punch->config.say, "blind dial to %s from a fresh socket",
	    endpoint_format(&ret->to, text));
	aim_start(&punch->aim, &punch->config.aim, &punch->peer, &punch->meeting.rendezvous,
		  punch->meeting.round_trip, &punch->meeting.random, now);
	dialled_if_ready(punch, now);
}

static bool send_join(struct punch *punch, uint64_t now, struct datagram *ret)
{
	return to_rendezvous(punch, meeting_send(&punch->meeting, now, ret->bytes), ret);
}

/* To find out where the peer is now. */
static bool send_join_again(struct punch *punch, uint64_t now, struct datagram *ret)
{
	if (punch->phase != PHASE_PUNCHING || punch->path.seal.round == 0 || now < punch->meet_at)
		return false;
	if (!punch->meeting_again) {
		say(&punch->config.say, "asking the rendezvous again where the peer is");
		punch->meeting_again = true;
		join(punch, now);
	}
	return send_join(punch, now, ret);
}

static bool send_path(struct punch *punch, uint64_t now, struct datagram *ret)
{
	bool sends = path_send(&punch->path, now, ret);

	follow_path(punch, now);
	return sends;
}

static void end_if_late(struct punch *punch, uint64_t now)
{
	if (punch->phase >= PHASE_TALKING || now < punch->deadline)
		return;
	if (punch->path.connected == 0) {
		finish(punch, PHASE_FAILED, now);
		return;
	}
	path_lose(&punch->path, now);
	follow_path(punch, now);
}

static bool send_phase(struct punch *punch, uint64_t now, struct datagram *ret)
{
	switch (punch->phase) {
	case PHASE_DIALLING:
		if (punch->blind_due) {
			dial_blind(punch, now, ret);
			return true;
		}
		if (aim_send(&punch->aim, now, ret))
			return true;
		dialled_if_ready(punch, now);
		return send_join(punch, now, ret);
	case PHASE_JOINING:
		return send_join(punch, now, ret);
	case PHASE_PUNCHING:
	case PHASE_TALKING:
	case PHASE_DONE:
	case PHASE_LOST:
		return send_path(punch, now, ret) || guessing_send(punch, now, ret) ||
		       send_join_again(punch, now, ret);
	case PHASE_FAILED:
		return false;
	}
	return false;
}

bool punch_send(struct punch *punch, uint64_t now, struct datagram *ret)
{
	end_if_late(punch, now);
	if (send_phase(punch, now, ret))
		return true;
	return punch->leave_due && punch_leave(punch, ret);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t punch_due(const struct punch *punch)
{
	uint64_t due;

	switch (punch->phase) {
	case PHASE_JOINING:
		return earlier(punch->deadline, meeting_due(&punch->meeting));
	case PHASE_DIALLING:
		due = earlier(punch->deadline, meeting_due(&punch->meeting));
		return punch->meeting.phase == MEETING_PAIRED ? earlier(due, aim_due(&punch->aim))
							      : due;
	case PHASE_PUNCHING:
		due = punch->meeting_again ? meeting_due(&punch->meeting) : punch->meet_at;
		due = earlier(due > punch->meet_at ? due : punch->meet_at, path_due(&punch->path));
		return earlier(earlier(due, guessing_due(punch)), punch->deadline);
	case PHASE_TALKING:
		return path_due(&punch->path);
	case PHASE_DONE:
	case PHASE_FAILED:
	case PHASE_LOST:
		return UINT64_MAX;
	}
	return UINT64_MAX;
}

/* ---- receiving ---- */

static void take_blind(struct punch *punch)
{
	if (punch->blind != BLIND_RECEIVED)
		punch->blind = punch->phase == PHASE_DIALLING ? BLIND_RECEIVED : BLIND_LATE;
	if (punch->blind == BLIND_RECEIVED)
		punch->path.seal.sight |= SIGHT_DIALLED;
	say(&punch->config.say, "the peer's blind dial arrived%s",
	    punch->blind == BLIND_LATE ? ", but after our first punch" : "");
}

static void open_sealed(struct punch *punch, size_t socket, const struct endpoint *from,
			const struct stun_message *message, uint64_t now)
{
	enum sealed_kind kind;

	if (punch->phase == PHASE_JOINING) {
		/* The peer may know us before we know it: keep what may be its blind dial. */
		if (message->class == STUN_INDICATION && message->length <= sizeof(punch->held)) {
			memcpy(punch->held, message->bytes, message->length);
			punch->held_length = message->length;
		}
		return;
	}
	kind = path_receive_on(&punch->path, socket, from, message, now);
	if (kind == SEALED_BLIND)
		take_blind(punch);
	else if (kind != SEALED_NONE && punch->phase == PHASE_DIALLING)
		start_punching(punch, now);
	follow_path(punch, now);
}

static void open_held(struct punch *punch, uint64_t now)
{
	struct stun_message message;

	if (punch->held_length > 0 && stun_parse(punch->held, punch->held_length, &message))
		open_sealed(punch, PUNCH_MAIN, &punch->peer.peer_public, &message, now);
	punch->held_length = 0;
}

static void take_pair(struct punch *punch, uint64_t now)
{
	const struct introduction *peer = &punch->peer;
	char own[ENDPOINT_TEXT_MAX], other[ENDPOINT_TEXT_MAX];

	say(&punch->config.say, "paired: we are %s, the peer is %s",
	    endpoint_format(&peer->mapped, own), endpoint_format(&peer->peer_public, other));
	introduced_path(punch);
	introduced_candidates(punch, now);
	punch->phase = PHASE_DIALLING;
	if (punch->config.patience)
		punch->deadline = now + punch->config.timeout;
	punch->blind_due = true;
	open_held(punch, now);
}

/* What the rendezvous says when it was asked again. */
static void follow_second_meeting(struct punch *punch, uint64_t now)
{
	if (punch->meeting.phase == MEETING_REFUSED) {
		/* Mostly our own ghosts, if a Leave was lost; they fade within seconds. */
		punch->meeting_again = false;
		punch->meet_at = now + SEC;
	} else if (punch->meeting.phase >= MEETING_PAIRED) {
		introduced_candidates(punch, now);
	}
}

/* The meeting may have moved on. */
static void follow_meeting(struct punch *punch, uint64_t now)
{
	if (punch->meeting.peer.stage >= SESSION_PAIRED)
		punch->peer = punch->meeting.peer;
	else if (punch->meeting.welcomed)
		punch->peer.mapped = punch->meeting.peer.mapped;
	if (punch->phase == PHASE_PUNCHING && punch->path.seal.round > 0)
		follow_second_meeting(punch, now);
	if (punch->phase > PHASE_DIALLING)
		return;
	if (punch->meeting.phase == MEETING_REFUSED)
		finish(punch, PHASE_FAILED, now);
	else if (punch->phase == PHASE_JOINING && punch->meeting.phase >= MEETING_PAIRED)
		take_pair(punch, now);
	else if (punch->phase == PHASE_DIALLING && punch->meeting.phase == MEETING_GO)
		start_punching(punch, now);
}

void punch_receive(struct punch *punch, size_t socket, const struct endpoint *from,
		   const void *datagram, size_t length, uint64_t now)
{
	struct stun_message message;

	if (punch->phase >= PHASE_DONE || !stun_parse(datagram, length, &message) ||
	    message.classic)
		return;
	if (meeting_receive(&punch->meeting, from, &message, now))
		follow_meeting(punch, now);
	else if (punch->phase != PHASE_DIALLING || !aim_receive(&punch->aim, from, &message, now))
		open_sealed(punch, socket, from, &message, now);
}

void punch_refused(struct punch *punch, const struct endpoint *to, uint64_t now)
{
	path_refused(&punch->path, to, now);
	follow_path(punch, now);
}

/* ---- the result ---- */

enum technique punch_technique(const struct punch *punch)
{
	const struct meeting_config *own = &punch->config.meeting;

	return technique_of(punch->path.seal.sight, punch->path.peer_sight, &punch->peer,
			    own->privates, own->private_count);
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
