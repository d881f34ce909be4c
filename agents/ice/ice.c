/* SPDX-License-Identifier: MIT */
#include "agents/ice/ice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PAYLOAD_MARK = 0x80 }; /* RFC 7983 section 7: RTP's, and certainly not STUN's */

static void __attribute__((format(printf, 4, 5)))
finish(struct ice *ice, enum ice_phase phase, uint64_t now, const char *format, ...)
{
	va_list arguments;

	if (ice->phase >= ICE_DONE)
		return;
	ice->phase = phase;
	ice->ended = now;
	va_start(arguments, format);
	vsnprintf(ice->reason, sizeof(ice->reason), format, arguments);
	va_end(arguments);
}

void ice_start(struct ice *ice, const struct ice_config *config, uint64_t now)
{
	memset(ice, 0, sizeof(*ice));
	ice->config = *config;
	ice->config.talk.random = config->meeting.random;
	ice->started = now;
	exchange_start(&ice->exchange, &config->meeting, now);
}

/* Why there is no path, from what was seen. */
static void fail_late(struct ice *ice, uint64_t now)
{
	const struct exchange *exchange = &ice->exchange;
	double seconds = to_ms(ice->config.timeout) / 1000;
	char text[ENDPOINT_TEXT_MAX];

	if (!exchange->meeting.welcomed)
		finish(ice, ICE_FAILED, now, "no rendezvous: %s did not answer in %.1f s",
		       endpoint_format(&exchange->meeting.rendezvous, text), seconds);
	else if (!exchange->introduced)
		finish(ice, ICE_FAILED, now, "nobody else joined the session in %.1f s", seconds);
	else if (!exchange->described)
		finish(ice, ICE_FAILED, now, "candidates were still being gathered after %.1f s",
		       seconds);
	else if (ice->phase == ICE_MEETING)
		finish(ice, ICE_FAILED, now,
		       "the other peer was introduced, but told no candidates");
	else
		finish(ice, ICE_FAILED, now, "no pair of candidates was selected in %.1f s",
		       seconds);
}

static void follow_path(struct ice *ice, uint64_t now)
{
	const struct talk *talk = &ice->path.talk;

	if (ice->phase != ICE_TALKING)
		return;
	if (ice->path.state == PATH_DONE) {
		finish(ice, ICE_DONE, now, "%s", "");
	} else if (ice->path.state == PATH_LOST) {
		finish(ice, ICE_LOST, now,
		       "nothing of the peer's came any more after it had acknowledged %u of %u "
		       "messages and sent %u",
		       talk->acknowledged, ice->config.talk.messages, talk->received);
	} else if (now >= ice->selected + ice->config.timeout && ice->path.state == PATH_SEEKING) {
		path_lose(&ice->path, now);
		finish(ice, ICE_LOST, now, "nothing came over the selected pair");
	}
}

static void advance(struct ice *ice, uint64_t now)
{
	const struct meeting *meeting = &ice->exchange.meeting;

	if (ice->phase == ICE_MEETING && meeting->phase == MEETING_REFUSED)
		finish(ice, ICE_FAILED, now, "session refused: %s", meeting->refusal);
	if (ice->phase == ICE_MEETING && ice->exchange.overlong)
		finish(ice, ICE_FAILED, now, "the other peer's description is too long");
	follow_path(ice, now);
	if (ice->phase < ICE_TALKING && now >= ice->started + ice->config.timeout)
		fail_late(ice, now);
}

/* ---- what the stack has to tell ---- */

void ice_gathered(struct ice *ice, const char *description, uint64_t now)
{
	if (!exchange_describe(&ice->exchange, description))
		finish(ice, ICE_FAILED, now, "there are too many candidates to tell them");
}

void ice_connected(struct ice *ice, const struct endpoint *peer, uint64_t now)
{
	const struct transaction_timing timing = {.first = 20 * MSEC, .longest = 200 * MSEC};

	if (ice->phase != ICE_CHECKING)
		return;
	ice->phase = ICE_TALKING;
	ice->selected = now;
	path_start(&ice->path, &ice->exchange.seal, &timing, &ice->config.talk);
	(void)candidates_add(&ice->path.candidates, CANDIDATE_PUBLIC, peer, now);
}

void ice_failed(struct ice *ice, const char *why, uint64_t now)
{
	if (ice->phase < ICE_TALKING)
		finish(ice, ICE_FAILED, now, "%s", why);
}

const char *ice_description(struct ice *ice, enum peer_role *ret_role)
{
	const char *theirs = exchange_theirs(&ice->exchange);

	/* Not before ours is on its way: a check that overtakes it comes from nowhere. */
	if (ice->phase != ICE_MEETING || !theirs || !ice->exchange.posted)
		return NULL;
	ice->phase = ICE_CHECKING;
	*ret_role = ice->exchange.seal.role;
	return theirs;
}

/* ---- to and from the rendezvous ---- */

bool ice_send(struct ice *ice, uint64_t now, struct datagram *ret)
{
	advance(ice, now);
	if (ice->phase < ICE_DONE)
		return exchange_send(&ice->exchange, now, ret);
	return ice_over(ice) && exchange_leave(&ice->exchange, ret);
}

void ice_receive(struct ice *ice, const struct endpoint *from, const void *datagram, size_t length,
		 uint64_t now)
{
	exchange_receive(&ice->exchange, from, datagram, length, now);
	advance(ice, now);
}

/* ---- over the path ---- */

size_t ice_send_payload(struct ice *ice, uint64_t now, void *buffer)
{
	struct datagram datagram;
	uint8_t *bytes = buffer;

	if (ice->selected == 0 || !path_send(&ice->path, now, &datagram))
		return 0;
	bytes[0] = PAYLOAD_MARK;
	memcpy(bytes + 1, datagram.bytes, datagram.length);
	return 1 + datagram.length;
}

void ice_receive_payload(struct ice *ice, const void *payload, size_t length, uint64_t now)
{
	const uint8_t *bytes = payload;
	struct stun_message message;

	if (ice->selected == 0 || length < 1 || bytes[0] != PAYLOAD_MARK ||
	    !stun_parse(bytes + 1, length - 1, &message))
		return;
	/* There is one path, so whatever comes, comes from there. */
	(void)path_receive(&ice->path, &ice->path.candidates.list[0].to, &message, now);
	advance(ice, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t ice_due(const struct ice *ice)
{
	uint64_t due;

	if (ice->phase >= ICE_DONE)
		return UINT64_MAX;
	due = exchange_due(&ice->exchange);
	if (ice->phase < ICE_TALKING)
		return earlier(due, ice->started + ice->config.timeout);
	if (ice->path.state == PATH_SEEKING)
		due = earlier(due, ice->selected + ice->config.timeout);
	return earlier(due, path_due(&ice->path));
}

bool ice_over(const struct ice *ice)
{
	return ice->phase >= ICE_DONE && (ice->selected == 0 || path_over(&ice->path));
}
