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
 * has passed since they were opened, but not since they were refreshed.
 */
#include "conform/probes.h"
#include "conform/rest.h"
#include "conform/speech.h"
#include "conform/stray.h"

enum { AGES = 48, PORT_HALF = 7003 };

/*
 * Sockets opened at one time. Those of a half-open lot are TCP's whose SYN nobody answers, and
 * what asks is a SYN from where theirs went.
 */
struct lot {
	struct speech speech;
	struct speaker speakers[AGES];
	struct endpoint external[AGES];
	uint64_t born[AGES][2]; /* between these two moments */
	bool open, half;
	int near, far;              /* of a half-open lot: they see SYNs on either side */
	int last_alive, first_dead; /* ms; 0 for none yet */
};

static unsigned int age_of(size_t i, unsigned int bound)
{
	double age = bound;
	size_t n;

	for (n = i; n + 1 < AGES; n++)
		age /= 1.05;
	return (unsigned int)age;
}

static struct endpoint half_peer(const struct lot *lot)
{
	return bed_peer(lot->speech.bed, 1, PORT_HALF);
}

/* A SYN that stays without an answer, and is not repeated. */
static bool half_open(struct lot *lot, size_t i)
{
	struct bed *bed = lot->speech.bed;
	struct endpoint to = half_peer(lot);
	size_t mark = bed->socket_count;

	bed_connect(bed, bed_tcp(bed, BED_INSIDE, &lot->speakers[i].local), &to);
	bed_settle(bed);
	bed_close_since(bed, mark);
	return bed_next_syn(lot->far, to.port, &lot->external[i]);
}

static bool half_answered(struct lot *lot, size_t i)
{
	struct bed *bed = lot->speech.bed;
	struct endpoint from = half_peer(lot), heard;
	size_t mark = bed->socket_count;

	bed_connect(bed, bed_tcp(bed, BED_OUTSIDE, &from), &lot->external[i]);
	bed_settle(bed);
	bed_close_since(bed, mark);
	return bed_next_syn(lot->near, lot->speakers[i].local.port, &heard);
}

static void prepare_half(struct bed *bed, struct lot *lot)
{
	struct endpoint peer = half_peer(lot);

	bed_deafen(bed, bed_listen(bed, BED_OUTSIDE, &peer));
	lot->near = bed_tcp_tap(bed, BED_INSIDE, &bed->hosts[0]);
	lot->far = bed_tcp_tap(bed, BED_OUTSIDE, &peer.addr);
}

static void open_lot(struct bed *bed, enum nat_protocol protocol, bool half,
		     const struct observed *o, struct lot *lot)
{
	const struct seen *passes = &o->seen[ASPECT_PASSES][protocol];
	size_t i;

	*lot = (struct lot){.speech = speech_begin(bed, protocol), .half = half};
	lot->open = passes->known && passes->value;
	if (lot->open && half)
		prepare_half(bed, lot);
	for (i = 0; i < AGES && lot->open; i++) {
		lot->speakers[i] = speaker_make(&lot->speech, 0, bed_fresh_port(bed));
		lot->born[i][0] = bed_clock_ms();
		lot->open = half ? half_open(lot, i)
				 : speaker_speak(&lot->speakers[i], 0, PORT_A, &lot->external[i]);
		lot->born[i][1] = bed_clock_ms();
	}
}

static void ask(struct lot *lot, size_t i, unsigned int age)
{
	uint64_t before;
	bool alive;

	if (!lot->open)
		return;
	bed_wait_until(lot->born[i][1] + age);
	before = bed_clock_ms();
	alive = lot->half ? half_answered(lot, i)
			  : speaker_answered(&lot->speakers[i], 0, PORT_A, &lot->external[i]);
	if (alive)
		lot->last_alive = (int)(before - lot->born[i][1]);
	else if (lot->first_dead == 0)
		lot->first_dead = (int)(bed_clock_ms() - lot->born[i][0]);
}

