/* SPDX-License-Identifier: MIT */
/* Which port a mapping gets: ranges, steps, parity, overloading; and the low ports. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "support/natbed.h"

enum { HOSTS = 24 };

static struct nat nat_with(enum nat_allocation allocation, uint16_t first, uint16_t last)
{
	struct nat nat = nat_default();

	nat.ports.allocation = allocation;
	nat.ports.first = first;
	nat.ports.last = last;
	return nat;
}

static int host(struct natbed *bed, int number, unsigned int port)
{
	char local[ENDPOINT_TEXT_MAX];

	snprintf(local, sizeof(local), "192.168.1.%d:%u", number, port);
	return bed_udp(bed, BED_INSIDE, local);
}

Test(ports, are_preserved_in_the_range_and_drawn_from_it_otherwise)
{
	const struct nat nat = nat_with(PORTS_PRESERVING, 40000, 40099);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;
	static const unsigned int own[] = {40000, 40050, 40099, 5000, 39999, 40100, 700};
	size_t i;
	int fd;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		fd = host(&bed, 1, own[i]);
		seen = bed_pass(fd, &server, outside);
		cr_assert(seen.port >= 40000 && seen.port <= 40099, "%u became %u", own[i],
			  seen.port);
		if (own[i] >= 40000 && own[i] <= 40099)
			cr_assert(seen.port == own[i], "%u became %u", own[i], seen.port);
		bed_pass(outside, &seen, fd);
		close(fd);
	}
	close(outside);
}

Test(ports, are_random_within_the_range_alone)
{
	const struct nat nat = nat_with(PORTS_RANDOM, 40000, 40063);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), i, fd, in_order = 0;
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;
	bool had[64] = {false};
	uint16_t before = 0;

	/* All 64, each once: so the last ones are found too. */
	for (i = 0; i < 64; i++) {
		fd = host(&bed, 1, 5000 + (unsigned int)i);
		seen = bed_pass(fd, &server, outside);
		cr_assert(seen.port >= 40000 && seen.port <= 40063, "got %u", seen.port);
		cr_assert(!had[seen.port - 40000], "port %u was given twice", seen.port);
		had[seen.port - 40000] = true;
		in_order += seen.port == before + 1;
		before = seen.port;
		close(fd);
	}
	cr_assert(in_order < 32, "%d of 64 random ports follow the one before", in_order);
	close(outside);
}

/* The ports in the order in which a step takes them, told without modular arithmetic. */
static size_t expected_order(uint16_t first, uint16_t last, int step, uint16_t ret[64])
{
	bool had[64] = {false};
	size_t count = (size_t)(last - first) + 1, n;
	int at = step > 0 ? 0 : (int)count - 1;

	for (n = 0; n < count; n++) {
		ret[n] = (uint16_t)(first + at);
		had[at] = true;
		at += step;
		if (at < 0)
			at += (int)count;
		if (at >= (int)count)
			at -= (int)count;
		while (n + 1 < count && had[at])
			at = step > 0 ? (at + 1) % (int)count : (at + (int)count - 1) % (int)count;
	}
	return count;
}

Test(ports, follow_each_other_by_the_step_and_wrap_until_all_are_used)
{
	static const struct {
		uint16_t first, last;
		int step;
	} cases[] = {
		{40000, 40015, 1},  {40000, 40015, -1}, {40000, 40015, 2}, {40000, 40015, -2},
		{40000, 40014, 4},  {40000, 40015, 3},  {40001, 40016, 4}, {65520, 65535, 2},
		{65524, 65535, -5}, {1, 12, 2},         {1, 12, -1},       {40000, 40009, 9},
	};
	uint16_t expected[64];
	size_t c, n, count;

	for (c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct nat nat = nat_with(PORTS_SEQUENTIAL, cases[c].first, cases[c].last);

		nat.ports.step = cases[c].step;

		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd;
		struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;

		count = expected_order(cases[c].first, cases[c].last, cases[c].step, expected);
		for (n = 0; n < count; n++) {
			fd = host(&bed, 1 + (int)n % HOSTS, 5000 + (unsigned int)n);
			seen = bed_pass(fd, &server, outside);
			cr_assert(seen.port == expected[n],
				  "%u-%u step %d: number %zu is %u, not %u", cases[c].first,
				  cases[c].last, cases[c].step, n, seen.port, expected[n]);
			close(fd);
		}
		fd = host(&bed, 1, 6000);
		cr_assert(!bed_passes(&bed, fd, &server, outside), "one more than there are");
		close(fd);
		close(outside);
	}
}

