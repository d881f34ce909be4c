/* SPDX-License-Identifier: MIT */
#include "agents/detect/silence.h"

#include "agents/net/clock.h"

void silence_start(struct silence *silence, uint64_t now)
{
	*silence = (struct silence){.running = true, .started = now, .due = now};
}

void silence_proof(struct silence *silence, uint64_t now)
{
	/* A datagram the network doubled proves nothing new; one that comes late is still no loss.
	 */
	if (!silence->running || silence->proven >= silence->rounds)
		return;
	silence->proven++;
	silence->last_proof = now;
	silence->due = now;
}

void silence_end(struct silence *silence, enum answer verdict)
{
	if (!silence->running || silence->over)
		return;
	silence->over = true;
	silence->verdict = verdict;
}

void silence_losses(const struct silence *silence, uint64_t rto, uint64_t now, unsigned int *trials,
		    unsigned int *lost)
{
	unsigned int due = 0;

	while (due < silence->rounds && silence->sent_at[due] + rto <= now)
		due++;
	if (due < silence->proven)
		due = silence->proven;
	*trials += due;
	*lost += due - silence->proven;
}

/*
 * With a loss of p each way, a round whose control was answered still lost its request
 * or the answer to it with q = 1 - (1 - p)^2. n such rounds are all silent by mere loss
 * with q^n:
 *
 *     p      q      n = 5     n = 8     n = 16
 *     1 %    2 %    3e-9
 *     10 %   19 %   2e-4      2e-6      3e-12
 *     20 %   36 %             3e-4      8e-8
 *     30 %   51 %                       2e-5
 *
 * and p = 10 % goes unseen in the ten controls of both tests only once in eight.
 */
unsigned int silence_needed(unsigned int trials, unsigned int lost)
{
	if (lost == 0)
		return SILENCE_ROUNDS;
	return lost * 6 <= trials ? 8 : 16;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When the next round is due, so that as many are under way as are still needed. */
static uint64_t next_round(const struct silence *silence, const struct silence_path *path,
			   uint64_t now)
{
	unsigned int first = 0, waiting, missing = path->needed - silence->proven;

	if (silence->rounds == 0)
		return now;
	while (first < silence->rounds && silence->sent_at[first] + path->rto <= now)
		first++;
	waiting = silence->rounds - (first > silence->proven ? first : silence->proven);
	/* Where losses are expected, have some more under way than would do without. */
	if (waiting < missing + (path->needed > SILENCE_ROUNDS ? missing / 2 : 0))
		return silence->sent_at[silence->rounds - 1] + path->pace;
	return silence->sent_at[silence->rounds - waiting] + path->rto;
}

enum silence_action silence_step(struct silence *silence, const struct silence_path *path,
				 uint64_t limit, uint64_t now)
{
	uint64_t end = silence->started + limit;
	uint64_t next;

	if (!silence->running || silence->over)
		return SILENCE_OVER;
	if (silence->proven >= path->needed) {
		silence->due = silence->last_proof + path->slack;
		if (now < silence->due)
			return SILENCE_WAIT;
		silence_end(silence, ANSWER_SILENCE);
		return SILENCE_OVER;
	}
	if (now >= end || silence->rounds == SILENCE_ROUNDS_MAX) {
		silence_end(silence, ANSWER_UNDECIDED);
		return SILENCE_OVER;
	}
	next = next_round(silence, path, now);
	if (now < next) {
		silence->due = earlier(next, end);
		return SILENCE_WAIT;
	}
	silence->sent_at[silence->rounds++] = now;
	silence->due = earlier(now + path->pace, end);
	return SILENCE_SEND;
}
