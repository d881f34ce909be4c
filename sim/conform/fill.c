/* SPDX-License-Identifier: MIT */
/*
 * What happens when no port is left (RFC 6888 REQ-11, RFC 5508 REQ-8): mappings are
 * made until there are no more. Then who asked for the last hears ICMP or nothing,
 * and an earlier mapping is there or was sacrificed.
 *
 * That takes a range that is small, or has been made so: conform_observe() gives
 * a second bed to a NAT whose range is too large. Where it cannot be made small, since the rules
 * are the kernel's or somebody's own, sockets below 1024 may have one that is (RFC 4787 REQ-3a):
 * Linux gives those from 512 on what is free from 600 to 1023.
 */
#include "conform/fill.h"

#include <netinet/ip_icmp.h>

#include "conform/probes.h"

enum {
	FILL_SPREAD = 512,
	FILL_MAX = 320,
	FILL_FAILURES = 8,
	LOW_FIRST = 600,
	LOW_COUNT = 424,
	FILLER = 5,
	LOW_FILLER = 4,
};

struct nat nat_cut_down(const struct nat *nat, unsigned int few)
{
	const uint16_t first = 40000; /* a multiple of 64, as blocks begin at */
	const unsigned int count = nat->ports.block ? 2 * BED_HOSTS * few : few;
	struct nat small = *nat;

	small.ports.first = first;
	small.ports.last = (uint16_t)(first + count - 1);
	if (small.ports.block)
		small.ports.block = few;
	small.ports.step = 0; /* a long one leaves a small range at once */
	return small;
}

struct nat fillable_nat(const struct nat *nat)
{
	return nat_cut_down(nat, 64);
}

/* A host that opened sockets until it got nowhere. */
struct filling {
	struct speaker first, last;
	struct endpoint external; /* of the first */
	int icmp[2];              /* hear what the host is told, and who helped it */
	int low, high;            /* ports that were given */
	unsigned int count;
	bool full;
};

/*
 * The socket that is opened after @made others. Below 1024, one host has what can be kept, and then
 * another has the same.
 */
static struct speaker next_speaker(struct speech *speech, bool low, unsigned int made)
{
	if (!low)
		return speaker_make(speech, FILLER, bed_fresh_port(speech->bed));
	return speaker_make(speech, made < LOW_COUNT ? LOW_FILLER : FILLER,
			    (uint16_t)(LOW_FIRST + made % LOW_COUNT));
}

/*
 * A NAT that draws at random may give up though a port is left, so one failure is not
 * the end.
 */
static struct filling fill(struct speech *speech, bool low)
{
	const unsigned int most = low ? LOW_COUNT + FILL_FAILURES : FILL_MAX;
	const struct endpoint filler = bed_host(speech->bed, FILLER, 0);
	const struct endpoint helper = bed_host(speech->bed, LOW_FILLER, 0);
	struct bed *bed = speech->bed;
	struct filling f = {.first = next_speaker(speech, low, 0)};
	struct endpoint external;
	unsigned int failures = 0, made = 1;
	bool out;

	f.icmp[0] = bed_icmp(bed, BED_INSIDE, &filler.addr);
	f.icmp[1] = bed_icmp(bed, BED_INSIDE, &helper.addr);
	f.last = f.first;
	out = speaker_speak(&f.first, 2, PORT_A, &f.external);
	external = f.external;
	while (failures < FILL_FAILURES && f.count < most) {
		if (out) {
			f.low = f.count == 0 || external.port < f.low ? external.port : f.low;
			f.high = external.port > f.high ? external.port : f.high;
			f.count++;
		}
		f.last = next_speaker(speech, low, made++);
		out = speaker_speak(&f.last, 2, PORT_A, &external);
		failures = out ? 0 : failures + 1;
	}
	f.full = !out;
	return f;
}

static void see_full(struct filling *f, enum nat_protocol protocol, const char *where,
		     struct observed *o)
{
	struct bed_icmp message;
	struct endpoint again;
	int code = -1;
	bool same;

