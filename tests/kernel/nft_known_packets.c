/* SPDX-License-Identifier: MIT */
/* The packets of busy flows: what passes conntrack by is changed as it would change it. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/cleanup.h"
#include "support/busy_flow.h"

struct datagram {
	struct iphdr ip;
	struct udphdr udp;
	char data[20];
} __attribute__((packed));

/* The sum that UDP's checksum is of: a pseudo-header, and the datagram. */
static uint16_t udp_sum(const struct datagram *d)
{
	struct {
		uint32_t source, destination;
		uint8_t zero, protocol;
		uint16_t length;
		struct udphdr udp;
		char data[sizeof(d->data)];
	} __attribute__((packed))
	sum = {d->ip.saddr, d->ip.daddr, 0, IPPROTO_UDP, d->udp.len, d->udp, .data = {0}};

	memcpy(sum.data, d->data, sizeof(sum.data));
	return internet_checksum((const uint8_t *)&sum, sizeof(sum));
}

static struct datagram datagram_of(const char *from, const char *to, const char *data)
{
	struct endpoint source = bed_endpoint(from), destination = bed_endpoint(to);
	struct datagram d = {
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 17,
		       .tos = 0x20,
		       .id = htons(4711),
		       .protocol = IPPROTO_UDP,
		       .tot_len = htons(sizeof(d)),
		       .saddr = addr_to_ipv4(&source.addr),
		       .daddr = addr_to_ipv4(&destination.addr)},
		.udp = {.source = htons(source.port),
			.dest = htons(destination.port),
			.len = htons(sizeof(d.udp) + sizeof(d.data))},
	};

	strncpy(d.data, data, sizeof(d.data) - 1);
	d.udp.check = htons(udp_sum(&d));
	return d;
}

static int raw(struct natbed *bed, enum bed_side side, int protocol)
{
	int fd = netns_socket(bed->side[side], AF_INET, SOCK_RAW | SOCK_NONBLOCK, protocol);

	cr_assert(fd >= 0, "a raw socket: %s", strerror(-fd));
	return fd;
}

static void send_datagram(int fd, const struct datagram *d)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = d->ip.daddr};

	cr_assert(sendto(fd, d, sizeof(*d), 0, (struct sockaddr *)&to, sizeof(to)) == sizeof(*d));
}

static bool find_datagram(int fd, const char *data, struct datagram *ret)
{
	while (recv(fd, ret, sizeof(*ret), 0) > 0)
		if (strncmp(ret->data, data, sizeof(ret->data)) == 0)
			return true;
	return false;
}

/* Random ports, so that the port, too, is another one. */
struct busy {
	struct natbed bed;
	int host, peer, sender, sniffer, far_sender, far_sniffer;
	struct endpoint external;
};

static struct busy busy_flow(void)
{
	struct nat nat = bed_nat("full-cone");
	struct busy busy;

	nat.ports.allocation = PORTS_RANDOM;
	busy.bed = natbed_open(&nat);
	busy.host = bed_udp(&busy.bed, BED_INSIDE, HOST);
	busy.peer = bed_udp(&busy.bed, BED_OUTSIDE, PEER);
	busy.sender = raw(&busy.bed, BED_INSIDE, IPPROTO_RAW);
	busy.far_sender = raw(&busy.bed, BED_OUTSIDE, IPPROTO_RAW);
	busy.external = busy_make(&busy.bed, busy.host, busy.peer);
	busy.sniffer = raw(&busy.bed, BED_INSIDE, IPPROTO_UDP);
	busy.far_sniffer = raw(&busy.bed, BED_OUTSIDE, IPPROTO_UDP);
	return busy;
}

static void busy_close(struct busy *busy)
{
	close(busy->host);
	close(busy->peer);
	close(busy->sender);
	close(busy->sniffer);
	close(busy->far_sender);
	close(busy->far_sniffer);
	natbed_close(&busy->bed);
}
#define AUTO_BUSY __attribute__((cleanup(busy_close)))

