/* SPDX-License-Identifier: MIT */
#include "conform/conform.h"

#include <string.h>

#include "conform/busy.h"
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
	if (nat->unsolicited == UNSOLICITED_DELAYED)
		scaled.timers.stray_silence = cut(nat_stray_silence(nat), lifetime_ms);
	/* So does a connection's beginning. */
	if (nat->timers.tcp_transitory < nat->timers.mapping[NAT_TCP])
		scaled.timers.tcp_transitory =
			cut(scaled.timers.tcp_transitory, lifetime_ms * 3 / 4);
	else
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

static void probe_wholly(struct bed *bed, enum nat_protocol protocol, struct busy_probe *busy,
			 struct observed *o)
{
	probe_mapping(bed, protocol, o);
	if (!passes(o, protocol))
		return;
	probe_filtering(bed, protocol, o);
	if (protocol == NAT_UDP) /* while there are ports left */
		busy_begin(bed, busy);
	probe_ports(bed, protocol, true, o);
	if (protocol == NAT_ICMP)
		return;
	probe_hairpinning(bed, protocol, o);
	probe_unsolicited(bed, protocol, o);
	probe_errors(bed, protocol, o);
	probe_payload(bed, protocol, o);
	if (protocol == NAT_TCP) {
		probe_tcp(bed, o);
	} else {
		probe_sizes(bed, o);
		probe_control(bed, o);
	}
}

/* A range of which the probes would leave nothing. */
static bool is_cramped(const struct nat *nat)
{
	const int enough = 512;

	return nat->kind == NAT_TRANSLATE && nat->ports.first && !nat->ports.block &&
	       nat->ports.last - nat->ports.first < enough;
}

/* The same with room for them. */
static struct nat roomy_nat(const struct nat *nat)
{
	const uint16_t room = 1024;
	struct nat roomy = *nat;

	if (roomy.ports.first > UINT16_MAX - room)
		roomy.ports.first = UINT16_MAX - room;
	roomy.ports.last = roomy.ports.first + room;
	return roomy;
}

/*
 * Exhaustion, in a bed of its own: with the range as declared, or where that was too large for
 * it, with a small one.
 */
static int observe_exhaustion(const struct subject *subject, struct observed *o, struct diag *d)
{
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	bool cramped = is_cramped(subject->nat);
	struct subject small = *subject;
	struct nat nat;
	int protocol, r;

	if (subject->nat->kind != NAT_TRANSLATE || !passes(o, NAT_UDP) ||
	    (o->seen[ASPECT_EXHAUSTION][NAT_UDP].known && !cramped))
		return 0;
	nat = cramped ? *subject->nat : fillable_nat(subject->nat);
	small.nat = &nat;
	r = bed_up(&small, &bed, d);
	if (r < 0)
		return r;
	if (!cramped)
		probe_exhaustion(bed, o);
	for (protocol = NAT_UDP; cramped && protocol <= NAT_TCP; protocol++)
		if (passes(o, (enum nat_protocol)protocol))
			probe_range(bed, (enum nat_protocol)protocol, o);
	o->packets += bed->sent;
	return bed->error;
}

/* Hairpinning, in another, where nobody could know the ports it takes. */
static int observe_hairpinning(const struct subject *subject, struct observed *o, struct diag *d)
{
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	struct subject small = *subject;
	struct nat nat = cornered_nat(subject->nat);
	bool wanted[NAT_PROTOCOLS] = {false};
	int protocol, r;

	for (protocol = NAT_UDP; protocol <= NAT_TCP; protocol++)
		wanted[protocol] = passes(o, (enum nat_protocol)protocol) &&
				   !o->seen[ASPECT_HAIRPINNING][protocol].known;
	if (subject->nat->kind != NAT_TRANSLATE || (!wanted[NAT_UDP] && !wanted[NAT_TCP]))
		return 0;
	small.nat = &nat;
	small.external_count = 1;
	r = bed_up(&small, &bed, d);
	if (r < 0)
		return r;
	for (protocol = NAT_UDP; protocol <= NAT_TCP; protocol++)
		if (wanted[protocol])
			probe_cornered(bed, (enum nat_protocol)protocol, o);
	o->packets += bed->sent;
	return bed->error;
}

