/* SPDX-License-Identifier: MIT */
/* Declarations that contradict themselves, each told at the axis that is to blame. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "nft-rules/check.h"
#include "nft-rules/words.h"

static const struct nat_forward web = {.protocol = NAT_TCP, .port = 80, .to = {.port = 8080}};

/* The one flaw of @nat: at @axis, saying @words. */
static void expect_flaw(const struct nat *nat, const char *axis, const char *words)
{
	struct nat_flaw flaws[NAT_FLAWS_MAX];
	AUTO_DIAG struct diag d = {0};
	size_t count = nat_flaws(nat, flaws);

	cr_assert_eq(count, 1, "%zu flaws, not the one at %s", count, axis);
	cr_expect_str_eq(flaws[0].axis, axis);
	cr_expect(strstr(flaws[0].why, words), "it says: %s", flaws[0].why);
	cr_expect_eq(nat_check(nat, &d), -EINVAL);
	cr_expect_str_eq(d.entries[0].message, flaws[0].why);
}

#define WRONG(axis, words, ...)                            \
	do {                                               \
		struct nat nat = nat_default(), *n = &nat; \
		n->timers.filter[NAT_TCP] = 0;             \
		__VA_ARGS__;                               \
		expect_flaw(&nat, axis, words);            \
	} while (0)

Test(flaws, nothing_is_wrong_with_what_has_a_name)
{
	struct nat_flaw flaws[NAT_FLAWS_MAX];
	struct nat nat = nat_default();
	size_t i;

	cr_expect_eq(nat_flaws(&nat, flaws), 0);
	cr_expect_eq(nat_check(&nat, NULL), 0);
	for (i = 0; i < nat_names_count; i++)
		cr_expect_eq(nat_flaws(&nat_names[i].nat, flaws), 0, "%s: %s",
			     nat_names[i].nat.name, flaws[0].why);
}

Test(flaws, of_the_range)
{
	WRONG("ports.range", "port 0", n->ports.last = 5000);
	WRONG("ports.range", "runs backwards", n->ports.first = 5000, n->ports.last = 4999);
	WRONG("ports.range", "runs backwards", n->ports.first = 1, n->ports.last = 0,
	      n->ports.last = 65535, n->ports.first = 65535, n->ports.last = 1);
	WRONG("ports.parity", "one port", n->ports.first = n->ports.last = 5000,
	      n->ports.parity = true);
	WRONG("ports.contiguous", "one port", n->ports.first = n->ports.last = 5000,
	      n->ports.contiguous = true);
}

Test(flaws, of_steps_and_blocks)
{
	WRONG("ports.step", "only sequential", n->ports.step = 2);
	WRONG("ports.step", "leaves a range", n->ports.step = -10, n->ports.first = 40000,
	      n->ports.last = 40009, n->ports.allocation = PORTS_SEQUENTIAL);
	WRONG("ports.block", "power of two", n->ports.block = 500,
	      n->ports.allocation = PORTS_RANDOM);
	WRONG("ports.block", "does not fit", n->ports.block = 128, n->ports.first = 40000,
	      n->ports.last = 40099, n->ports.allocation = PORTS_RANDOM);
	WRONG("ports.block", "hardly ever", n->ports.block = 512);
	WRONG("ports.overloading", "subscriber", n->ports.block = 512,
	      n->ports.allocation = PORTS_RANDOM, n->ports.overloading = true,
	      n->mapping = n->filtering = ADDRESS_AND_PORT_DEPENDENT);
	WRONG("ports.block", "no block of 64", n->ports.block = 64, n->ports.first = 40001,
	      n->ports.last = 40100, n->ports.allocation = PORTS_RANDOM);
	WRONG("ports.block", "addresses are paired", n->ports.block = 64,
	      n->ports.allocation = PORTS_RANDOM, n->pooling = POOLING_ARBITRARY);
	WRONG("ports.step", "at most 64", n->ports.step = -65,
	      n->ports.allocation = PORTS_SEQUENTIAL);
}

Test(flaws, of_sharing_and_of_neighbours)
{
	WRONG("ports.overloading", "address-and-port-dependent", n->ports.overloading = true);
	WRONG("ports.overloading", "whose would", n->ports.overloading = true,
	      n->mapping = ADDRESS_AND_PORT_DEPENDENT);
	WRONG("ports.contiguous", "no even port", n->ports.contiguous = true,
	      n->ports.first = 40001, n->ports.last = 40002);
	WRONG("ports.contiguous", "addresses are paired", n->ports.contiguous = true,
	      n->pooling = POOLING_ARBITRARY);
	WRONG("ports.contiguous", "random", n->ports.contiguous = true,
	      n->ports.allocation = PORTS_RANDOM);
	WRONG("ports.contiguous", "sequential", n->ports.contiguous = true,
	      n->ports.allocation = PORTS_SEQUENTIAL);
	WRONG("ports.contiguous", "each destination", n->ports.contiguous = true,
	      n->mapping = ADDRESS_AND_PORT_DEPENDENT);
}

