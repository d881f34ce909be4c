/* SPDX-License-Identifier: MIT */
/*
 * How an axis is judged
 *
 * A row says which aspect shows the axis, what value the declaration promises
 * (or that it promises none), and how a value is called. An axis is held when the
 * aspect was seen with the promised value, broken when it was seen with another, and
 * untested when it was not seen. A few have values that agree in a way of their own:
 * axes_own.c.
 */
#include <stdio.h>
#include <string.h>

#include "conform/axes.h"
#include "conform/judge.h"

enum { NOTHING = -1000000 }; /* the declaration promises nothing */

#define UDP (1U << NAT_UDP)
#define TCP (1U << NAT_TCP)
#define ICMP (1U << NAT_ICMP)
#define ANY (UDP | TCP | ICMP)
#define WHOLE 0U

/* A query's peer has no port. */
static int dependence(const struct declaration *d, enum nat_dependence value)
{
	if (d->protocol == NAT_ICMP && value == ADDRESS_AND_PORT_DEPENDENT)
		return ADDRESS_DEPENDENT;
	return (int)value;
}

bool declaration_translates(const struct declaration *d)
{
	return d->nat->kind == NAT_TRANSLATE;
}

bool declaration_open(const struct declaration *d)
{
	return !(d->nat->udp_blocked && d->protocol == NAT_UDP);
}

static int passes(const struct declaration *d)
{
	return declaration_open(d);
}

static int translated(const struct declaration *d)
{
	return declaration_open(d) ? d->nat->kind != NAT_FIREWALL : NOTHING;
}

static int mapping(const struct declaration *d)
{
	if (!declaration_open(d) || d->nat->kind == NAT_FIREWALL)
		return NOTHING;
	/* Overloading shows its dependence only where ports collide, or are drawn from many. */
	if (d->nat->ports.overloading &&
	    (d->nat->ports.allocation == PORTS_PRESERVING || d->nat->ports.first))
		return NOTHING;
	return dependence(d, d->nat->mapping);
}

static int contended(const struct declaration *d)
{
	if (!declaration_open(d) || !declaration_translates(d))
		return NOTHING;
	if (d->nat->ports.overloading && (d->protocol == NAT_ICMP || d->nat->ports.first))
		return NOTHING;
	return dependence(d, d->nat->mapping);
}

static int overloading(const struct declaration *d)
{
	if (!declaration_open(d) || d->nat->kind == NAT_FIREWALL)
		return NOTHING;
	if (d->nat->kind == NAT_MASQUERADE)
		return d->nat->ports.allocation == PORTS_PRESERVING ? true : NOTHING;
	/* Without kept ports two hosts share one only by chance. */
	if (d->nat->ports.overloading && (d->nat->ports.allocation != PORTS_PRESERVING ||
					  d->nat->ports.first || d->protocol == NAT_ICMP))
		return NOTHING;
	return d->nat->ports.overloading;
}

static int filtering(const struct declaration *d)
{
	if (!declaration_open(d))
		return NOTHING;
	return dependence(d, d->nat->filtering);
}

static int allocation(const struct declaration *d)
{
	if (!declaration_open(d) || d->nat->kind == NAT_FIREWALL)
		return NOTHING;
	return (int)d->nat->ports.allocation;
}

static int step(const struct declaration *d)
{
	const struct nat_ports *ports = &d->nat->ports;

	if (!declaration_open(d) || !declaration_translates(d) ||
	    ports->allocation != PORTS_SEQUENTIAL)
		return NOTHING;
	/* Neighbours and parity bend the sequence. */
	if (ports->parity || ports->contiguous || ports->block)
		return NOTHING;
	return ports->step ? ports->step : 1;
}

static int exhaustion(const struct declaration *d)
{
	return declaration_open(d) && declaration_translates(d) ? (int)d->nat->ports.exhaustion
								: NOTHING;
}

