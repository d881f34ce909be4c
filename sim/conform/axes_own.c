/* SPDX-License-Identifier: MIT */
/*
 * Axes whose values agree with their declaration in a way of their own: a range is
 * promised by its ends and seen by what was drawn from it; a lifetime is seen to have ended
 * between two moments; an answer that is to come late is seen not to come at once.
 */
#include <stdio.h>

#include "conform/axes.h"

/* Everything drawn lies within; where the range was filled, hardly a port was left out. */
static void judge_range(const struct declaration *d, struct results *r)
{
	const struct nat_ports *ports = &d->nat->ports;
	const struct seen *low = &d->o->seen[ASPECT_LOWEST][d->protocol];
	const struct seen *high = &d->o->seen[ASPECT_HIGHEST][d->protocol];
	const struct seen *capacity = &d->o->seen[ASPECT_CAPACITY][d->protocol];
	int first = ports->first ? ports->first : 1024, last = ports->last ? ports->last : 65535;
	struct axis_result *row;

	if (!declaration_open(d) || !declaration_translates(d) || d->protocol == NAT_ICMP ||
	    !low->known)
		return;
	row = results_add(r, "ports.range", d, false,
			  capacity->known ? capacity->evidence : low->evidence);
	if (!row)
		return;
	snprintf(row->declared, sizeof(row->declared), "%d-%d", first, last);
	snprintf(row->observed, sizeof(row->observed), "%d-%d", low->value, high->value);
	row->holding = low->value >= first && high->value <= last ? AXIS_HELD : AXIS_BROKEN;
	if (ports->first && capacity->known && !ports->block && !ports->parity &&
	    !ports->contiguous && capacity->value < (last - first + 1) * 9 / 10)
		row->holding = AXIS_BROKEN;
	/* A range that is promised to be wide must not turn out to be a small one. */
	if (!ports->block && capacity->known && last - first >= 4096)
		row->holding = AXIS_BROKEN;
}

static void judge_block(const struct declaration *d, struct results *r)
{
	const struct seen *span = &d->o->seen[ASPECT_SPAN][d->protocol];
	unsigned int block = d->nat->ports.block;
	struct axis_result *row;

	if (!declaration_open(d) || !declaration_translates(d) || block == 0 ||
	    d->protocol == NAT_ICMP || !span->known)
		return;
	row = results_add(r, "ports.block", d, false, span->evidence);
	if (!row)
		return;
	snprintf(row->declared, sizeof(row->declared), "%u", block);
	snprintf(row->observed, sizeof(row->observed), "at least %d", span->value);
	row->holding = span->value <= (int)block ? AXIS_HELD : AXIS_BROKEN;
}

static void lifetime_word(unsigned int ms, char text[AXIS_WORD_MAX])
{
	snprintf(text, AXIS_WORD_MAX, "%.3g s", (double)ms / 1000);
}

/* To a tenth (what the engine promises): the interval in which it ended touches it. */
static void judge_span(const struct declaration *d, const char *axis, enum aspect first,
		       enum aspect last, unsigned int promised, struct results *r)
{
	const struct seen *begin = &d->o->seen[first][d->protocol];
	const struct seen *end = &d->o->seen[last][d->protocol];
	struct axis_result *row;

	if (!declaration_open(d) || !declaration_translates(d) ||
	    (!begin->known && !begin->evidence[0]))
		return;
	row = results_add(r, axis, d, false, begin->evidence);
	if (!row)
		return;
	lifetime_word(promised, row->declared);
	row->holding = AXIS_UNTESTED;
	if (!begin->known)
		return;
	if (!end->known) {
		snprintf(row->observed, sizeof(row->observed), "at least %.3g s",
			 (double)begin->value / 1000);
		if (begin->value > (int)(promised + promised / 10))
			row->holding = AXIS_BROKEN;
		return;
	}
	snprintf(row->observed, sizeof(row->observed), "%.3g to %.3g s",
		 (double)begin->value / 1000, (double)end->value / 1000);
	row->holding = begin->value <= (int)(promised + promised / 10) &&
				       end->value >= (int)(promised - promised / 10)
			       ? AXIS_HELD
			       : AXIS_BROKEN;
}

static void judge_lifetime(const struct declaration *d, struct results *r)
{
	unsigned int mapping = d->nat->timers.mapping[d->protocol];
	unsigned int filter = d->nat->timers.filter[d->protocol];
	bool whole = !filter || filter >= mapping;
	unsigned int promised = whole ? mapping : filter;

	judge_span(d, whole ? "timers: mapping" : "timers: filter", ASPECT_LIFETIME,
		   ASPECT_LIFETIME_END, promised, r);
	judge_span(d, whole ? "timers: mapping, busy flow" : "timers: filter, busy flow",
		   ASPECT_BUSY_LIFETIME, ASPECT_BUSY_LIFETIME_END, promised, r);
}

/*
 * Of a connection that is half open, or over; what admits its peer may end before it. No
 * connection lives shorter than that by being established.
 */
static void judge_transitory(const struct declaration *d, struct results *r)
{
	const struct nat_timers *timers = &d->nat->timers;
	unsigned int promised = timers->tcp_transitory, filter = timers->filter[d->protocol];

	if (promised > timers->mapping[d->protocol])
		promised = timers->mapping[d->protocol];
	if (filter && filter < promised)
		promised = filter;
	judge_span(d, "timers: transitory, opening", ASPECT_TRANSITORY, ASPECT_TRANSITORY_END,
		   promised, r);
	judge_span(d, "timers: transitory, closed", ASPECT_CLOSED, ASPECT_CLOSED_END, promised, r);
	if (!d->nat->tcp.rst_kills)
		judge_span(d, "timers: transitory, reset", ASPECT_RESET, ASPECT_RESET_END, promised,
			   r);
}

/* An answer too soon breaks the promise, and so does none when it was waited for. */
static void judge_delayed(const struct declaration *d, struct results *r)
{
	const struct seen *seen = &d->o->seen[ASPECT_UNSOLICITED][d->protocol];
	const struct seen *silence = &d->o->seen[ASPECT_SILENCE][d->protocol];
	const unsigned int promised = nat_stray_silence(d->nat);
	struct axis_result *row;

	if (d->nat->unsolicited != UNSOLICITED_DELAYED || d->protocol != NAT_TCP ||
	    !declaration_translates(d) || d->nat->dmz.family != AF_UNSPEC || !seen->known)
		return;
	row = results_add(r, "unsolicited", d, false,
			  silence->known ? silence->evidence : seen->evidence);
	if (!row)
		return;
	axis_unsolicited_word(UNSOLICITED_DELAYED, row->declared);
	axis_unsolicited_word(seen->value, row->observed);
	row->holding = AXIS_BROKEN;
	if (seen->value == UNSOLICITED_DELAYED && silence->value >= (int)promised) {
		row->holding = AXIS_HELD;
	} else if (seen->value == UNSOLICITED_DELAYED) {
		snprintf(row->declared, sizeof(row->declared), "ICMP after %.3g s",
			 (double)promised / 1000);
		snprintf(row->observed, sizeof(row->observed), "ICMP after %.3g s",
			 (double)silence->value / 1000);
	} else if (seen->value == UNSOLICITED_DROP && !silence->known) {
		snprintf(row->observed, sizeof(row->observed), "nothing at once");
		row->holding = AXIS_UNTESTED;
	}
}

void judge_own_axes(const struct declaration *d, struct results *r)
{
	judge_range(d, r);
	judge_block(d, r);
	judge_delayed(d, r);
	judge_lifetime(d, r);
	judge_transitory(d, r);
}