Test(ports, sequential_tcp_ports_count_for_themselves)
{
	struct nat nat = nat_with(PORTS_SEQUENTIAL, 0, 0);

	nat.ports.step = 7;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, i;
	int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80");
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), web = bed_endpoint("9.9.9.9:80");
	struct endpoint seen;

	for (i = 0; i < 5; i++) {
		fd = host(&bed, 1, 5000 + (unsigned int)i);
		seen = bed_pass(fd, &server, outside);
		cr_assert(seen.port == 1024 + 7 * i, "UDP %d is %u", i, seen.port);
		close(fd);
		fd = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:0");
		bed_connect(fd, &web);
		close(bed_accept(listener, &seen));
		cr_assert(seen.port == 1024 + 7 * i, "TCP %d is %u", i, seen.port);
		close(fd);
	}
	close(listener);
	close(outside);
}

static void check_parity(struct nat nat)
{
	nat.ports.parity = true;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, i;
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;
	bool had[100] = {false};
	unsigned int own;

	for (i = 0; i < HOSTS; i++) {
		for (own = 5000; own <= 5001; own++) {
			fd = host(&bed, i + 1, own);
			seen = bed_pass(fd, &server, outside);
			cr_assert(seen.port % 2 == own % 2, "%u became %u", own, seen.port);
			if (nat.ports.first) {
				cr_assert(seen.port >= nat.ports.first &&
						  seen.port <= nat.ports.last,
					  "%u", seen.port);
				cr_assert(!had[seen.port - nat.ports.first], "%u twice", seen.port);
				had[seen.port - nat.ports.first] = true;
			}
			bed_pass(outside, &seen, fd);
			close(fd);
		}
	}
	close(outside);
}

Test(ports, keep_their_parity_under_contention)
{
	check_parity(nat_with(PORTS_PRESERVING, 0, 0));
	check_parity(nat_with(PORTS_RANDOM, 0, 0));
	check_parity(nat_with(PORTS_SEQUENTIAL, 0, 0));
	/* Exactly as many as there are, from odd bounds and from even ones. */
	check_parity(nat_with(PORTS_RANDOM, 40001, 40000 + 2 * HOSTS));
	check_parity(nat_with(PORTS_SEQUENTIAL, 40000, 40000 + 2 * HOSTS - 1));
}

Test(ports, even_and_odd_ones_step_for_themselves)
{
	struct nat nat = nat_with(PORTS_SEQUENTIAL, 40000, 40099);

	nat.ports.parity = true;
	nat.ports.step = -2;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, i;
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;
	static const uint16_t expected[] = {40098, 40099, 40094, 40095, 40090, 40091};

	for (i = 0; i < 6; i++) {
		fd = host(&bed, 1, 5000 + (unsigned int)i);
		seen = bed_pass(fd, &server, outside);
		cr_assert(seen.port == expected[i], "number %d is %u, not %u", i, seen.port,
			  expected[i]);
		close(fd);
	}
	close(outside);
}

Test(ports, below_1024_stay_below_when_they_cannot_be_kept)
{
	const struct nat nat = nat_with(PORTS_PRESERVING, 0, 0);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, i;
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;

	for (i = 0; i < HOSTS; i++) {
		fd = host(&bed, i + 1, 700);
		seen = bed_pass(fd, &server, outside);
		cr_assert(i ? seen.port != 700 : seen.port == 700, "%d: %u", i, seen.port);
		cr_assert(seen.port > 0 && seen.port < 1024, "700 became %u", seen.port);
		close(fd);
		fd = host(&bed, i + 1, 7000);
		seen = bed_pass(fd, &server, outside);
		cr_assert(seen.port >= 1024, "7000 became %u", seen.port);
		close(fd);
	}
	close(outside);
}