static int survival(const struct declaration *d)
{
	return exhaustion(d) == NOTHING ? NOTHING : true;
}

static int parity(const struct declaration *d)
{
	const struct nat_ports *ports = &d->nat->ports;

	if (!declaration_open(d) || !declaration_translates(d))
		return NOTHING;
	if (ports->parity || ports->contiguous)
		return true;
	/* Pairs of a sequence keep their parity in one case of two. */
	return ports->allocation == PORTS_SEQUENTIAL ? NOTHING : false;
}

static int contiguous(const struct declaration *d)
{
	if (!declaration_open(d) || !declaration_translates(d) ||
	    d->nat->ports.allocation == PORTS_SEQUENTIAL)
		return NOTHING;
	return d->nat->ports.contiguous;
}

static int hairpinning(const struct declaration *d)
{
	if (!declaration_open(d) || d->nat->kind == NAT_FIREWALL)
		return NOTHING;
	return (int)d->nat->hairpinning;
}

static int self_hairpin(const struct declaration *d)
{
	if (!declaration_open(d) || !declaration_translates(d) ||
	    d->nat->mapping != ENDPOINT_INDEPENDENT)
		return NOTHING;
	return d->nat->hairpinning != HAIRPINNING_OFF;
}

static int unsolicited(const struct declaration *d)
{
	if (!declaration_open(d) || d->nat->dmz.family != AF_UNSPEC)
		return NOTHING;
	/*
	 * Where ports are not kept, accepting looks like rejecting; so it does for TCP, where
	 * the reset of the router's stack ends what conntrack had begun to remember.
	 */
	if (d->nat->unsolicited == UNSOLICITED_ACCEPT &&
	    (d->nat->ports.allocation != PORTS_PRESERVING || d->protocol == NAT_TCP))
		return UNSOLICITED_REJECT;
	if (d->nat->unsolicited == UNSOLICITED_DELAYED) /* see judge_delayed() */
		return d->protocol == NAT_TCP ? NOTHING : UNSOLICITED_DROP;
	return (int)d->nat->unsolicited;
}

static int refresh_out(const struct declaration *d)
{
	return declaration_open(d) && declaration_translates(d)
		       ? (d->nat->timers.refresh & REFRESH_OUTBOUND) != 0
		       : NOTHING;
}

static int refresh_in(const struct declaration *d)
{
	return declaration_open(d) && declaration_translates(d)
		       ? (d->nat->timers.refresh & REFRESH_INBOUND) != 0
		       : NOTHING;
}

static int errors(const struct declaration *d)
{
	return declaration_open(d) && declaration_translates(d) ? !d->nat->icmp.errors_blocked
								: NOTHING;
}

static int errors_kill(const struct declaration *d)
{
	return declaration_open(d) && declaration_translates(d) ? d->nat->icmp.errors_kill
								: NOTHING;
}

static int unmatched(const struct declaration *d)
{
	return declaration_open(d) && declaration_translates(d) ? (int)d->nat->icmp.unmatched
								: NOTHING;
}

/* A flow's last packet is treated as its first. */
static int busy(const struct declaration *d)
{
	return declaration_open(d) ? true : NOTHING;
}

/* Only where connections share mappings, and open and closed ones' live differently long. */
static int held(const struct declaration *d)
{
	const struct nat_timers *timers = &d->nat->timers;
	unsigned int filter = timers->filter[NAT_TCP];

	if (!declaration_translates(d) || d->nat->mapping != ENDPOINT_INDEPENDENT ||
	    d->nat->ports.overloading || timers->tcp_transitory >= timers->mapping[NAT_TCP] ||
	    (filter && filter <= timers->tcp_transitory))
		return NOTHING;
	return true;
}

static int rst_kills(const struct declaration *d)
{
	return declaration_translates(d) ? d->nat->tcp.rst_kills : NOTHING;
}

