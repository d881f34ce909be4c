/* SPDX-License-Identifier: MIT */
#include "nft-rules/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "nft-rules/ports.h"
#include "nft-rules/words.h"

enum {
	LIFETIME_MIN_MS = 100,      /* below, the kernel's timers are no longer exact to 10 % */
	LIFETIME_MAX_MS = 86400000, /* a day: what the rules' sets are asked to remember */
	DEFAULT_FIRST = 1024,
	DEFAULT_LAST = 65535,
};

struct flaws {
	struct nat_flaw *list;
	size_t count;
};

__attribute__((format(printf, 4, 5))) static void flaw(struct flaws *flaws, const char *axis,
						       const char *other, const char *format, ...)
{
	struct nat_flaw *new;
	va_list arguments;

	if (flaws->count == NAT_FLAWS_MAX)
		return;
	new = &flaws->list[flaws->count++];
	new->axis = axis;
	new->other = other;
	va_start(arguments, format);
	vsnprintf(new->why, sizeof(new->why), format, arguments);
	va_end(arguments);
}

static unsigned int range_size(const struct nat_ports *ports)
{
	unsigned int first = ports->first ? ports->first : DEFAULT_FIRST;
	unsigned int last = ports->last ? ports->last : DEFAULT_LAST;

	return last < first ? 0 : last - first + 1;
}

static unsigned int whole_blocks(const struct nat_ports *ports)
{
	unsigned int first = ports->first ? ports->first : DEFAULT_FIRST;
	unsigned int last = ports->last ? ports->last : DEFAULT_LAST;
	unsigned int from = (first + ports->block - 1) / ports->block;
	unsigned int to = (last + 1) / ports->block;

	return to > from ? to - from : 0;
}

static void check_range(const struct nat_ports *ports, struct flaws *flaws)
{
	unsigned int size = range_size(ports);

	if (!ports->first != !ports->last)
		flaw(flaws, "ports.range", NULL, "port 0 is reserved and cannot be in the range");
	else if (size == 0)
		flaw(flaws, "ports.range", NULL, "the range of ports %u-%u runs backwards",
		     ports->first, ports->last);
	else if ((ports->parity || ports->contiguous) && size < 2)
		flaw(flaws, ports->contiguous ? "ports.contiguous" : "ports.parity", "ports.range",
		     "a range of one port has no even and odd ones");
	else if (ports->contiguous && (ports->first + 1U) / 2 >= (ports->last + 1U) / 2 &&
		 ports->first)
		flaw(flaws, "ports.contiguous", "ports.range",
		     "no even port is in the range together with the next one");
	if (ports->block & (ports->block - 1))
		flaw(flaws, "ports.block", NULL, "a block is a power of two, not %u ports",
		     ports->block);
	else if (ports->block && size && ports->block > size)
		flaw(flaws, "ports.block", "ports.range",
		     "a block of %u ports does not fit into the range of %u", ports->block, size);
	else if (ports->block && size && !whole_blocks(ports))
		flaw(flaws, "ports.block", "ports.range",
		     "no block of %u ports, which begins at a multiple of %u, is in the range",
		     ports->block, ports->block);
	if (abs(ports->step) > PORTS_STEP_MAX)
		flaw(flaws, "ports.step", NULL, "a step is at most %d, up or down", PORTS_STEP_MAX);
	else if (ports->step && size && (unsigned int)abs(ports->step) >= size)
		flaw(flaws, "ports.step", "ports.range",
		     "a step of %d leaves a range of %u ports at once", ports->step, size);
}

/* RFC 4787 section 4.2.3: x and x + 1 of one host become neighbours. */
static void check_contiguous(const struct nat *nat, struct flaws *flaws)
{
	const struct nat_ports *ports = &nat->ports;

	if (!ports->contiguous)
		return;
	if (ports->allocation != PORTS_PRESERVING)
		flaw(flaws, "ports.contiguous", "ports.allocation",
		     "neighbours are kept where ports are preserved: %s ones are drawn one by one",
		     nat_allocation_name(ports->allocation));
	if (nat->mapping == ADDRESS_AND_PORT_DEPENDENT)
		flaw(flaws, "ports.contiguous", "mapping",
		     "with mapping %s each destination gets ports of its own, and a pair would "
		     "not stay one",
		     nat_dependence_name(nat->mapping));
	if (ports->overloading)
		flaw(flaws, "ports.contiguous", "ports.overloading",
		     "a pair belongs to one host, an overloaded port to several");
	if (ports->block)
		flaw(flaws, "ports.contiguous", "ports.block",
		     "pairs are claimed from the range, not from a subscriber's block");
}

