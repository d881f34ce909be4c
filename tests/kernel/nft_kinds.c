/* SPDX-License-Identifier: MIT */
/* The kinds that are not nine pairs: a firewall, and a NAT without UDP. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "support/natbed.h"

Test(firewall, leaves_addresses_alone_and_admits_answers_only)
{
	const struct nat nat = bed_nat("firewall");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen;
	struct endpoint own = bed_endpoint("192.168.1.1:5000");
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int same_host = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1001");
	int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");

	cr_assert(!bed_passes(&bed, peer, &own, host), "it came in before anything went out");
	seen = bed_pass(host, &server, peer);
	cr_assert(bed_same(&seen, &own), "the address became %s", BED_TEXT(&seen));
	bed_pass(peer, &own, host);
	cr_assert(!bed_passes(&bed, same_host, &own, host), "the peer's other port came in");
	cr_assert(!bed_passes(&bed, stranger, &own, host), "a stranger came in");
	close(host);
	close(peer);
	close(same_host);
	close(stranger);
}

Test(firewall, connects_outward_and_leaves_a_stray_syn_unanswered)
{
	const struct nat nat = bed_nat("firewall");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:80"),
			inside = bed_endpoint("192.168.1.1:80");
	int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80");
	int served = bed_listen(&bed, BED_INSIDE, "192.168.1.1:80");
	int client = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int stranger = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	struct endpoint peer;

	bed_connect(client, &server);
	close(bed_accept(listener, &peer));
	bed_connect(stranger, &inside);
	natbed_settle(&bed);
	cr_assert(bed_try_accept(served, &peer) < 0, "the stranger's connection came in");
	cr_assert(bed_unanswered(stranger), "the stray SYN was answered");
	close(listener);
	close(served);
	close(client);
	close(stranger);
}

Test(udp_blocked, carries_tcp_and_ping_but_no_udp_in_either_direction)
{
	const struct nat nat = bed_nat("udp-blocked");
	AUTO_NATBED struct natbed bed = natbed_open(&nat); /* settling is a ping */
	struct endpoint server = bed_endpoint("9.9.9.9:80"), own = bed_endpoint("1.2.3.4:5000"),
			seen;
	int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80");
	int client = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:80");

	bed_connect(client, &server);
	close(bed_accept(listener, &seen));
	cr_assert(seen.port == 5000, "TCP port 5000 became %u", seen.port);
	cr_assert(!bed_passes(&bed, host, &server, outside), "UDP went out");
	cr_assert(!bed_passes(&bed, outside, &own, host), "UDP came in");
	close(listener);
	close(client);
	close(host);
	close(outside);
}

/* A protocol without ports: Linux masquerades it by address alone. 253 is for experiments (RFC
 * 3692). */
Test(other_protocols, go_out_with_the_external_address_and_come_back)
{
	enum { EXPERIMENT = 253 };
	const struct nat nat = bed_nat("port-restricted-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint to = bed_endpoint("9.9.9.9:0"), from = bed_endpoint("1.2.3.4:0");
	int host =
		netns_socket(bed.side[BED_INSIDE], AF_INET, SOCK_RAW | SOCK_NONBLOCK, EXPERIMENT);
	int outside =
		netns_socket(bed.side[BED_OUTSIDE], AF_INET, SOCK_RAW | SOCK_NONBLOCK, EXPERIMENT);
	uint8_t packet[64];

	bed_send(outside, &from, "stranger");
	natbed_settle(&bed);
	cr_assert(recv(host, packet, sizeof(packet), 0) < 0, "a stranger came in");
	bed_send(host, &to, "question");
	natbed_settle(&bed);
	cr_assert(recv(outside, packet, sizeof(packet), 0) == 28, "nothing went out");
	cr_assert_arr_eq(packet + 12, from.addr.bytes, 4, "it left with a private address");
	bed_send(outside, &from, "an answer");
	natbed_settle(&bed);
	cr_assert(recv(host, packet, sizeof(packet), 0) == 29, "the answer did not come in");
	close(host);
	close(outside);
}
