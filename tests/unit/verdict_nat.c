/* SPDX-License-Identifier: MIT */
/* A declaration in the report for machines: every axis, under its name in the language. */
#include <criterion/criterion.h>
#include <string.h>

#include "verdict/report_nat.h"

static json_t *axes_of(const struct nat *nat)
{
	json_t *json = report_nat_json(nat), *axes = json_incref(json_object_get(json, "axes"));

	cr_assert(json_is_object(json));
	json_decref(json);
	return axes;
}

/* What is at @path ("ports.step") as compact JSON. */
static void expect_at(const json_t *axes, const char *path, const char *expected)
{
	const char *dot = strchr(path, '.');
	char name[32], *text;
	const json_t *value;

	snprintf(name, sizeof(name), "%.*s", dot ? (int)(dot - path) : 31, path);
	value = json_object_get(axes, name);
	if (dot)
		value = json_object_get(value, dot + 1);
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	cr_expect(text && strcmp(text, expected) == 0, "%s is %s, not %s", path,
		  text ? text : "missing", expected);
	free(text);
}

Test(declaration, every_axis_is_there_in_the_words_of_the_language)
{
	struct nat nat = nat_find("rfc4787")->nat;
	json_t *axes;

	nat.ports = (struct nat_ports){.allocation = PORTS_SEQUENTIAL,
				       .first = 40000,
				       .last = 40099,
				       .step = -2,
				       .exhaustion = EXHAUSTION_ICMP};
	nat.timers.mapping[NAT_UDP] = 1500;
	nat.timers.filter[NAT_UDP] = 500;
	nat.tcp.strict_syn = true;
	nat.forwards[0] = (struct nat_forward){.protocol = NAT_TCP, .port = 8080};
	endpoint_parse("192.168.1.3:80", &nat.forwards[0].to);
	nat.forward_count = 1;
	addr_parse("192.168.1.4", &nat.dmz);
	axes = axes_of(&nat);
	expect_at(axes, "mapping", "\"endpoint-independent\"");
	expect_at(axes, "filtering", "\"address-dependent\"");
	expect_at(axes, "ports.allocation", "\"sequential\"");
	expect_at(axes, "ports.range", "[40000,40099]");
	expect_at(axes, "ports.step", "-2");
	expect_at(axes, "ports.block", "null");
	expect_at(axes, "ports.exhaustion", "\"icmp\"");
	expect_at(axes, "hairpinning", "\"external-source\"");
	expect_at(axes, "unsolicited", "\"drop\"");
	expect_at(axes, "timers.udp", "1.5");
	expect_at(axes, "timers.udp-filter", "0.5");
	expect_at(axes, "timers.tcp-filter", "null");
	expect_at(axes, "timers.tcp-transitory", "240.0");
	expect_at(axes, "pool", "\"paired\"");
	expect_at(axes, "icmp.errors", "\"translated\"");
	expect_at(axes, "icmp.kills", "false");
	expect_at(axes, "icmp.unmatched", "\"dropped\"");
	expect_at(axes, "tcp.rst", "\"keeps\"");
	expect_at(axes, "tcp.simultaneous-open", "\"refused\"");
	expect_at(axes, "forwards",
		  "[{\"protocol\":\"tcp\",\"port\":8080,\"to\":\"192.168.1.3:80\"}]");
	expect_at(axes, "dmz", "\"192.168.1.4\"");
	expect_at(axes, "port-mapping", "[]");
	expect_at(axes, "udp", "\"allowed\"");
	json_decref(axes);
}

Test(declaration, the_kernels_own_nat_has_only_what_can_be_said_of_it)
{
	struct nat nat = nat_find("linux-masquerade")->nat;
	json_t *axes = axes_of(&nat);

	expect_at(axes, "timers", "{\"udp\":120.0,\"tcp\":432000.0,\"icmp\":30.0}");
	cr_expect_null(json_object_get(axes, "hairpinning"));
	json_decref(axes);
}

Test(declaration, own_rules_have_what_they_promise_or_nothing)
{
	struct nat nat = nat_find("symmetric")->nat;
	json_t *axes;

	nat.kind = NAT_CUSTOM;
	nat.promised = NAT_TRANSLATE;
	axes = axes_of(&nat);
	cr_expect(json_is_null(axes));
	json_decref(axes);

	nat.declares = true;
	axes = axes_of(&nat);
	expect_at(axes, "mapping", "\"address-and-port-dependent\"");
	expect_at(axes, "hairpinning", "\"off\"");
	json_decref(axes);
}
