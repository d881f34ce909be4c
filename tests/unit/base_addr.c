/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "base/addr.h"

static struct addr addr_of(const char *text)
{
	struct addr addr;

	cr_assert(addr_parse(text, &addr), "\"%s\" must parse", text);
	return addr;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	cr_assert(prefix_parse(text, &prefix), "\"%s\" must parse", text);
	return prefix;
}

Test(addr, what_is_parsed_is_what_is_printed)
{
	static const char *const texts[] = {"0.0.0.0", "1.2.3.4", "255.255.255.255",
					    "::", "2001:db8::1"};
	char text[ADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct addr addr = addr_of(texts[i]);

		cr_expect_str_eq(addr_format(&addr, text), texts[i]);
	}
}

Test(addr, anything_but_an_address_is_refused_and_leaves_the_result_alone)
{
	static const char *const texts[] = {"",          "1.2.3",     "1.2.3.4.5", "1.2.3.4 ",
					    " 1.2.3.4",  "1.2.3.256", "01.2.3.4",  "server",
					    "1.2.3.4/8", "1::2::3"};
	struct addr addr = {.family = AF_UNSPEC};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_expect_not(addr_parse(texts[i], &addr), "\"%s\" is no address", texts[i]);
		cr_expect_eq(addr.family, AF_UNSPEC);
	}
}

Test(addr, no_address_prints_as_a_dash)
{
	struct addr none = {0};
	struct endpoint endpoint = {.port = 7};
	char text[ENDPOINT_TEXT_MAX];

	cr_expect_str_eq(addr_format(&none, text), "-");
	cr_expect_str_eq(endpoint_format(&endpoint, text), "-:7");
	cr_expect_eq(addr_bits(&none), 0);
}

Test(prefix, only_a_whole_prefix_with_a_fitting_length_is_one)
{
	static const char *const bad[] = {"1.2.3.0",     "1.2.3.0/",   "1.2.3.0/33", "1.2.3.0/-1",
					  "1.2.3.0/024", "1.2.3.0/2x", "/24",        "::/129"};
	struct prefix prefix;
	char text[PREFIX_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(prefix_parse(bad[i], &prefix), "\"%s\" is no prefix", bad[i]);
	prefix = prefix_of("192.168.1.0/24");
	cr_expect_str_eq(prefix_format(&prefix, text), "192.168.1.0/24");
}

Test(prefix, containment_looks_at_the_network_bits_only)
{
	struct prefix home = prefix_of("192.168.1.77/25");
	struct addr inside = addr_of("192.168.1.127"), outside = addr_of("192.168.1.128");
	struct addr other = addr_of("::1");

	cr_expect(prefix_contains(&home, &inside));
	cr_expect_not(prefix_contains(&home, &outside));
	cr_expect_not(prefix_contains(&home, &other), "another family is never inside");
}

Test(prefix, two_overlap_when_the_wider_contains_the_other)
{
	struct prefix wide = prefix_of("10.0.0.0/8"), narrow = prefix_of("10.3.0.0/16");
	struct prefix apart = prefix_of("11.0.0.0/8"), all = prefix_of("0.0.0.0/0");

	cr_expect(prefix_overlap(&wide, &narrow));
	cr_expect(prefix_overlap(&narrow, &wide));
	cr_expect_not(prefix_overlap(&wide, &apart));
	cr_expect(prefix_overlap(&all, &narrow));
}

Test(prefix, its_network_has_no_host_bits)
{
	struct prefix prefix = prefix_of("192.168.255.255/20");
	struct prefix network = prefix_network(&prefix);
	char text[PREFIX_TEXT_MAX];

	cr_expect_str_eq(prefix_format(&network, text), "192.168.240.0/20");
}

Test(endpoint, brackets_belong_to_ipv6_only)
{
	struct endpoint endpoint;
	char text[ENDPOINT_TEXT_MAX];

	cr_assert(endpoint_parse("1.2.3.4:7777", &endpoint));
	cr_expect_str_eq(endpoint_format(&endpoint, text), "1.2.3.4:7777");
	cr_assert(endpoint_parse("[2001:db8::1]:65535", &endpoint));
	cr_expect_str_eq(endpoint_format(&endpoint, text), "[2001:db8::1]:65535");
	cr_expect_not(endpoint_parse("[1.2.3.4]:1", &endpoint));
	cr_expect_not(endpoint_parse("::1:80", &endpoint));
	cr_expect_not(endpoint_parse("1.2.3.4", &endpoint));
	cr_expect_not(endpoint_parse("1.2.3.4:65536", &endpoint));
	cr_expect_not(endpoint_parse("1.2.3.4:", &endpoint));
	cr_expect_not(endpoint_parse("]:1", &endpoint));
	cr_expect_not(endpoint_parse("[:1", &endpoint));
}

Test(endpoint, survives_a_socket_address)
{
	static const char *const texts[] = {"1.2.3.4:7777", "[2001:db8::1]:80"};
	struct endpoint there, back;
	struct sockaddr_storage address;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert(endpoint_parse(texts[i], &there));
		cr_expect_gt(endpoint_to_sockaddr(&there, &address), 0);
		cr_assert(endpoint_from_sockaddr(&address, &back));
		cr_expect(endpoint_equal(&there, &back));
	}
	memset(&address, 0, sizeof(address));
	cr_expect_not(endpoint_from_sockaddr(&address, &back));
}

Test(addr, ipv4_words_keep_network_order)
{
	struct addr addr = addr_from_ipv4(htonl(0x01020304));
	struct addr six = addr_of("::1");
	char text[ADDR_TEXT_MAX];

	cr_expect_str_eq(addr_format(&addr, text), "1.2.3.4");
	cr_expect_eq(addr_to_ipv4(&addr), htonl(0x01020304));
	cr_expect_eq(addr_to_ipv4(&six), 0, "IPv6 has no IPv4 word");
}