	while (bed_next_icmp(f->icmp[0], &message) || bed_next_icmp(f->icmp[1], &message))
		if (message.type == ICMP_DEST_UNREACH &&
		    message.about_from.port == f->last.local.port)
			code = message.code;
	see(o, ASPECT_EXHAUSTION, protocol, code >= 0 ? EXHAUSTION_ICMP : EXHAUSTION_DROP,
	    "%safter %u more mappings, the next socket's packet is dropped, and it hears %s", where,
	    f->count, code >= 0 ? "ICMP destination unreachable" : "nothing");
	if (code >= 0)
		see(o, ASPECT_EXHAUSTION_CODE, protocol, code,
		    "%swith no port left, a socket hears destination unreachable, code %d", where,
		    code);
	else
		see(o, ASPECT_EXHAUSTION_CODE, protocol, code,
		    "%swith no port left, a socket hears nothing", where);
	same = speaker_speak(&f->first, 2, PORT_A, &again) && endpoint_equal(&f->external, &again);
	see(o, ASPECT_SURVIVAL, protocol, same, "%swith no port left, an earlier socket is %s",
	    where, same ? "mapped as before" : "not mapped as before");
}

static void unseen_full(struct observed *o, enum nat_protocol protocol, const char *reason)
{
	unseen(o, ASPECT_CAPACITY, protocol, "%s", reason);
	unseen(o, ASPECT_EXHAUSTION, protocol, "%s", reason);
	unseen(o, ASPECT_EXHAUSTION_CODE, protocol, "%s", reason);
	unseen(o, ASPECT_SURVIVAL, protocol, "%s", reason);
}

/* Fill what there is; ports between @low and @high were given already. */
static void fill_all(struct speech *speech, int low, int high, struct observed *o)
{
	enum nat_protocol protocol = speech->protocol;
	struct filling f = fill(speech, false);

	low = f.count && f.low < low ? f.low : low;
	high = f.count && f.high > high ? f.high : high;
	see(o, ASPECT_LOWEST, protocol, low, "%u more mappings: %d to %d", f.count, low, high);
	see(o, ASPECT_HIGHEST, protocol, high, "%u more mappings: %d to %d", f.count, low, high);
	if (!f.full) {
		unseen_full(o, protocol, "hundreds of mappings found room");
		return;
	}
	see(o, ASPECT_CAPACITY, protocol, high - low + 1,
	    "%u more mappings, then no more; %d to %d", f.count, low, high);
	if (protocol == NAT_UDP)
		see_full(&f, protocol, "", o);
}

void fill_if_small(struct speech *speech, struct observed *o)
{
	const struct seen *low = &o->seen[ASPECT_LOWEST][speech->protocol];
	const struct seen *high = &o->seen[ASPECT_HIGHEST][speech->protocol];

	if (low->known && high->value - low->value <= FILL_SPREAD)
		fill_all(speech, low->value, high->value, o);
	else if (low->known)
		unseen_full(o, speech->protocol, "the range is too large to fill");
}

/* The first port of a range: the bed's own UDP socket has it; else a connection gets it. */
static bool first_port(struct speech *speech, struct endpoint *ret)
{
	struct speaker speaker;

	if (speech->protocol == NAT_UDP)
		return bed_tried(speech->bed, ret);
	speaker = speaker_make(speech, LOW_FILLER, bed_fresh_port(speech->bed));
	return speaker_speak(&speaker, 2, PORT_A, ret);
}

void probe_range(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, protocol);
	struct endpoint first;

	if (first_port(&speech, &first))
		fill_all(&speech, first.port, first.port, o);
	bed_close_since(bed, mark);
}

void probe_exhaustion(struct bed *bed, struct observed *o)
{
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, NAT_UDP);
	struct filling f = fill(&speech, false);

	if (f.full)
		see_full(&f, NAT_UDP, "its range cut down: ", o);
	bed_close_since(bed, mark);
}

void probe_low_exhaustion(struct bed *bed, struct observed *o)
{
	const struct seen *low = &o->seen[ASPECT_LOW_PORTS][NAT_UDP];
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, NAT_UDP);
	struct filling f;

	if (!low->known || !low->value) {
		unseen_full(o, NAT_UDP, "using up ports takes up to 64,512 mappings");
		return;
	}
	f = fill(&speech, true);
	if (f.full)
		see_full(&f, NAT_UDP, "below 1024: ", o);
	else
		unseen_full(o, NAT_UDP, "using up ports takes more than hundreds of mappings");
	bed_close_since(bed, mark);
}
