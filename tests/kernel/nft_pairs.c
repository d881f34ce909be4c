/* SPDX-License-Identifier: MIT */
/* Neighbouring ports of one host stay neighbours, whoever else wants them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "support/natbed.h"

enum { HOSTS = 20 };

static struct nat pair_nat(uint16_t first, uint16_t last)
{
	struct nat nat = nat_default();

	nat.ports.contiguous = true;
	nat.ports.first = first;
	nat.ports.last = last;
	return nat;
}

static int host(struct natbed *bed, int number, int port)
{
	char local[ENDPOINT_TEXT_MAX];

	snprintf(local, sizeof(local), "192.168.1.%d:%d", number + 1, port);
	return bed_udp(bed, BED_INSIDE, local);
}

/* Host after host asks for @port and its neighbour, in both orders, @hosts in all. */
static void ask(struct nat nat, size_t addresses, int port, int hosts)
{
	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, addresses);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int other = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000"), fds[2], i, j, first;
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen[2], before[HOSTS];
	struct endpoint other_at = bed_endpoint("9.9.9.10:1000"), again;

	for (i = 0; i < hosts; i++) {
		first = i % 2;
		fds[0] = host(&bed, i, port);
		fds[1] = host(&bed, i, port + 1);
		seen[first] = bed_pass(fds[first], &server, outside);
		seen[!first] = bed_pass(fds[!first], &server, outside);
		cr_assert(seen[0].port % 2 == 0 && seen[1].port == seen[0].port + 1 &&
				  addr_equal(&seen[0].addr, &seen[1].addr),
			  "host %d: %s and %s", i, BED_TEXT(&seen[0]), BED_TEXT(&seen[1]));
		if (nat.ports.first)
			cr_assert(seen[0].port >= nat.ports.first && seen[1].port <= nat.ports.last,
				  "%u, %u", seen[0].port, seen[1].port);
		else
			cr_assert((seen[0].port < 1024) == (port < 1024), "%u became %u", port,
				  seen[0].port);
		for (j = 0; j < i; j++)
			cr_assert(!bed_same(&before[j], &seen[0]), "hosts %d and %d", i, j);
		before[i] = seen[0];
		for (j = 0; j < 2; j++) {
			bed_pass(outside, &seen[j], fds[j]);
			again = bed_pass(fds[j], &other_at, other);
			cr_assert(nat.mapping != ENDPOINT_INDEPENDENT || bed_same(&again, &seen[j]),
				  "%s became %s", BED_TEXT(&seen[j]), BED_TEXT(&again));
			close(fds[j]);
		}
	}
	close(other);
	close(outside);
}

Test(pairs, stay_neighbours_under_contention)
{
	struct nat nat = pair_nat(0, 0);

	ask(nat, 1, 5000, HOSTS);
	ask(nat, 1, 700, HOSTS);
	ask(nat, 3, 5000, HOSTS);
	nat.mapping = ADDRESS_DEPENDENT;
	ask(nat, 1, 5000, HOSTS);
	nat.mapping = ENDPOINT_INDEPENDENT;
	nat.hairpinning = HAIRPINNING_EXTERNAL_SOURCE;
	ask(nat, 1, 5000, HOSTS);
}

Test(pairs, fill_a_range_to_the_last)
{
	ask(pair_nat(40000, 40000 + 2 * HOSTS - 1), 1, 5000, HOSTS);
	ask(pair_nat(40001, 40000 + 2 * HOSTS), 1, 5000, HOSTS - 1);
}

Test(pairs, of_the_own_ports_are_kept_while_they_are_free)
{
	const struct nat nat = pair_nat(0, 0);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;
	int a = host(&bed, 0, 5001), b = host(&bed, 1, 5000), c = host(&bed, 0, 5000);

	seen = bed_pass(a, &server, outside);
	cr_assert(seen.port == 5001, "5001 became %u", seen.port);
	seen = bed_pass(b, &server, outside);
	cr_assert(seen.port != 5000 && seen.port % 2 == 0, "it took half of another's pair: %u",
		  seen.port);
	seen = bed_pass(c, &server, outside);
	cr_assert(seen.port == 5000, "the other half became %u", seen.port);
	close(a);
	close(b);
	close(c);
	close(outside);
}

Test(pairs, are_dropped_when_none_is_free)
{
	const struct nat nat = pair_nat(40001, 40006); /* 40002 and 40003, 40004 and 40005 */
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, i;
	struct endpoint server = bed_endpoint("9.9.9.9:1000");

	for (i = 0; i < 4; i++) {
		fd = host(&bed, i, 5000);
		cr_assert(bed_passes(&bed, fd, &server, outside) == (i < 2), "host %d", i);
		close(fd);
	}
	close(outside);
}
