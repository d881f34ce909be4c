/* SPDX-License-Identifier: MIT */
/* A peer that writes to a mapping which was made for somebody else, beside its own. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <unistd.h>

#include "support/natbed.h"

struct pair {
	enum nat_dependence mapping, filtering;
	enum nat_hairpinning hairpinning;
	size_t externals;
};

/* Every filter that is more open than its mapping. */
static struct pair pairs[] = {
	{ADDRESS_DEPENDENT, ENDPOINT_INDEPENDENT, HAIRPINNING_OFF, 1},
	{ADDRESS_AND_PORT_DEPENDENT, ENDPOINT_INDEPENDENT, HAIRPINNING_OFF, 1},
	{ADDRESS_AND_PORT_DEPENDENT, ADDRESS_DEPENDENT, HAIRPINNING_OFF, 1},
	{ADDRESS_DEPENDENT, ENDPOINT_INDEPENDENT, HAIRPINNING_EXTERNAL_SOURCE, 1},
	{ADDRESS_AND_PORT_DEPENDENT, ENDPOINT_INDEPENDENT, HAIRPINNING_OFF, 2},
};

static struct nat nat_of(const struct pair *pair)
{
	struct nat nat = bed_nat("symmetric");

	nat.mapping = pair->mapping;
	nat.filtering = pair->filtering;
	nat.hairpinning = pair->hairpinning;
	return nat;
}

static const char *describe(const struct pair *pair)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s mapping, %s filtering, %s hairpinning, %zu addresses",
		 nat_dependence_name(pair->mapping), nat_dependence_name(pair->filtering),
		 pair->hairpinning == HAIRPINNING_OFF ? "no" : "with", pair->externals);
	return text;
}

/* Whom the other mapping is for: of the peer's address where the filter asks for that. */
static const char *other_peer(const struct pair *pair)
{
	return pair->filtering == ADDRESS_DEPENDENT ? "9.9.9.9:1001" : "9.9.9.10:1000";
}

ParameterizedTestParameters(beside, keeps_its_port_and_is_answered_by_its_own_mapping)
{
	return cr_make_param_array(struct pair, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

ParameterizedTest(const struct pair *pair, beside,
		  keeps_its_port_and_is_answered_by_its_own_mapping)
{
	const struct nat nat = nat_of(pair);
	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, pair->externals);
	struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"), seen, own, others, again;
	struct endpoint other_at = bed_endpoint(other_peer(pair));
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int other = bed_udp(&bed, BED_OUTSIDE, other_peer(pair));
	int i;

	others = bed_pass(host, &other_at, other);
	own = bed_pass(host, &peer_at, peer);
	cr_assert(!bed_same(&own, &others), "%s: one mapping for both", describe(pair));
	for (i = 0; i < 3; i++) {
		seen = bed_pass(peer, &others, host);
		cr_assert(bed_same(&seen, &peer_at), "%s: from 9.9.9.9:1000 became from %s",
			  describe(pair), BED_TEXT(&seen));
		again = bed_pass(host, &peer_at, peer);
		cr_assert(bed_same(&again, &own), "%s: answered by %s", describe(pair),
			  BED_TEXT(&again));
		seen = bed_pass(peer, &own, host);
		cr_assert(bed_same(&seen, &peer_at), "%s: by its own mapping from %s",
			  describe(pair), BED_TEXT(&seen));
		again = bed_pass(host, &other_at, other);
		cr_assert(bed_same(&again, &others), "%s: the other peer saw %s", describe(pair),
			  BED_TEXT(&again));
	}
	close(host);
	close(peer);
	close(other);
}

/* Two of somebody else's mappings, both of one socket: neither gets in the other's way. */
Test(beside, may_write_to_several_at_once)
{
	const struct nat nat = nat_of(&pairs[0]);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"), second_at, third_at, seen, second,
			third;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int second_peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	int third_peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.11:1000");

	second_at = bed_endpoint("9.9.9.10:1000");
	third_at = bed_endpoint("9.9.9.11:1000");
	second = bed_pass(host, &second_at, second_peer);
	third = bed_pass(host, &third_at, third_peer);
	bed_pass(host, &peer_at, peer);
	seen = bed_pass(peer, &second, host);
	cr_assert(bed_same(&seen, &peer_at), "by the second's mapping it came from %s",
		  BED_TEXT(&seen));
	seen = bed_pass(peer, &third, host);
	cr_assert(bed_same(&seen, &peer_at), "by the third's mapping it came from %s",
		  BED_TEXT(&seen));
	close(host);
	close(peer);
	close(second_peer);
	close(third_peer);
}

/* Who wrote first does not matter: what leaves, leaves by the mapping that is for its peer. */
Test(beside, a_peer_that_came_first_is_answered_by_a_mapping_of_its_own)
{
	const struct nat nat = nat_of(&pairs[0]);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint other_at = bed_endpoint("9.9.9.10:1000"), others, caller, seen;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int other = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	int calling = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int i;

	others = bed_pass(host, &other_at, other);
	for (i = 0; i < 3; i++) {
		caller = bed_pass(calling, &others, host);
		seen = bed_pass(host, &caller, calling);
		cr_assert(!bed_same(&seen, &others), "its answer comes from the other's mapping");
	}
	close(host);
	close(other);
	close(calling);
}
