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
 * has passed since they were opened, but not since they were refreshed. While that is waited
 * for, others are asked whose answers need a lifetime to compare with: busy flows, connections
 * that share a mapping with one that ended, ports of mappings that ended.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
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
	bool inbound;
	struct speaker speaker;
	struct endpoint at;
	bool tried, alive, known;
	uint64_t born, refreshed[2], asked[2];
};

static void refresh_begin(struct speech *speech, struct refresh *r)
{
	r->speaker = speaker_make(speech, 0, bed_fresh_port(speech->bed));
	r->born = bed_clock_ms();
	r->tried = speaker_speak(&r->speaker, 0, PORT_A, &r->at);
}

static void refresh_now(struct refresh *r, uint64_t lifetime, const struct agenda *agenda)
{
	struct endpoint again;

	ask_until(agenda, r->born + lifetime * 6 / 10);
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
static void refresh_ask(struct refresh *r, uint64_t lifetime, const struct agenda *agenda)
{
	ask_until(agenda, r->born + lifetime * 12 / 10);
	r->asked[0] = bed_clock_ms();
	r->alive = r->tried && speaker_knock(&r->speaker, 0, PORT_A, &r->at, NULL);
	r->asked[1] = bed_clock_ms();
	r->known = r->tried && r->refreshed[1] - r->born <= lifetime * 8 / 10 &&
		   r->asked[1] - r->refreshed[0] <= lifetime * 8 / 10;
}

static void see_refresh(struct observed *o, const struct refresh *r, uint64_t lifetime)
{
	const enum aspect aspect = r->inbound ? ASPECT_INBOUND : ASPECT_OUTBOUND;

	if (!r->known) {
		unseen(o, aspect, NAT_UDP, "the machine was too busy to refresh and ask in time");
		return;
	}
	see(o, aspect, NAT_UDP, r->alive,
	    "lifetime %llu ms, refreshed by an %s packet after %llu ms: the answer %s "
	    "after %llu ms",
	    (unsigned long long)lifetime, r->inbound ? "inbound" : "outbound",
	    (unsigned long long)(r->refreshed[0] - r->born),
	    r->alive ? "gets in" : "does not get in", (unsigned long long)(r->asked[0] - r->born));
}

/* Both at one time, and again while one of them knows nothing. */
static void try_refresh(struct speech *speech, uint64_t lifetime, const struct agenda *agenda,
			struct observed *o)
{
	struct refresh both[2] = {{.inbound = false}, {.inbound = true}};
	int tries;
	size_t i;

	for (tries = 0; tries < 3 && !(both[0].known && both[1].known); tries++) {
		for (i = 0; i < 2; i++)
			refresh_begin(speech, &both[i]);
		for (i = 0; i < 2; i++)
			refresh_now(&both[i], lifetime, agenda);
		for (i = 0; i < 2; i++)
			refresh_ask(&both[i], lifetime, agenda);
	}
	for (i = 0; i < 2; i++)
		see_refresh(o, &both[i], lifetime);
}

static void probe_refresh(struct bed *bed, const struct agenda *agenda, struct observed *o)
{
	const struct seen *end = &o->seen[ASPECT_LIFETIME_END][NAT_UDP];
	struct speech speech = speech_begin(bed, NAT_UDP);

	if (end->known) {
		try_refresh(&speech, (uint64_t)end->value, agenda, o);
		return;
	}
	unseen(o, ASPECT_OUTBOUND, NAT_UDP, "no lifetime was seen to end");
	unseen(o, ASPECT_INBOUND, NAT_UDP, "no lifetime was seen to end");
}

/* Each kind of lot, and with it the lifetimes. */
static void probe_lives(struct bed *bed, unsigned int bound_ms, struct observed *o)
{
	static const struct {
		enum nat_protocol protocol;
		enum lot_kind kind;
	} kinds[] = {{NAT_UDP, LOT_IDLE},      {NAT_TCP, LOT_IDLE},   {NAT_ICMP, LOT_IDLE},
		     {NAT_TCP, LOT_HALF_OPEN}, {NAT_TCP, LOT_CLOSED}, {NAT_TCP, LOT_RESET}};
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

/* What needs the lifetimes to compare with, all at one time. */
static void probe_by_lives(struct bed *bed, struct observed *o)
{
	const struct seen *end = &o->seen[ASPECT_LIFETIME_END][NAT_UDP];
	AUTO_FREE struct lot *busy = calloc(1, sizeof(*busy));
	size_t mark = bed->socket_count;
	struct agenda agenda = {.lots = busy, .lot_count = 1};
	struct hold hold;
	struct rest rest;

	if (!busy) {
		bed->error = -ENOMEM;
		return;
	}
	agenda.hold = &hold;
	if (end->known) {
		lot_ages_around(busy, (unsigned int)end->value);
		lot_open(bed, NAT_UDP, LOT_BUSY, o, busy);
	}
	hold_begin(bed, o, &hold);
	rest_begin(bed, o, &rest);
	probe_refresh(bed, &agenda, o);
	ask_until(&agenda, UINT64_MAX);
	rest_end(&rest, o);
	hold_see(&hold, o);
	if (end->known)
		lot_see(busy, o);
	else
		unseen(o, ASPECT_BUSY_LIFETIME, NAT_UDP, "no lifetime was seen to end");
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
	const struct agenda nothing = {0};
	size_t mark = bed->socket_count;

	if (!passes->known || !passes->value ||
	    netns_sysctl(bed->router, "net/netfilter/nf_conntrack_udp_timeout", "1") < 0 ||
	    netns_sysctl(bed->router, "net/netfilter/nf_conntrack_udp_timeout_stream", "1") < 0)
		return;
	try_refresh(&speech, 1000, &nothing, o);
	bed_close_since(bed, mark);
}
