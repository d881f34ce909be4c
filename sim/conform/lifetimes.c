/* SPDX-License-Identifier: MIT */
/*
 * How long a mapping, or the permission to use it, lives
 *
 * Asking refreshes, so each socket is asked once. Many are opened at one time, and their
 * peers knock at ages that grow by a twentieth: the last that gets in and the first
 * that does not enclose the lifetime. All protocols share the clock, so all of it takes
 * little longer than the longest lifetime.
 *
 * Then, with the lifetime known, what refreshes: one socket is kept alive by outbound
 * packets only, one by inbound packets only, and both are asked after the lifetime
 * has passed since they were opened, but not since they were refreshed; and so are two that
 * were busy before. While that is waited for, others are asked whose answers need a lifetime to
 * compare with: busy flows, connections that share a mapping with one that ended, ports of mappings
 * that ended.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "conform/busy.h"
#include "conform/hold.h"
#include "conform/lots.h"
#include "conform/probes.h"
#include "conform/rest.h"
#include "conform/stray.h"

/* What is to be asked at moments of its own while something else is waited for. */
struct agenda {
	struct lot *lots;
	size_t lot_count;
	struct hold *hold;   /* NULL for none */
	struct stray *stray; /* to be looked at often; NULL for none */
};

/* Ask whatever comes first; false when nothing is due until @moment. */
static bool ask_next(const struct agenda *agenda, uint64_t moment)
{
	struct lot *first = NULL;
	size_t l;

	for (l = 0; l < agenda->lot_count; l++)
		if (lot_due(&agenda->lots[l]) < (first ? lot_due(first) : moment))
			first = &agenda->lots[l];
	if (agenda->hold && hold_due(agenda->hold) < (first ? lot_due(first) : moment))
		hold_ask(agenda->hold);
	else if (first)
		lot_ask(first);
	else
		return false;
	return true;
}

/* UINT64_MAX: until nothing is left to ask. */
static void ask_until(const struct agenda *agenda, uint64_t moment)
{
	while (ask_next(agenda, moment))
		if (agenda->stray)
			stray_look(agenda->stray);
	if (moment != UINT64_MAX)
		bed_wait_until(moment);
}

/* What one socket, or its peer, did at which moment, and whether the peer got in at last. */
struct refresh {
	bool busy, inbound;
	struct speaker speaker;
	struct endpoint at;
	bool tried, alive, known;
	uint64_t born, refreshed[2], asked[2];
};

static void refresh_begin(struct speech *speech, struct refresh *r)
{
	struct busy busy;

	r->speaker = speaker_make(speech, 0, bed_fresh_port(speech->bed));
	r->tried = !r->busy || busy_make(&r->speaker, 0, &busy);
	r->born = bed_clock_ms();
	r->tried = r->tried && speaker_speak(&r->speaker, 0, PORT_A, &r->at);
}

/* A lifetime: this long for certain, and no longer than that. */
struct life {
	uint64_t least, most;
};

static void refresh_now(struct refresh *r, const struct life *life, const struct agenda *agenda)
{
	struct endpoint again;

	ask_until(agenda, r->born + life->least * 6 / 10);
	r->refreshed[0] = bed_clock_ms();
	if (r->tried)
		r->tried = r->inbound ? speaker_knock(&r->speaker, 0, PORT_A, &r->at, NULL)
				      : speaker_speak(&r->speaker, 0, PORT_A, &again);
	r->refreshed[1] = bed_clock_ms();
}

/*
 * A busy machine may let so much time pass that the answer says nothing: refreshed
 * too late, or asked so late that the refreshed one was at its end as well.
 */
static void refresh_ask(struct refresh *r, const struct life *life, const struct agenda *agenda)
{
	ask_until(agenda, r->born + life->most * 11 / 10);
	r->asked[0] = bed_clock_ms();
	r->alive = r->tried && speaker_knock(&r->speaker, 0, PORT_A, &r->at, NULL);
	r->asked[1] = bed_clock_ms();
	r->known = r->tried && r->refreshed[1] - r->born <= life->least * 9 / 10 &&
		   r->asked[1] - r->refreshed[0] <= life->least * 9 / 10;
}

