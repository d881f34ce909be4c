/* SPDX-License-Identifier: MIT */
/* Several external addresses: which one a mapping gets, and that they are told apart. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "support/natbed.h"

enum { ADDRESSES = 4, HOSTS = 40 };

static struct nat pool_nat(enum nat_pooling pooling)
{
	struct nat nat = nat_default();

	nat.pooling = pooling;
	return nat;
}

static int host(struct natbed *bed, int number, int port)
{
	char local[ENDPOINT_TEXT_MAX];

	snprintf(local, sizeof(local), "192.168.1.%d:%d", number + 1, port);
	return bed_udp(bed, BED_INSIDE, local);
}

/* Which of the external addresses: 0 to ADDRESSES - 1. */
static unsigned int which(const struct endpoint *seen)
{
	unsigned int number = ntohl(addr_to_ipv4(&seen->addr)) - 0x01020304U;

	cr_assert(number < ADDRESSES, "%s is not of the pool", BED_TEXT(seen));
	return number;
}

Test(pool, paired_hosts_keep_their_address_for_every_mapping_and_protocol)
{
	const struct nat nat = pool_nat(POOLING_PAIRED);
	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, ADDRESSES);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, i, port;
	int ping, pong = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
	int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80");
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), web = bed_endpoint("9.9.9.9:80");
	struct endpoint seen, first = {0};
	unsigned int used[ADDRESSES] = {0};
	char address[ADDR_TEXT_MAX];
	struct bed_echo echo;

	for (i = 0; i < HOSTS; i++) {
		for (port = 5000; port < 5004; port++) {
			fd = host(&bed, i, port);
			seen = bed_pass(fd, &server, outside);
			if (port == 5000)
				first = seen;
			cr_assert(which(&seen) == which(&first), "host %d moved to %s", i,
				  BED_TEXT(&seen));
			bed_pass(outside, &seen, fd);
			close(fd);
		}
		used[which(&first)]++;
		snprintf(address, sizeof(address), "192.168.1.%d", i + 1);
		ping = bed_icmp(&bed, BED_INSIDE, address);
		bed_send_echo(ping, "9.9.9.9", BED_ECHO_REQUEST, 77, (uint16_t)i);
		echo = bed_receive_echo(pong, BED_ECHO_REQUEST, (uint16_t)i);
		cr_assert(addr_equal(&echo.from, &first.addr), "its pings come from elsewhere");
		close(ping);
		snprintf(address, sizeof(address), "192.168.1.%d:0", i + 1);
		fd = bed_tcp(&bed, BED_INSIDE, address);
		bed_connect(fd, &web);
		close(bed_accept(listener, &seen));
		cr_assert(addr_equal(&seen.addr, &first.addr), "its connections come from %s",
			  BED_TEXT(&seen));
		close(fd);
	}
	/* Chance of an address without any of 40 hosts: 4 * 0.75 ** 40, one in 25000. */
	for (i = 0; i < ADDRESSES; i++)
		cr_assert(used[i], "1.2.3.%d is never used", 4 + i);
	close(listener);
	close(pong);
	close(outside);
}

Test(pool, paired_hosts_that_share_an_address_share_no_port_and_others_keep_theirs)
{
	const struct nat nat = pool_nat(POOLING_PAIRED);
	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, ADDRESSES);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fds[HOSTS], i, j;
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen[HOSTS];
	unsigned int kept = 0;

	for (i = 0; i < HOSTS; i++) {
		fds[i] = host(&bed, i, 5000);
		seen[i] = bed_pass(fds[i], &server, outside);
		kept += seen[i].port == 5000;
		for (j = 0; j < i; j++)
			cr_assert(!bed_same(&seen[i], &seen[j]), "two hosts are %s",
				  BED_TEXT(&seen[i]));
	}
	/* The first host of each address. */
	cr_assert(kept == ADDRESSES, "%u hosts kept their port", kept);
	for (i = 0; i < HOSTS; i++) {
		bed_pass(outside, &seen[i], fds[i]);
		close(fds[i]);
	}
	close(outside);
}