static struct nat overloading(enum nat_allocation allocation)
{
	struct nat nat = nat_with(allocation, 0, 0);

	nat.mapping = nat.filtering = ADDRESS_AND_PORT_DEPENDENT;
	nat.ports.overloading = true;
	return nat;
}

Test(overloading, shares_a_port_where_the_peers_differ_and_only_there)
{
	const struct nat nat = overloading(PORTS_PRESERVING);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	static const char *const names[] = {"9.9.9.9:1000", "9.9.9.9:1001", "9.9.9.10:1000"};
	struct endpoint servers[3], seen[3];
	int outside[3], a, b, i;

	a = host(&bed, 1, 5000);
	b = host(&bed, 2, 5000);
	for (i = 0; i < 3; i++) {
		servers[i] = bed_endpoint(names[i]);
		outside[i] = bed_udp(&bed, BED_OUTSIDE, names[i]);
	}
	for (i = 0; i < 2; i++) {
		seen[i] = bed_pass(a, &servers[i], outside[i]);
		cr_assert(seen[i].port == 5000, "the first host's port became %u", seen[i].port);
	}
	seen[2] = bed_pass(b, &servers[2], outside[2]);
	cr_assert(seen[2].port == 5000, "the port is not shared, but %u", seen[2].port);
	bed_pass(outside[0], &seen[0], a);
	bed_pass(outside[1], &seen[1], a);
	bed_pass(outside[2], &seen[2], b);

	seen[1] = bed_pass(b, &servers[1], outside[1]);
	cr_assert(seen[1].port != 5000, "two hosts share a port towards one peer");
	bed_pass(outside[1], &seen[1], b);
	cr_assert(!bed_passes(&bed, outside[2], &seen[1], b), "another peer comes in");
	for (i = 0; i < 3; i++)
		close(outside[i]);
	close(a);
	close(b);
}

Test(overloading, shares_ports_of_tcp_and_ids_of_queries)
{
	const struct nat nat = overloading(PORTS_PRESERVING);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int listeners[2] = {bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80"),
			    bed_listen(&bed, BED_OUTSIDE, "9.9.9.10:80")};
	struct endpoint servers[2] = {bed_endpoint("9.9.9.9:80"), bed_endpoint("9.9.9.10:80")};
	struct endpoint seen;
	int fds[2] = {bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000"),
		      bed_tcp(&bed, BED_INSIDE, "192.168.1.2:5000")};
	int pings[2] = {bed_icmp(&bed, BED_INSIDE, "192.168.1.1"),
			bed_icmp(&bed, BED_INSIDE, "192.168.1.2")};
	int nines[2] = {bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9"),
			bed_icmp(&bed, BED_OUTSIDE, "9.9.9.10")};
	static const char *const hosts[2] = {"9.9.9.9", "9.9.9.10"};
	uint16_t i;

	for (i = 0; i < 2; i++) {
		bed_connect(fds[i], &servers[i]);
		close(bed_accept(listeners[i], &seen));
		cr_assert(seen.port == 5000, "host %u got port %u", i, seen.port);
		bed_send_echo(pings[i], hosts[i], BED_ECHO_REQUEST, 77, i);
		cr_assert(bed_receive_echo(nines[i], BED_ECHO_REQUEST, i).id == 77);
		cr_assert(bed_receive_echo(pings[i], BED_ECHO_REPLY, i).id == 77);
	}
	bed_send_echo(pings[1], hosts[0], BED_ECHO_REQUEST, 77, 9);
	cr_assert(bed_receive_echo(nines[0], BED_ECHO_REQUEST, 9).id != 77, "one id, one peer");
	for (i = 0; i < 2; i++) {
		close(listeners[i]);
		close(fds[i]);
		close(pings[i]);
		close(nines[i]);
	}
}