static void see_refresh(struct observed *o, const struct refresh *r, const struct life *life)
{
	static const enum aspect aspects[2][2] = {{ASPECT_OUTBOUND, ASPECT_INBOUND},
						  {ASPECT_BUSY_OUTBOUND, ASPECT_BUSY_INBOUND}};
	const enum aspect aspect = aspects[r->busy][r->inbound];

	if (!r->known) {
		unseen(o, aspect, NAT_UDP, "the machine was too busy to refresh and ask in time");
		return;
	}
	see(o, aspect, NAT_UDP, r->alive,
	    "lifetime %llu ms, refreshed by an %s packet after %llu ms: the answer %s "
	    "after %llu ms",
	    (unsigned long long)life->most, r->inbound ? "inbound" : "outbound",
	    (unsigned long long)(r->refreshed[0] - r->born),
	    r->alive ? "gets in" : "does not get in", (unsigned long long)(r->asked[0] - r->born));
}

enum { REFRESHES = 4 };

static bool all_known(const struct refresh r[REFRESHES])
{
	return r[0].known && r[1].known && r[2].known && r[3].known;
}

/* All at one time, and again while one of them knows nothing. */
static void try_refresh(struct speech *speech, const struct life *life, const struct agenda *agenda,
			struct observed *o)
{
	struct refresh r[REFRESHES] = {{.busy = true, .inbound = false},
				       {.busy = true, .inbound = true},
				       {.busy = false, .inbound = false},
				       {.busy = false, .inbound = true}};
	int tries;
	size_t i;

	for (tries = 0; tries < 3 && !all_known(r); tries++) {
		for (i = 0; i < REFRESHES; i++)
			refresh_begin(speech, &r[i]);
		for (i = 0; i < REFRESHES; i++)
			refresh_now(&r[i], life, agenda);
		for (i = 0; i < REFRESHES; i++)
			refresh_ask(&r[i], life, agenda);
	}
	for (i = 0; i < REFRESHES; i++)
		see_refresh(o, &r[i], life);
}

static void probe_refresh(struct bed *bed, const struct agenda *agenda, struct observed *o)
{
	const struct seen *end = &o->seen[ASPECT_LIFETIME_END][NAT_UDP];
	const struct life life = {(uint64_t)o->seen[ASPECT_LIFETIME][NAT_UDP].value,
				  (uint64_t)end->value};
	struct speech speech = speech_begin(bed, NAT_UDP);

	if (end->known) {
		try_refresh(&speech, &life, agenda, o);
		return;
	}
	unseen(o, ASPECT_OUTBOUND, NAT_UDP, "no lifetime was seen to end");
	unseen(o, ASPECT_INBOUND, NAT_UDP, "no lifetime was seen to end");
	unseen(o, ASPECT_BUSY_OUTBOUND, NAT_UDP, "no lifetime was seen to end");
	unseen(o, ASPECT_BUSY_INBOUND, NAT_UDP, "no lifetime was seen to end");
}

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
	ask_until(&agenda, UINT64_MAX);
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

