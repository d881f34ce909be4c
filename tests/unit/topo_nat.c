/* SPDX-License-Identifier: MIT */
/* `nat:` and `nats:`: every axis arrives in the model as it was written. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "topo/topo.h"

/* A lab whose first node, "router", has @nat; @more is another section, or "". */
static struct topo *lab(const char *file, const char *nat, const char *more)
{
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *text = NULL;
	struct topo *topo = NULL;
	int r;

	cr_assert(
		asprintf(&text,
			 "name: lab\n"
			 "networks: {internet: {type: internet}, home: {subnet: 192.168.1.0/24},\n"
			 "  cellar: {subnet: 10.0.0.0/24}, attic: {subnet: 10.0.1.0/24}}\n"
			 "%s"
			 "nodes:\n"
			 "  router: {interfaces: {internet: [1.2.3.4, 1.2.3.5], home: "
			 "192.168.1.254},\n"
			 "    nat: %s}\n"
			 "  pc1: {interfaces: {home: 192.168.1.1}}\n"
			 "  pc2: {interfaces: {home: 192.168.1.2}}\n"
			 "  inner: {interfaces: {home: 192.168.1.3, cellar: 10.0.0.254}}\n"
			 "  deep: {interfaces: {cellar: 10.0.0.1}}\n"
			 "  other: {interfaces: {home: 192.168.1.4, attic: 10.0.1.254},\n"
			 "    nat: full-cone}\n"
			 "  high: {interfaces: {attic: 10.0.1.1}}\n",
			 more, nat) > 0);
	r = topo_load_text(file, text, strlen(text), &topo, &d);
	if (r < 0)
		diag_print(&d, stderr, false);
	cr_assert_eq(r, 0, "%s", nat);
	return topo;
}

static struct nat nat_of(const char *nat)
{
	struct topo *topo = lab("lab.yaml", nat, "");
	struct nat ret = topo->nodes[0].nat;

	topo_free(topo);
	return ret;
}

Test(axes, of_port_mapping)
{
	struct nat one = nat_of("{base: symmetric, port-mapping: upnp}");
	struct nat all = nat_of("{base: full-cone, port-mapping: [pcp, nat-pmp]}");
	struct nat none = nat_of("symmetric");

	cr_expect_eq(one.port_mapping, PORT_MAPPING_UPNP);
	cr_expect_eq(all.port_mapping, PORT_MAPPING_PCP | PORT_MAPPING_NAT_PMP);
	cr_expect_eq(none.port_mapping, 0);
}

Test(axes, of_ports)
{
	struct nat nat = nat_of("{ports: {allocation: sequential, range: 40000-40099, step: -2, "
				"parity: true, exhaustion: icmp}}");

	cr_expect_eq(nat.ports.allocation, PORTS_SEQUENTIAL);
	cr_expect_eq(nat.ports.first, 40000);
	cr_expect_eq(nat.ports.last, 40099);
	cr_expect_eq(nat.ports.step, -2);
	cr_expect(nat.ports.parity && !nat.ports.contiguous && !nat.ports.overloading);
	cr_expect_eq(nat.ports.exhaustion, EXHAUSTION_ICMP);
	nat = nat_of("{ports: {contiguous: true}}");
	cr_expect(nat.ports.contiguous);
	nat = nat_of("{base: symmetric, ports: {overloading: true}}");
	cr_expect(nat.ports.overloading);
	cr_expect_eq(nat.ports.allocation, PORTS_RANDOM, "what is not written is the base's");
	nat = nat_of("{ports: {allocation: random, block: 512, range: 2000-3999}}");
	cr_expect_eq(nat.ports.block, 512);
	nat = nat_of("{ports: {range: 2000}}");
	cr_expect(nat.ports.first == 2000 && nat.ports.last == 2000, "one port is a range too");
}