static void check_ports(const struct nat *nat, struct flaws *flaws)
{
	const struct nat_ports *ports = &nat->ports;

	check_range(ports, flaws);
	check_contiguous(nat, flaws);
	if (ports->step && ports->allocation != PORTS_SEQUENTIAL)
		flaw(flaws, "ports.step", "ports.allocation",
		     "only sequential ports have a step: %s ones do not",
		     nat_allocation_name(ports->allocation));
	if (ports->overloading && nat->mapping != ADDRESS_AND_PORT_DEPENDENT)
		flaw(flaws, "ports.overloading", "mapping",
		     "hosts can share a port only if their destinations tell them apart: "
		     "overloading "
		     "needs the mapping address-and-port-dependent");
	else if (ports->overloading && nat->filtering != ADDRESS_AND_PORT_DEPENDENT)
		flaw(flaws, "ports.overloading", "filtering",
		     "whose would a stranger's packet to a shared port be? overloading needs the "
		     "filtering address-and-port-dependent");
	if (ports->block && nat->pooling == POOLING_ARBITRARY)
		flaw(flaws, "ports.block", "pool",
		     "a block is of one address: with blocks, addresses are paired");
	if (ports->contiguous && nat->pooling == POOLING_ARBITRARY)
		flaw(flaws, "ports.contiguous", "pool",
		     "neighbours have one address: with pairs, addresses are paired");
	if (ports->block && ports->overloading)
		flaw(flaws, "ports.overloading", "ports.block",
		     "a block is one subscriber's: its ports are not shared");
	if (ports->block && ports->allocation == PORTS_PRESERVING)
		flaw(flaws, "ports.block", "ports.allocation",
		     "the internal port is hardly ever in the block: with blocks, ports are random "
		     "or "
		     "sequential");
}

static void check_lifetime(const char *axis, unsigned int ms, struct flaws *flaws)
{
	if (ms < LIFETIME_MIN_MS || ms > LIFETIME_MAX_MS)
		flaw(flaws, axis, NULL, "a lifetime is 0.1 s to a day (86400 s), not %.10g s",
		     ms / 1000.0);
}

static void check_timers(const struct nat *nat, struct flaws *flaws)
{
	static const char *const mapping[NAT_PROTOCOLS] = {"timers.udp", "timers.tcp",
							   "timers.icmp"};
	static const char *const filter[NAT_PROTOCOLS] = {"timers.udp-filter", "timers.tcp-filter",
							  "timers.icmp-filter"};
	const struct nat_timers *timers = &nat->timers;
	int i;

	for (i = 0; i < NAT_PROTOCOLS; i++) {
		check_lifetime(mapping[i], timers->mapping[i], flaws);
		if (timers->filter[i] == 0)
			continue;
		check_lifetime(filter[i], timers->filter[i], flaws);
		if (timers->filter[i] > timers->mapping[i])
			flaw(flaws, filter[i], mapping[i],
			     "a permission of %.10g s would outlive its mapping of %.10g s",
			     timers->filter[i] / 1000.0, timers->mapping[i] / 1000.0);
		if (nat->filtering == ENDPOINT_INDEPENDENT)
			flaw(flaws, filter[i], "filtering",
			     "with filtering endpoint-independent there is no permission that "
			     "could end");
	}
	check_lifetime("timers.tcp-transitory", timers->tcp_transitory, flaws);
	if (timers->stray_silence && nat->unsolicited != UNSOLICITED_DELAYED)
		flaw(flaws, "timers.tcp-stray", "unsolicited",
		     "a stray SYN waits for its answer only with unsolicited delayed-icmp");
	else if (timers->stray_silence)
		check_lifetime("timers.tcp-stray", timers->stray_silence, flaws);
}

