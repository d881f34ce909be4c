/* SPDX-License-Identifier: MIT */
/*
 * One socket is kept alive by an outbound packet only, one by an inbound packet only, and both are
 * asked when the lifetime has passed since they were opened, but not since they were refreshed.
 *
 * Two more have been busy before, and stay so: they, or their peers, do not fall silent before the
 * moment of the refresh. A NAT that has a short way for such flows, and forgets to refresh on it,
 * lets them end though they were never idle.
 */
#include "conform/refresh.h"

enum { TRIES = 3, PEER = 0 };

static void warm(struct refreshes *all, struct refresh *r)
{
	if (!r->busy)
		return;
	r->speaker = speaker_make(&all->speech, 0, bed_fresh_port(all->speech.bed));
	r->flow = (struct busy){.out = {0}};
	r->warm = busy_burst(&r->speaker, PEER, PORT_A, BUSY_PACKETS, &r->flow);
}

void refreshes_begin(struct bed *bed, bool busy, struct refreshes *ret)
{
	size_t i;

	*ret = (struct refreshes){.speech = speech_begin(bed, NAT_UDP)};
	for (i = 0; i < REFRESHES; i++) {
		ret->each[i].inbound = i % 2;
		ret->each[i].busy = busy && i < REFRESHES_BUSY;
		warm(ret, &ret->each[i]);
	}
}

static void begin(struct refreshes *all, size_t i)
{
	struct refresh *r = &all->each[i];

	if (r->busy)
		busy_burst(&r->speaker, PEER, PORT_A, BUSY_AGAIN, &r->flow);
	else
		r->speaker = speaker_make(&all->speech, 0, bed_fresh_port(all->speech.bed));
	r->born = bed_clock_ms();
	r->tried = speaker_speak(&r->speaker, PEER, PORT_A, &r->at);
	if (r->busy)
		all->chats[i] = (struct chat){&r->speaker, r->inbound, r->at, bed_clock_ms()};
}

static void refresh(struct refreshes *all, size_t i, const struct life *life,
		    const struct agenda *agenda)
{
	struct refresh *r = &all->each[i];
	struct endpoint again;

	agenda_until(agenda, r->born + life->least * 6 / 10);
	if (r->busy)
		all->chats[i].speaker = NULL;
	r->refreshed[0] = bed_clock_ms();
	if (r->tried)
		r->tried = r->inbound ? speaker_knock(&r->speaker, PEER, PORT_A, &r->at, NULL)
				      : speaker_speak(&r->speaker, PEER, PORT_A, &again);
	r->refreshed[1] = bed_clock_ms();
}

/*
 * A busy machine may let so much time pass that the answer says nothing: refreshed
 * too late, or asked so late that the refreshed one was at its end as well.
 */
static void ask(struct refresh *r, const struct life *life, const struct agenda *agenda)
{
	agenda_until(agenda, r->born + life->most * 11 / 10);
	r->asked[0] = bed_clock_ms();
	r->alive = r->tried && speaker_knock(&r->speaker, PEER, PORT_A, &r->at, NULL);
	r->asked[1] = bed_clock_ms();
	r->known = r->tried && r->refreshed[1] - r->born <= life->least * 9 / 10 &&
		   r->asked[1] - r->refreshed[0] <= life->least * 9 / 10;
}

static const enum aspect aspects[REFRESHES] = {ASPECT_BUSY_OUTBOUND, ASPECT_BUSY_INBOUND,
					       ASPECT_OUTBOUND, ASPECT_INBOUND};

static void see_one(struct observed *o, const struct refresh *r, enum aspect aspect,
		    const struct life *life)
{
	if (!r->known) {
		unseen(o, aspect, NAT_UDP, "the machine was too busy to refresh and ask in time");
		return;
	}
	see(o, aspect, NAT_UDP, r->alive,
	    "lifetime %llu ms, refreshed by %s packet%s %llu ms: the answer %s after %llu ms",
	    (unsigned long long)life->most, r->inbound ? "an inbound" : "an outbound",
	    r->busy ? " every 10 ms until" : " after",
	    (unsigned long long)(r->refreshed[0] - r->born),
	    r->alive ? "gets in" : "does not get in", (unsigned long long)(r->asked[0] - r->born));
}

static bool all_known(const struct refreshes *all)
{
	size_t i;

	for (i = 0; i < REFRESHES; i++)
		if (!all->each[i].known)
			return false;
	return true;
}

static void try_once(struct refreshes *all, const struct life *life, const struct agenda *agenda)
{
	size_t i;

	for (i = 0; i < REFRESHES; i++)
		begin(all, i);
	for (i = 0; i < REFRESHES; i++)
		refresh(all, i, life, agenda);
	for (i = 0; i < REFRESHES; i++)
		ask(&all->each[i], life, agenda);
}

void refreshes_try(struct refreshes *all, const struct life *life, const struct agenda *agenda,
		   struct observed *o)
{
	int tries;
	size_t i;

	for (tries = 0; tries < TRIES && !all_known(all); tries++) {
		for (i = 0; i < REFRESHES && tries; i++)
			warm(all, &all->each[i]);
		if (tries && all->each[0].busy)
			agenda_until(agenda, bed_clock_ms() + BUSY_PAUSE_MS);
		try_once(all, life, agenda);
	}
	for (i = 0; i < REFRESHES; i++)
		if (all->each[i].busy || i >= REFRESHES_BUSY)
			see_one(o, &all->each[i], aspects[i], life);
}

void refreshes_unseen(struct observed *o, const char *reason)
{
	size_t i;

	for (i = 0; i < REFRESHES; i++)
		unseen(o, aspects[i], NAT_UDP, "%s", reason);
}