/* @got is @sent between these endpoints, a hop further. */
static void expect_translated(const struct datagram *sent, const struct datagram *got,
			      const struct endpoint *from, const struct endpoint *to)
{
	cr_assert_eq(got->ip.saddr, addr_to_ipv4(&from->addr));
	cr_assert_eq(got->udp.source, htons(from->port));
	cr_assert_eq(got->ip.daddr, addr_to_ipv4(&to->addr));
	cr_assert_eq(got->udp.dest, htons(to->port));
	cr_assert_eq(got->ip.ttl, sent->ip.ttl - 1);
	cr_assert_eq(got->ip.tos, sent->ip.tos);
	cr_assert_eq(got->ip.id, sent->ip.id);
	cr_assert_eq(got->ip.tot_len, sent->ip.tot_len);
	cr_assert_eq(got->udp.len, sent->udp.len);
	cr_assert_eq(internet_checksum((const uint8_t *)&got->ip, sizeof(got->ip)), 0,
		     "the IP header's checksum is wrong");
}

/* A datagram of the known flow, one way or the other, without or with a checksum. */
static void check_datagram(bool out, bool checked)
{
	AUTO_BUSY struct busy busy = busy_flow();
	struct endpoint host = bed_endpoint(HOST), peer = bed_endpoint(PEER);
	struct datagram sent = datagram_of(out ? HOST : PEER, out ? PEER : BED_TEXT(&busy.external),
					   "as it was"),
			got;
	struct counts before = busy_counted(&busy.bed), after;

	if (!checked)
		sent.udp.check = 0;
	send_datagram(out ? busy.sender : busy.far_sender, &sent);
	natbed_settle(&busy.bed);
	cr_assert(find_datagram(out ? busy.far_sniffer : busy.sniffer, "as it was", &got),
		  "it did not arrive");
	after = busy_counted(&busy.bed);
	cr_assert(after.out == before.out && after.back == before.back, "conntrack saw it");
	if (out)
		expect_translated(&sent, &got, &busy.external, &peer);
	else
		expect_translated(&sent, &got, &peer, &host);
	if (!checked)
		cr_assert_eq(got.udp.check, 0);
	else
		cr_assert(got.udp.check != 0 && udp_sum(&got) == 0, "UDP's checksum is wrong");
}

Test(known, a_datagram_that_leaves_is_changed_as_a_nat_changes_it)
{
	check_datagram(true, true);
}

Test(known, a_datagram_that_comes_in_is_changed_as_a_nat_changes_it)
{
	check_datagram(false, true);
}

Test(known, a_datagram_without_a_checksum_gets_none)
{
	check_datagram(true, false);
	check_datagram(false, false);
}

Test(known, a_fragmented_datagram_leaves_whole_or_in_translated_pieces)
{
	AUTO_BUSY struct busy busy = busy_flow();
	struct endpoint to = bed_endpoint(PEER);
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(&to, &address);
	static char big[4000], got[sizeof(big)];

	memset(big, 'x', sizeof(big));
	cr_assert(sendto(busy.host, big, sizeof(big), 0, (struct sockaddr *)&address, size) ==
		  sizeof(big));
	natbed_settle(&busy.bed);
	size = sizeof(address);
	cr_assert(recvfrom(busy.peer, got, sizeof(got), 0, (struct sockaddr *)&address, &size) ==
		  sizeof(got));
	cr_assert_eq(memcmp(big, got, sizeof(big)), 0);
	cr_assert_eq(((struct sockaddr_in *)&address)->sin_port, htons(busy.external.port));
}

/* What QUIC does: one call, one packet through the stack, cut up by the last link. */
Test(known, datagrams_that_are_cut_late_arrive_as_they_should)
{
	enum { SEGMENT = 500, SEGMENTS = 10 };
	AUTO_BUSY struct busy busy = busy_flow();
	struct endpoint to = bed_endpoint(PEER), seen;
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(&to, &address);
	static char sent[SEGMENT * SEGMENTS], got[SEGMENT + 1];
	int segment = SEGMENT, i;

	for (i = 0; i < SEGMENT * SEGMENTS; i++)
		sent[i] = (char)(i / SEGMENT + i);
	cr_assert(setsockopt(busy.host, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)) == 0);
	cr_assert(sendto(busy.host, sent, sizeof(sent), 0, (struct sockaddr *)&address, size) ==
		  sizeof(sent));
	natbed_settle(&busy.bed);
	for (i = 0; i < SEGMENTS; i++) {
		size = sizeof(address);
		cr_assert_eq(recvfrom(busy.peer, got, sizeof(got), 0, (struct sockaddr *)&address,
				      &size),
			     SEGMENT, "datagram %d", i);
		cr_assert(endpoint_from_sockaddr(&address, &seen));
		busy_same(&seen, &busy.external, "it leaves by");
		cr_assert_eq(memcmp(got, sent + (size_t)i * SEGMENT, SEGMENT), 0);
	}
}