Test(axes, that_are_one_word)
{
	struct nat nat = nat_of("{mapping: address-dependent, filtering: endpoint-independent, "
				"ports: random, hairpinning: internal-source, "
				"unsolicited: reject, pool: arbitrary, udp: blocked}");

	cr_expect_str_eq(nat.name, "custom");
	cr_expect_eq(nat.mapping, ADDRESS_DEPENDENT);
	cr_expect_eq(nat.filtering, ENDPOINT_INDEPENDENT);
	cr_expect_eq(nat.ports.allocation, PORTS_RANDOM);
	cr_expect_eq(nat.hairpinning, HAIRPINNING_INTERNAL_SOURCE);
	cr_expect_eq(nat.unsolicited, UNSOLICITED_REJECT);
	cr_expect_eq(nat.pooling, POOLING_ARBITRARY);
	cr_expect(nat.udp_blocked);
	nat = nat_of("{base: udp-blocked, udp: allowed, hairpinning: off}");
	cr_expect_not(nat.udp_blocked);
}

Test(axes, of_timers_are_milliseconds)
{
	struct nat nat =
		nat_of("{timers: {udp: 0.25, tcp: 7440, tcp-transitory: 240, icmp: 1.5, "
		       "udp-filter: 0.1, tcp-filter: 3600, icmp-filter: 1, refresh: both}}");

	cr_expect_eq(nat.timers.mapping[NAT_UDP], 250);
	cr_expect_eq(nat.timers.mapping[NAT_TCP], 7440000);
	cr_expect_eq(nat.timers.mapping[NAT_ICMP], 1500);
	cr_expect_eq(nat.timers.tcp_transitory, 240000);
	cr_expect_eq(nat.timers.filter[NAT_UDP], 100);
	cr_expect_eq(nat.timers.filter[NAT_TCP], 3600000);
	cr_expect_eq(nat.timers.filter[NAT_ICMP], 1000);
	cr_expect_eq(nat.timers.refresh, REFRESH_BOTH);
}

Test(axes, a_lifetime_that_is_not_written_gives_way_to_one_that_is)
{
	struct topo *topo = lab("lab.yaml", "{base: slow, timers: {udp: 10, tcp: 20}}",
				"nats: {slow: {timers: {udp: 60, udp-filter: 30}}}\n");
	const struct nat *nat = &topo->nodes[0].nat;

	cr_expect_eq(nat->timers.filter[NAT_UDP], 10000);
	cr_expect_eq(nat->timers.tcp_transitory, 20000);
	topo_free(topo);
}

Test(axes, of_icmp_and_tcp)
{
	struct nat nat = nat_of("{icmp: {errors: blocked, kills: true, unmatched: leaked}, "
				"tcp: {rst: kills, simultaneous-open: refused}}");

	cr_expect(nat.icmp.errors_blocked && nat.icmp.errors_kill);
	cr_expect_eq(nat.icmp.unmatched, UNMATCHED_LEAKED);
	cr_expect(nat.tcp.rst_kills && nat.tcp.strict_syn);
	nat = nat_of("{icmp: {errors: translated, unmatched: translated}, "
		     "tcp: {rst: keeps, simultaneous-open: allowed}}");
	cr_expect(!nat.icmp.errors_blocked && !nat.tcp.rst_kills && !nat.tcp.strict_syn);
	cr_expect_eq(nat.icmp.unmatched, UNMATCHED_TRANSLATED);
}

static void expect_target(const struct nat_forward *forward, enum nat_protocol protocol,
			  unsigned int port, const char *target)
{
	char text[ENDPOINT_TEXT_MAX];

	cr_expect_eq(forward->protocol, protocol);
	cr_expect_eq(forward->port, port);
	cr_expect_str_eq(endpoint_format(&forward->to, text), target);
}

Test(hosts, are_found_inside)
{
	struct nat nat = nat_of("{forwards: [{protocol: tcp, port: 80, to: \"pc1:8080\"}, "
				"{protocol: udp, port: 53, to: pc2}, "
				"{protocol: udp, port: 54, to: \"deep:53\"}, "
				"{protocol: udp, port: 55, to: other}], dmz: inner}");
	char text[ADDR_TEXT_MAX];

	cr_assert_eq(nat.forward_count, 4);
	expect_target(&nat.forwards[0], NAT_TCP, 80, "192.168.1.1:8080");
	expect_target(&nat.forwards[1], NAT_UDP, 53, "192.168.1.2:53");
	expect_target(&nat.forwards[2], NAT_UDP, 54, "10.0.0.1:53");
	expect_target(&nat.forwards[3], NAT_UDP, 55, "192.168.1.4:55");
	cr_expect_str_eq(addr_format(&nat.dmz, text), "192.168.1.3");
}

