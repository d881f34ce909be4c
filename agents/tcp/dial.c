/* SPDX-License-Identifier: MIT */
#include "agents/tcp/dial.h"

#include <errno.h>

#include "agents/net/clock.h"

#define PAUSE_FIRST (100 * MSEC)
#define LONGEST (4 * SEC)

void dial_start(struct dial *dial, const struct endpoint *to, uint64_t patience, uint64_t when)
{
	*dial = (struct dial){
		.state = DIAL_WAITING,
		.to = *to,
		.due = when,
		.patience = patience,
		.pause = PAUSE_FIRST,
	};
}

static uint64_t doubled(uint64_t span)
{
	return span > LONGEST / 2 ? LONGEST : 2 * span;
}

bool dial_step(struct dial *dial, uint64_t now)
{
	if ((dial->state != DIAL_WAITING && dial->state != DIAL_DIALLING) || now < dial->due)
		return false;
	dial->state = DIAL_DIALLING;
	dial->attempts++;
	dial->due = now + dial->patience;
	dial->patience = doubled(dial->patience);
	return true;
}

uint64_t dial_due(const struct dial *dial)
{
	return dial->state == DIAL_WAITING || dial->state == DIAL_DIALLING ? dial->due : UINT64_MAX;
}

void dial_connected(struct dial *dial)
{
	dial->state = DIAL_OPEN;
}

static void wait_before_next(struct dial *dial, uint64_t now)
{
	dial->state = DIAL_WAITING;
	dial->due = now + dial->pause;
	dial->pause = doubled(dial->pause);
}

void dial_failed(struct dial *dial, const struct tcp_refusal *refusal, uint64_t now)
{
	if (dial->state != DIAL_DIALLING)
		return;
	dial->error = refusal->error;
	if (refusal->icmp) {
		dial->icmp_errors++;
		dial->reporter = refusal->reporter;
	} else if (refusal->error == ECONNREFUSED || refusal->error == ECONNRESET) {
		dial->resets++;
	} else {
		dial->other_errors++;
	}
	wait_before_next(dial, now);
}

void dial_ended(struct dial *dial, uint64_t now)
{
	if (dial->state == DIAL_OPEN)
		wait_before_next(dial, now);
}

unsigned int dial_refused(const struct dial *dial)
{
	return dial->resets + dial->icmp_errors;
}
