/* SPDX-License-Identifier: MIT */
/* Hosts that want the same external port: whoever claims it first has it, nobody shares, nobody
 * steals. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "support/natbed.h"

static const char *const servers[] = {"9.9.9.9:1000", "9.9.9.9:1001", "9.9.9.10:1000"};
enum { SERVERS = 3 };

Test(contention, a_second_host_with_the_same_port_gets_another_and_keeps_it)
{
	static const char *const cones[] = {"full-cone", "restricted-cone", "port-restricted-cone"};
	size_t cone;

	for (cone = 0; cone < 3; cone++) {
		const struct nat nat = bed_nat(cones[cone]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int a = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000"), outside, i;
		int b = bed_udp(&bed, BED_INSIDE, "192.168.1.2:5000");
		struct endpoint server, of_a, of_b, first_a = {0}, first_b = {0};

		for (i = 0; i < SERVERS; i++) {
			outside = bed_udp(&bed, BED_OUTSIDE, servers[i]);
			server = bed_endpoint(servers[i]);
			of_a = bed_pass(a, &server, outside);
			of_b = bed_pass(b, &server, outside);
			if (i == 0) {
				first_a = of_a;
				first_b = of_b;
			}
			cr_assert(of_a.port == 5000, "%s: the first host lost its port", nat.name);
			cr_assert(!bed_same(&of_a, &of_b), "%s: two hosts share %s", nat.name,
				  BED_TEXT(&of_a));
			cr_assert(bed_same(&of_a, &first_a) && bed_same(&of_b, &first_b),
				  "%s: a mapping changed", nat.name);
			bed_pass(outside, &of_a, a);
			bed_pass(outside, &of_b, b);
			close(outside);
		}
		close(a);
		close(b);
	}
}

/* A -> B, D -> C with the same source port, then D -> B: FACTS of the kernel's own NAT. */
static void map_abcd(const char *name, struct endpoint *ret_first, struct endpoint *ret_second)
{
	const struct nat nat = bed_nat(name);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host_a = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int host_d = bed_udp(&bed, BED_INSIDE, "192.168.1.2:5000");
	int host_b = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:7000");
	int host_c = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:7000");
	struct endpoint to_b = bed_endpoint("9.9.9.9:7000"), to_c = bed_endpoint("9.9.9.10:7000");
	struct endpoint of_a = bed_pass(host_a, &to_b, host_b);

	cr_assert(of_a.port == 5000, "%s: A's port became %u", name, of_a.port);
	*ret_first = bed_pass(host_d, &to_c, host_c);
	*ret_second = bed_pass(host_d, &to_b, host_b);
	close(host_a);
	close(host_b);
	close(host_c);
	close(host_d);
}

Test(contention, linux_masquerade_overloads_a_port_and_then_shows_one_socket_twice)
{
	struct endpoint to_c, to_b;

	map_abcd("linux-masquerade", &to_c, &to_b);
	cr_assert(to_c.port == 5000, "D's port towards C is %u, not overloaded", to_c.port);
	cr_assert(to_b.port != 5000, "D's port towards B is A's");
}

Test(contention, cones_never_overload_a_port)
{
	static const char *const cones[] = {"full-cone", "restricted-cone", "port-restricted-cone"};
	struct endpoint to_c, to_b;
	size_t cone;

	for (cone = 0; cone < 3; cone++) {
		map_abcd(cones[cone], &to_c, &to_b);
		cr_assert(to_c.port != 5000, "%s: A and D share port 5000", cones[cone]);
		cr_assert(bed_same(&to_c, &to_b), "%s: D is %s and %s", cones[cone],
			  BED_TEXT(&to_c), BED_TEXT(&to_b));
	}
}

static void crowd(enum nat_allocation allocation)
{
	enum { HOSTS = 50 };
	struct nat nat = bed_nat("port-restricted-cone");
	nat.ports.allocation = allocation;
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint servers_at[2] = {bed_endpoint(servers[0]), bed_endpoint(servers[2])};
	struct endpoint seen[HOSTS], again;
	int outside[2] = {bed_udp(&bed, BED_OUTSIDE, servers[0]),
			  bed_udp(&bed, BED_OUTSIDE, servers[2])};
	char local[ENDPOINT_TEXT_MAX];
	int hosts[HOSTS], i, j;

	for (i = 0; i < HOSTS; i++) {
		snprintf(local, sizeof(local), "192.168.1.%d:5000", i + 1);
		hosts[i] = bed_udp(&bed, BED_INSIDE, local);
		seen[i] = bed_pass(hosts[i], &servers_at[0], outside[0]);
		for (j = 0; j < i; j++)
			cr_assert(seen[i].port != seen[j].port, "hosts %d and %d share port %u", i,
				  j, seen[i].port);
	}
	for (i = 0; i < HOSTS; i++) {
		again = bed_pass(hosts[i], &servers_at[1], outside[1]);
		cr_assert(bed_same(&again, &seen[i]), "host %d moved from %s to %s", i,
			  BED_TEXT(&seen[i]), BED_TEXT(&again));
		bed_pass(outside[1], &seen[i], hosts[i]);
		close(hosts[i]);
	}
	close(outside[0]);
	close(outside[1]);
}