Test(pool, arbitrary_mappings_get_any_address_and_keep_it)
{
	const struct nat nat = pool_nat(POOLING_ARBITRARY);
	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, ADDRESSES);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd, i;
	int other = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen, again;
	struct endpoint other_at = bed_endpoint("9.9.9.10:1000");
	unsigned int used[ADDRESSES] = {0};

	for (i = 0; i < 200; i++) {
		fd = host(&bed, 0, 5000 + i);
		seen = bed_pass(fd, &server, outside);
		again = bed_pass(fd, &other_at, other);
		cr_assert(bed_same(&seen, &again), "%s is %s to another", BED_TEXT(&seen),
			  BED_TEXT(&again));
		bed_pass(outside, &seen, fd);
		used[which(&seen)]++;
		close(fd);
	}
	/* Each is drawn 50 times; less than 20 is a deviation of five sigma. */
	for (i = 0; i < ADDRESSES; i++)
		cr_assert(used[i] > 20, "1.2.3.%d was drawn %u times of 200", 4 + i, used[i]);
	close(other);
	close(outside);
}

Test(pool, a_permission_at_one_address_is_none_at_another)
{
	struct nat nat = pool_nat(POOLING_PAIRED);
	size_t filtering;

	for (filtering = 0; filtering < 3; filtering++) {
		nat.filtering = (enum nat_dependence)filtering;

		AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, 2);
		int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int fd = host(&bed, 0, 5000);
		struct endpoint server = bed_endpoint("9.9.9.9:1000");
		struct endpoint seen = bed_pass(fd, &server, outside), wrong;

		wrong = bed_endpoint(which(&seen) ? "1.2.3.4:5000" : "1.2.3.5:5000");
		cr_assert(!bed_passes(&bed, outside, &wrong, fd), "it hears both addresses");
		bed_pass(outside, &seen, fd);
		close(fd);
		close(outside);
	}
}

Test(pool, a_paired_address_without_ports_left_is_not_replaced_by_another)
{
	struct nat nat = pool_nat(POOLING_PAIRED);
	int i;

	nat.ports.allocation = PORTS_RANDOM;
	nat.ports.first = 40000;
	nat.ports.last = 40003;

	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, ADDRESSES);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd;
	struct endpoint server = bed_endpoint("9.9.9.9:1000");

	for (i = 0; i < 4; i++) {
		fd = host(&bed, 0, 5000 + i);
		bed_pass(fd, &server, outside);
		close(fd);
	}
	fd = host(&bed, 0, 6000);
	cr_assert(!bed_passes(&bed, fd, &server, outside), "RFC 7857 section 4");
	close(fd);
	close(outside);
}

static void use_all(enum nat_allocation allocation)
{
	struct nat nat = pool_nat(POOLING_ARBITRARY);
	bool had[ADDRESSES][4] = {{false}};
	int i;

	nat.ports.allocation = allocation;
	nat.ports.first = 40000;
	nat.ports.last = 40003;

	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, ADDRESSES);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fd;
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;

	for (i = 0; i < 4 * ADDRESSES; i++) {
		fd = host(&bed, 0, 5000 + i);
		seen = bed_pass(fd, &server, outside);
		cr_assert(!had[which(&seen)][seen.port - 40000], "%s twice", BED_TEXT(&seen));
		had[which(&seen)][seen.port - 40000] = true;
		close(fd);
	}
	fd = host(&bed, 0, 6000);
	cr_assert(!bed_passes(&bed, fd, &server, outside), "there were sixteen");
	close(fd);
	close(outside);
}

Test(pool, arbitrary_mappings_use_every_port_of_every_address)
{
	use_all(PORTS_RANDOM);
	use_all(PORTS_SEQUENTIAL);
	use_all(PORTS_PRESERVING);
}

Test(pool, the_largest_one_can_be_installed_and_every_pair_works)
{
	struct nat nat = pool_nat(POOLING_ARBITRARY);
	int i;

	for (i = 0; i < 9; i++) {
		nat.mapping = (enum nat_dependence)(i / 3);
		nat.filtering = (enum nat_dependence)(i % 3);
		nat.pooling = i % 2 ? POOLING_PAIRED : POOLING_ARBITRARY;

		AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, NAT_POOL_MAX);
		int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int same = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1001");
		int other = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		int fd = host(&bed, 0, 5000);
		struct endpoint server = bed_endpoint("9.9.9.9:1000");
		struct endpoint seen = bed_pass(fd, &server, outside);

		bed_pass(outside, &seen, fd);
		cr_assert(bed_passes(&bed, same, &seen, fd) ==
			  (nat.filtering != ADDRESS_AND_PORT_DEPENDENT));
		cr_assert(bed_passes(&bed, other, &seen, fd) ==
			  (nat.filtering == ENDPOINT_INDEPENDENT));
		close(fd);
		close(other);
		close(same);
		close(outside);
	}
}
