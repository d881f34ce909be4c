/* SPDX-License-Identifier: MIT */
/*
 * Silence proves nothing here: there is no control for a path that was never open, so that
 * "not reached" means this many Knocks and no answer.
 */
#include "agents/nat_check/third_party.h"

#include <string.h>

void third_party_start(struct third_party *third, const struct endpoint *to, uint64_t timeout,
		       const struct random_source *random, uint64_t now)
{
	const struct transaction_timing timing = {
		.first = 50 * MSEC, .longest = 200 * MSEC, .limit = timeout ? timeout : 1};

	*third = (struct third_party){.to = *to, .started = now};
	transaction_new_id(random, third->id);
	random_fill(random, third->check, CHECK_SIZE);
	transaction_start(&third->transaction, &timing, now);
}

bool third_party_send(struct third_party *third, uint64_t now, struct datagram *ret)
{
	struct check_message content = {0};
	struct stun_builder builder;

	if (third->over)
		return false;
	switch (transaction_step(&third->transaction, now)) {
	case TRANSACTION_WAIT:
		return false;
	case TRANSACTION_SEND:
		memcpy(content.check, third->check, CHECK_SIZE);
		ret->socket = 0;
		ret->to = third->to;
		check_begin(&builder, ret, STUN_REQUEST, METHOD_KNOCK, third->id, &content);
		check_pad(&builder, ret);
		return true;
	case TRANSACTION_FAIL:
		third->over = true;
		third->ended = now;
		return false;
	}
	return false;
}

uint64_t third_party_due(const struct third_party *third)
{
	return third->over ? UINT64_MAX : third->transaction.due;
}

void third_party_receive(struct third_party *third, const struct endpoint *from, const void *bytes,
			 size_t length, uint64_t now)
{
	struct stun_message message;

	/* From another endpoint it may come, too: a symmetric NAT answers from a new mapping. */
	(void)from;
	if (third->over || !stun_parse(bytes, length, &message) || message.class != STUN_SUCCESS ||
	    message.method != METHOD_KNOCK ||
	    memcmp(stun_id(&message), third->id, STUN_ID_SIZE) != 0)
		return;
	third->reached = true;
	third->over = true;
	third->ended = now;
}
