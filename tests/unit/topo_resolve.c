/* SPDX-License-Identifier: MIT */
/* Which way the internet is, and which networks may share their addresses. */
#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "support/topo.h"

static const struct node *node_of(const struct topo *topo, const char *name)
{
	size_t index = topo_find_node(topo, name);

	cr_assert_neq(index, TOPO_NONE, "there is no %s", name);
	return &topo->nodes[index];
}

static const char *uplink_of(const struct topo *topo, const char *name)
{
	const struct node *node = node_of(topo, name);

	if (node->uplink == TOPO_NONE)
		return "(none)";
	return topo->networks[node->interfaces[node->uplink].network].name;
}

static const char *gateway_of(const struct topo *topo, const char *name)
{
	const struct node *node = node_of(topo, name);

	return node->gateway == TOPO_NONE ? "(none)" : topo->nodes[node->gateway].name;
}

Test(resolve, stacked_routers_are_resolved_from_the_internet_outward)
{
	/* The nodes nearest to the internet come last in the file. */
	AUTO_TOPO struct topo *topo =
		topo_of("name: stacked\n"
			"networks:\n"
			"  attic: {subnet: 192.168.7.0/24}\n"
			"  home: {subnet: 192.168.1.0/24}\n"
			"  carrier: {subnet: 100.64.0.0/10}\n"
			"  internet: {type: internet}\n"
			"nodes:\n"
			"  pc: {interfaces: {attic: 192.168.7.2}}\n"
			"  repeater: {interfaces: {attic: 192.168.7.1, home: 192.168.1.2}, nat: "
			"full-cone}\n"
			"  router: {interfaces: {home: 192.168.1.1, carrier: [100.64.0.2, "
			"100.64.0.3]}, nat: "
			"symmetric}\n"
			"  cgn: {interfaces: {carrier: 100.64.0.1, internet: 1.2.3.4}, nat: "
			"restricted-cone}\n");
	char text[ADDR_TEXT_MAX];

	cr_expect_str_eq(uplink_of(topo, "cgn"), "internet");
	cr_expect_str_eq(gateway_of(topo, "cgn"), "(none)");
	cr_expect_str_eq(uplink_of(topo, "router"), "carrier");
	cr_expect_str_eq(gateway_of(topo, "router"), "cgn");
	cr_expect_str_eq(uplink_of(topo, "repeater"), "home");
	cr_expect_str_eq(gateway_of(topo, "repeater"), "router");
	cr_expect_str_eq(uplink_of(topo, "pc"), "attic");
	cr_expect_str_eq(addr_format(&node_of(topo, "pc")->gateway_address, text), "192.168.7.1");
	cr_expect_str_eq(addr_format(&node_of(topo, "router")->gateway_address, text),
			 "100.64.0.1");
}

Test(resolve, the_nearer_router_wins)
{
	/* mesh reaches the internet only through router, so it is no way for pc. */
	AUTO_TOPO struct topo *topo = topo_of(
		"name: near\n"
		"networks: {internet: {type: internet}, home: {subnet: 192.168.1.0/24}, garden: "
		"{subnet: 192.168.2.0/24}}\n"
		"nodes:\n"
		"  mesh: {interfaces: {garden: 192.168.2.1, home: 192.168.1.2}}\n"
		"  router: {interfaces: {internet: 1.2.3.4, home: 192.168.1.1}, nat: full-cone}\n"
		"  pc: {interfaces: {garden: 192.168.2.9, home: 192.168.1.9}}\n"
		"  cat: {interfaces: {garden: 192.168.2.8}, gateway: mesh}\n");

	cr_expect_str_eq(uplink_of(topo, "pc"), "home");
	cr_expect_str_eq(gateway_of(topo, "pc"), "router");
	cr_expect_str_eq(gateway_of(topo, "mesh"), "router");
	cr_expect_str_eq(gateway_of(topo, "cat"), "mesh");
	cr_expect(node_of(topo, "mesh")->router, "two interfaces forward");
}

Test(resolve, a_gateway_answers_which_of_two_equally_near_routers)
{
	AUTO_TOPO struct topo *topo = topo_of(
		"name: two-ways\n"
		"networks: {internet: {type: internet}, home: {subnet: 192.168.1.0/24}}\n"
		"nodes:\n"
		"  router1: {interfaces: {internet: 1.2.3.4, home: 192.168.1.1}, nat: full-cone}\n"
		"  router2: {interfaces: {internet: 5.6.7.8, home: 192.168.1.2}, nat: symmetric}\n"
		"  pc: {interfaces: {home: 192.168.1.9}, gateway: router2}\n");

	cr_expect_str_eq(gateway_of(topo, "pc"), "router2");
}

