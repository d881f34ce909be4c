/* SPDX-License-Identifier: MIT */
/* Paths of every shape, with their proofs: neighbours, stacked NATs, firewalls, public hosts. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/natsim.h"

/* Four kinds of home and a public host; both homes of the carrier use one subnet. */
static const char picture[] =
	"name: paths\n"
	"networks:\n"
	"  internet: {type: internet}\n"
	"  carrier: {subnet: 100.64.0.0/10}\n"
	"  home1: {subnet: 192.168.1.0/24}\n"
	"  home2: {subnet: 192.168.1.0/24}\n"
	"  home3: {subnet: 192.168.3.0/24}\n"
	"  guests: {subnet: 192.168.4.0/24}\n"
	"  office: {subnet: 193.0.2.0/24}\n"
	"nodes:\n"
	"  server: {interfaces: {internet: 9.9.9.9}}\n"
	"  public: {interfaces: {internet: 8.8.8.8}}\n"
	"  cgn: {interfaces: {internet: 1.2.3.4, carrier: 100.64.0.1}, nat: port-restricted-cone}\n"
	"  router1: {interfaces: {carrier: 100.64.0.11, home1: 192.168.1.254}, nat: "
	"restricted-cone}\n"
	"  router2: {interfaces: {carrier: 100.64.0.12, home2: 192.168.1.254}, nat: full-cone}\n"
	"  router3: {interfaces: {internet: 5.6.7.8, home3: 192.168.3.254, guests: "
	"192.168.4.254}, nat: port-restricted-cone}\n"
	"  firewall: {interfaces: {internet: 5.6.7.9, office: 193.0.2.254}, nat: firewall}\n"
	"  pc1: {interfaces: {home1: 192.168.1.1}}\n"
	"  pc2: {interfaces: {home2: 192.168.1.1}}\n"
	"  pc3: {interfaces: {home3: 192.168.3.1}}\n"
	"  pc3b: {interfaces: {home3: 192.168.3.2}}\n"
	"  guest: {interfaces: {guests: 192.168.4.1}}\n"
	"  pc4: {interfaces: {office: 193.0.2.1}}\n"
	"steps:\n"
	"  - start: {node: server, agent: rendezvous}\n";

/* The two meet, or do not, as @path says, and a line of the proof tells @words. */
static void expect_path(const char *one, const char *other, const char *path, const char *words)
{
	struct scratch scratch = scratch_new();
	AUTO_FREE char *yaml = NULL, *file = NULL;
	struct natsim natsim = {0};

	cr_assert_gt(asprintf(&yaml,
			      "%s"
			      "  - run:\n"
			      "      - {node: %s, agent: punch, session: s, timeout: %s}\n"
			      "      - {node: %s, agent: punch, session: s, timeout: %s}\n"
			      "    expect: {path: %s}\n",
			      picture, one, strcmp(path, "none") == 0 ? "0.7" : "10", other,
			      strcmp(path, "none") == 0 ? "0.7" : "10", path),
		     0);
	file = scratch_write(&scratch, "paths.yaml", yaml);
	natsim_run(&natsim, "run", file, NULL);
	cr_expect_eq(natsim.status, 0, "%s and %s: it ends with %d:\n%s%s", one, other,
		     natsim.status, natsim.out, natsim.err);
	cr_expect_not_null(strstr(natsim.out, words), "\"%s\" is told in:\n%s", words, natsim.out);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}

Test(paths, through_two_stacked_nats_each_link_is_shown)
{
	expect_path("pc1", "pc3", "direct", "cgn tracked 100.64.0.11:");
}

Test(paths, to_a_public_host_the_one_nat_tells)
{
	expect_path("pc3", "public", "direct", "pc3 met 8.8.8.8:");
	expect_path("public", "pc3", "direct", "what the kernel of router3 makes of pc3's");
}

Test(paths, through_a_firewall_nothing_is_translated_and_strangers_stay_out)
{
	expect_path("pc4", "pc3", "direct", "pc4's own endpoint, which no router translates");
	expect_path("pc4", "public", "direct",
		    "packet from a fresh socket did not get in at pc4, right with "
		    "address-and-port-dependent filtering");
}

Test(paths, neighbours_meet_without_any_nat)
{
	expect_path("pc3", "pc3b", "direct", "nobody stands between");
}

Test(paths, two_networks_of_one_router_meet_untranslated)
{
	expect_path("pc3", "guest", "direct", "router3 tracked 192.168.3.1:");
}

Test(paths, two_homes_of_one_carrier_do_not_without_hairpinning)
{
	expect_path("pc1", "pc2", "none", "no hairpinning");
}
