/* SPDX-License-Identifier: MIT */
/*
 * How this works: each side asks one question at a time and repeats it until it is
 * answered. First its messages in order, then Bye ("all of mine arrived"), which also
 * says whether the other's Bye has come. Whoever has every acknowledgement and the other's Bye
 * has a complete result; that the own Bye arrives is all that is left to care for, so it is
 * repeated a few times only, and no one needs to linger for a last lost acknowledgement.
 *
 * While there is nothing to say (a pause between messages, the peer being slower, the
 * path being held) a check is sent whenever we have sent nothing for the keep-alive
 * interval. It keeps the NATs' mappings, for which that interval must be shorter than they
 * live; what counts for them is what goes out (RFC 4787 REQ-6), and an answer goes out too.
 *
 * Silence means nothing, then, unless there is a question: a path on which nothing at all came
 * for as long as the caller has patience, though we were asking, is dead. While the peer is
 * heard it is not for us to say so: should only our own way to it be dead, its questions
 * stay unanswered, and it will. The same conversation can go on over another path
 * (talk_resume()).
 */
#include "agents/punch/talk.h"

#include <string.h>

#define RTO_MIN (20 * MSEC)
#define ASK_EVERY (500 * MSEC) /* at least ten times before patience ends */
enum { BYES_MAX = 8, REFUSALS_MAX = 3 };

void talk_start(struct talk *talk, const struct talk_config *config, uint64_t round_trip,
		uint64_t now)
{
	*talk = (struct talk){.config = *config, .next = now, .hold_until = now + config->hold};
	if (talk->config.keepalive == 0)
		talk->config.keepalive = TALK_KEEPALIVE;
	if (talk->config.patience == 0)
		talk->config.patience = TALK_PATIENCE;
	talk_resume(talk, round_trip, now);
}

void talk_release(struct talk *talk, uint32_t messages, uint64_t hold, uint64_t now)
{
	talk->config.messages = messages;
	talk->config.hold = hold;
	talk->next = now;
	talk->hold_until = now + hold;
}

void talk_resume(struct talk *talk, uint64_t round_trip, uint64_t now)
{
	talk->acknowledged_before = talk->acknowledged;
	talk->received_before = talk->received;
	talk->state = TALK_OPEN;
	talk->question = TALK_NOTHING;
	talk->unanswered = 0;
	talk->refusals = 0;
	talk->spoken = now;
	talk->srtt = round_trip;
	talk->rttvar = round_trip / 2;
}

static uint64_t rto(const struct talk *talk)
{
	uint64_t value = talk->srtt + 4 * talk->rttvar;

	return value < RTO_MIN ? RTO_MIN : value > SEC ? SEC : value;
}

static void ask(struct talk *talk, enum talk_question question, uint64_t now)
{
	struct transaction_timing timing = {
		.first = rto(talk),
		.longest = question == TALK_BYE ? rto(talk) * 2 : ASK_EVERY,
		.sends = question == TALK_BYE ? BYES_MAX : 0,
		.last = rto(talk) * 4,
	};

	transaction_new_id(&talk->config.random, talk->id);
	talk->question = question;
	transaction_start(&talk->transaction, &timing, now);
}

static bool has_said_all(const struct talk *talk)
{
	return talk->acknowledged == talk->config.messages;
}

/* Choose what to ask when nothing is being asked. */
static void choose(struct talk *talk, uint64_t now)
{
	if (!has_said_all(talk) && now >= talk->next)
		ask(talk, TALK_MESSAGE, now);
	else if (has_said_all(talk) && now >= talk->hold_until && !talk->bye_delivered)
		ask(talk, TALK_BYE, now);
	else if (now >= talk->spoken + talk->config.keepalive)
		ask(talk, TALK_ALIVE, now);
}

static bool complete(const struct talk *talk)
{
	return has_said_all(talk) && talk->bye_received;
}

static void end_if_over(struct talk *talk, uint64_t now)
{
	if (talk->state == TALK_DEAD && complete(talk)) {
		talk->state = TALK_DONE; /* a late word was the last that was missing */
		return;
	}
	if (talk->state != TALK_OPEN)
		return;
	if (complete(talk) && talk->bye_delivered)
		talk->state = TALK_DONE;
	else if (!complete(talk) && talk->unanswered != 0 &&
		 now >= talk->unanswered + talk->config.patience)
		talk->state = TALK_DEAD;
}

