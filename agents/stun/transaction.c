/* SPDX-License-Identifier: MIT */
#include "agents/stun/transaction.h"

void transaction_new_id(const struct random_source *random, uint8_t ret[STUN_ID_SIZE])
{
	static const uint8_t cookie[] = {0x21, 0x12, 0xa4, 0x42}; /* STUN_COOKIE */
	size_t i;

	for (i = 0; i < sizeof(cookie); i++)
		ret[i] = cookie[i];
	random_fill(random, ret + sizeof(cookie), STUN_ID_SIZE - sizeof(cookie));
}

void transaction_start(struct transaction *transaction, const struct transaction_timing *timing,
		       uint64_t now)
{
	*transaction = (struct transaction){
		.timing = *timing, .started = now, .due = now, .interval = timing->first};
}

static uint64_t end_of(const struct transaction *transaction)
{
	return transaction->timing.limit ? transaction->started + transaction->timing.limit
					 : UINT64_MAX;
}

enum transaction_action transaction_step(struct transaction *transaction, uint64_t now)
{
	const struct transaction_timing *timing = &transaction->timing;
	bool last;

	if (now < transaction->due)
		return TRANSACTION_WAIT;
	if (now >= end_of(transaction) || (timing->sends && transaction->sent >= timing->sends))
		return TRANSACTION_FAIL;
	transaction->sent++;
	last = timing->sends && transaction->sent == timing->sends;
	transaction->due = now + (last ? timing->last : transaction->interval);
	if (transaction->due > end_of(transaction))
		transaction->due = end_of(transaction);
	if (transaction->interval > timing->longest / 2)
		transaction->interval = timing->longest;
	else
		transaction->interval *= 2;
	return TRANSACTION_SEND;
}
