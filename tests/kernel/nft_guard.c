/* SPDX-License-Identifier: MIT */
/* What may not come in, what may not get out, and what nobody may answer. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/natbed.h"

static const char *const translating[] = {"full-cone", "restricted-cone", "port-restricted-cone",
					  "symmetric", "linux-masquerade"};
enum { TRANSLATING = 5 };

Test(guard, a_stranger_before_any_mapping_gets_in_nowhere_and_no_answer)
{
	size_t i;

	for (i = 0; i < TRANSLATING; i++) {
		const struct nat nat = bed_nat(translating[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint closed = bed_endpoint("1.2.3.4:5000");
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int router = bed_udp(&bed, BED_ROUTER, "1.2.3.4:5000");
		int udp = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int tcp = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int icmp = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
		struct bed_echo echo;
		char byte;

		bed_connect(udp, &closed); /* a connected socket hears of ICMP errors */
		cr_assert(!bed_passes(&bed, udp, &closed, host), "%s: it got to a host", nat.name);
		cr_assert(!bed_passes(&bed, udp, &closed, router), "%s: it got to the router",
			  nat.name);
		cr_assert(recv(udp, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN,
			  "%s: UDP was answered: %s", nat.name, strerror(errno));
		bed_connect(tcp, &closed);
		natbed_settle(&bed);
		cr_assert(bed_unanswered(tcp), "%s: a SYN was answered", nat.name);
		bed_send_echo(icmp, BED_EXTERNAL, BED_ECHO_REQUEST, 9, 1);
		natbed_settle(&bed);
		cr_assert(!bed_find_echo(icmp, BED_ECHO_REPLY, 1, &echo), "%s: a ping was answered",
			  nat.name);
		close(host);
		close(router);
		close(udp);
		close(tcp);
		close(icmp);
	}
}