static size_t write_question(const struct talk *talk, const struct seal *seal, void *buffer)
{
	switch (talk->question) {
	case TALK_NOTHING:
		return 0;
	case TALK_MESSAGE:
		return seal_message(seal, talk->id, talk->acknowledged + 1, buffer);
	case TALK_BYE:
		return seal_bye(seal, talk->id, talk->bye_received, buffer);
	case TALK_ALIVE:
		return seal_check(seal, talk->id, false, buffer);
	}
	return 0;
}

size_t talk_send(struct talk *talk, const struct seal *seal, uint64_t now, void *buffer)
{
	end_if_over(talk, now);
	if (talk->state != TALK_OPEN)
		return 0;
	if (talk->question == TALK_NOTHING)
		choose(talk, now);
	if (talk->question == TALK_NOTHING)
		return 0;
	switch (transaction_step(&talk->transaction, now)) {
	case TRANSACTION_SEND:
		if (talk->transaction.sent == 1)
			talk->first_sent = now;
		if (talk->unanswered == 0)
			talk->unanswered = now;
		talk->spoken = now;
		return write_question(talk, seal, buffer);
	case TRANSACTION_WAIT:
		return 0;
	case TRANSACTION_FAIL:
		/* Only Bye gives up: with a complete result the peer has most likely just gone. */
		talk->question = TALK_NOTHING;
		if (complete(talk))
			talk->state = TALK_DONE;
		return 0;
	}
	return 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t talk_due(const struct talk *talk)
{
	uint64_t due = UINT64_MAX;

	if (talk->state != TALK_OPEN)
		return UINT64_MAX;
	if (talk->unanswered != 0 && !complete(talk))
		due = talk->unanswered + talk->config.patience;
	if (talk->question != TALK_NOTHING)
		return earlier(due, talk->transaction.due);
	due = earlier(due, talk->spoken + talk->config.keepalive);
	if (!has_said_all(talk))
		return earlier(due, talk->next);
	return talk->bye_delivered ? due : earlier(due, talk->hold_until);
}

static void measure(struct talk *talk, uint64_t sample)
{
	uint64_t off = sample > talk->srtt ? sample - talk->srtt : talk->srtt - sample;

	/* Karn: an answer to something sent twice says nothing about which of the two. */
	if (talk->transaction.sent != 1)
		return;
	talk->rttvar = (3 * talk->rttvar + off) / 4; /* RFC 6298 section 2.3 */
	talk->srtt = talk->srtt ? (7 * talk->srtt + sample) / 8 : sample;
}

static void take_reply(struct talk *talk, const struct sealed *sealed, uint64_t now)
{
	if (talk->question == TALK_NOTHING || talk->transaction.sent == 0 ||
	    memcmp(sealed->id, talk->id, STUN_ID_SIZE) != 0)
		return;
	measure(talk, now - talk->first_sent);
	talk->unanswered = 0;
	if (talk->question == TALK_MESSAGE) {
		talk->acknowledged++;
		talk->next = now + talk->config.interval;
		if (talk->acknowledged == talk->config.messages / 2)
			talk->next += talk->config.pause;
		talk->hold_until = now + talk->config.hold;
	} else if (talk->question == TALK_BYE) {
		talk->bye_delivered = true;
	}
	talk->question = TALK_NOTHING;
}

bool talk_receive(struct talk *talk, const struct sealed *sealed, uint64_t now)
{
	bool answer = false;

	talk->refusals = 0;
	if (talk->unanswered != 0)
		talk->unanswered = now;
	switch (sealed->kind) {
	case SEALED_NONE:
	case SEALED_BLIND:
		return false;
	case SEALED_LETTER:
		break; /* it shows that the path lives */
	case SEALED_CHECK:
		answer = true;
		break;
	case SEALED_MESSAGE:
		/* One at a time and in order, so anything but the next is a repeat. */
		if (sealed->sequence == talk->received + 1)
			talk->received++;
		answer = sealed->sequence >= 1 && sealed->sequence <= talk->received;
		break;
	case SEALED_BYE:
		talk->bye_received = true;
		if (sealed->sequence == 1 && has_said_all(talk))
			talk->bye_delivered = true;
		answer = true;
		break;
	case SEALED_REPLY:
		take_reply(talk, sealed, now);
		break;
	}
	if (answer)
		talk->spoken = now;
	end_if_over(talk, now);
	return answer;
}

void talk_refused(struct talk *talk)
{
	if (talk->state != TALK_OPEN || ++talk->refusals < REFUSALS_MAX)
		return;
	talk->state = complete(talk) ? TALK_DONE : TALK_GONE;
}