Test(contention, fifty_hosts_with_one_port_get_fifty_ports_whatever_the_policy)
{
	crowd(PORTS_PRESERVING);
	crowd(PORTS_RANDOM);
	crowd(PORTS_SEQUENTIAL);
}

Test(contention, tcp_connections_from_one_port_of_two_hosts_do_not_share_one)
{
	const struct nat nat = bed_nat("port-restricted-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80");
	int a = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int b = bed_tcp(&bed, BED_INSIDE, "192.168.1.2:5000");
	struct endpoint server = bed_endpoint("9.9.9.9:80"), of_a, of_b;

	bed_connect(a, &server);
	close(bed_accept(listener, &of_a));
	bed_connect(b, &server);
	close(bed_accept(listener, &of_b));
	cr_assert(of_a.port == 5000, "the first host lost its port");
	cr_assert(of_b.port != 5000 && of_b.port >= 1024, "the second host got port %u", of_b.port);
	close(a);
	close(b);
	close(listener);
}

Test(contention, one_query_id_of_two_hosts_becomes_two)
{
	const struct nat nat = bed_nat("full-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int a = bed_icmp(&bed, BED_INSIDE, "192.168.1.1");
	int b = bed_icmp(&bed, BED_INSIDE, "192.168.1.2");
	int outside = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
	struct bed_echo of_a, of_b;

	bed_send_echo(a, "9.9.9.9", BED_ECHO_REQUEST, 77, 1);
	of_a = bed_receive_echo(outside, BED_ECHO_REQUEST, 1);
	bed_send_echo(b, "9.9.9.9", BED_ECHO_REQUEST, 77, 2);
	of_b = bed_receive_echo(outside, BED_ECHO_REQUEST, 2);
	cr_assert(of_a.id == 77, "the first id was not kept");
	cr_assert(of_b.id != 77, "two hosts share an id");
	cr_assert(bed_receive_echo(a, BED_ECHO_REPLY, 1).id == 77, "A's reply has another id");
	cr_assert(bed_receive_echo(b, BED_ECHO_REPLY, 2).id == 77, "B's reply has another id");
	close(a);
	close(b);
	close(outside);
}

Test(contention, the_router_itself_takes_no_port_that_a_host_holds)
{
	const struct nat nat = bed_nat("port-restricted-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int router = bed_udp(&bed, BED_ROUTER, "1.2.3.4:5000");
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	struct endpoint server = bed_endpoint("9.9.9.9:1000");
	struct endpoint of_host = bed_pass(host, &server, outside);
	struct endpoint of_router = bed_pass(router, &server, outside);

	cr_assert(of_host.port == 5000, "the host lost its port");
	cr_assert(of_router.port != 5000, "the router uses the host's port");
	bed_pass(outside, &of_router, router);
	bed_pass(outside, &of_host, host);
	close(host);
	close(router);
	close(outside);
}

Test(contention, a_host_takes_no_port_that_the_router_itself_uses)
{
	const struct nat nat = bed_nat("full-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int router = bed_udp(&bed, BED_ROUTER, "1.2.3.4:5000");
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	struct endpoint server = bed_endpoint("9.9.9.9:1000");
	struct endpoint of_router = bed_pass(router, &server, outside);
	struct endpoint of_host = bed_pass(host, &server, outside);

	cr_assert(of_router.port == 5000, "the router's own port became %u", of_router.port);
	cr_assert(of_host.port != 5000, "the host uses the router's port");
	bed_pass(outside, &of_router, router);
	bed_pass(outside, &of_host, host);
	close(host);
	close(router);
	close(outside);
}

Test(contention, the_router_can_ping_while_a_host_pings_with_the_same_id)
{
	const struct nat nat = bed_nat("port-restricted-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_icmp(&bed, BED_INSIDE, "192.168.1.1");
	int router = bed_icmp(&bed, BED_ROUTER, BED_EXTERNAL);

	bed_send_echo(host, "9.9.9.9", BED_ECHO_REQUEST, 77, 1);
	cr_assert(bed_receive_echo(host, BED_ECHO_REPLY, 1).id == 77, "the host's reply is lost");
	bed_send_echo(router, "9.9.9.9", BED_ECHO_REQUEST, 77, 2);
	cr_assert(bed_receive_echo(router, BED_ECHO_REPLY, 2).id == 77,
		  "the router's reply is lost");
	bed_send_echo(host, "9.9.9.9", BED_ECHO_REQUEST, 77, 3);
	cr_assert(bed_receive_echo(host, BED_ECHO_REPLY, 3).id == 77,
		  "the host's next reply is lost");
	close(host);
	close(router);
}
