/* SPDX-License-Identifier: MIT */
/* Blocks of ports: each inside host has its own, for every protocol, and no port beyond it. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "support/natbed.h"

enum { BLOCK = 16 };

static struct nat block_nat(enum nat_allocation allocation, uint16_t first, uint16_t last)
{
	struct nat nat = nat_default();

	nat.ports.allocation = allocation;
	nat.ports.first = first;
	nat.ports.last = last;
	nat.ports.block = BLOCK;
	return nat;
}

static int host(struct natbed *bed, int number, int port)
{
	char local[ENDPOINT_TEXT_MAX];

	snprintf(local, sizeof(local), "192.168.1.%d:%d", number + 1, port);
	return bed_udp(bed, BED_INSIDE, local);
}

static void one_block_each(struct nat nat, int hosts, size_t addresses)
{
	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, addresses);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, i, j, port;
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;
	struct endpoint blocks[60];
	bool had[BLOCK];

	for (i = 0; i < hosts; i++) {
		for (port = 0; port < BLOCK; port++)
			had[port] = false;
		for (port = 0; port < BLOCK; port++) {
			fd = host(&bed, i, 5000 + port);
			seen = bed_pass(fd, &server, outside);
			bed_pass(outside, &seen, fd);
			cr_assert(!had[seen.port % BLOCK], "host %d: port %u twice", i, seen.port);
			had[seen.port % BLOCK] = true;
			if (nat.ports.parity)
				cr_assert(seen.port % 2 == port % 2, "%d became %u", 5000 + port,
					  seen.port);
			seen.port = (uint16_t)(seen.port - seen.port % BLOCK);
			if (port == 0)
				blocks[i] = seen;
			cr_assert(bed_same(&seen, &blocks[i]), "host %d left its block for %s", i,
				  BED_TEXT(&seen));
			close(fd);
		}
		for (j = 0; j < i; j++)
			cr_assert(!bed_same(&blocks[i], &blocks[j]), "hosts %d and %d share %s", i,
				  j, BED_TEXT(&blocks[i]));
		if (nat.ports.first)
			cr_assert(blocks[i].port >= nat.ports.first &&
					  blocks[i].port + BLOCK - 1 <= nat.ports.last,
				  "block %u", blocks[i].port);
		fd = host(&bed, i, 6000);
		cr_assert(!bed_passes(&bed, fd, &server, outside), "host %d got a 17th port", i);
		close(fd);
	}
	close(outside);
}

Test(blocks, are_one_for_each_host_and_hold_all_its_ports)
{
	struct nat nat = block_nat(PORTS_RANDOM, 0, 0);

	one_block_each(nat, 20, 1);
	one_block_each(nat, 20, 3);
	one_block_each(block_nat(PORTS_SEQUENTIAL, 40000, 40000 + 8 * BLOCK - 1), 7, 1);
	/* Seven whole blocks. (One of them is the pilot's: see natbed.h.) */
	one_block_each(block_nat(PORTS_RANDOM, 40001, 40000 + 8 * BLOCK - 1), 6, 1);
	nat.ports.parity = true;
	one_block_each(nat, 4, 1);
	nat = block_nat(PORTS_SEQUENTIAL, 0, 0);
	nat.ports.step = -2;
	one_block_each(nat, 4, 1);
}

static void ports_of_one_host(struct natbed *bed, int number, unsigned int size, int outside,
			      unsigned int *ret_block)
{
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;
	unsigned int ports[24] = {0}, count = size < 24 ? size : 24, i, j;
	int fd;

	for (i = 0; i < count; i++) {
		fd = host(bed, number, 5000 + (int)i);
		seen = bed_pass(fd, &server, outside);
		close(fd);
		ports[i] = seen.port;
		for (j = 0; j < i; j++)
			cr_assert(ports[j] != ports[i], "blocks of %u: port %u twice", size,
				  ports[i]);
		cr_assert(ports[i] / size == ports[0] / size, "blocks of %u: %u and %u of one host",
			  size, ports[0], ports[i]);
	}
	cr_assert(ports[0] >= 1024, "blocks of %u: port %u", size, ports[0]);
	*ret_block = ports[0] / size;
}

Test(blocks, of_every_size_begin_at_a_multiple_of_it)
{
	static const uint16_t sizes[] = {1, 2, 256, 1024, 4096, 16384};
	struct nat nat = block_nat(PORTS_RANDOM, 0, 0);
	unsigned int first, second;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		nat.ports.block = sizes[i];

		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

		ports_of_one_host(&bed, 0, sizes[i], outside, &first);
		ports_of_one_host(&bed, 1, sizes[i], outside, &second);
		cr_assert(first != second, "blocks of %u: two hosts share one", sizes[i]);
		close(outside);
	}
}

Test(blocks, are_not_shared_when_there_are_none_left)
{
	const struct nat nat = block_nat(PORTS_RANDOM, 40000, 40000 + 3 * BLOCK - 1);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, i;
	struct endpoint server = bed_endpoint("9.9.9.9:1000");

	for (i = 0; i < 5; i++) {
		fd = host(&bed, i, 5000);
		cr_assert(bed_passes(&bed, fd, &server, outside) == (i < 2), "host %d", i);
		close(fd);
	}
	close(outside);
}

Test(blocks, are_the_same_for_tcp_and_pings)
{
	const struct nat nat = block_nat(PORTS_RANDOM, 0, 0);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, ping, i;
	int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80");
	int pong = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), web = bed_endpoint("9.9.9.9:80");
	struct endpoint udp, tcp;
	char local[ENDPOINT_TEXT_MAX];
	struct bed_echo echo;

	for (i = 0; i < 10; i++) {
		fd = host(&bed, i, 5000);
		udp = bed_pass(fd, &server, outside);
		close(fd);
		snprintf(local, sizeof(local), "192.168.1.%d:5000", i + 1);
		fd = bed_tcp(&bed, BED_INSIDE, local);
		bed_connect(fd, &web);
		close(bed_accept(listener, &tcp));
		close(fd);
		snprintf(local, sizeof(local), "192.168.1.%d", i + 1);
		ping = bed_icmp(&bed, BED_INSIDE, local);
		bed_send_echo(ping, "9.9.9.9", BED_ECHO_REQUEST, 77, (uint16_t)i);
		echo = bed_receive_echo(pong, BED_ECHO_REQUEST, (uint16_t)i);
		cr_assert(udp.port / BLOCK == tcp.port / BLOCK &&
				  udp.port / BLOCK == echo.id / BLOCK,
			  "host %d: %u, %u, %u", i, udp.port, tcp.port, echo.id);
		cr_assert(bed_receive_echo(ping, BED_ECHO_REPLY, (uint16_t)i).id == 77);
		close(ping);
	}
	close(pong);
	close(listener);
	close(outside);
}

Test(blocks, can_be_hairpinned_between)
{
	struct nat nat = block_nat(PORTS_RANDOM, 0, 0);

	nat.hairpinning = HAIRPINNING_EXTERNAL_SOURCE;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int a = host(&bed, 0, 5000), b = host(&bed, 1, 5000);
	struct endpoint server = bed_endpoint("9.9.9.9:1000");
	struct endpoint of_a = bed_pass(a, &server, outside);
	struct endpoint of_b = bed_pass(b, &server, outside), seen;

	bed_passes(&bed, a, &of_b, b);
	seen = bed_pass(b, &of_a, a);
	cr_assert(bed_same(&seen, &of_b), "A sees %s", BED_TEXT(&seen));
	close(a);
	close(b);
	close(outside);
}