Test(guard, a_stranger_after_the_mapping_is_admitted_by_full_cone_alone)
{
	size_t i;

	for (i = 0; i < TRANSLATING; i++) {
		const struct nat nat = bed_nat(translating[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint server = bed_endpoint("9.9.9.9:1000"), external;
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.11:1000");

		external = bed_pass(host, &server, peer);
		cr_assert(bed_passes(&bed, stranger, &external, host) ==
				  (nat.filtering == ENDPOINT_INDEPENDENT),
			  "%s: a stranger on an open mapping", nat.name);
		bed_pass(peer, &external, host);
		close(host);
		close(peer);
		close(stranger);
	}
}

/* The peer's packet comes first. Had it left an entry in conntrack, the host would lose its port.
 */
Test(guard, an_early_punch_costs_the_host_neither_its_port_nor_the_peer)
{
	size_t i;

	for (i = 0; i < TRANSLATING; i++) {
		const struct nat nat = bed_nat(translating[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"), external;
		struct endpoint guess = bed_endpoint("1.2.3.4:5000");
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

		cr_assert(!bed_passes(&bed, peer, &guess, host), "%s: it came in", nat.name);
		external = bed_pass(host, &peer_at, peer);
		cr_assert((external.port == 5000) == (nat.ports.allocation == PORTS_PRESERVING),
			  "%s: the host's port is %u", nat.name, external.port);
		bed_pass(peer, &external, host);
		close(host);
		close(peer);
	}
}

Test(guard, an_early_syn_costs_the_host_nothing_and_both_connect)
{
	const struct nat nat = bed_nat("port-restricted-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"),
			guess = bed_endpoint("1.2.3.4:5000");
	int peer = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int host = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	uint64_t deadline = bed_now() + BED_DEADLINE_MS;
	char byte = 'x';

	bed_connect(peer, &guess);
	natbed_settle(&bed);
	cr_assert(bed_unanswered(peer), "the early SYN was answered");
	bed_connect(host, &peer_at); /* crosses with the peer's: a simultaneous open */
	natbed_settle(&bed);
	while (send(host, &byte, 1, MSG_NOSIGNAL) < 0 && bed_now() < deadline)
		bed_wait_until(bed_now() + 5);
	while (recv(peer, &byte, 1, MSG_DONTWAIT) < 0 && bed_now() < deadline)
		bed_wait_until(bed_now() + 5);
	cr_assert(bed_now() < deadline, "the crossed connections did not become one");
	close(host);
	close(peer);
}

Test(guard, the_inside_is_not_reached_by_its_private_address)
{
	static const char *const all[] = {"full-cone", "linux-masquerade", "firewall"};
	size_t i;

	for (i = 0; i < 3; i++) {
		const struct nat nat = bed_nat(all[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint inside = bed_endpoint("192.168.1.1:5000");
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

		cr_assert(!bed_passes(&bed, stranger, &inside, host), "%s: it came in", nat.name);
		close(host);
		close(stranger);
	}
}

Test(guard, hairpinning_is_off_and_silent)
{
	const struct nat nat = bed_nat("full-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int neighbour = bed_udp(&bed, BED_INSIDE, "192.168.1.2:6000");
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	char byte;

	external = bed_pass(host, &server, outside);
	bed_pass(neighbour, &server, outside);
	bed_connect(neighbour, &external);
	cr_assert(!bed_passes(&bed, neighbour, &external, host), "it came back in");
	cr_assert(recv(neighbour, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN,
		  "it was answered: %s", strerror(errno));
	close(host);
	close(neighbour);
	close(outside);
}

/* An ICMP error as RFC 792 builds it: the header, then what it is about. */
struct error_message {
	struct icmphdr icmp;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

static struct error_message time_exceeded(const char *from, const char *to)
{
	struct endpoint source = bed_endpoint(from), target = bed_endpoint(to);
	struct error_message message = {.icmp.type = ICMP_TIME_EXCEEDED};

	message.ip.version = 4;
	message.ip.ihl = 5;
	message.ip.ttl = 1;
	message.ip.protocol = IPPROTO_UDP;
	message.ip.tot_len = htons(sizeof(message.ip) + sizeof(message.udp));
	message.ip.saddr = addr_to_ipv4(&source.addr);
	message.ip.daddr = addr_to_ipv4(&target.addr);
	message.udp.source = htons(source.port);
	message.udp.dest = htons(target.port);
	message.udp.len = htons(sizeof(message.udp));
	return message;
}

Test(guard, an_icmp_error_about_no_flow_leaves_neither_translated_nor_private)
{
	size_t i;

	for (i = 0; i < TRANSLATING; i++) {
		const struct nat nat = bed_nat(translating[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct error_message message = time_exceeded("9.9.9.9:1000", "192.168.1.1:4999");
		int host = bed_icmp(&bed, BED_INSIDE, "192.168.1.1");
		int outside = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
		struct bed_echo seen;

		bed_send_icmp(host, "9.9.9.9", &message, sizeof(message));
		natbed_settle(&bed);
		cr_assert(!bed_find_echo(outside, ICMP_TIME_EXCEEDED, 0, &seen), "%s: it left",
			  nat.name);
		close(host);
		close(outside);
	}
}

Test(guard, an_error_from_outside_about_a_live_flow_reaches_the_host)
{
	size_t i;

	for (i = 0; i < TRANSLATING; i++) {
		const struct nat nat = bed_nat(translating[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint nobody = bed_endpoint("9.9.9.9:4444");
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		char byte;

		bed_connect(host, &nobody);
		bed_send(host, &nobody, "is there anybody?");
		natbed_settle(&bed);
		cr_assert(recv(host, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED,
			  "%s: port unreachable did not come in: %s", nat.name, strerror(errno));
		close(host);
	}
}

/* And the other way: it must leave with the external address, about the external endpoint. */
Test(guard, an_error_from_inside_about_a_live_flow_reaches_the_peer)
{
	size_t i;

	for (i = 0; i < TRANSLATING; i++) {
		const struct nat nat = bed_nat(translating[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"), external;
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		char byte;

		external = bed_pass(host, &peer_at, peer);
		close(host);
		bed_connect(peer, &external);
		bed_send(peer, &external, "still there?");
		natbed_settle(&bed);
		cr_assert(recv(peer, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED,
			  "%s: port unreachable did not get out: %s", nat.name, strerror(errno));
		close(peer);
	}
}
