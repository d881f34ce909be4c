/* SPDX-License-Identifier: MIT */
/* The named NATs, their words, and the timers they ask of conntrack. */
#include <criterion/criterion.h>
#include <string.h>

#include "nft-rules/nat.h"

static const struct nat_sysctl *setting(const struct nat_sysctl *list, size_t count,
					const char *key)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strstr(list[i].key, key))
			return &list[i];
	return NULL;
}

Test(names, are_found_by_name_and_no_other_is)
{
	size_t i;

	cr_assert(nat_names_count == 17);
	for (i = 0; i < nat_names_count; i++) {
		cr_assert(nat_find(nat_names[i].nat.name) == &nat_names[i]);
		cr_assert(nat_names[i].summary[0] && nat_names[i].source[0]);
	}
	cr_assert(nat_find("cone") == NULL);
	cr_assert(nat_find("") == NULL);
	cr_assert(nat_find("full-cone ") == NULL);
}

Test(names, mean_what_rfc_3489_says)
{
	static const struct {
		const char *name;
		enum nat_dependence mapping, filtering;
	} classic[] = {
		{"full-cone", ENDPOINT_INDEPENDENT, ENDPOINT_INDEPENDENT},
		{"restricted-cone", ENDPOINT_INDEPENDENT, ADDRESS_DEPENDENT},
		{"port-restricted-cone", ENDPOINT_INDEPENDENT, ADDRESS_AND_PORT_DEPENDENT},
		{"symmetric", ADDRESS_AND_PORT_DEPENDENT, ADDRESS_AND_PORT_DEPENDENT},
	};
	const struct nat *nat;
	size_t i;

	for (i = 0; i < 4; i++) {
		nat = &nat_find(classic[i].name)->nat;
		cr_assert(nat->kind == NAT_TRANSLATE && !nat->udp_blocked);
		cr_assert(nat->mapping == classic[i].mapping, "%s", nat->name);
		cr_assert(nat->filtering == classic[i].filtering, "%s", nat->name);
	}
	cr_assert(nat_find("udp-blocked")->nat.udp_blocked);
}

Test(names, without_a_base_are_what_rfc_4787_recommends)
{
	struct nat nat = nat_default();

	cr_assert_str_eq(nat.name, "custom");
	cr_assert(nat.mapping == ENDPOINT_INDEPENDENT && nat.filtering == ADDRESS_DEPENDENT);
	cr_assert(nat.timers.mapping[NAT_UDP] == 300000 && nat.timers.mapping[NAT_TCP] == 7440000 &&
		  nat.timers.mapping[NAT_ICMP] == 60000);
}

Test(words, are_read_as_they_are_written)
{
	enum nat_dependence dependence;
	enum nat_allocation ports;
	int i;

	for (i = 0; i <= ADDRESS_AND_PORT_DEPENDENT; i++) {
		cr_assert(nat_dependence_parse(nat_dependence_name((enum nat_dependence)i),
					       &dependence));
		cr_assert((int)dependence == i);
	}
	for (i = 0; i <= PORTS_SEQUENTIAL; i++) {
		cr_assert(
			nat_allocation_parse(nat_allocation_name((enum nat_allocation)i), &ports));
		cr_assert((int)ports == i);
	}
	cr_assert_str_eq(nat_protocol_name(NAT_ICMP), "icmp");
	cr_assert(!nat_dependence_parse("independent", &dependence));
	cr_assert(!nat_allocation_parse("", &ports));
}

Test(timers, of_conntrack_follow_the_declared_lifetimes)
{
	struct nat_sysctl list[NAT_SYSCTLS_MAX];
	size_t count = nat_sysctls(&nat_find("full-cone")->nat, list);

	cr_assert_str_eq(setting(list, count, "udp_timeout_stream")->value, "300");
	cr_assert_str_eq(setting(list, count, "tcp_timeout_established")->value, "7440");
	cr_assert_str_eq(setting(list, count, "icmp_timeout")->value, "60");
	cr_assert_str_eq(setting(list, count, "syn_sent")->value, "240");
	cr_assert_str_eq(setting(list, count, "tcp_timeout_close")->value, "240");
	cr_assert(!setting(list, count, "time_wait"), "a shorter default must stay");
}

Test(timers, shrink_to_short_lifetimes_but_never_to_nothing)
{
	struct nat nat = nat_default();
	struct nat_sysctl list[NAT_SYSCTLS_MAX];
	size_t i, count;

	nat.timers.mapping[NAT_UDP] = 400;
	nat.timers.mapping[NAT_TCP] = 2900;
	nat.timers.mapping[NAT_ICMP] = 1000;
	count = nat_sysctls(&nat, list);
	cr_assert_str_eq(setting(list, count, "udp_timeout_stream")->value, "1");
	cr_assert_str_eq(setting(list, count, "syn_sent")->value, "2");
	cr_assert_str_eq(setting(list, count, "icmp_timeout")->value, "1");
	for (i = 0; i < count; i++)
		cr_assert(strcmp(list[i].value, "0") != 0, "%s", list[i].key);
}

Test(timers, of_the_users_own_rules_are_left_alone)
{
	struct nat nat = nat_default();
	struct nat_sysctl list[NAT_SYSCTLS_MAX];

	nat.kind = NAT_CUSTOM;
	cr_assert(nat_sysctls(&nat, list) == 0);
}

Test(timers, of_linux_masquerade_are_left_to_linux)
{
	struct nat nat = nat_find("linux-masquerade")->nat;
	struct nat_sysctl list[NAT_SYSCTLS_MAX];

	cr_assert(nat_sysctls(&nat, list) == 0);
	nat.timers.mapping[NAT_UDP] = 200000;
	cr_assert(nat_sysctls(&nat, list) == 1, "only the stream's time is declared");
	cr_assert_str_eq(list[0].value, "200");
}
