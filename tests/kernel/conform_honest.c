/* SPDX-License-Identifier: MIT */
/*
 * Conform's honesty: a router that does one thing and declares another is caught, for
 * each axis; and one that declares what it does is not.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "conform/conform.h"
#include "support/in_lab.h"

/* What is installed, and what is declared about it. */
struct lie {
	const char *axis;     /* the one that must not be held */
	const char *protocol; /* NULL: in every protocol that it is judged for */
	struct nat truth, declared;
	size_t external_count;    /* 0 counts as 1 */
	unsigned int lifetime_ms; /* for how long lifetimes are tried; 0: not at all */
};

static struct subject subject_of(const struct nat *truth, size_t external_count)
{
	static struct addr externals[2];
	struct subject subject = {.nat = truth,
				  .outside = "internet",
				  .inside = "home",
				  .externals = externals,
				  .external_count = external_count ? external_count : 1};

	addr_parse("1.2.3.4", &externals[0]);
	addr_parse("1.2.3.5", &externals[1]);
	prefix_parse("192.168.1.254/24", &subject.lan);
	return subject;
}

static int observe(const struct lie *lie, const struct nat *promised, struct observed *ret)
{
	struct subject subject = subject_of(&lie->truth, lie->external_count);
	AUTO_DIAG struct diag d = {0};
	int r;

	subject.promised = promised;
	r = conform_observe(&subject, CONFORM_WHOLE, lie->lifetime_ms, ret, &d);
	diag_print(&d, stderr, false);
	return r;
}

/* Every row about the lie is broken, and there is one. */
static int expect_broken(const struct lie *lie, const struct axis_result *axes, size_t count)
{
	size_t i, found = 0;

	for (i = 0; i < count; i++) {
		if (strcmp(axes[i].axis, lie->axis) != 0 ||
		    (lie->protocol && strcmp(axes[i].protocol, lie->protocol) != 0))
			continue;
		found++;
		EXPECT(axes[i].holding == AXIS_BROKEN, "%s %s is %s: declared %s, observed %s (%s)",
		       lie->axis, axes[i].protocol, holding_name(axes[i].holding), axes[i].declared,
		       axes[i].observed, axes[i].evidence);
	}
	EXPECT(found, "%s %s is not judged", lie->axis, lie->protocol ? lie->protocol : "");
	return 0;
}

static int catch_lie(void *data)
{
	const struct lie *lie = data;
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	struct axis_result axes[AXIS_RESULTS_MAX];
	size_t count, i;

	EXPECT(o, "no memory");
	EXPECT(observe(lie, NULL, o) == 0, "%s: the bed failed", lie->axis);
	count = judge_axes(&lie->truth, lie->external_count, o, axes);
	EXPECT(count > 0, "nothing is judged");
	for (i = 0; i < count; i++)
		EXPECT(axes[i].holding != AXIS_BROKEN,
		       "the truth about %s: %s %s: declared %s, observed %s (%s)", lie->axis,
		       axes[i].axis, axes[i].protocol, axes[i].declared, axes[i].observed,
		       axes[i].evidence);
	if (lie->declared.forward_count || lie->declared.dmz.family != AF_UNSPEC)
		EXPECT(observe(lie, &lie->declared, o) == 0, "%s: the bed failed", lie->axis);
	count = judge_axes(&lie->declared, lie->external_count, o, axes);
	return expect_broken(lie, axes, count);
}

/*
 * As a self-check does: ports drawn at random, or a machine in need, can make a NAT look
 * like something else once in many beds, but not in two in a row.
 */
struct claim {
	int (*body)(void *data);
	void *data;
};

static int at_most_twice(void *data)
{
	const struct claim *claim = data;

	if (claim->body(claim->data) == 0)
		return 0;
	fprintf(stderr, "once more, in a new bed\n");
	return claim->body(claim->data);
}

static void expect_true(int (*body)(void *data), void *data)
{
	struct claim claim = {body, data};

	in_lab(at_most_twice, &claim);
}

static struct nat cone(void)
{
	return nat_find("port-restricted-cone")->nat;
}

static void expect_caught(struct lie lie)
{
	expect_true(catch_lie, &lie);
}

/* Every ordered pair of different values of one axis. */
#define EACH_PAIR(count, a, b)                    \
	for (int a = 0; a < (count); a++)         \
		for (int b = 0; b < (count); b++) \
			if (a != b)

Test(honesty, a_mapping_other_than_declared_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "mapping"};

	EACH_PAIR(3, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.mapping = (enum nat_dependence)a;
		lie.declared.mapping = (enum nat_dependence)b;
		lie.protocol = "udp";
		expect_caught(lie);
		lie.protocol = "tcp";
		expect_caught(lie);
	}
}