static int simultaneous(const struct declaration *d)
{
	return declaration_translates(d) ? !d->nat->tcp.strict_syn : NOTHING;
}

static int pooling(const struct declaration *d)
{
	return declaration_translates(d) && d->external_count > 1 ? (int)d->nat->pooling : NOTHING;
}

static int forwards(const struct declaration *d)
{
	return d->nat->forward_count ? true : NOTHING;
}

static int dmz(const struct declaration *d)
{
	return d->nat->dmz.family != AF_UNSPEC ? true : NOTHING;
}

/* --- words ---------------------------------------------------------------------- */

static void word(char text[AXIS_WORD_MAX], const char *value)
{
	snprintf(text, AXIS_WORD_MAX, "%s", value);
}

static void dependence_word(int value, char text[AXIS_WORD_MAX])
{
	word(text, nat_dependence_name((enum nat_dependence)value));
}

static void allocation_word(int value, char text[AXIS_WORD_MAX])
{
	word(text, nat_allocation_name((enum nat_allocation)value));
}

static void number_word(int value, char text[AXIS_WORD_MAX])
{
	snprintf(text, AXIS_WORD_MAX, "%d", value);
}

static void yes_word(int value, char text[AXIS_WORD_MAX])
{
	word(text, value ? "yes" : "no");
}

static void exhaustion_word(int value, char text[AXIS_WORD_MAX])
{
	word(text, value == EXHAUSTION_ICMP ? "icmp" : "drop");
}

static void hairpinning_word(int value, char text[AXIS_WORD_MAX])
{
	static const char *const words[] = {"off", "external-source", "internal-source"};

	word(text, words[value]);
}

void axis_unsolicited_word(int value, char text[AXIS_WORD_MAX])
{
	static const char *const words[] = {"drop", "reject", "accept", "delayed-icmp"};

	word(text, words[value]);
}

static void unmatched_word(int value, char text[AXIS_WORD_MAX])
{
	static const char *const words[] = {"dropped", "translated", "leaked"};

	word(text, words[value]);
}

static void pooling_word(int value, char text[AXIS_WORD_MAX])
{
	word(text, value == POOLING_PAIRED ? "paired" : "arbitrary");
}

static const struct axis {
	const char *name;
	enum aspect aspect;
	unsigned int protocols;
	int (*promised)(const struct declaration *d);
	void (*word)(int value, char text[AXIS_WORD_MAX]);
} axes[] = {
	{"passes", ASPECT_PASSES, ANY, passes, yes_word},
	{"translated", ASPECT_TRANSLATED, ANY, translated, yes_word},
	{"mapping", ASPECT_MAPPING, ANY, mapping, dependence_word},
	{"mapping under contention", ASPECT_CONTENDED, ANY, contended, dependence_word},
	{"filtering", ASPECT_FILTERING, ANY, filtering, dependence_word},
	{"ports.allocation", ASPECT_ALLOCATION, ANY, allocation, allocation_word},
	{"ports.step", ASPECT_STEP, UDP | TCP, step, number_word},
	{"ports.overloading", ASPECT_OVERLOADING, ANY, overloading, yes_word},
	{"ports.parity", ASPECT_PARITY, UDP | TCP, parity, yes_word},
	{"ports.contiguous", ASPECT_CONTIGUOUS, UDP | TCP, contiguous, yes_word},
	{"ports.exhaustion", ASPECT_EXHAUSTION, UDP, exhaustion, exhaustion_word},
	{"mappings survive exhaustion", ASPECT_SURVIVAL, UDP, survival, yes_word},
	{"hairpinning", ASPECT_HAIRPINNING, UDP | TCP, hairpinning, hairpinning_word},
	{"hairpinning to itself", ASPECT_SELF_HAIRPIN, UDP, self_hairpin, yes_word},
	{"unsolicited", ASPECT_UNSOLICITED, UDP | TCP, unsolicited, axis_unsolicited_word},
	{"timers.refresh outbound", ASPECT_OUTBOUND, UDP, refresh_out, yes_word},
	{"timers.refresh inbound", ASPECT_INBOUND, UDP, refresh_in, yes_word},
	{"timers.refresh outbound, busy", ASPECT_BUSY_OUTBOUND, UDP, refresh_out, yes_word},
	{"timers.refresh inbound, busy", ASPECT_BUSY_INBOUND, UDP, refresh_in, yes_word},
	{"timers: longest connection", ASPECT_HELD, TCP, held, yes_word},
	{"busy flows unchanged", ASPECT_BUSY, UDP, busy, yes_word},
	{"icmp.errors translated", ASPECT_ERRORS, UDP | TCP, errors, yes_word},
	{"icmp.kills", ASPECT_ERRORS_KILL, UDP, errors_kill, yes_word},
	{"icmp.unmatched", ASPECT_UNMATCHED, UDP, unmatched, unmatched_word},
	{"tcp.rst kills", ASPECT_RST_KILLS, TCP, rst_kills, yes_word},
	{"tcp.simultaneous-open", ASPECT_SIMULTANEOUS, TCP, simultaneous, yes_word},
	{"pool", ASPECT_POOLING, WHOLE, pooling, pooling_word},
	{"forwards", ASPECT_FORWARDS, WHOLE, forwards, yes_word},
	{"dmz", ASPECT_DMZ, WHOLE, dmz, yes_word},
};

