/* SPDX-License-Identifier: MIT */
/*
 * How a dead path is sought again: a NAT has forgotten its mapping, or has another now.
 *
 * A peer that notices (talk.c: nothing is answered) begins a new round: it checks every endpoint
 * it knows of the other, the last one first, and the number of the round goes with each check.
 * That opens its own NATs anew. A check of a later round tells the other peer that the path is
 * not what it believes, from whatever source it comes, and takes it into that round
 * too; nomination and settling are as the first time. What either knew of messages stays, so
 * nothing is lost or counted twice.
 *
 * If both NATs have changed, no endpoint that is known is right any more. Then the caller has to
 * find new ones and add them as candidates.
 */
#include "agents/punch/path.h"

#include <string.h>

#include "agents/punch/technique.h"

void path_start(struct path *path, const struct seal *seal, const struct transaction_timing *timing,
		const struct talk_config *config)
{
	*path = (struct path){.seal = *seal, .config = *config, .timing = *timing};
	candidates_start(&path->candidates, seal->role, &config->random, timing);
}

bool path_over(const struct path *path)
{
	return path->state >= PATH_DONE && path->reply_count == 0;
}

static void end(struct path *path, enum path_state state, uint64_t now)
{
	path->state = state;
	path->ended = now;
}

void path_lose(struct path *path, uint64_t now)
{
	end(path, PATH_LOST, now);
}

static void seek_again(struct path *path, uint32_t round, uint64_t now)
{
	const struct candidates before = path->candidates;
	const struct candidate *settled = path->candidates.settled;
	struct candidate last;
	size_t i;

	if (settled)
		last = *settled;

	candidates_start(&path->candidates, path->seal.role, &path->config.random, &path->timing);
	path->candidates.silent = before.silent;
	if (settled)
		(void)candidates_add_on(&path->candidates, last.socket, last.kind, &last.to, now);
	for (i = 0; i < before.count; i++)
		(void)candidates_add_on(&path->candidates, before.list[i].socket,
					before.list[i].kind, &before.list[i].to, now);
	path->peer_sight = 0;
	path->seal.round = round;
	path->state = PATH_SEEKING;
	path->sought = now;
}

static void follow_talk(struct path *path, uint64_t now)
{
	if (path->state != PATH_TALKING)
		return;
	switch (path->talk.state) {
	case TALK_OPEN:
		return;
	case TALK_DONE:
		end(path, PATH_DONE, now);
		return;
	case TALK_GONE:
		end(path, PATH_LOST, now);
		return;
	case TALK_DEAD:
		if (path->seal.round < path->rounds)
			seek_again(path, path->seal.round + 1, now);
		else
			end(path, PATH_LOST, now);
		return;
	}
}

static void talk_if_settled(struct path *path, uint64_t now)
{
	const struct candidate *settled = path->candidates.settled;

	if (path->state != PATH_SEEKING || !settled)
		return;
	path->state = PATH_TALKING;
	path->seal.sight &=
		~(uint32_t)(SIGHT_PRIVATELY | SIGHT_MAPPED | SIGHT_PREDICTED | SIGHT_DRAWN);
	if (settled->kind == CANDIDATE_PRIVATE)
		path->seal.sight |= SIGHT_PRIVATELY;
	else if (settled->kind == CANDIDATE_MAPPED)
		path->seal.sight |= SIGHT_MAPPED;
	else if (settled->kind == CANDIDATE_PREDICTED)
		path->seal.sight |= SIGHT_PREDICTED;
	else if (settled->kind == CANDIDATE_DRAWN)
		path->seal.sight |= SIGHT_DRAWN;
	if (path->connected) {
		path->repunched++;
		talk_resume(&path->talk, path->candidates.round_trip, now);
		return;
	}
	path->connected = now;
	talk_start(&path->talk, &path->config, path->candidates.round_trip, now);
}

/* ---- sending ---- */