Test(honesty, a_filtering_other_than_declared_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "filtering"};

	EACH_PAIR(3, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.filtering = (enum nat_dependence)a;
		lie.declared.filtering = (enum nat_dependence)b;
		lie.protocol = "udp";
		expect_caught(lie);
		lie.protocol = "tcp";
		expect_caught(lie);
	}
}

Test(honesty, ports_allocated_otherwise_are_caught, .timeout = 60)
{
	struct lie lie = {.axis = "ports.allocation"};

	EACH_PAIR(3, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.ports.allocation = (enum nat_allocation)a;
		lie.declared.ports.allocation = (enum nat_allocation)b;
		lie.protocol = "udp";
		expect_caught(lie);
		lie.protocol = "tcp";
		expect_caught(lie);
	}
}

Test(honesty, another_step_is_caught, .timeout = 60)
{
	static const int steps[] = {1, 2, -1, -3};
	struct lie lie = {.axis = "ports.step"};

	EACH_PAIR(4, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.ports.allocation = lie.declared.ports.allocation = PORTS_SEQUENTIAL;
		lie.truth.ports.step = steps[a];
		lie.declared.ports.step = steps[b];
		expect_caught(lie);
	}
}

Test(honesty, another_range_is_caught, .timeout = 60)
{
	static const uint16_t ranges[][2] = {
		{0, 0}, {40000, 40099}, {40000, 40199}, {40050, 40099}};
	struct lie lie = {.axis = "ports.range", .protocol = "udp"};

	EACH_PAIR(4, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.ports.allocation = lie.declared.ports.allocation = PORTS_RANDOM;
		lie.truth.ports.first = ranges[a][0];
		lie.truth.ports.last = ranges[a][1];
		lie.declared.ports.first = ranges[b][0];
		lie.declared.ports.last = ranges[b][1];
		expect_caught(lie);
	}
}

Test(honesty, sharing_a_port_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "ports.overloading"};

	lie.truth = lie.declared = cone();
	lie.truth.mapping = lie.declared.mapping = ADDRESS_AND_PORT_DEPENDENT;
	lie.truth.ports.overloading = true;
	expect_caught(lie);
	lie.truth.ports.overloading = false;
	lie.declared.ports.overloading = true;
	expect_caught(lie);
}

Test(honesty, another_parity_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "ports.parity"};

	lie.truth = lie.declared = cone();
	lie.truth.ports.parity = true;
	expect_caught(lie);
	lie.truth.ports.parity = false;
	lie.declared.ports.parity = true;
	expect_caught(lie);
}

Test(honesty, neighbours_that_are_not_kept_together_are_caught, .timeout = 60)
{
	struct lie lie = {.axis = "ports.contiguous"};

	lie.truth = lie.declared = cone();
	lie.truth.ports.contiguous = lie.truth.ports.parity = true;
	lie.declared.ports.parity = true;
	expect_caught(lie);
	lie.truth.ports.contiguous = false;
	lie.declared.ports.contiguous = true;
	expect_caught(lie);
}

Test(honesty, a_block_that_is_larger_than_declared_or_none_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "ports.block", .protocol = "udp"};

	lie.truth = lie.declared = cone();
	lie.truth.ports.allocation = lie.declared.ports.allocation = PORTS_RANDOM;
	lie.declared.ports.block = 64;
	expect_caught(lie);
	lie.truth.ports.block = 1024;
	expect_caught(lie);
}

Test(honesty, another_word_on_exhaustion_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "ports.exhaustion"};

	EACH_PAIR(2, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.ports.allocation = lie.declared.ports.allocation = PORTS_RANDOM;
		lie.truth.ports.first = lie.declared.ports.first = 40000;
		lie.truth.ports.last = lie.declared.ports.last = 40063;
		lie.truth.ports.exhaustion = (enum nat_exhaustion)a;
		lie.declared.ports.exhaustion = (enum nat_exhaustion)b;
		expect_caught(lie);
		/* A range that cannot be filled is tried as a small one. */
		lie.truth.ports.last = lie.declared.ports.last = 65535;
		expect_caught(lie);
	}
}

Test(honesty, another_hairpinning_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "hairpinning"};

	EACH_PAIR(3, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.hairpinning = (enum nat_hairpinning)a;
		lie.declared.hairpinning = (enum nat_hairpinning)b;
		lie.protocol = "udp";
		expect_caught(lie);
		lie.protocol = "tcp";
		expect_caught(lie);
	}
}

