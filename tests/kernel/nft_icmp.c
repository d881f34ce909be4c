/* SPDX-License-Identifier: MIT */
/* ICMP errors: about flows and about nothing, from outside and from inside. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/natbed.h"

/* An ICMP error as RFC 792 builds it: the header, then what it is about. */
struct error_message {
	struct icmphdr icmp;
	struct iphdr ip;
	union {
		struct udphdr udp;
		struct icmphdr echo;
	};
} __attribute__((packed));

static struct error_message quoting(uint8_t type, uint8_t protocol, const char *from,
				    const char *to)
{
	struct endpoint source = bed_endpoint(from), target = bed_endpoint(to);
	struct error_message message = {.icmp.type = type, .icmp.code = type == 3 ? 3 : 0};

	message.ip.version = 4;
	message.ip.ihl = 5;
	message.ip.ttl = 1;
	message.ip.protocol = protocol;
	message.ip.tot_len = htons(sizeof(message.ip) + sizeof(message.udp));
	message.ip.saddr = addr_to_ipv4(&source.addr);
	message.ip.daddr = addr_to_ipv4(&target.addr);
	if (protocol == IPPROTO_UDP) {
		message.udp.source = htons(source.port);
		message.udp.dest = htons(target.port);
		message.udp.len = htons(sizeof(message.udp));
	} else {
		message.echo.type = ICMP_ECHO;
		message.echo.un.echo.id = htons(source.port);
	}
	return message;
}

/* The next error of this type at @fd, with who sent it; false when there is none. Settle first. */
static bool take_error(int fd, uint8_t type, struct endpoint *ret_from, struct error_message *ret)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	uint8_t packet[256];
	ssize_t length;
	size_t offset;

	while ((length = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT,
				  (struct sockaddr *)&address, &size)) >= 0) {
		offset = (packet[0] & 0xfU) * 4U;
		if ((size_t)length < offset + sizeof(*ret) || packet[offset] != type)
			continue;
		memcpy(ret, packet + offset, sizeof(*ret));
		return endpoint_from_sockaddr(&address, ret_from);
	}
	return false;
}

static int error_of(struct natbed *bed, int fd)
{
	char byte;

	natbed_settle(bed);
	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN ? errno : 0;
}

static void check_flow_errors(bool blocked)
{
	static const char *const names[] = {"full-cone", "port-restricted-cone", "symmetric"};
	size_t i;

	for (i = 0; i < 3; i++) {
		struct nat nat = bed_nat(names[i]);
		struct endpoint nobody = bed_endpoint("9.9.9.9:4444"), external;
		struct endpoint peer_at = bed_endpoint("9.9.9.9:1000");

		nat.icmp.errors_blocked = blocked;

		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int gone = bed_udp(&bed, BED_INSIDE, "192.168.1.2:5000");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

		bed_connect(host, &nobody);
		bed_send(host, &nobody, "is there anybody?");
		cr_assert_eq(error_of(&bed, host), blocked ? 0 : ECONNREFUSED, "%s: from outside",
			     names[i]);
		external = bed_pass(gone, &peer_at, peer);
		close(gone);
		bed_connect(peer, &external);
		bed_send(peer, &external, "still there?");
		cr_assert_eq(error_of(&bed, peer), blocked ? 0 : ECONNREFUSED, "%s: from inside",
			     names[i]);
		close(host);
		close(peer);
	}
}

Test(icmp, errors_about_flows_are_translated)
{
	check_flow_errors(false);
}

Test(icmp, errors_about_flows_are_blocked_where_declared)
{
	check_flow_errors(true);
}

/* An error from a third party about a live flow (RFC 4787 REQ-12 a): does the mapping live on? */
static void check_killing(const char *name, enum nat_dependence mapping, bool kills)
{
	struct nat nat = bed_nat(name);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external, again;
	struct endpoint other_server = bed_endpoint("9.9.9.12:1000");
	struct error_message message;

	nat.mapping = mapping;
	nat.icmp.errors_kill = kills;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int other = bed_udp(&bed, BED_OUTSIDE, "9.9.9.12:1000");
	int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	int third = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.11");
	int pinger = bed_icmp(&bed, BED_INSIDE, "192.168.1.1");
	struct bed_echo echo;
	char text[ENDPOINT_TEXT_MAX];

	external = bed_pass(host, &server, peer);
	endpoint_format(&external, text);

	again = bed_pass(host, &other_server, other);
	cr_assert(mapping != ENDPOINT_INDEPENDENT || bed_same(&again, &external));

	/* Of what was never sent: nothing happens, whatever is declared. */
	message = quoting(ICMP_TIME_EXCEEDED, IPPROTO_UDP, text, "9.9.9.12:9");
	bed_send_icmp(third, BED_EXTERNAL, &message, sizeof(message));
	natbed_settle(&bed);
	bed_pass(peer, &external, host);

	message = quoting(ICMP_TIME_EXCEEDED, IPPROTO_UDP, text, "9.9.9.9:1000");
	bed_send_icmp(third, BED_EXTERNAL, &message, sizeof(message));
	natbed_settle(&bed);
	cr_assert_eq(bed_passes(&bed, peer, &external, host), !kills, "%s: the peer", name);
	/* Another peer has a permission of his own, but there is no mapping any more. */
	if (mapping == ENDPOINT_INDEPENDENT)
		cr_assert_eq(bed_passes(&bed, other, &external, host), !kills, "%s: another peer",
			     name);
	if (nat.filtering == ENDPOINT_INDEPENDENT)
		cr_assert_eq(bed_passes(&bed, stranger, &external, host), !kills, "%s: strangers",
			     name);
	again = bed_pass(host, &server, peer); /* and the next packet has a mapping again */
	bed_pass(peer, &again, host);

	/* Queries alike: their session outlives an error, or not. */
	bed_send_echo(pinger, "9.9.9.9", BED_ECHO_REQUEST, 77, 1);
	bed_receive_echo(pinger, BED_ECHO_REPLY, 1);
	if (nat.mapping == ENDPOINT_INDEPENDENT && nat.ports.allocation == PORTS_PRESERVING) {
		message = quoting(ICMP_DEST_UNREACH, IPPROTO_ICMP, "1.2.3.4:77", "9.9.9.9:0");
		bed_send_icmp(third, BED_EXTERNAL, &message, sizeof(message));
		natbed_settle(&bed);
		int outside = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");

		bed_send_echo(outside, BED_EXTERNAL, BED_ECHO_REQUEST, 77, 2);
		natbed_settle(&bed);
		cr_assert_eq(bed_find_echo(outside, BED_ECHO_REPLY, 2, &echo), !kills,
			     "%s: the query's session", name);
		close(outside);
	}
	close(host);
	close(peer);
	close(other);
	close(stranger);
	close(third);
	close(pinger);
}

