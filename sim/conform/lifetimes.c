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
#include "conform/speech.h"

enum { AGES = 48 };

struct lot {
	struct speech speech;
	struct speaker speakers[AGES];
	struct endpoint external[AGES];
	uint64_t born[AGES][2]; /* between these two moments */
	bool open;
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

static void open_lot(struct bed *bed, enum nat_protocol protocol, const struct observed *o,
		     struct lot *lot)
{
	const struct seen *passes = &o->seen[ASPECT_PASSES][protocol];
	size_t i;

	*lot = (struct lot){.speech = speech_begin(bed, protocol)};
	lot->open = passes->known && passes->value;
	for (i = 0; i < AGES && lot->open; i++) {
		lot->speakers[i] = speaker_make(&lot->speech, 0, bed_fresh_port(bed));
		lot->born[i][0] = bed_clock_ms();
		lot->open = speaker_speak(&lot->speakers[i], 0, PORT_A, &lot->external[i]);
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
	alive = speaker_answered(&lot->speakers[i], 0, PORT_A, &lot->external[i]);
	if (alive)
		lot->last_alive = (int)(before - lot->born[i][1]);
	else if (lot->first_dead == 0)
		lot->first_dead = (int)(bed_clock_ms() - lot->born[i][0]);
}

static void see_lot(struct observed *o, enum nat_protocol protocol, const struct lot *lot)
{
	if (!lot->open) {
		unseen(o, ASPECT_LIFETIME, protocol, "not every socket got out");
		return;
	}
	if (lot->first_dead == 0) {
		see(o, ASPECT_LIFETIME, protocol, lot->last_alive,
		    "after %d ms the peer's answer still gets in", lot->last_alive);
		return;
	}
	see(o, ASPECT_LIFETIME, protocol, lot->last_alive,
	    "the peer's answer gets in after %d ms, and not after %d ms", lot->last_alive,
	    lot->first_dead);
	see(o, ASPECT_LIFETIME_END, protocol, lot->first_dead, "%s", "");
}

/* What one socket, or its peer, did at which moment, and whether the peer got in at last. */
struct refresh {
	bool tried, alive;
	uint64_t born, refreshed[2], asked[2];
};

static struct refresh refresh(struct speech *speech, bool inbound, uint64_t lifetime)
{
	struct speaker speaker = speaker_make(speech, 0, bed_fresh_port(speech->bed));
	struct refresh r = {.born = bed_clock_ms()};
	struct endpoint at, again;

	if (!speaker_speak(&speaker, 0, PORT_A, &at))
		return r;
	bed_wait_until(r.born + lifetime * 6 / 10);
	r.refreshed[0] = bed_clock_ms();
	r.tried = inbound ? speaker_knock(&speaker, 0, PORT_A, &at, NULL)
			  : speaker_speak(&speaker, 0, PORT_A, &again);
	r.refreshed[1] = bed_clock_ms();
	bed_wait_until(r.born + lifetime * 12 / 10);
	r.asked[0] = bed_clock_ms();
	r.alive = speaker_knock(&speaker, 0, PORT_A, &at, NULL);
	r.asked[1] = bed_clock_ms();
	return r;
}

/*
 * A busy machine may let so much time pass that the answer says nothing: refreshed
 * too late, or asked so late that the refreshed one was at its end as well. Then again.
 */
static void probe_refresh_by(struct speech *speech, bool inbound, struct observed *o)
{
	const struct seen *end = &o->seen[ASPECT_LIFETIME_END][NAT_UDP];
	const enum aspect aspect = inbound ? ASPECT_INBOUND : ASPECT_OUTBOUND;
	uint64_t lifetime = (uint64_t)end->value;
	struct refresh r;
	int tries;

	for (tries = 0; tries < 3; tries++) {
		r = refresh(speech, inbound, lifetime);
		if (!r.tried || r.refreshed[1] - r.born > lifetime * 8 / 10 ||
		    r.asked[1] - r.refreshed[0] > lifetime * 8 / 10)
			continue;
		see(o, aspect, NAT_UDP, r.alive,
		    "lifetime %llu ms, refreshed by an %s packet after %llu ms: the answer %s "
		    "after %llu ms",
		    (unsigned long long)lifetime, inbound ? "inbound" : "outbound",
		    (unsigned long long)(r.refreshed[0] - r.born),
		    r.alive ? "gets in" : "does not get in",
		    (unsigned long long)(r.asked[0] - r.born));
		return;
	}
	unseen(o, aspect, NAT_UDP, "the machine was too busy to refresh and ask in time");
}

static void probe_refresh(struct bed *bed, struct observed *o)
{
	struct speech speech = speech_begin(bed, NAT_UDP);

	if (!o->seen[ASPECT_LIFETIME_END][NAT_UDP].known) {
		unseen(o, ASPECT_OUTBOUND, NAT_UDP, "no lifetime was seen to end");
		unseen(o, ASPECT_INBOUND, NAT_UDP, "no lifetime was seen to end");
		return;
	}
	probe_refresh_by(&speech, false, o);
	probe_refresh_by(&speech, true, o);
}

void probe_lifetimes(struct bed *bed, unsigned int bound_ms, struct observed *o)
{
	size_t mark = bed->socket_count, i;
	struct lot lots[NAT_PROTOCOLS];
	int protocol;

	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++)
		open_lot(bed, (enum nat_protocol)protocol, o, &lots[protocol]);
	for (i = 0; i < AGES; i++)
		for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++)
			ask(&lots[protocol], i, age_of(i, bound_ms));
	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++)
		see_lot(o, (enum nat_protocol)protocol, &lots[protocol]);
	bed_close_since(bed, mark);
	probe_refresh(bed, o);
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