Test(honesty, another_answer_to_strangers_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "unsolicited"};

	EACH_PAIR(3, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.unsolicited = (enum nat_unsolicited)a;
		lie.declared.unsolicited = (enum nat_unsolicited)b;
		lie.protocol = "udp";
		expect_caught(lie);
		/* The stack's reset leaves nothing behind, so accepting looks like rejecting. */
		if (a == UNSOLICITED_DROP || b == UNSOLICITED_DROP) {
			lie.protocol = "tcp";
			expect_caught(lie);
		}
	}
}

Test(honesty, an_answer_that_does_not_come_late_or_at_all_is_caught, .timeout = 60)
{
	static const enum nat_unsolicited others[] = {UNSOLICITED_DROP, UNSOLICITED_REJECT};
	struct lie lie = {.axis = "unsolicited", .protocol = "tcp", .lifetime_ms = 400};
	struct nat late = conform_scaled(&nat_find("port-restricted-cone")->nat, 400);
	struct nat other = late;

	late.unsolicited = UNSOLICITED_DELAYED;
	for (size_t i = 0; i < 2; i++) {
		other.unsolicited = others[i];
		lie.truth = other;
		lie.declared = late;
		expect_caught(lie);
		lie.truth = late;
		lie.declared = other;
		expect_caught(lie);
	}
}

static struct nat short_lived(unsigned int mapping, unsigned int filter)
{
	struct nat nat = cone();
	int protocol;

	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++) {
		nat.timers.mapping[protocol] = mapping;
		nat.timers.filter[protocol] = filter;
	}
	nat.timers.tcp_transitory = mapping;
	return nat;
}

/* In all protocols at once. */
Test(honesty, another_lifetime_is_caught, .timeout = 60)
{
	struct lie lie = {.lifetime_ms = 700};

	lie.axis = "timers: mapping";
	lie.truth = short_lived(400, 0);
	lie.declared = short_lived(600, 0);
	expect_caught(lie);
	lie.truth = short_lived(600, 0);
	lie.declared = short_lived(400, 0);
	expect_caught(lie);
	lie.axis = "timers: filter";
	lie.declared = short_lived(600, 300);
	expect_caught(lie);
	lie.axis = "timers: mapping";
	lie.truth = short_lived(600, 300);
	lie.declared = short_lived(600, 0);
	expect_caught(lie);
}

Test(honesty, another_life_of_half_open_connections_is_caught, .timeout = 60)
{
	struct lie lie = {.lifetime_ms = 700, .axis = "timers: transitory", .protocol = "tcp"};

	lie.truth = lie.declared = short_lived(600, 0);
	lie.truth.timers.tcp_transitory = 300;
	lie.declared.timers.tcp_transitory = 500;
	expect_caught(lie);
	lie.truth.timers.tcp_transitory = 500;
	lie.declared.timers.tcp_transitory = 300;
	expect_caught(lie);
}

Test(honesty, another_refresh_is_caught, .timeout = 60)
{
	static const enum nat_refresh values[] = {REFRESH_OUTBOUND, REFRESH_INBOUND, REFRESH_BOTH};
	struct lie lie = {.lifetime_ms = 400};

	EACH_PAIR(3, a, b)
	{
		lie.truth = lie.declared = short_lived(400, 0);
		lie.truth.timers.refresh = values[a];
		lie.declared.timers.refresh = values[b];
		lie.axis = (values[a] ^ values[b]) & REFRESH_INBOUND ? "timers.refresh inbound"
								     : "timers.refresh outbound";
		expect_caught(lie);
	}
}

Test(honesty, another_treatment_of_icmp_errors_is_caught, .timeout = 60)
{
	struct lie lie = {.protocol = "udp"};

	lie.truth = lie.declared = cone();
	lie.axis = "icmp.errors translated";
	lie.truth.icmp.errors_blocked = true;
	expect_caught(lie);
	lie.truth.icmp.errors_blocked = false;
	lie.declared.icmp.errors_blocked = true;
	expect_caught(lie);

	lie.truth = lie.declared = cone();
	lie.axis = "icmp.kills";
	lie.truth.icmp.errors_kill = true;
	expect_caught(lie);
	lie.truth.icmp.errors_kill = false;
	lie.declared.icmp.errors_kill = true;
	expect_caught(lie);

	lie.axis = "icmp.unmatched";
	EACH_PAIR(3, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.icmp.unmatched = (enum nat_unmatched)a;
		lie.declared.icmp.unmatched = (enum nat_unmatched)b;
		expect_caught(lie);
	}
}