struct axis_result *results_add(struct results *r, const char *axis, const struct declaration *d,
				bool whole, const char *evidence)
{
	struct axis_result *row;

	if (r->count == AXIS_RESULTS_MAX)
		return NULL;
	row = &r->rows[r->count++];
	*row = (struct axis_result){.axis = axis,
				    .protocol = whole ? "" : nat_protocol_name(d->protocol),
				    .evidence = evidence};
	return row;
}

static void judge_row(const struct axis *axis, const struct declaration *d, struct results *r)
{
	const struct seen *seen = &d->o->seen[axis->aspect][d->protocol];
	int promised = axis->promised(d);
	struct axis_result *row;

	if (promised == NOTHING)
		return;
	/* An aspect that no probe was asked about has neither value nor reason. */
	if (!seen->known && !seen->evidence[0])
		return;
	row = results_add(r, axis->name, d, axis->protocols == WHOLE, seen->evidence);
	if (!row)
		return;
	axis->word(promised, row->declared);
	row->holding = AXIS_UNTESTED;
	if (!seen->known)
		return;
	axis->word(seen->value, row->observed);
	row->holding = seen->value == promised ? AXIS_HELD : AXIS_BROKEN;
}

size_t judge_axes(const struct nat *nat, size_t external_count, const struct observed *o,
		  struct axis_result ret[AXIS_RESULTS_MAX])
{
	const struct nat promise = nat_promise(nat);
	struct declaration d = {.nat = &promise, .external_count = external_count, .o = o};
	struct results results = {.rows = ret};
	size_t i;
	int protocol;

	if (promise.kind == NAT_CUSTOM) /* somebody's own rules that declare nothing */
		return 0;
	for (i = 0; i < sizeof(axes) / sizeof(axes[0]); i++) {
		for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++) {
			d.protocol = (enum nat_protocol)protocol;
			if ((axes[i].protocols & (1U << protocol)) ||
			    (axes[i].protocols == WHOLE && protocol == NAT_UDP))
				judge_row(&axes[i], &d, &results);
		}
	}
	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++) {
		d.protocol = (enum nat_protocol)protocol;
		judge_own_axes(&d, &results);
	}
	return results.count;
}

const char *holding_name(enum holding holding)
{
	switch (holding) {
	case AXIS_HELD:
		return "held";
	case AXIS_BROKEN:
		return "not held";
	case AXIS_UNTESTED:
		return "not tested";
	}
	return "?";
}