Test(icmp, no_error_ends_a_mapping)
{
	check_killing("full-cone", ENDPOINT_INDEPENDENT, false);
	check_killing("port-restricted-cone", ENDPOINT_INDEPENDENT, false);
	check_killing("symmetric", ADDRESS_AND_PORT_DEPENDENT, false);
}

Test(icmp, an_error_ends_the_mapping_where_declared)
{
	check_killing("full-cone", ENDPOINT_INDEPENDENT, true);
	check_killing("restricted-cone", ENDPOINT_INDEPENDENT, true);
	check_killing("port-restricted-cone", ENDPOINT_INDEPENDENT, true);
	check_killing("full-cone", ADDRESS_DEPENDENT, true);
	check_killing("symmetric", ADDRESS_AND_PORT_DEPENDENT, true);
}

/* What a pwnat client sends: the end of an echo that a server's NAT has seen and its own has not.
 */
static void check_unmatched(enum nat_unmatched unmatched, const char *source)
{
	struct error_message message =
		quoting(ICMP_TIME_EXCEEDED, IPPROTO_ICMP, "9.9.9.9:0", "3.3.3.3:0");
	struct error_message seen;
	struct nat nat = bed_nat("port-restricted-cone");
	struct endpoint from;

	nat.icmp.unmatched = unmatched;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_icmp(&bed, BED_INSIDE, "192.168.1.1");
	int outside = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");

	bed_send_icmp(host, "9.9.9.9", &message, sizeof(message));
	natbed_settle(&bed);
	cr_assert_eq(take_error(outside, ICMP_TIME_EXCEEDED, &from, &seen), source != NULL);
	if (source) {
		char text[ADDR_TEXT_MAX];

		cr_assert_str_eq(addr_format(&from.addr, text), source);
		message.icmp.checksum = seen.icmp.checksum;
		cr_assert(memcmp(&seen, &message, sizeof(seen)) == 0, "what it quotes was touched");
	}
	close(host);
	close(outside);
}

Test(icmp, an_error_about_nothing_is_dropped)
{
	check_unmatched(UNMATCHED_DROPPED, NULL);
}

Test(icmp, an_error_about_nothing_is_translated_without_state_where_declared)
{
	check_unmatched(UNMATCHED_TRANSLATED, BED_EXTERNAL);
}

Test(icmp, an_error_about_nothing_leaks_the_private_source_where_declared)
{
	check_unmatched(UNMATCHED_LEAKED, "192.168.1.1");
}

/* The server's side: echoes to nowhere, and an error about them from somebody never heard of. */
Test(icmp, the_servers_half_of_serverless_traversal_works)
{
	const struct nat nat = bed_nat("port-restricted-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct error_message message =
		quoting(ICMP_TIME_EXCEEDED, IPPROTO_ICMP, "1.2.3.4:0", "3.3.3.3:0");
	struct error_message seen;
	struct endpoint from, client_at = bed_endpoint("9.9.9.11:2222"), external;
	int server = bed_icmp(&bed, BED_INSIDE, "192.168.1.1");
	int client = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.11");
	int server_udp = bed_udp(&bed, BED_INSIDE, "192.168.1.1:2222");
	int client_udp = bed_udp(&bed, BED_OUTSIDE, "9.9.9.11:2222");
	char text[ADDR_TEXT_MAX];

	bed_send_echo(server, "3.3.3.3", BED_ECHO_REQUEST, 0, 0);
	natbed_settle(&bed);
	bed_send_icmp(client, BED_EXTERNAL, &message, sizeof(message));
	natbed_settle(&bed);
	cr_assert(take_error(server, ICMP_TIME_EXCEEDED, &from, &seen), "it did not come in");
	cr_assert_str_eq(addr_format(&from.addr, text), "9.9.9.11");
	external = bed_pass(server_udp, &client_at, client_udp);
	cr_assert(external.port == 2222);
	bed_pass(client_udp, &external, server_udp);
	close(server);
	close(client);
	close(server_udp);
	close(client_udp);
}
