/* SPDX-License-Identifier: MIT */
/*
 * How external ports are chosen (RFC 4787 section 4.2). One host opens pairs of
 * neighbouring sockets, a second host the same ports after it. Ports that come out as
 * they were are kept; what is drawn instead, for the first host or for the second,
 * tells the rest: order, range, parity, neighbours, how far one host's lie apart.
 *
 * A NAT may keep only ports of its range. So when none is kept, ports between those it
 * drew are tried: nobody draws them by chance.
 */
#include <stdio.h>
#include <stdlib.h>

#include "conform/fill.h"
#include "conform/probes.h"
#include "conform/speech.h"

/* So many that chance gives all of them their parity in one case of a million. */
enum {
	PAIRS = 10,
	STRAY = 3,
	SAMPLES = 2 * PAIRS,
};

struct draws {
	uint16_t local[SAMPLES], external[SAMPLES];
	size_t count, kept;
};

/* Open @count pairs on @host from @first on; every external port that is seen is noted. */
static struct draws draw(struct speech *speech, size_t host, const uint16_t local[SAMPLES])
{
	struct draws d = {0};
	struct endpoint external;
	struct speaker speaker;
	size_t i;

	for (i = 0; i < SAMPLES; i++) {
		speaker = speaker_make(speech, host, local[i]);
		if (!speaker_speak(&speaker, 2, PORT_A, &external))
			continue;
		d.local[d.count] = local[i];
		d.external[d.count] = external.port;
		d.kept += external.port == local[i];
		d.count++;
	}
	return d;
}

static void choose_pairs(struct bed *bed, uint16_t ret[SAMPLES])
{
	size_t i;

	for (i = 0; i < PAIRS; i++) {
		ret[2 * i] = bed_fresh_port(bed) & 0xfffe;
		ret[2 * i + 1] = (uint16_t)(ret[2 * i] + 1);
	}
}

static void extent(const struct draws *d, int *ret_low, int *ret_high)
{
	size_t i;

	*ret_low = *ret_high = d->external[0];
	for (i = 1; i < d->count && i < SAMPLES; i++) {
		if (d->external[i] < *ret_low)
			*ret_low = d->external[i];
		if (d->external[i] > *ret_high)
			*ret_high = d->external[i];
	}
}

/*
 * Sequential: all steps in one direction, save one where the range begins anew. Twenty
 * random ports are never so. *ret_step is the commonest step.
 */
static bool sequential(const struct draws *d, int *ret_step)
{
	int step, most = 0, count, up = 0, down = 0;
	size_t i, j;

	if (d->count < 6)
		return false;
	for (i = 1; i < d->count; i++) {
		step = d->external[i] - d->external[i - 1];
		up += step > 0;
		down += step < 0;
		for (count = 0, j = 1; j < d->count; j++)
			count += d->external[j] - d->external[j - 1] == step;
		if (count > most) {
			most = count;
			*ret_step = step;
		}
	}
	return up <= 1 || down <= 1;
}

/* Are ports kept that lie between those which were drawn? */
static bool keeps_inner(struct speech *speech, const struct draws *d, uint16_t *ret)
{
	struct endpoint external;
	struct speaker speaker;
	int low, high, tried = 0, kept = 0;
	uint32_t port;
	size_t i;

	extent(d, &low, &high);
	for (port = (uint32_t)low + 1; tried < 4 && port < (uint32_t)high;
	     port += 1 + (uint32_t)(high - low) / 9) {
		for (i = 0; i < d->count && d->external[i] != port; i++)
			;
		if (i < d->count)
			continue;
		speaker = speaker_make(speech, 4, (uint16_t)port);
		if (!speaker_speak(&speaker, 2, PORT_A, &external))
			continue;
		tried++;
		kept += external.port == port;
		*ret = (uint16_t)port;
	}
	return tried > 1 && kept == tried;
}

/* For probes that need a port to be kept. */
static void note_kept(struct bed *bed, const struct draws *d, uint16_t inner)
{
	int low = 0, high = 0;

	if (inner)
		extent(d, &low, &high);
	bed->kept[0] = (uint16_t)low;
	bed->kept[1] = (uint16_t)high;
}

static void list_ports(const struct draws *d, char *text, size_t size)
{
	size_t i, used = 0;
	int n;

	text[0] = '\0';
	for (i = 0; i < d->count && i < 5 && used < size; i++) {
		n = snprintf(text + used, size - used, "%s%u", i ? ", " : "", d->external[i]);
		if (n < 0)
			return;
		used += (size_t)n;
	}
}