static void check_forwards(const struct nat *nat, struct flaws *flaws)
{
	const struct nat_forward *forward, *before;
	size_t i, j;

	for (i = 0; i < nat->forward_count; i++) {
		forward = &nat->forwards[i];
		if (forward->port == 0 || forward->to.port == 0)
			flaw(flaws, "forwards", NULL, "port 0 is reserved and cannot be forwarded");
		if (forward->protocol == NAT_ICMP)
			flaw(flaws, "forwards", NULL, "forwards are for udp and tcp");
		if (forward->protocol == NAT_UDP && nat->udp_blocked)
			flaw(flaws, "forwards", "udp", "no UDP passes, so no UDP can be forwarded");
		for (j = 0; j < i; j++) {
			before = &nat->forwards[j];
			if (before->protocol == forward->protocol && before->port == forward->port)
				flaw(flaws, "forwards", NULL, "%s port %u is forwarded twice",
				     nat_protocol_name(forward->protocol), forward->port);
		}
	}
	if (nat->dmz.family != AF_UNSPEC && nat->port_mapping)
		flaw(flaws, "port-mapping", "dmz",
		     "the DMZ host gets every port that nobody has, so none is left to be asked "
		     "for");
	if (nat->dmz.family != AF_UNSPEC && nat->unsolicited != UNSOLICITED_DROP)
		flaw(flaws, "dmz", "unsolicited",
		     "the DMZ host gets what nothing else claims: nobody is left for unsolicited "
		     "%s",
		     nat_word(nat_unsolicited_words, nat->unsolicited));
}

/* Axes of our own mappings, said of a kind that has none. */
static void check_foreign(const struct nat *nat, struct flaws *flaws)
{
	const struct nat_ports *ports = &nat->ports;
	const bool random = nat->kind == NAT_MASQUERADE && ports->allocation == PORTS_RANDOM;
	const enum nat_dependence mapping =
		random ? ADDRESS_AND_PORT_DEPENDENT : ENDPOINT_INDEPENDENT;
	const struct {
		bool said;
		const char *axis;
	} axes[] = {
		{nat->mapping != mapping, "mapping"},
		{nat->filtering != ADDRESS_AND_PORT_DEPENDENT, "filtering"},
		{nat->unsolicited == UNSOLICITED_DELAYED, "unsolicited"},
		{(ports->allocation != PORTS_PRESERVING && !random) || ports->first ||
			 ports->last || ports->step || ports->overloading || ports->parity ||
			 ports->contiguous || ports->block || ports->exhaustion != EXHAUSTION_DROP,
		 "ports"},
		{nat->hairpinning != HAIRPINNING_OFF, "hairpinning"},
		{nat->pooling != POOLING_PAIRED, "pool"},
		{nat->timers.filter[NAT_UDP] || nat->timers.filter[NAT_TCP] ||
			 nat->timers.filter[NAT_ICMP],
		 "timers"},
		{nat->icmp.errors_blocked || nat->icmp.errors_kill ||
			 nat->icmp.unmatched != UNMATCHED_DROPPED,
		 "icmp"},
		{nat->tcp.rst_kills || nat->tcp.strict_syn, "tcp"},
		{nat->forward_count > 0, "forwards"},
		{nat->dmz.family != AF_UNSPEC, "dmz"},
	};
	size_t i;

	for (i = 0; i < sizeof(axes) / sizeof(axes[0]); i++)
		if (axes[i].said)
			flaw(flaws, axes[i].axis, NULL,
			     "%s is what it is: its %s cannot be declared", nat->name,
			     axes[i].axis);
}

size_t nat_flaws(const struct nat *nat, struct nat_flaw ret[NAT_FLAWS_MAX])
{
	struct flaws flaws = {.list = ret};

	switch (nat->kind) {
	case NAT_TRANSLATE:
		check_ports(nat, &flaws);
		check_timers(nat, &flaws);
		check_forwards(nat, &flaws);
		break;
	case NAT_MASQUERADE:
	case NAT_FIREWALL:
		check_foreign(nat, &flaws);
		break;
	case NAT_CUSTOM:
		if (!nat->rules || !nat->rules[0])
			flaw(&flaws, "rules", NULL, "there is no file of rules");
		break;
	}
	return flaws.count;
}

int nat_check(const struct nat *nat, struct diag *d)
{
	struct nat_flaw flaws[NAT_FLAWS_MAX];
	size_t i, count = nat_flaws(nat, flaws);

	for (i = 0; i < count; i++)
		diag_error(d, EINVAL, "%s", flaws[i].why);
	return count ? -EINVAL : 0;
}
