/* SPDX-License-Identifier: MIT */
/* When no port is left: who has one keeps it, who asks for one gets what was declared. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/natbed.h"

enum { PORTS = 7 };

static struct nat small_nat(enum nat_allocation allocation, enum nat_exhaustion exhaustion)
{
	struct nat nat = nat_default();

	nat.ports.allocation = allocation;
	nat.ports.first = 40000;
	nat.ports.last = 40000 + PORTS - 1;
	nat.ports.exhaustion = exhaustion;
	return nat;
}

static int host(struct natbed *bed, int number)
{
	char local[ENDPOINT_TEXT_MAX];

	snprintf(local, sizeof(local), "192.168.1.%d:5000", number + 1);
	return bed_udp(bed, BED_INSIDE, local);
}

/* The error a connected socket has heard of, 0 for none. */
static int heard(int fd)
{
	socklen_t size = sizeof(int);
	int error = 0;

	cr_assert(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
	return error;
}

static void fill_and_overfill(struct nat nat)
{
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fds[PORTS], late, i, round;
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen[PORTS], again;
	unsigned int had = 0;
	const int on = 1;

	for (i = 0; i < PORTS; i++) {
		fds[i] = host(&bed, i);
		seen[i] = bed_pass(fds[i], &server, outside);
		had |= 1U << (seen[i].port - 40000);
	}
	cr_assert(had == (1U << PORTS) - 1, "not all of the range was used");
	late = host(&bed, PORTS);
	cr_assert(setsockopt(late, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) == 0);
	bed_connect(late, &server);
	for (round = 0; round < 3; round++) {
		cr_assert(!bed_passes(&bed, late, &server, outside),
			  "somebody got a port too many");
		cr_assert(heard(late) ==
				  (nat.ports.exhaustion == EXHAUSTION_ICMP ? EHOSTUNREACH : 0),
			  "the late one hears something else");
	}
	for (i = 0; i < PORTS; i++) {
		again = bed_pass(fds[i], &server, outside);
		cr_assert(bed_same(&again, &seen[i]), "%s became %s", BED_TEXT(&seen[i]),
			  BED_TEXT(&again));
		bed_pass(outside, &seen[i], fds[i]);
		close(fds[i]);
	}
	close(late);
	close(outside);
}

Test(exhaustion, existing_mappings_survive_and_new_ones_are_dropped)
{
	fill_and_overfill(small_nat(PORTS_PRESERVING, EXHAUSTION_DROP));
	fill_and_overfill(small_nat(PORTS_RANDOM, EXHAUSTION_DROP));
	fill_and_overfill(small_nat(PORTS_SEQUENTIAL, EXHAUSTION_DROP));
}

Test(exhaustion, new_ones_hear_that_the_host_is_unreachable_if_so_declared)
{
	fill_and_overfill(small_nat(PORTS_PRESERVING, EXHAUSTION_ICMP));
	fill_and_overfill(small_nat(PORTS_RANDOM, EXHAUSTION_ICMP));
	fill_and_overfill(small_nat(PORTS_SEQUENTIAL, EXHAUSTION_ICMP));
}

Test(exhaustion, a_tcp_connection_that_gets_no_port_fails_at_once_where_icmp_tells)
{
	enum { CASES = 2 };
	int c, i;

	for (c = 0; c < CASES; c++) {
		const struct nat nat =
			small_nat(PORTS_RANDOM, c ? EXHAUSTION_ICMP : EXHAUSTION_DROP);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80"), fds[PORTS + 1];
		struct endpoint server = bed_endpoint("9.9.9.9:80"), seen;
		int served[PORTS];

		for (i = 0; i <= PORTS; i++)
			fds[i] = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:0");
		for (i = 0; i < PORTS; i++) {
			bed_connect(fds[i], &server);
			served[i] = bed_accept(listener, &seen);
		}
		bed_connect(fds[PORTS], &server);
		natbed_settle(&bed);
		cr_assert(bed_try_accept(listener, &seen) < 0, "a connection too many");
		if (c)
			cr_assert(heard(fds[PORTS]) == EHOSTUNREACH, "nobody told it");
		else
			cr_assert(bed_unanswered(fds[PORTS]), "it was told");
		for (i = 0; i < PORTS; i++) {
			cr_assert(send(fds[i], "x", 1, MSG_NOSIGNAL) == 1);
			close(served[i]);
		}
		for (i = 0; i <= PORTS; i++)
			close(fds[i]);
		close(listener);
	}
}

Test(exhaustion, one_host_can_be_told_while_the_router_itself_still_speaks_by_its_mapping)
{
	const struct nat nat = small_nat(PORTS_RANDOM, EXHAUSTION_ICMP);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fds[PORTS], i;
	int router = bed_udp(&bed, BED_ROUTER, "1.2.3.4:5000");
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), of_router;

	of_router = bed_pass(router, &server, outside);
	for (i = 0; i < PORTS - 1; i++) {
		fds[i] = host(&bed, i);
		bed_pass(fds[i], &server, outside);
	}
	bed_pass(router, &server, outside);
	bed_pass(outside, &of_router, router);
	for (i = 0; i < PORTS - 1; i++)
		close(fds[i]);
	close(router);
	close(outside);
}

/* The last port of a range as large as is searched whole, behind every other one taken. */
Test(exhaustion, the_last_of_many_ports_is_found)
{
	struct nat nat = small_nat(PORTS_RANDOM, EXHAUSTION_DROP);
	int outside, fd, i;

	nat.ports.last = 40000 + 255;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000");
	char local[ENDPOINT_TEXT_MAX];

	outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	for (i = 0; i <= 256; i++) {
		snprintf(local, sizeof(local), "192.168.1.1:%d", 5000 + i);
		fd = bed_udp(&bed, BED_INSIDE, local);
		if (i < 256)
			bed_pass(fd, &server, outside);
		else
			cr_assert(!bed_passes(&bed, fd, &server, outside));
		close(fd);
	}
	close(outside);
}
