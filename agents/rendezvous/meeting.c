/* SPDX-License-Identifier: MIT */
#include "agents/rendezvous/meeting.h"

#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"

/* Tell the rendezvous (again) at @now, then at growing intervals from @first to @longest. */
static void rejoin(struct meeting *meeting, uint64_t first, uint64_t longest, uint64_t now)
{
	struct transaction_timing timing = {.first = first, .longest = longest};

	transaction_new_id(&meeting->random, meeting->id);
	transaction_start(&meeting->joining, &timing, now);
}

/* What has been answered is repeated only to stay known, and to keep the mapping open. */
static void stay(struct meeting *meeting, uint64_t now)
{
	meeting->joining.due = now + SEC;
	meeting->joining.interval = SEC;
}

void meeting_start(struct meeting *meeting, const struct meeting_config *config, uint64_t now)
{
	struct join *join = &meeting->join;

	*meeting = (struct meeting){
		.rendezvous = config->rendezvous, .random = config->random, .offer = config->offer};
	join->stage = JOIN_JOINED;
	join->session_length = strnlen(config->session, SESSION_NAME_MAX);
	memcpy(join->session, config->session, join->session_length);
	join->private_count = config->private_count;
	memcpy(join->privates, config->privates, sizeof(join->privates));
	random_fill(&config->random, join->peer, sizeof(join->peer));
	meeting_offer(meeting, NULL, 0);
	rejoin(meeting, 100 * MSEC, SEC, now); /* RFC 3489 section 9.3's first interval */
}

void meeting_offer(struct meeting *meeting, const void *offer, size_t length)
{
	struct join *join = &meeting->join;
	size_t before = meeting->offer.length;

	memcpy(join->offer, meeting->offer.bytes, before);
	join->offer_length = before;
	if (length == 0 || length > OFFER_MAX - before)
		return;
	memcpy(join->offer + before, offer, length);
	join->offer_length += length;
}

void meeting_dialled(struct meeting *meeting, uint64_t now)
{
	uint64_t first = 2 * meeting->round_trip;

	if (first < 20 * MSEC)
		first = 20 * MSEC;
	if (first > 500 * MSEC)
		first = 500 * MSEC;
	meeting->phase = MEETING_DIALLED;
	meeting->join.stage = JOIN_DIALLED;
	rejoin(meeting, first, SEC, now);
}

static bool is_asking(const struct meeting *meeting)
{
	return meeting->phase < MEETING_GO && !meeting->left;
}

size_t meeting_send(struct meeting *meeting, uint64_t now, void *buffer)
{
	if (!is_asking(meeting) || transaction_step(&meeting->joining, now) != TRANSACTION_SEND)
		return 0;
	if (meeting->joining.sent == 1)
		meeting->first_sent = now;
	return join_write(&meeting->join, meeting->id, buffer, JOIN_SIZE);
}

uint64_t meeting_due(const struct meeting *meeting)
{
	return is_asking(meeting) ? meeting->joining.due : UINT64_MAX;
}

static void take_introduction(struct meeting *meeting, const struct stun_message *message,
			      uint64_t now)
{
	struct introduction introduction;

	if (!introduction_read(message, &introduction))
		return;
	if (message->class == STUN_SUCCESS && meeting->joining.sent > 0)
		meeting->round_trip = now - meeting->first_sent;
	meeting->welcomed = true;
	if (introduction.stage == SESSION_WAITING) {
		if (meeting->phase == MEETING_JOINING)
			meeting->peer.mapped = introduction.mapped;
	} else {
		/* The newest word counts: what the other offers may have changed. */
		meeting->peer = introduction;
		if (meeting->phase == MEETING_JOINING)
			meeting->phase = MEETING_PAIRED;
		/* Before we have dialled, "go" cannot be meant for us. */
		if (introduction.stage == SESSION_GO && meeting->phase == MEETING_DIALLED)
			meeting->phase = MEETING_GO;
	}
	if (meeting->phase < MEETING_DIALLED)
		stay(meeting, now);
}

static void take_refusal(struct meeting *meeting, const struct stun_message *message)
{
	struct stun_error_code error = {.phrase = ""};
	struct stun_attribute attribute;

	if (stun_find(message, STUN_ERROR_CODE, &attribute))
		(void)stun_read_error(&attribute, &error);
	meeting->phase = MEETING_REFUSED;
	snprintf(meeting->refusal, sizeof(meeting->refusal), "%.*s (%u)",
		 (int)(error.phrase_length < 80 ? error.phrase_length : 80), error.phrase,
		 error.code);
}

bool meeting_receive(struct meeting *meeting, const struct endpoint *from,
		     const struct stun_message *message, uint64_t now)
{
	if (message->method != METHOD_JOIN)
		return false;
	/* A push has our last Join's id too, which no stranger knows. */
	if (!is_asking(meeting) || !endpoint_equal(from, &meeting->rendezvous) ||
	    memcmp(stun_id(message), meeting->id, STUN_ID_SIZE) != 0)
		return true;
	if (message->class == STUN_ERROR)
		take_refusal(meeting, message);
	else if (message->class != STUN_REQUEST)
		take_introduction(meeting, message, now);
	return true;
}

size_t meeting_leave(struct meeting *meeting, void *buffer)
{
	uint8_t id[STUN_ID_SIZE];

	/* A Join whose answer never came may have arrived all the same. */
	if (meeting->phase == MEETING_REFUSED || meeting->left || meeting->first_sent == 0)
		return 0;
	meeting->left = true;
	transaction_new_id(&meeting->random, id);
	return leave_write(&meeting->join, id, buffer, JOIN_SIZE);
}
