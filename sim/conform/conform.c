/* SPDX-License-Identifier: MIT */
#include "conform/conform.h"

#include <string.h>

#include "conform/probes.h"

static unsigned int cut(unsigned int lifetime, unsigned int longest)
{
	return lifetime > longest ? longest : lifetime;
}

struct nat conform_scaled(const struct nat *nat, unsigned int lifetime_ms)
{
	struct nat scaled = *nat;
	unsigned int *mapping, *filter;
	int protocol;

	/* The kernel's own timers are read, not waited for: they know whole seconds only. */
	if (lifetime_ms == 0 || nat->kind != NAT_TRANSLATE)
		return scaled;
	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++) {
		mapping = &scaled.timers.mapping[protocol];
		filter = &scaled.timers.filter[protocol];
		/* A permission that is shorter than its mapping stays so. */
		if (*filter && *filter < *mapping)
			*filter = cut(*filter, lifetime_ms / 2);
		else if (*filter)
			*filter = cut(*filter, lifetime_ms);
		*mapping = cut(*mapping, lifetime_ms);
	}
	scaled.timers.tcp_transitory = cut(scaled.timers.tcp_transitory, lifetime_ms);
	return scaled;
}

static bool passes(const struct observed *o, enum nat_protocol protocol)
{
	return o->seen[ASPECT_PASSES][protocol].known && o->seen[ASPECT_PASSES][protocol].value;
}

/* What makes the verdicts of a run: everything that shows at once. */
static void probe_cheaply(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	probe_mapping(bed, protocol, o);
	if (!passes(o, protocol))
		return;
	probe_filtering(bed, protocol, o);
	if (protocol == NAT_ICMP)
		return;
	probe_ports(bed, protocol, false, o);
	probe_hairpinning(bed, protocol, o);
	probe_unsolicited(bed, protocol, o);
}

static void probe_wholly(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	probe_mapping(bed, protocol, o);
	if (!passes(o, protocol))
		return;
	probe_filtering(bed, protocol, o);
	probe_ports(bed, protocol, true, o);
	if (protocol == NAT_ICMP)
		return;
	probe_hairpinning(bed, protocol, o);
	probe_unsolicited(bed, protocol, o);
	probe_errors(bed, protocol, o);
	if (protocol == NAT_TCP)
		probe_tcp(bed, o);
}

static void probe_protocol(struct bed *bed, enum nat_protocol protocol,
			   enum thoroughness thoroughness, struct observed *o)
{
	if (thoroughness == CONFORM_CHEAP)
		probe_cheaply(bed, protocol, o);
	else
		probe_wholly(bed, protocol, o);
}

int conform_observe(const struct subject *subject, enum thoroughness thoroughness,
		    unsigned int lifetime_ms, struct observed *ret, struct diag *d)
{
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	uint64_t begin = lab_clock();
	int r = bed_up(subject, &bed, d);
	int protocol;

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++)
		probe_protocol(bed, (enum nat_protocol)protocol, thoroughness, ret);
	if (subject->external_count > 1)
		probe_pool(bed, ret);
	probe_forwards(bed, ret);
	if (lifetime_ms &&
	    (subject->nat->kind == NAT_TRANSLATE || subject->nat->kind == NAT_CUSTOM))
		probe_lifetimes(bed, lifetime_ms + lifetime_ms / 3, ret);
	if (subject->nat->kind == NAT_MASQUERADE || subject->nat->kind == NAT_FIREWALL)
		read_lifetimes(bed, ret);
	ret->packets = bed->sent;
	ret->ms = (double)(lab_clock() - begin) / 1e6;
	return bed->error;
}