/* What needs lifetimes to compare with, all at one time. */
static void probe_by_lives(struct bed *bed, struct observed *o)
{
	const struct seen *transitory =
		&o->seen[transitory_kind(o) == LOT_CLOSED ? ASPECT_CLOSED_END
							  : ASPECT_TRANSITORY_END][NAT_TCP];
	const struct comparison comparisons[] = {
		{NAT_UDP, LOT_BUSY, ASPECT_BUSY_LIFETIME, &o->seen[ASPECT_LIFETIME_END][NAT_UDP]},
		{NAT_TCP, LOT_RESET, ASPECT_RESET, transitory},
		{NAT_TCP, LOT_CLOSED, ASPECT_CLOSED, transitory},
	};
	/* The last one may have been seen already. */
	const size_t count = transitory_kind(o) == LOT_CLOSED ? 2 : 3;
	AUTO_FREE struct lot *lots = calloc(count, sizeof(*lots));
	struct agenda agenda = {.lots = lots, .lot_count = count};
	size_t mark = bed->socket_count, i;
	struct hold hold;
	struct rest rest;

	if (!lots) {
		bed->error = -ENOMEM;
		return;
	}
	agenda.hold = &hold;
	rest_begin(bed, o, &rest);
	hold_begin(bed, o, transitory, &hold);
	for (i = 0; i < count; i++)
		if (comparisons[i].end->known) {
			lot_ages_around(&lots[i], (unsigned int)comparisons[i].end->value);
			lot_open(bed, comparisons[i].protocol, comparisons[i].kind, o, &lots[i]);
		}
	probe_refresh(bed, &agenda, o);
	ask_until(&agenda, UINT64_MAX);
	rest_end(&rest, o);
	hold_see(&hold, o);
	for (i = 0; i < count; i++)
		if (comparisons[i].end->known)
			lot_see(&lots[i], o);
		else
			unseen(o, comparisons[i].aspect, comparisons[i].protocol,
			       "no lifetime was seen to end");
	bed_close_since(bed, mark);
}

void probe_lifetimes(struct bed *bed, unsigned int bound_ms, struct observed *o)
{
	probe_lives(bed, bound_ms, o);
	probe_by_lives(bed, o);
}

/*
 * Where the NAT is the kernel's own, its lifetimes are conntrack's: read, not waited
 * for. A UDP flow that nobody has answered has one of its own, and the shorter counts.
 */
static const struct kernel_timer {
	enum nat_protocol protocol;
	const char *key;
	int least; /* seconds that the RFC asks for (4787 REQ-5, 5382 REQ-5, 5508 REQ-2) */
} kernel_timers[] = {
	{NAT_UDP, "net/netfilter/nf_conntrack_udp_timeout", 120},
	{NAT_UDP, "net/netfilter/nf_conntrack_udp_timeout_stream", 120},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_established", 7440},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_syn_sent", 240},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_syn_recv", 240},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_fin_wait", 240},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_last_ack", 240},
	{NAT_ICMP, "net/netfilter/nf_conntrack_icmp_timeout", 60},
};

void read_lifetimes(struct bed *bed, struct observed *o)
{
	const struct kernel_timer *timer;
	const struct seen *seen;
	size_t i;
	int value;

	for (i = 0; i < sizeof(kernel_timers) / sizeof(kernel_timers[0]); i++) {
		timer = &kernel_timers[i];
		seen = &o->seen[ASPECT_LONG_ENOUGH][timer->protocol];
		if (netns_sysctl_read(bed->router, timer->key, &value) < 0 ||
		    (seen->known && !seen->value))
			continue;
		see(o, ASPECT_LONG_ENOUGH, timer->protocol, value >= timer->least,
		    "sysctl %s: %d s", timer->key, value);
	}
}

/* With conntrack's shortest timers: it counts whole seconds. */
void probe_kernel_refresh(struct bed *bed, struct observed *o)
{
	const struct seen *passes = &o->seen[ASPECT_PASSES][NAT_UDP];
	struct speech speech = speech_begin(bed, NAT_UDP);
	const struct life second = {1000, 1100};
	const struct agenda nothing = {0};
	size_t mark = bed->socket_count;

	if (!passes->known || !passes->value ||
	    netns_sysctl(bed->router, "net/netfilter/nf_conntrack_udp_timeout", "1") < 0 ||
	    netns_sysctl(bed->router, "net/netfilter/nf_conntrack_udp_timeout_stream", "1") < 0)
		return;
	try_refresh(&speech, &second, &nothing, o);
	bed_close_since(bed, mark);
}