Test(names, of_the_users_own_are_read_in_any_order)
{
	struct topo *topo = lab("lab.yaml", "my-home",
				"nats:\n"
				"  my-home: {base: strict, hairpinning: external-source}\n"
				"  strict: {base: symmetric, unsolicited: reject}\n");
	const struct nat *nat = &topo->nodes[0].nat;

	cr_expect_str_eq(nat->name, "my-home");
	cr_expect_eq(nat->mapping, ADDRESS_AND_PORT_DEPENDENT);
	cr_expect_eq(nat->unsolicited, UNSOLICITED_REJECT);
	cr_expect_eq(nat->hairpinning, HAIRPINNING_EXTERNAL_SOURCE);
	topo_free(topo);
}

Test(names, nobody_uses_are_doubted_but_one_that_is_a_base_is_used)
{
	static const char text[] =
		"name: lab\n"
		"networks: {internet: {type: internet}, lan: {subnet: 10.0.0.0/24}}\n"
		"nats: {a: {base: b}, b: {udp: blocked}, c: {}}\n"
		"nodes: {r: {interfaces: {internet: 1.2.3.4, lan: 10.0.0.1}, nat: a}}\n";
	AUTO_DIAG struct diag d = {0};
	struct topo *topo = NULL;

	cr_assert_eq(topo_load_text("lab.yaml", text, strlen(text), &topo, &d), 0);
	cr_assert_eq(d.count, 1);
	cr_expect_str_eq(d.entries[0].message, "no router is a \"c\"");
	topo_free(topo);
}

Test(rules, of_the_users_own_are_looked_for_beside_the_file)
{
	struct topo *topo =
		lab(TEST_SOURCE_DIR "/nft-rules/lab.yaml", "{rules: listings/full-cone.nft}", "");
	const struct nat *nat = &topo->nodes[0].nat;

	cr_expect_eq(nat->kind, NAT_CUSTOM);
	cr_expect_str_eq(nat->name, "own-rules");
	cr_expect_str_eq(nat->rules, TEST_SOURCE_DIR "/nft-rules/listings/full-cone.nft");
	topo_free(topo);
	topo = lab("lab.yaml", "mine",
		   "nats: {mine: {rules: " TEST_SOURCE_DIR "/nft-rules/listings/full-cone.nft}}\n");
	cr_expect_str_eq(topo->nodes[0].nat.name, "mine");
	cr_expect_str_eq(topo->nodes[0].nat.rules,
			 TEST_SOURCE_DIR "/nft-rules/listings/full-cone.nft");
	topo_free(topo);
}

Test(rules, declare_nothing_alone_and_what_is_written_beside_them)
{
#define OWN "rules: " TEST_SOURCE_DIR "/nft-rules/listings/full-cone.nft"
	struct topo *topo = lab("lab.yaml", "{" OWN "}", "");
	const struct nat *nat = &topo->nodes[0].nat;

	cr_expect_not(nat->declares);
	cr_expect_eq(nat_promise(nat).kind, NAT_CUSTOM);
	topo_free(topo);

	topo = lab("lab.yaml", "{" OWN ", base: symmetric, hairpinning: external-source}", "");
	nat = &topo->nodes[0].nat;
	cr_expect_eq(nat->kind, NAT_CUSTOM, "its rules are still the file's");
	cr_expect_eq(nat_promise(nat).kind, NAT_TRANSLATE);
	cr_expect_eq(nat->mapping, ADDRESS_AND_PORT_DEPENDENT);
	cr_expect_eq(nat->hairpinning, HAIRPINNING_EXTERNAL_SOURCE);
	topo_free(topo);

	/* What is based on such rules makes promises of its own. */
	topo = lab("lab.yaml", "{base: mine, " OWN "}",
		   "nats: {mine: {" OWN ", base: linux-masquerade}}\n");
	cr_expect_eq(nat_promise(&topo->nodes[0].nat).kind, NAT_MASQUERADE);
	topo_free(topo);
#undef OWN
}