static void answer(struct path *path, size_t socket, const struct sealed *request,
		   const struct endpoint *from)
{
	size_t room = sizeof(path->replies) / sizeof(*path->replies);
	struct path_reply *reply;

	if (path->reply_count == room)
		return; /* as good as lost; it will be asked for again */
	reply = &path->replies[(path->reply_first + path->reply_count) % room];
	reply->socket = socket;
	reply->to = *from;
	reply->length = seal_reply(&path->seal, request, from, reply->bytes);
	path->reply_count++;
}

static bool send_reply(struct path *path, struct datagram *ret)
{
	size_t room = sizeof(path->replies) / sizeof(*path->replies);
	const struct path_reply *reply = &path->replies[path->reply_first];

	if (path->reply_count == 0)
		return false;
	ret->socket = reply->socket;
	ret->to = reply->to;
	ret->length = reply->length;
	memcpy(ret->bytes, reply->bytes, reply->length);
	path->reply_first = (path->reply_first + 1) % room;
	path->reply_count--;
	return true;
}

static bool send_check(struct path *path, uint64_t now, struct datagram *ret)
{
	struct candidate_check check;

	if (!candidates_send(&path->candidates, now, &check))
		return false;
	ret->socket = check.candidate->socket;
	ret->to = check.candidate->to;
	ret->length = seal_check(&path->seal, check.id, check.nominate, ret->bytes);
	return true;
}

static void to_settled(const struct path *path, struct datagram *ret)
{
	ret->socket = path->candidates.settled->socket;
	ret->to = path->candidates.settled->to;
}

static uint64_t letters_wait(const struct path *path)
{
	return path->post ? letters_due(&path->post->letters) : UINT64_MAX;
}

static bool send_letter(struct path *path, uint64_t now, struct datagram *ret)
{
	if (letters_wait(path) > now)
		return false;
	path->post->letters.seal = path->seal; /* whose round and sight change */
	to_settled(path, ret);
	ret->length = letters_send(&path->post->letters, now, ret->bytes);
	return ret->length > 0;
}

static bool send_talk(struct path *path, uint64_t now, struct datagram *ret)
{
	to_settled(path, ret);
	ret->length = talk_send(&path->talk, &path->seal, now, ret->bytes);
	follow_talk(path, now);
	return ret->length > 0;
}

bool path_send(struct path *path, uint64_t now, struct datagram *ret)
{
	if (send_reply(path, ret))
		return true;
	switch (path->state) {
	case PATH_SEEKING:
		return send_check(path, now, ret);
	case PATH_TALKING:
		return send_letter(path, now, ret) || send_talk(path, now, ret);
	case PATH_DONE:
	case PATH_LOST:
		return false;
	}
	return false;
}

uint64_t path_due(const struct path *path)
{
	uint64_t talk, letters;

	switch (path->state) {
	case PATH_SEEKING:
		return candidates_due(&path->candidates);
	case PATH_TALKING:
		talk = talk_due(&path->talk);
		letters = letters_wait(path);
		return talk < letters ? talk : letters;
	case PATH_DONE:
	case PATH_LOST:
		return UINT64_MAX;
	}
	return UINT64_MAX;
}

/* ---- receiving ---- */

static void seek(struct path *path, size_t socket, const struct endpoint *from,
		 const struct sealed *sealed, uint64_t now)
{
	if (sealed->kind == SEALED_CHECK)
		candidates_check(&path->candidates, socket, from, sealed->nominated, now);
	else if (sealed->kind == SEALED_REPLY)
		candidates_reply(&path->candidates, socket, from, sealed->id, now);
	else
		candidates_settle(&path->candidates, socket, from);
	talk_if_settled(path, now);
}

static bool is_request(const struct sealed *sealed)
{
	return sealed->kind == SEALED_CHECK || sealed->kind == SEALED_MESSAGE ||
	       sealed->kind == SEALED_BYE;
}

/* What every request tells of the peer. Returns whether it is one of this round. */
static bool follow_peer(struct path *path, const struct sealed *request, uint64_t now)
{
	if (request->round > path->seal.round)
		seek_again(path, request->round, now);
	path->peer_sight |= request->sight;
	return request->round == path->seal.round;
}

