/* SPDX-License-Identifier: MIT */
/* With a pool, a stranger's flow takes the place of one external endpoint, not of its port. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "support/natbed.h"

#define OTHER_EXTERNAL "1.2.3.5"

static struct nat of_two(enum nat_pooling pooling, enum nat_hairpinning hairpinning)
{
	struct nat nat = bed_nat("port-restricted-cone");

	nat.unsolicited = UNSOLICITED_ACCEPT;
	nat.pooling = pooling;
	nat.hairpinning = hairpinning;
	return nat;
}

/* An inside socket whose mapping is @wanted: which address a host gets is up to chance. */
static int find_host(struct natbed *bed, int at, const char *wanted)
{
	struct endpoint to = bed_endpoint("9.9.9.10:1000"), seen, want = bed_endpoint(wanted);
	char local[ENDPOINT_TEXT_MAX];
	int i, fd;

	for (i = 1; i < BED_INSIDE_HOSTS; i++) {
		snprintf(local, sizeof(local), "192.168.1.%d:%u", i, want.port);
		fd = bed_udp(bed, BED_INSIDE, local);
		seen = bed_pass(fd, &to, at);
		if (bed_same(&seen, &want))
			return fd;
		close(fd);
	}
	cr_assert_fail("none of %d hosts got %s", i - 1, wanted);
	return -1;
}

/* Two hosts on one port of two addresses; a stranger comes for the second one's. */
static void check(const struct nat *nat, const char *what)
{
	AUTO_NATBED struct natbed bed = natbed_open_pool(nat, 2);
	struct endpoint peer_at = bed_endpoint("9.9.9.9:1000");
	struct endpoint other_at = bed_endpoint("9.9.9.10:1000");
	struct endpoint first = bed_endpoint(BED_EXTERNAL ":5000"), seen;
	struct endpoint second = bed_endpoint(OTHER_EXTERNAL ":5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int other = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	int moved = find_host(&bed, other, OTHER_EXTERNAL ":5000");
	int spared = find_host(&bed, other, BED_EXTERNAL ":5000");

	bed_send(peer, &second, "who is it?");
	natbed_settle(&bed);
	seen = bed_pass(spared, &peer_at, peer);
	cr_assert(bed_same(&seen, &first),
		  "%s: a flow to " OTHER_EXTERNAL ":5000 moved one of " BED_EXTERNAL ":5000 to %s",
		  what, BED_TEXT(&seen));
	seen = bed_pass(moved, &peer_at, peer);
	cr_assert(addr_equal(&seen.addr, &second.addr), "%s: moved to another address, %s", what,
		  BED_TEXT(&seen));
	cr_assert_neq(seen.port, second.port, "%s: two flows share a tuple", what);
	bed_pass(peer, &seen, moved);

	seen = bed_pass(moved, &other_at, other);
	cr_assert(bed_same(&seen, &second), "%s: the mapping moved with the flow, to %s", what,
		  BED_TEXT(&seen));
	close(moved);
	close(spared);
	close(peer);
	close(other);
}

Test(stolen, a_stranger_takes_the_place_of_one_address_of_an_arbitrary_pool)
{
	const struct nat nat = of_two(POOLING_ARBITRARY, HAIRPINNING_OFF);

	check(&nat, "arbitrary");
}

Test(stolen, a_stranger_takes_the_place_of_one_address_of_a_paired_pool)
{
	const struct nat nat = of_two(POOLING_PAIRED, HAIRPINNING_OFF);

	check(&nat, "paired");
}

Test(stolen, mappings_made_early_are_moved_likewise)
{
	const struct nat nat = of_two(POOLING_ARBITRARY, HAIRPINNING_EXTERNAL_SOURCE);

	check(&nat, "hairpinning");
}

/* Where the peer is a part of the mapping there is none to move yet, but a port to choose. */
Test(stolen, overloading_keeps_a_port_that_is_taken_on_another_address_only)
{
	struct nat nat = of_two(POOLING_PAIRED, HAIRPINNING_OFF);
	struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"), seen;
	struct endpoint first = bed_endpoint(BED_EXTERNAL ":5000");
	struct endpoint second = bed_endpoint(OTHER_EXTERNAL ":5000");

	nat.mapping = ADDRESS_AND_PORT_DEPENDENT;
	nat.ports.overloading = true;

	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, 2);
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int other = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	int moved = find_host(&bed, other, OTHER_EXTERNAL ":5000");
	int spared = find_host(&bed, other, BED_EXTERNAL ":5000");

	bed_send(peer, &second, "who is it?");
	natbed_settle(&bed);
	seen = bed_pass(spared, &peer_at, peer);
	cr_assert(bed_same(&seen, &first), "it became %s", BED_TEXT(&seen));
	seen = bed_pass(moved, &peer_at, peer);
	cr_assert(addr_equal(&seen.addr, &second.addr) && seen.port != second.port, "it became %s",
		  BED_TEXT(&seen));
	bed_pass(peer, &seen, moved);
	close(moved);
	close(spared);
	close(peer);
	close(other);
}