Test(flaws, of_lifetimes)
{
	WRONG("timers.udp", "0.1 s to a day", n->timers.mapping[NAT_UDP] = 99);
	WRONG("timers.tcp", "not 86400.001 s", n->timers.mapping[NAT_TCP] = 86400001);
	WRONG("timers.tcp-transitory", "not 0 s", n->timers.tcp_transitory = 0);
	WRONG("timers.icmp-filter", "not 0.05 s", n->timers.filter[NAT_ICMP] = 50);
	WRONG("timers.udp-filter", "outlive", n->timers.filter[NAT_UDP] = 300001);
	WRONG("timers.tcp-filter", "no permission", n->timers.filter[NAT_TCP] = 1000,
	      n->filtering = ENDPOINT_INDEPENDENT);
}

Test(flaws, of_what_is_open)
{
	WRONG("forwards", "port 0", n->forwards[0] = web, n->forwards[0].port = 0,
	      n->forward_count = 1);
	WRONG("forwards", "tcp port 80 is forwarded twice", n->forwards[0] = web,
	      n->forwards[1] = web, n->forward_count = 2);
	WRONG("forwards", "for udp and tcp", n->forwards[0] = web,
	      n->forwards[0].protocol = NAT_ICMP, n->forward_count = 1);
	WRONG("forwards", "no UDP", n->forwards[0] = web, n->forwards[0].protocol = NAT_UDP,
	      n->forward_count = 1, n->udp_blocked = true);
	WRONG("dmz", "unsolicited reject", n->unsolicited = UNSOLICITED_REJECT,
	      n->dmz = addr_from_ipv4(htonl(0xc0a80101)));
}

Test(flaws, one_port_of_two_protocols_may_be_forwarded)
{
	struct nat nat = nat_default();

	nat.forwards[0] = nat.forwards[1] = web;
	nat.forwards[1].protocol = NAT_UDP;
	nat.forward_count = 2;
	cr_expect_eq(nat_check(&nat, NULL), 0);
}

Test(flaws, of_kinds_that_have_no_such_axis)
{
	static const char *const kinds[] = {"linux-masquerade", "firewall"};
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct nat base = nat_find(kinds[i])->nat;

		WRONG("mapping", "cannot be declared", nat = base, n->mapping = ADDRESS_DEPENDENT);
		WRONG("filtering", "cannot be declared", nat = base,
		      n->filtering = ADDRESS_DEPENDENT);
		WRONG("ports", "cannot be declared", nat = base, n->ports.first = 1,
		      n->ports.last = 2);
		WRONG("hairpinning", "cannot be declared", nat = base,
		      n->hairpinning = HAIRPINNING_EXTERNAL_SOURCE);
		WRONG("pool", "cannot be declared", nat = base, n->pooling = POOLING_ARBITRARY);
		WRONG("timers", "cannot be declared", nat = base, n->timers.filter[0] = 1000);
		WRONG("icmp", "cannot be declared", nat = base, n->icmp.errors_kill = true);
		WRONG("tcp", "cannot be declared", nat = base, n->tcp.rst_kills = true);
		WRONG("forwards", "cannot be declared", nat = base, n->forward_count = 1);
		WRONG("dmz", "cannot be declared", nat = base, n->dmz.family = AF_INET);
	}
	WRONG("rules", "no file", n->kind = NAT_CUSTOM);
}

static const char *details(const struct nat *nat, char text[256])
{
	const struct nat usual = nat_default();
	FILE *out = fmemopen(text, 256, "w");

	cr_assert_not_null(out);
	nat_write_details(nat, &usual, out);
	fclose(out);
	return text;
}

Test(details, are_only_what_differs)
{
	struct nat nat = nat_default();
	char text[256] = "";

	details(&nat, text);
	cr_expect_str_empty(text);
	nat.ports = (struct nat_ports){.first = 40000,
				       .last = 40099,
				       .allocation = PORTS_SEQUENTIAL,
				       .step = -2,
				       .exhaustion = EXHAUSTION_ICMP};
	nat.hairpinning = HAIRPINNING_INTERNAL_SOURCE;
	nat.timers.mapping[NAT_UDP] = 500;
	nat.timers.refresh = REFRESH_BOTH;
	cr_expect_str_eq(details(&nat, text),
			 ", range 40000-40099, step -2, exhaustion icmp, "
			 "hairpinning internal-source, UDP timer 0.5 s, refresh both");
	nat = nat_default();
	nat.ports.contiguous = nat.tcp.rst_kills = true;
	nat.unsolicited = UNSOLICITED_ACCEPT;
	nat.forward_count = 1;
	nat.dmz = addr_from_ipv4(htonl(0xc0a80101));
	cr_expect_str_eq(details(&nat, text), ", contiguous pairs, unsolicited accept, RST kills, "
					      "1 forward, DMZ 192.168.1.1");
}