/* What was said on a path that is dead to us; it may be the peer's last word. */
static void hear_late(struct path *path, size_t socket, const struct endpoint *from,
		      const struct sealed *sealed, uint64_t now)
{
	if (path->connected && talk_receive(&path->talk, sealed, now))
		answer(path, socket, sealed, from);
	if (path->state == PATH_SEEKING && path->talk.state == TALK_DONE)
		end(path, PATH_DONE, now);
}

enum sealed_kind path_receive(struct path *path, const struct endpoint *from,
			      const struct stun_message *message, uint64_t now)
{
	return path_receive_on(path, 0, from, message, now);
}

static bool is_settled_on(const struct path *path, size_t socket, const struct endpoint *from)
{
	const struct candidate *settled = path->candidates.settled;

	return settled && settled->socket == socket && endpoint_equal(from, &settled->to);
}

/* One of a round that is over counts for nothing: it is repeated in the next. */
static void take_letter(struct path *path, size_t socket, const struct endpoint *from,
			const struct stun_message *message, const struct sealed *sealed,
			uint64_t now)
{
	bool is_answer = message->class != STUN_REQUEST;
	const uint8_t *bytes;
	size_t length;

	if (!is_answer && !follow_peer(path, sealed, now))
		return;
	if (!is_answer && path->state == PATH_SEEKING)
		seek(path, socket, from, sealed, now);
	if (!path->post || (!is_answer && !is_settled_on(path, socket, from)))
		return;
	if (path->state == PATH_TALKING)
		(void)talk_receive(&path->talk, sealed, now);
	if (letters_receive(&path->post->letters, message, &bytes, &length))
		path->post->arrived(path->post->context, bytes, length);
}

enum sealed_kind path_receive_on(struct path *path, size_t socket, const struct endpoint *from,
				 const struct stun_message *message, uint64_t now)
{
	struct sealed sealed = seal_open(&path->seal, message);

	if (sealed.kind == SEALED_NONE || sealed.kind == SEALED_BLIND || path->state >= PATH_DONE)
		return sealed.kind;
	if (sealed.kind == SEALED_LETTER) {
		take_letter(path, socket, from, message, &sealed, now);
		return sealed.kind;
	}
	if (is_request(&sealed) && !follow_peer(path, &sealed, now)) {
		/* The peer has not noticed: its check is a check, and its words are its words. */
		sealed.nominated = false;
		if (sealed.kind != SEALED_CHECK) {
			hear_late(path, socket, from, &sealed, now);
			return sealed.kind;
		}
	}
	if (sealed.kind == SEALED_CHECK)
		answer(path, socket, &sealed, from);
	if (path->state == PATH_SEEKING)
		seek(path, socket, from, &sealed, now);
	if (path->state != PATH_TALKING || !is_settled_on(path, socket, from))
		return sealed.kind;
	if (talk_receive(&path->talk, &sealed, now) && sealed.kind != SEALED_CHECK)
		answer(path, socket, &sealed, from);
	follow_talk(path, now);
	return sealed.kind;
}

void path_carry(struct path *path, struct path_post *post)
{
	path->post = post;
	letters_start(&post->letters, &path->seal, &path->config.random, path->talk.srtt);
}

void path_release(struct path *path, uint32_t messages, uint64_t hold, uint64_t now)
{
	path->config.messages = messages;
	path->config.hold = hold;
	talk_release(&path->talk, messages, hold, now);
}

void path_part(struct path *path, uint64_t patience, uint64_t now)
{
	path_release(path, path->config.messages, 0, now);
	if (patience) {
		path->talk.config.patience = patience;
		path->rounds = path->seal.round;
	}
}

void path_refused(struct path *path, const struct endpoint *to, uint64_t now)
{
	if (path->state != PATH_TALKING || !endpoint_equal(to, &path->candidates.settled->to))
		return;
	talk_refused(&path->talk);
	follow_talk(path, now);
}
