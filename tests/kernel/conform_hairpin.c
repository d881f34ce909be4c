/* SPDX-License-Identifier: MIT */
/*
 * Conform's honesty about hairpinning where mappings depend on the peer and ports cannot be
 * known: which way it is done, or that it is not, is seen all the same.
 */
#include "support/lie.h"

static struct nat dependent(enum nat_allocation allocation)
{
	struct nat nat = cone();

	nat.mapping = ADDRESS_AND_PORT_DEPENDENT;
	nat.ports.allocation = allocation;
	return nat;
}

static struct nat with(struct nat nat, enum nat_hairpinning hairpinning)
{
	nat.hairpinning = hairpinning;
	return nat;
}

/* Each way of hairpinning, declared as the next. */
static void expect_each_caught(const struct nat *nat)
{
	struct lie lie = {.axis = "hairpinning"};

	for (int value = 0; value < 3; value++) {
		lie.truth = with(*nat, (enum nat_hairpinning)value);
		lie.declared = with(*nat, (enum nat_hairpinning)((value + 1) % 3));
		expect_caught(lie);
	}
}

Test(hairpinning, of_a_nat_that_draws_each_port_is_seen, .timeout = 60)
{
	struct nat nat = dependent(PORTS_RANDOM);

	expect_each_caught(&nat);
	nat.filtering = ADDRESS_DEPENDENT;
	expect_each_caught(&nat);
}

Test(hairpinning, of_one_that_counts_its_ports_is_seen, .timeout = 60)
{
	struct nat nat = dependent(PORTS_SEQUENTIAL);

	expect_each_caught(&nat);
	nat.mapping = ADDRESS_DEPENDENT;
	nat.ports.step = -5;
	expect_each_caught(&nat);
}

Test(hairpinning, of_one_that_keeps_ports_of_a_range_is_seen, .timeout = 60)
{
	struct nat nat = dependent(PORTS_PRESERVING);

	nat.ports.first = 40000;
	nat.ports.last = 49999;
	expect_each_caught(&nat);
}

Test(hairpinning, of_one_with_blocks_for_its_hosts_is_seen, .timeout = 60)
{
	struct nat nat = dependent(PORTS_RANDOM);

	nat.ports.block = 1024;
	expect_each_caught(&nat);
}

Test(hairpinning, of_one_that_shares_ports_among_peers_is_seen, .timeout = 60)
{
	struct nat nat = dependent(PORTS_RANDOM);

	nat.ports.overloading = true;
	expect_each_caught(&nat);
}

Test(hairpinning, of_one_that_keeps_parity_is_seen, .timeout = 60)
{
	struct nat nat = dependent(PORTS_RANDOM);

	nat.ports.parity = true;
	nat.ports.first = 50001;
	nat.ports.last = 65535;
	expect_each_caught(&nat);
}

Test(hairpinning, of_one_with_several_addresses_is_seen, .timeout = 60)
{
	struct lie lie = {.axis = "hairpinning", .external_count = 2};

	lie.truth = dependent(PORTS_RANDOM);
	lie.truth.pooling = POOLING_ARBITRARY;
	lie.declared = with(lie.truth, HAIRPINNING_EXTERNAL_SOURCE);
	expect_caught(lie);
	lie.truth = lie.declared;
	lie.declared.hairpinning = HAIRPINNING_OFF;
	expect_caught(lie);
}
