/* SPDX-License-Identifier: MIT */
/* Retransmission times, as the RFCs print them. */
#include <criterion/criterion.h>

#include "agents/stun/transaction.h"

/* Run to the end on a clock that jumps from due to due; the sending times in ms go to @times. */
static size_t play(const struct transaction_timing *timing, uint64_t start, uint64_t *times,
		   size_t room, uint64_t *ret_failed)
{
	struct transaction transaction;
	size_t count = 0;

	transaction_start(&transaction, timing, start);
	for (;;) {
		uint64_t now = transaction.due;

		switch (transaction_step(&transaction, now)) {
		case TRANSACTION_SEND:
			cr_assert_lt(count, room, "it never stops sending");
			times[count++] = (now - start) / MSEC;
			break;
		case TRANSACTION_FAIL:
			*ret_failed = (now - start) / MSEC;
			return count;
		case TRANSACTION_WAIT:
			cr_assert_fail("told to wait at the very time it had named");
		}
	}
}

Test(retransmission, follows_rfc8489_section_6_2_1)
{
	static const uint64_t expected[] = {0, 500, 1500, 3500, 7500, 15500, 31500};
	uint64_t times[16], failed;
	size_t count = play(&TRANSACTION_RFC8489, 12345, times, 16, &failed);

	cr_assert_eq(count, 7);
	cr_expect_arr_eq(times, expected, sizeof(expected));
	cr_expect_eq(failed, 39500);
}

Test(retransmission, follows_rfc3489_section_9_3)
{
	static const uint64_t expected[] = {0, 100, 300, 700, 1500, 3100, 4700, 6300, 7900};
	uint64_t times[16], failed;
	size_t count = play(&TRANSACTION_RFC3489, 0, times, 16, &failed);

	cr_assert_eq(count, 9);
	cr_expect_arr_eq(times, expected, sizeof(expected));
	cr_expect_eq(failed, 9500);
}

Test(retransmission, ends_at_the_limit_even_between_two_sendings)
{
	const struct transaction_timing timing = {
		.first = 100 * MSEC, .longest = 400 * MSEC, .limit = 1000 * MSEC};
	static const uint64_t expected[] = {0, 100, 300, 700};
	uint64_t times[16], failed;

	cr_assert_eq(play(&timing, 77, times, 16, &failed), 4);
	cr_expect_arr_eq(times, expected, sizeof(expected));
	cr_expect_eq(failed, 1000);
}

Test(retransmission, does_not_make_up_for_lost_time_with_a_burst)
{
	const struct transaction_timing timing = {.first = 100 * MSEC, .longest = 100 * MSEC};
	struct transaction transaction;

	transaction_start(&transaction, &timing, 0);
	cr_expect_eq(transaction_step(&transaction, 0), TRANSACTION_SEND);
	cr_expect_eq(transaction_step(&transaction, 10 * SEC), TRANSACTION_SEND);
	cr_expect_eq(transaction_step(&transaction, 10 * SEC), TRANSACTION_WAIT);
	cr_expect_eq(transaction.due, 10 * SEC + 100 * MSEC);
}