Test(honesty, another_treatment_of_tcp_flags_is_caught, .timeout = 60)
{
	struct lie lie = {.protocol = "tcp"};

	for (int filtering = 0; filtering < 3; filtering++) {
		lie.truth = lie.declared = cone();
		lie.truth.filtering = lie.declared.filtering = (enum nat_dependence)filtering;
		/* Where ports are kept and the filter is strict, it makes no difference. */
		if (filtering == ADDRESS_AND_PORT_DEPENDENT)
			lie.truth.ports.allocation = lie.declared.ports.allocation = PORTS_RANDOM;
		lie.axis = "tcp.rst kills";
		lie.truth.tcp.rst_kills = true;
		expect_caught(lie);
		lie.truth.tcp.rst_kills = false;
		lie.declared.tcp.rst_kills = true;
		expect_caught(lie);
	}

	lie.truth = lie.declared = cone();
	lie.axis = "tcp.simultaneous-open";
	lie.truth.tcp.strict_syn = true;
	expect_caught(lie);
	lie.truth.tcp.strict_syn = false;
	lie.declared.tcp.strict_syn = true;
	expect_caught(lie);
}

Test(honesty, another_pooling_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "pool", .external_count = 2};

	EACH_PAIR(2, a, b)
	{
		lie.truth = lie.declared = cone();
		lie.truth.pooling = (enum nat_pooling)a;
		lie.declared.pooling = (enum nat_pooling)b;
		expect_caught(lie);
	}
}

Test(honesty, a_forward_or_a_dmz_that_is_not_there_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "forwards"};

	lie.truth = lie.declared = cone();
	lie.declared.forwards[0] = (struct nat_forward){.protocol = NAT_TCP, .port = 8080};
	endpoint_parse("192.168.1.3:80", &lie.declared.forwards[0].to);
	lie.declared.forward_count = 1;
	expect_caught(lie);

	lie.truth = lie.declared = cone();
	lie.axis = "dmz";
	addr_parse("192.168.1.3", &lie.declared.dmz);
	expect_caught(lie);
}

Test(honesty, a_nat_that_blocks_udp_or_translates_nothing_is_caught, .timeout = 60)
{
	struct lie lie = {.axis = "passes", .protocol = "udp"};

	lie.truth = nat_find("udp-blocked")->nat;
	lie.declared = cone();
	expect_caught(lie);
	lie.truth = cone();
	lie.declared = nat_find("udp-blocked")->nat;
	expect_caught(lie);

	lie.axis = "translated";
	lie.truth = nat_find("firewall")->nat;
	lie.declared = cone();
	expect_caught(lie);
	lie.truth = cone();
	lie.declared = nat_find("firewall")->nat;
	expect_caught(lie);
}

Test(honesty, linux_itself_does_not_pass_for_a_cone, .timeout = 60)
{
	struct lie lie = {.axis = "mapping under contention", .protocol = "udp"};

	lie.truth = nat_find("linux-masquerade")->nat;
	lie.declared = cone();
	expect_caught(lie);
	lie.axis = "ports.overloading";
	expect_caught(lie);
}

/* Whatever is named holds what it declares, with its lifetimes tried short. */
static int hold_what_is_named(void *data)
{
	const struct nat_named *named = data;
	struct lie lie = {.truth = conform_scaled(&named->nat, 400), .lifetime_ms = 400};
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	struct axis_result axes[AXIS_RESULTS_MAX];
	size_t count, i;

	EXPECT(o, "no memory");
	EXPECT(observe(&lie, NULL, o) == 0, "%s: the bed failed", named->nat.name);
	count = judge_axes(&lie.truth, 1, o, axes);
	EXPECT(count > 5, "%s: only %zu axes are judged", named->nat.name, count);
	for (i = 0; i < count; i++)
		EXPECT(axes[i].holding != AXIS_BROKEN, "%s: %s %s: declared %s, observed %s (%s)",
		       named->nat.name, axes[i].axis, axes[i].protocol, axes[i].declared,
		       axes[i].observed, axes[i].evidence);
	return 0;
}

/* What nothing claims is the DMZ host's: its packets do not make another's mapping live on. */
Test(honesty, a_router_with_a_dmz_holds_what_it_declares, .timeout = 60)
{
	struct nat_named named = *nat_find("home-router");

	addr_parse("192.168.1.1", &named.nat.dmz);
	expect_true(hold_what_is_named, &named);
}

/* Mostly waiting, so in two halves that can wait at one time. */
static void expect_named_to_hold(size_t from, size_t to)
{
	struct nat_named named;
	size_t i;

	for (i = from; i < to; i++) {
		named = nat_names[i];
		expect_true(hold_what_is_named, &named);
	}
}

Test(honesty, every_named_nat_holds_what_it_declares, .timeout = 120)
{
	expect_named_to_hold(0, nat_names_count / 2);
}

Test(honesty, and_so_does_the_other_half_of_them, .timeout = 120)
{
	expect_named_to_hold(nat_names_count / 2, nat_names_count);
}