Test(resolve, a_lab_without_an_internet_has_no_ways_to_it)
{
	AUTO_TOPO struct topo *topo =
		topo_of("name: island\n"
			"networks: {a: {subnet: 10.1.0.0/16}, b: {subnet: 10.2.0.0/16}}\n"
			"nodes:\n"
			"  middle: {interfaces: {a: 10.1.0.1, b: 10.2.0.1}}\n"
			"  left: {interfaces: {a: 10.1.0.2}}\n"
			"steps:\n"
			"  - start: {node: middle, agent: rendezvous}\n");

	cr_expect_eq(topo->internet, TOPO_NONE);
	cr_expect_str_eq(uplink_of(topo, "left"), "(none)");
	cr_expect_str_eq(gateway_of(topo, "left"), "(none)");
	cr_expect(node_of(topo, "middle")->router);
	cr_expect_str_eq(topo->steps[0].programs[0].options[0].value, "10.1.0.1",
			 "without an uplink a server listens on its first network");
}

#define TWO_HOMES(first, second)                                                          \
	"name: homes\n"                                                                   \
	"networks: {internet: {type: internet}, home1: {subnet: 192.168.1.0/24}, home2: " \
	"{subnet: 192.168.1.0/24}}\n"                                                     \
	"nodes:\n"                                                                        \
	"  router1: {interfaces: {internet: 1.2.3.4, home1: 192.168.1.1}" first "}\n"     \
	"  router2: {interfaces: {internet: 5.6.7.8, home2: 192.168.1.1}" second "}\n"    \
	"  pc1: {interfaces: {home1: 192.168.1.2}}\n"                                     \
	"  pc2: {interfaces: {home2: 192.168.1.2}}\n"

/* RFC 5128 section 3.3.2: a private address may belong to an unrelated host. */
Test(realms, two_homes_may_have_the_same_subnet_behind_their_nats)
{
	AUTO_TOPO struct topo *both = topo_of(TWO_HOMES(", nat: full-cone", ", nat: symmetric"));
	AUTO_TOPO struct topo *kernel =
		topo_of(TWO_HOMES(", nat: linux-masquerade", ", nat: udp-blocked"));
	AUTO_TOPO struct topo *one = topo_of(TWO_HOMES(", nat: full-cone", ""));

	cr_expect(both && kernel && one);
}

Test(realms, firewalls_do_not_keep_addresses_apart)
{
	AUTO_FREE char *words = mistakes_of(TWO_HOMES(", nat: firewall", ", nat: firewall"));

	cr_expect(strstr(words, "error: the subnet of \"home2\" overlaps that of \"home1\""), "%s",
		  words);
}

Test(realms, the_nat_must_stand_between_them_and_not_beside)
{
	/* Two LANs of one router: its NAT translates towards the internet only. */
	AUTO_FREE char *words = mistakes_of(
		"name: beside\n"
		"networks: {internet: {type: internet}, a: {subnet: 10.1.0.0/16}, b: {subnet: "
		"10.2.0.0/16}, c: {subnet: 10.2.3.0/24}}\n"
		"nodes:\n"
		"  router: {interfaces: {internet: 1.2.3.4, a: 10.1.0.1, b: 10.2.0.1}, nat: "
		"full-cone}\n"
		"  inner: {interfaces: {a: 10.1.0.2, c: 10.2.3.1}}\n");

	cr_expect(strstr(words, "error: the subnet of \"c\" overlaps that of \"b\""), "%s", words);
}

Test(realms, an_inner_nat_keeps_its_home_apart_from_the_neighbour)
{
	AUTO_TOPO struct topo *topo = topo_of(
		"name: inner\n"
		"networks: {internet: {type: internet}, a: {subnet: 10.1.0.0/16}, b: {subnet: "
		"10.2.0.0/16}, c: {subnet: 10.2.3.0/24}}\n"
		"nodes:\n"
		"  router: {interfaces: {internet: 1.2.3.4, a: 10.1.0.1, b: 10.2.0.1}, nat: "
		"full-cone}\n"
		"  inner: {interfaces: {a: 10.1.0.2, c: 10.2.3.1}, nat: full-cone}\n");

	cr_expect_str_eq(gateway_of(topo, "inner"), "router");
}

Test(realms, an_internet_host_inside_a_home_s_subnet_is_doubted)
{
	AUTO_FREE char *words = mistakes_of(
		"name: squat\n"
		"networks: {internet: {type: internet}, home: {subnet: 9.9.9.0/24}}\n"
		"nodes:\n"
		"  server: {interfaces: {internet: 9.9.9.9}}\n"
		"  router: {interfaces: {internet: 1.2.3.4, home: 9.9.9.1}, nat: full-cone}\n");

	cr_expect(strstr(words, "warning: hosts on \"home\" cannot reach \"server\": its address "
				"9.9.9.9 is in their own subnet"),
		  "%s", words);
	cr_expect_not(strstr(words, "error"), "%s", words);
}

Test(realms, private_addresses_that_meet_the_internet_are_doubted)
{
	AUTO_FREE char *words = mistakes_of(
		"name: forgotten\n"
		"networks: {internet: {type: internet}, home: {subnet: 192.168.1.0/24}}\n"
		"nodes: {router: {interfaces: {internet: 1.2.3.4, home: 192.168.1.1}}}\n");

	cr_expect(strstr(words, "warning: the private addresses of \"home\" meet the internet"),
		  "%s", words);
}