/* Of the router's outside interface. */
static struct sockaddr_ll router_link(struct natbed *bed)
{
	int router = netns_socket(bed->side[BED_ROUTER], AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_ll link = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_halen = ETH_ALEN};
	int outside = netns_socket(bed->side[BED_OUTSIDE], AF_INET, SOCK_DGRAM, 0);
	struct ifreq request = {.ifr_name = "internet"};

	cr_assert(ioctl(router, SIOCGIFHWADDR, &request) == 0);
	memcpy(link.sll_addr, request.ifr_hwaddr.sa_data, ETH_ALEN);
	request = (struct ifreq){.ifr_name = "eth0"};
	cr_assert(ioctl(outside, SIOCGIFINDEX, &request) == 0);
	link.sll_ifindex = request.ifr_ifindex;
	close(router);
	close(outside);
	return link;
}

Test(known, who_forges_the_source_outside_is_a_stranger)
{
	AUTO_BUSY struct busy busy = busy_flow();
	struct sockaddr_ll link = router_link(&busy.bed);
	struct datagram forged = datagram_of(HOST, PEER, "forged"), got;
	AUTO_CLOSE int forger =
		netns_socket(busy.bed.side[BED_OUTSIDE], AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));

	forged.ip.check = htons(internet_checksum((const uint8_t *)&forged.ip, sizeof(forged.ip)));
	cr_assert(sendto(forger, &forged, sizeof(forged), 0, (struct sockaddr *)&link,
			 sizeof(link)) == sizeof(forged));
	natbed_settle(&busy.bed);
	cr_assert(!find_datagram(busy.far_sniffer, "forged", &got), "the router passed it on");
}

Test(known, errors_about_it_reach_the_host)
{
	AUTO_BUSY struct busy busy = busy_flow();
	struct endpoint to = bed_endpoint(PEER);
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(&to, &address);
	int ttl = 1, error = 0;

	cr_assert(connect(busy.host, (struct sockaddr *)&address, size) == 0);
	close(busy.peer);
	cr_assert(send(busy.host, "to nobody", 9, 0) == 9);
	natbed_settle(&busy.bed);
	size = sizeof(error);
	cr_assert(getsockopt(busy.host, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
	cr_assert_eq(error, ECONNREFUSED, "%s", strerror(error));

	/* And the router's own: it ends there. */
	busy.peer = bed_udp(&busy.bed, BED_OUTSIDE, PEER);
	cr_assert(setsockopt(busy.host, IPPROTO_IP, IP_RECVERR, &(int){1}, sizeof(int)) == 0);
	cr_assert(setsockopt(busy.host, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) == 0);
	cr_assert(send(busy.host, "too far", 7, 0) == 7);
	natbed_settle(&busy.bed);
	size = sizeof(error);
	cr_assert(getsockopt(busy.host, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
	cr_assert_eq(error, EHOSTUNREACH, "%s", strerror(error));
}

/* The router's word about a datagram that ends there, and what it quotes. */
struct icmp_error {
	struct iphdr ip;
	struct icmphdr icmp;
	struct iphdr quoted;
	struct udphdr udp;
} __attribute__((packed));

Test(known, the_routers_own_errors_about_it_quote_what_the_peer_sent)
{
	AUTO_BUSY struct busy busy = busy_flow();
	AUTO_CLOSE int listener = raw(&busy.bed, BED_OUTSIDE, IPPROTO_ICMP);
	struct datagram sent = datagram_of(PEER, BED_TEXT(&busy.external), "too far");
	struct icmp_error error;
	bool found = false;

	sent.ip.ttl = 1;
	send_datagram(busy.far_sender, &sent);
	natbed_settle(&busy.bed);
	while (!found && recv(listener, &error, sizeof(error), 0) >= (ssize_t)sizeof(error))
		found = error.icmp.type == ICMP_TIME_EXCEEDED;
	cr_assert(found, "no error came");
	cr_assert_eq(error.quoted.saddr, sent.ip.saddr);
	cr_assert_eq(error.udp.source, sent.udp.source);
	cr_assert_eq(error.quoted.daddr, sent.ip.daddr, "it speaks of an address inside");
	cr_assert_eq(error.udp.dest, sent.udp.dest, "it speaks of a port inside");
}