static void see_order(struct observed *o, enum nat_protocol protocol, const struct draws *drawn,
		      bool preserving, uint16_t inner)
{
	char list[64];
	int step = 0;

	list_ports(drawn, list, sizeof(list));
	if (preserving && inner)
		see(o, ASPECT_ALLOCATION, protocol, PORTS_PRESERVING,
		    "within its range ports are kept, as %u is; others become %s", inner, list);
	else if (preserving)
		see(o, ASPECT_ALLOCATION, protocol, PORTS_PRESERVING,
		    "%zu of %d ports of a host that has them alone are kept", drawn->kept, SAMPLES);
	else if (sequential(drawn, &step))
		see(o, ASPECT_ALLOCATION, protocol, PORTS_SEQUENTIAL, "%d sockets became %s, ...",
		    SAMPLES, list);
	else
		see(o, ASPECT_ALLOCATION, protocol, PORTS_RANDOM, "%d sockets became %s, ...",
		    SAMPLES, list);
	if (!preserving && step != 0)
		see(o, ASPECT_STEP, protocol, step, "%d sockets became %s, ...", SAMPLES, list);
	else
		unseen(o, ASPECT_STEP, protocol, "ports are not sequential");
}

static void see_drawn(struct observed *o, enum nat_protocol protocol, const struct draws *d)
{
	int low, high;
	size_t i, ones = 0, parity = 0, neighbours = 0, pairs = 0;
	char list[64];

	if (d->count < SAMPLES || d->kept > 0) {
		for (i = ASPECT_LOWEST; i <= ASPECT_SPAN; i++)
			unseen(o, (enum aspect)i, protocol, "no ports were drawn");
		return;
	}
	for (i = 0; i < d->count; i++)
		parity += d->local[i] % 2 == d->external[i] % 2;
	for (i = 1; i < d->count; i++)
		ones += d->external[i] == d->external[i - 1] + 1;
	for (i = 0; i + 1 < d->count; i += 2) {
		pairs++;
		neighbours += d->external[i + 1] == d->external[i] + 1;
	}
	extent(d, &low, &high);
	list_ports(d, list, sizeof(list));
	see(o, ASPECT_LOWEST, protocol, low, "%zu drawn ports: %d to %d", d->count, low, high);
	see(o, ASPECT_HIGHEST, protocol, high, "%zu drawn ports: %d to %d", d->count, low, high);
	see(o, ASPECT_SPAN, protocol, high - low + 1, "%zu drawn ports of one host: %d to %d",
	    d->count, low, high);
	see(o, ASPECT_PARITY, protocol, parity == d->count,
	    "%zu of %zu drawn ports have their socket's parity", parity, d->count);
	if (ones + STRAY >= d->count)
		unseen(o, ASPECT_CONTIGUOUS, protocol, "sequential ports are neighbours anyway");
	else
		see(o, ASPECT_CONTIGUOUS, protocol, neighbours == pairs,
		    "%zu of %zu pairs of neighbours became neighbours", neighbours, pairs);
}

/* A well-known port taken by another host: does the draw stay below 1024 (RFC 4787 REQ-3 a)? */
static void probe_low(struct speech *speech, struct observed *o)
{
	const uint16_t well_known = 300;
	struct speaker first = speaker_make(speech, 2, well_known);
	struct speaker second = speaker_make(speech, 3, well_known);
	struct endpoint a, b;

	if (!speaker_speak(&first, 2, PORT_A, &a) || !speaker_speak(&second, 2, PORT_A, &b)) {
		unseen(o, ASPECT_LOW_PORTS, speech->protocol, "port 300 does not get out");
		return;
	}
	see(o, ASPECT_LOW_PORTS, speech->protocol, a.port < 1024 && b.port < 1024,
	    "port %u of two hosts became %u and %u", well_known, a.port, b.port);
}

void probe_ports(struct bed *bed, enum nat_protocol protocol, bool thorough, struct observed *o)
{
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, protocol);
	uint16_t local[SAMPLES], inner = 0;
	struct draws own, second;
	bool preserving;

	choose_pairs(bed, local);
	own = draw(&speech, 2, local);
	if (own.count < SAMPLES) {
		unseen(o, ASPECT_ALLOCATION, protocol, "only %zu of %u sockets got out", own.count,
		       SAMPLES);
		bed_close_since(bed, mark);
		return;
	}
	/* A port may be taken by what an earlier probe was given at random. */
	preserving = own.kept + STRAY >= SAMPLES ||
		     (own.kept == 0 && keeps_inner(&speech, &own, &inner));
	note_kept(bed, &own, inner);
	see_order(o, protocol, &own, preserving, inner);
	if (own.kept) {
		second = draw(&speech, 3, local);
		see_drawn(o, protocol, &second);
	} else {
		see_drawn(o, protocol, &own);
	}
	if (protocol != NAT_ICMP)
		probe_low(&speech, o);
	if (thorough && protocol == NAT_UDP)
		fill_if_small(&speech, o);
	bed_close_since(bed, mark);
}
