/* SPDX-License-Identifier: MIT */
/*
 * How long a mapping, or the permission to use it, lives
 *
 * Asking refreshes, so each socket is asked once. Many are opened at one time, and their
 * peers knock at ages that grow by a twentieth: the last that gets in and the first
 * that does not enclose the lifetime. All protocols share the clock, so all of it takes
 * little longer than the longest lifetime.
 *
 * Then, with the lifetimes known, all that needs one to compare with: what refreshes, busy flows,
 * connections that are over, those that share a mapping with one that is, ports of mappings that
 * ended. These share the clock, too.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "conform/agenda.h"
#include "conform/probes.h"
#include "conform/refresh.h"
#include "conform/rest.h"

/* Where no SYN gets in to a half-open connection, one that is over tells the transitory life. */
static enum lot_kind transitory_kind(const struct observed *o)
{
	const struct seen *simultaneous = &o->seen[ASPECT_SIMULTANEOUS][NAT_TCP];

	return simultaneous->known && !simultaneous->value ? LOT_CLOSED : LOT_HALF_OPEN;
}

/* Lifetimes of which nothing is known: an idle flow's of each protocol, and TCP's transitory one.
 */
static void probe_lives(struct bed *bed, unsigned int bound_ms, struct observed *o)
{
	const struct {
		enum nat_protocol protocol;
		enum lot_kind kind;
	} kinds[] = {{NAT_UDP, LOT_IDLE},
		     {NAT_TCP, LOT_IDLE},
		     {NAT_ICMP, LOT_IDLE},
		     {NAT_TCP, transitory_kind(o)}};
	enum { COUNT = sizeof(kinds) / sizeof(kinds[0]) };
	AUTO_FREE struct lot *lots = calloc(COUNT, sizeof(*lots));
	struct stray stray;
	const struct agenda agenda = {.lots = lots, .lot_count = COUNT, .stray = &stray};
	size_t mark = bed->socket_count, i;

	if (!lots) {
		bed->error = -ENOMEM;
		return;
	}
	stray_begin(bed, o, &stray);
	for (i = 0; i < COUNT; i++) {
		lot_ages_up_to(&lots[i], bound_ms);
		lot_open(bed, kinds[i].protocol, kinds[i].kind, o, &lots[i]);
	}
	agenda_until(&agenda, UINT64_MAX);
	stray_end(&stray, o);
	for (i = 0; i < COUNT; i++)
		lot_see(&lots[i], o);
	bed_close_since(bed, mark);
}

/* Is one kind's lifetime another's, which is known when @end is? */
struct comparison {
	enum nat_protocol protocol;
	enum lot_kind kind;
	enum aspect aspect;
	const struct seen *end;
};

static void open_compared(struct bed *bed, const struct comparison *c, const struct observed *o,
			  struct lot *lot)
{
	if (!c->end->known)
		return;
	if (c->kind != LOT_BUSY)
		lot_ages_around(lot, (unsigned int)c->end->value);
	lot_open(bed, c->protocol, c->kind, o, lot);
}

static void see_compared(const struct comparison *c, const struct lot *lot, struct observed *o)
{
	if (c->end->known)
		lot_see(lot, o);
	else
		unseen(o, c->aspect, c->protocol, "no lifetime was seen to end");
}

/* What needs lifetimes to compare with, all at one time. */
static void probe_by_lives(struct bed *bed, struct observed *o)
{
	enum { MOST = 3, BUSY = 0 };
	const struct seen *least = &o->seen[ASPECT_LIFETIME][NAT_UDP];
	const struct seen *most = &o->seen[ASPECT_LIFETIME_END][NAT_UDP];
	const struct seen *transitory =
		&o->seen[transitory_kind(o) == LOT_CLOSED ? ASPECT_CLOSED_END
							  : ASPECT_TRANSITORY_END][NAT_TCP];
	const struct comparison comparisons[MOST] = {
		[BUSY] = {NAT_UDP, LOT_BUSY, ASPECT_BUSY_LIFETIME, most},
		{NAT_TCP, LOT_RESET, ASPECT_RESET, transitory},
		{NAT_TCP, LOT_CLOSED, ASPECT_CLOSED, transitory},
	};
	/* The last one may have been seen already. */
	const size_t count = transitory_kind(o) == LOT_CLOSED ? MOST - 1 : MOST;
	const struct life life = {(uint64_t)least->value, (uint64_t)most->value};
	AUTO_FREE struct lot *lots = calloc(MOST, sizeof(*lots));
	struct refreshes refreshes;
	struct agenda agenda = {.lots = lots,
				.lot_count = count,
				.chats = refreshes.chats,
				.chat_count = REFRESHES_BUSY};
	size_t mark = bed->socket_count, i;
	struct hold hold;
	struct rest rest;
	uint64_t warm;

	if (!lots) {
		bed->error = -ENOMEM;
		return;
	}
	refreshes_begin(bed, most->known, &refreshes);
	if (most->known) {
		lot_ages_at(&lots[BUSY], (unsigned int)life.least, (unsigned int)life.most);
		lot_warm(bed, &lots[BUSY]);
	}
	warm = bed_clock_ms() + (most->known ? BUSY_PAUSE_MS : 0);
	rest_begin(bed, o, &rest);
	for (i = BUSY + 1; i < count; i++)
		open_compared(bed, &comparisons[i], o, &lots[i]);
	hold_begin(bed, o, transitory, &hold);
	agenda.hold = &hold;
	agenda_until(&agenda, warm);
	open_compared(bed, &comparisons[BUSY], o, &lots[BUSY]);
	if (most->known)
		refreshes_try(&refreshes, &life, &agenda, o);
	else
		refreshes_unseen(o, "no lifetime was seen to end");
	agenda_until(&agenda, UINT64_MAX);
	rest_end(&rest, o);
	hold_see(&hold, o);
	for (i = 0; i < count; i++)
		see_compared(&comparisons[i], &lots[i], o);
	bed_close_since(bed, mark);
}

void probe_lifetimes(struct bed *bed, unsigned int bound_ms, struct observed *o)
{
	probe_lives(bed, bound_ms, o);
	probe_by_lives(bed, o);
}
