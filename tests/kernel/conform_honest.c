/* SPDX-License-Identifier: MIT */
/*
 * Conform's honesty: a router that does one thing and declares another is caught, for
 * each axis; and one that declares what it does is not.
 */
#include "support/lie.h"

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

/* Ports are kept within a range: what asks for a port that is kept must ask for one of it. */
Test(honesty, ports_kept_in_a_range_are_not_taken_for_moved_ones, .timeout = 60)
{
	static const uint16_t lasts[] = {49999, 40099};
	struct lie lie = {
		.truth = cone(), .declared = cone(), .axis = "unsolicited", .protocol = "udp"};

	lie.truth.ports.first = 40000;
	for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
		lie.truth.ports.last = lasts[i];
		lie.declared.ports = lie.truth.ports;
		lie.truth.unsolicited = UNSOLICITED_ACCEPT;
		lie.declared.unsolicited = UNSOLICITED_DROP;
		expect_caught(lie);
		lie.truth.unsolicited = UNSOLICITED_DROP;
		lie.declared.unsolicited = UNSOLICITED_ACCEPT;
		expect_caught(lie);
	}
}

/* Nearly everything is declared of so few ports that the probes need more. */
Test(honesty, a_range_of_a_few_ports_is_seen_to_its_ends, .timeout = 60)
{
	struct lie lie = {.truth = cone(), .declared = cone(), .axis = "ports.range"};

	lie.truth.ports =
		(struct nat_ports){.allocation = PORTS_SEQUENTIAL, .first = 40000, .last = 40009};
	lie.declared.ports = lie.truth.ports;
	lie.declared.ports.last = 40008;
	expect_caught(lie);
	lie.axis = "mapping";
	lie.declared.ports.last = 40009;
	lie.declared.mapping = ADDRESS_DEPENDENT;
	expect_caught(lie);
	lie.declared.mapping = ENDPOINT_INDEPENDENT;
	lie.axis = "icmp.kills";
	lie.declared.icmp.errors_kill = true;
	expect_caught(lie);
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

/* Whatever the mapping, the filter and the ports, its end is seen. */
static void expect_reset_caught(const struct nat *nat)
{
	struct lie lie = {
		.protocol = "tcp", .axis = "tcp.rst kills", .truth = *nat, .declared = *nat};

	lie.truth.tcp.rst_kills = true;
	expect_caught(lie);
	lie.truth.tcp.rst_kills = false;
	lie.declared.tcp.rst_kills = true;
	expect_caught(lie);
}

Test(honesty, another_treatment_of_resets_is_caught, .timeout = 60)
{
	struct nat nat = cone();

	for (int filtering = 0; filtering < 3; filtering++) {
		nat.filtering = (enum nat_dependence)filtering;
		expect_reset_caught(&nat);
	}
	nat = nat_find("symmetric")->nat;
	expect_reset_caught(&nat);
}

static void expect_strictness_caught(const struct nat *nat)
{
	struct lie lie = {.protocol = "tcp",
			  .axis = "tcp.simultaneous-open",
			  .truth = *nat,
			  .declared = *nat};

	lie.truth.tcp.strict_syn = true;
	expect_caught(lie);
	lie.truth.tcp.strict_syn = false;
	lie.declared.tcp.strict_syn = true;
	expect_caught(lie);
}

Test(honesty, another_treatment_of_crossed_syns_is_caught, .timeout = 60)
{
	static const char *const names[] = {"port-restricted-cone", "symmetric", "mobile-carrier"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_strictness_caught(&nat_find(names[i])->nat);
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