/* What takes few ports, of rules whose range cannot be cut down: the kernel's, or somebody's own.
 */
static void probe_few_ports(struct bed *bed, struct observed *o)
{
	int protocol;

	for (protocol = NAT_UDP; protocol <= NAT_TCP; protocol++)
		if (passes(o, (enum nat_protocol)protocol) &&
		    !o->seen[ASPECT_HAIRPINNING][protocol].known)
			probe_chance(bed, (enum nat_protocol)protocol, o);
	if (passes(o, NAT_UDP) && !o->seen[ASPECT_EXHAUSTION][NAT_UDP].known)
		probe_low_exhaustion(bed, o);
}

/* With its lifetimes as they are: nothing else may end by itself while it is being probed. */
static int observe_at_once(const struct subject *subject, enum thoroughness thoroughness,
			   bool kernel_refresh, struct observed *ret, struct diag *d)
{
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	struct busy_probe busy = {.again = 0};
	int r = bed_up(subject, &bed, d);
	int protocol;

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++)
		if (thoroughness == CONFORM_CHEAP)
			probe_cheaply(bed, (enum nat_protocol)protocol, ret);
		else
			probe_wholly(bed, (enum nat_protocol)protocol, &busy, ret);
	if (subject->external_count > 1)
		probe_pool(bed, ret);
	probe_forwards(bed, ret);
	if (thoroughness == CONFORM_WHOLE &&
	    (subject->nat->kind == NAT_MASQUERADE || subject->nat->kind == NAT_CUSTOM))
		probe_few_ports(bed, ret);
	busy_end(&busy, ret);
	if (subject->nat->kind == NAT_MASQUERADE || subject->nat->kind == NAT_FIREWALL)
		read_lifetimes(bed, ret);
	if (kernel_refresh && subject->nat->kind == NAT_MASQUERADE)
		probe_kernel_refresh(bed, ret);
	ret->packets = bed->sent;
	return bed->error;
}

/* Lifetimes, in a bed of their own, cut down to what can be waited for. */
static int observe_lifetimes(const struct subject *subject, unsigned int lifetime_ms,
			     struct observed *o, struct diag *d)
{
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	struct nat nat = conform_scaled(subject->nat, lifetime_ms);
	struct subject brief = *subject;
	int r;

	if (subject->nat->kind != NAT_TRANSLATE && subject->nat->kind != NAT_CUSTOM)
		return 0;
	brief.nat = &nat;
	r = bed_up(&brief, &bed, d);
	if (r < 0)
		return r;
	probe_lifetimes(bed, lifetime_ms + lifetime_ms / 3, o);
	o->packets += bed->sent;
	return bed->error;
}

int conform_observe(const struct subject *subject, enum thoroughness thoroughness,
		    unsigned int lifetime_ms, struct observed *ret, struct diag *d)
{
	uint64_t begin = lab_clock();
	struct subject roomy = *subject;
	struct nat nat;
	int r;

	if (thoroughness == CONFORM_WHOLE && is_cramped(subject->nat)) {
		nat = roomy_nat(subject->nat);
		roomy.nat = &nat;
	}
	r = observe_at_once(&roomy, thoroughness, lifetime_ms != 0, ret, d);

	if (r == 0 && lifetime_ms)
		r = observe_lifetimes(&roomy, lifetime_ms, ret, d);
	if (r == 0 && thoroughness == CONFORM_WHOLE)
		r = observe_exhaustion(subject, ret, d);
	if (r == 0 && thoroughness == CONFORM_WHOLE)
		r = observe_hairpinning(subject, ret, d);
	ret->ms = (double)(lab_clock() - begin) / 1e6;
	return r;
}
