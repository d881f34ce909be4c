/* SPDX-License-Identifier: MIT */
/* From a declared NAT to text: every combination can be built, and contradictions cannot. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "nft-rules/expr.h"
#include "nft-rules/ir.h"
#include "nft-rules/ruleset.h"

static int build(const struct nat *nat, const char *outside, const char *external,
		 struct ruleset **ret, struct diag *d)
{
	struct nat_router router = {.nat = nat, .outside = outside};
	struct addr address;

	if (external) {
		cr_assert(addr_parse(external, &address));
		router.externals = &address;
		router.external_count = 1;
	}
	return ruleset_build(&router, ret, d);
}

static char *text_of(const struct nat *nat)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	AUTO_DIAG struct diag d = {0};
	char *text = NULL;
	size_t length;
	FILE *out;

	cr_assert(build(nat, "internet", "1.2.3.4", &ruleset, &d) == 0, "%s",
		  d.count ? d.entries[0].message : "no words");
	out = open_memstream(&text, &length);
	cr_assert(out && ruleset_print(ruleset, out) == 0);
	fclose(out);
	return text;
}

Test(build, makes_every_combination_with_the_longest_names)
{
	struct nat nat = nat_default();
	AUTO_DIAG struct diag d = {0};
	int i;

	for (i = 0; i < 27; i++) {
		CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;

		nat.mapping = (enum nat_dependence)(i / 9);
		nat.filtering = (enum nat_dependence)(i / 3 % 3);
		nat.ports.allocation = (enum nat_allocation)(i % 3);
		cr_assert(build(&nat, "fifteen-letters", "255.255.255.255", &ruleset, &d) == 0);
	}
}

static void refuses(const struct nat *nat, const char *outside, const char *external,
		    const char *words)
{
	AUTO_DIAG struct diag d = {0};
	struct ruleset *ruleset = NULL;

	cr_assert(build(nat, outside, external, &ruleset, &d) < 0, "it did not refuse: %s", words);
	cr_assert(ruleset == NULL);
	cr_assert(d.count == 1 && strstr(d.entries[0].message, words), "it says: %s",
		  d.count ? d.entries[0].message : "nothing");
}

Test(build, refuses_what_makes_no_nat)
{
	struct nat nat = nat_default();

	refuses(&nat, "", "1.2.3.4", "name of its outside interface");
	refuses(&nat, NULL, "1.2.3.4", "name of its outside interface");
	refuses(&nat, "sixteen-letters-", "1.2.3.4", "name of its outside interface");
	refuses(&nat, "a\"b", "1.2.3.4", "name of its outside interface");
	refuses(&nat, "internet", NULL, "an address on its outside");
	refuses(&nat, "internet", "2001:db8::1", "IPv4");
	nat.timers.mapping[NAT_TCP] = 99;
	refuses(&nat, "internet", "1.2.3.4", "at least 100 ms");
	nat = nat_find("firewall")->nat;
	nat.filtering = ENDPOINT_INDEPENDENT;
	refuses(&nat, "internet", NULL, "is what it is");
	nat = nat_find("linux-masquerade")->nat;
	nat.ports.allocation = PORTS_SEQUENTIAL;
	refuses(&nat, "internet", "1.2.3.4", "is what it is");
}

Test(build, needs_no_address_for_a_firewall)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	AUTO_DIAG struct diag d = {0};

	cr_assert(build(&nat_find("firewall")->nat, "internet", NULL, &ruleset, &d) == 0);
	ruleset_free(NULL);
}

Test(print, shows_the_rule_that_makes_the_difference)
{
	static const struct {
		const char *name, *rule;
	} telling[] = {
		{"full-cone", "udp dport != @udp_permit drop"},
		{"restricted-cone", "udp dport . ip saddr != @udp_permit drop"},
		{"port-restricted-cone", "udp dport . ip saddr . udp sport != @udp_permit drop"},
		{"symmetric",
		 "snat ip to ip saddr . udp sport . ip daddr . udp dport map @udp_out"},
		{"symmetric", "$port = numgen random mod 64512 offset 1024"},
		{"linux-masquerade", "oifname \"internet\" masquerade"},
		{"firewall", "iifname \"internet\" ct state established,related accept"},
		{"udp-blocked", "oifname \"internet\" ip protocol udp drop"},
	};
	size_t i;

	for (i = 0; i < sizeof(telling) / sizeof(telling[0]); i++) {
		AUTO_FREE char *text = text_of(&nat_find(telling[i].name)->nat);

		cr_assert(strstr(text, telling[i].rule), "%s has no \"%s\":\n%s", telling[i].name,
			  telling[i].rule, text);
	}
}

Test(print, gives_lifetimes_as_declared_and_five_percent)
{
	struct nat nat = nat_default();

	nat.timers.mapping[NAT_UDP] = 1500;

	AUTO_FREE char *text = text_of(&nat);

	cr_assert(strstr(text, "update @udp_permit { udp sport . ip daddr timeout 1s575ms }"), "%s",
		  text);
	cr_assert(strstr(text, "update @udp_fresh { udp sport . ip daddr timeout 75ms }"));
	cr_assert(strstr(text, "update @tcp_permit { tcp sport . ip daddr timeout 7452s }"));
}

Test(print, tells_a_full_disk)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	AUTO_FCLOSE FILE *full = fopen("/dev/full", "we");
	AUTO_DIAG struct diag d = {0};

	cr_assert(full);
	setvbuf(full, NULL, _IONBF, 0);
	cr_assert(build(&nat_find("full-cone")->nat, "internet", "1.2.3.4", &ruleset, &d) == 0);
	cr_assert(ruleset_print(ruleset, full) == -EIO);
}

/* The first error stays, and every builder after it does nothing. */
Test(ir, keeps_its_first_error_and_goes_quiet)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = ir_new();
	const struct type port = {{TYPE_PORT}, 1};
	struct chain *chain = ir_add_chain(ruleset, NULL, "", "chain");
	struct builder b = expr_rule(ruleset, chain, "");
	struct addr addr = addr_from_ipv4(0);

	cr_assert(ir_add_set(ruleset, &port, NULL, "", "%s",
			     "a name of more than thirty-one characters"));
	cr_assert(ruleset->error == -ENAMETOOLONG);
	ir_fail(ruleset, -ENOMEM);
	cr_assert(ruleset->error == -ENAMETOOLONG);
	cr_assert(!ir_add_set(ruleset, &port, NULL, "", "next"));
	cr_assert(!ir_add_chain(ruleset, NULL, "", "next"));
	expr_draw_port(&b, 0, &(struct draw_port){.modulus = 1});
	expr_match_set(&b, 0, NULL, true);
	expr_map(&b, 0, NULL, 4);
	expr_map_named(&b, 0, NULL, 4, "$name");
	expr_add(&b, NULL, 0, 0, 1);
	expr_match_addr(&b, FIELD_IP_SADDR, &addr, true);
	expr_jump(&b, NULL);
	expr_snat(&b, 0);
	b = expr_rule(ruleset, NULL, "");
	expr_masquerade(&b);
	expr_drop(&b);
	cr_assert(chain->rule_count == 1 && chain->rules[0].statement_count == 0);
}

Test(ir, has_limits)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *sets = ir_new();
	CLEANUP(ruleset_free_cleanup) struct ruleset *chains = ir_new();
	const struct type port = {{TYPE_PORT}, 1};
	int i;

	for (i = 0; i < IR_SETS_MAX; i++)
		cr_assert(ir_add_set(sets, &port, NULL, "", "set%d", i));
	cr_assert(!ir_add_set(sets, &port, NULL, "", "one more") && sets->error == -E2BIG);
	for (i = 0; i < IR_CHAINS_MAX; i++)
		cr_assert(ir_add_chain(chains, NULL, "", "chain%d", i));
	cr_assert(!ir_add_chain(chains, NULL, "", "one more") && chains->error == -E2BIG);
}