static void see_lot(struct observed *o, const struct lot *lot)
{
	enum aspect begin = lot->half ? ASPECT_TRANSITORY : ASPECT_LIFETIME;
	enum aspect end = lot->half ? ASPECT_TRANSITORY_END : ASPECT_LIFETIME_END;
	const char *what =
		lot->half ? "the peer's SYN, to one it did not answer," : "the peer's answer";
	enum nat_protocol protocol = lot->speech.protocol;

	if (!lot->open) {
		unseen(o, begin, protocol, "not every socket got out");
		return;
	}
	if (lot->half && lot->last_alive == 0) {
		unseen(o, begin, protocol, "%s never gets in", what);
		return;
	}
	if (lot->first_dead == 0) {
		see(o, begin, protocol, lot->last_alive, "after %d ms %s still gets in",
		    lot->last_alive, what);
		return;
	}
	see(o, begin, protocol, lot->last_alive, "%s gets in after %d ms, and not after %d ms",
	    what, lot->last_alive, lot->first_dead);
	see(o, end, protocol, lot->first_dead, "%s", "");
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

static void refresh_now(struct refresh *r, uint64_t lifetime)
{
	struct endpoint again;

	bed_wait_until(r->born + lifetime * 6 / 10);
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
static void refresh_ask(struct refresh *r, uint64_t lifetime)
{
	bed_wait_until(r->born + lifetime * 12 / 10);
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
static void try_refresh(struct speech *speech, uint64_t lifetime, struct observed *o)
{
	struct refresh both[2] = {{.inbound = false}, {.inbound = true}};
	int tries;
	size_t i;

	for (tries = 0; tries < 3 && !(both[0].known && both[1].known); tries++) {
		for (i = 0; i < 2; i++)
			refresh_begin(speech, &both[i]);
		for (i = 0; i < 2; i++)
			refresh_now(&both[i], lifetime);
		for (i = 0; i < 2; i++)
			refresh_ask(&both[i], lifetime);
	}
	for (i = 0; i < 2; i++)
		see_refresh(o, &both[i], lifetime);
}

static void probe_refresh(struct bed *bed, struct observed *o)
{
	const struct seen *end = &o->seen[ASPECT_LIFETIME_END][NAT_UDP];
	struct speech speech = speech_begin(bed, NAT_UDP);

	if (end->known) {
		try_refresh(&speech, (uint64_t)end->value, o);
		return;
	}
	unseen(o, ASPECT_OUTBOUND, NAT_UDP, "no lifetime was seen to end");
	unseen(o, ASPECT_INBOUND, NAT_UDP, "no lifetime was seen to end");
}

void probe_lifetimes(struct bed *bed, unsigned int bound_ms, struct observed *o)
{
	size_t mark = bed->socket_count, i, l;
	struct lot lots[NAT_PROTOCOLS + 1];
	const size_t count = sizeof(lots) / sizeof(lots[0]);
	struct stray stray;
	struct rest rest;

	stray_begin(bed, o, &stray);
	for (l = 0; l < NAT_PROTOCOLS; l++)
		open_lot(bed, (enum nat_protocol)l, false, o, &lots[l]);
	open_lot(bed, NAT_TCP, true, o, &lots[l]);
	for (i = 0; i < AGES; i++) {
		for (l = 0; l < count; l++)
			ask(&lots[l], i, age_of(i, bound_ms));
		stray_look(&stray);
	}
	stray_end(&stray, o);
	for (l = 0; l < count; l++)
		see_lot(o, &lots[l]);
	bed_close_since(bed, mark);
	rest_begin(bed, o, &rest);
	probe_refresh(bed, o);
	rest_end(&rest, o);
	bed_close_since(bed, mark);
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
	size_t mark = bed->socket_count;

	if (!passes->known || !passes->value ||
	    netns_sysctl(bed->router, "net/netfilter/nf_conntrack_udp_timeout", "1") < 0 ||
	    netns_sysctl(bed->router, "net/netfilter/nf_conntrack_udp_timeout_stream", "1") < 0)
		return;
	try_refresh(&speech, 1000, o);
	bed_close_since(bed, mark);
}
