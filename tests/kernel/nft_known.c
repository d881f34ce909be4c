/* SPDX-License-Identifier: MIT */
/* Busy UDP flows leave without conntrack, and nobody can tell. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/cleanup.h"
#include "kern/conntrack.h"
#include "nft-rules/ruleset.h"
#include "support/natbed.h"

#define HOST "192.168.1.1:5000"
#define PEER "9.9.9.9:1000"
#define STRANGER "9.9.9.10:1000"

enum { LIFE_MS = 400, LATE_MS = LIFE_MS / 20 + 60, MANY = 100, PATIENCE = 50 };

/* Packets that conntrack has seen of the flow between HOST and PEER. */
struct counts {
	uint64_t out, back;
};

static struct counts counted(struct natbed *bed)
{
	struct endpoint host = bed_endpoint(HOST), peer = bed_endpoint(PEER);
	AUTO_DIAG struct diag d = {0};
	struct counts counts = {0};
	struct flow *flows;
	size_t count, i;

	cr_assert(conntrack_dump(bed->side[BED_ROUTER], &flows, &count, &d) == 0);
	for (i = 0; i < count; i++) {
		if (bed_same(&flows[i].source, &host) && bed_same(&flows[i].destination, &peer))
			counts = (struct counts){flows[i].packets, flows[i].reply_packets};
		if (bed_same(&flows[i].reply_source, &host) &&
		    bed_same(&flows[i].reply_destination, &peer))
			counts = (struct counts){flows[i].reply_packets, flows[i].packets};
	}
	free(flows);
	return counts;
}

static void same(const struct endpoint *a, const struct endpoint *b, const char *what)
{
	cr_assert(bed_same(a, b), "%s %s, not %s", what, BED_TEXT(a), BED_TEXT(b));
}

/* Many datagrams from @from to @to, which all arrive at @at, from @expected. */
static void pass_many(int from, const struct endpoint *to, int at, const struct endpoint *expected)
{
	struct sockaddr_storage address;
	socklen_t size;
	struct endpoint seen;
	int i;

	size = endpoint_to_sockaddr(to, &address);
	for (i = 0; i < MANY; i++)
		cr_assert(sendto(from, "x", 1, 0, (struct sockaddr *)&address, size) == 1);
	for (i = 0; i < MANY; i++) {
		cr_assert(bed_readable(at, bed_now() + BED_DEADLINE_MS), "%d of %d arrived", i,
			  MANY);
		size = sizeof(address);
		cr_assert(recvfrom(at, &(char){0}, 1, 0, (struct sockaddr *)&address, &size) == 1);
		cr_assert(endpoint_from_sockaddr(&address, &seen));
		same(&seen, expected, "it comes from");
	}
}

/* Exchange datagrams with PEER, whose socket is @peer, until conntrack sees no more of them. */
static struct endpoint make_known(struct natbed *bed, int host, int peer)
{
	const struct endpoint to = bed_endpoint(PEER);
	struct endpoint external = bed_pass(host, &to, peer);
	struct counts before, after;
	int exchanged;

	for (exchanged = 0; exchanged < RULESET_COUNTED; exchanged += MANY) {
		pass_many(host, &to, peer, &external);
		pass_many(peer, &external, host, &to);
	}
	before = counted(bed);
	cr_assert(before.out >= RULESET_COUNTED && before.back >= RULESET_COUNTED,
		  "known after %d and %d packets", (int)before.out, (int)before.back);
	do { /* to read conntrack's table takes longer than all these */
		cr_assert(exchanged < PATIENCE * RULESET_COUNTED, "the flow is never known");
		before = counted(bed);
		pass_many(host, &to, peer, &external);
		pass_many(peer, &external, host, &to);
		after = counted(bed);
		exchanged += MANY;
	} while (after.out == before.out + MANY || after.back == before.back + MANY);
	return external;
}

/* With what makes their rules differ: hairpinning, blocks, overloading, refresh by what comes in.
 */
static struct nat kinds[8];
static const char *const names[] = {"full-cone", "port-restricted-cone",
				    "symmetric", "symmetric-random",
				    "rfc4787",   "rfc6888-cgn"};

ParameterizedTestParameters(known, a_busy_flow_passes_conntrack_by_and_nothing_changes)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		kinds[i] = bed_nat(names[i]);
	kinds[i] = bed_nat("full-cone");
	kinds[i].timers.refresh = REFRESH_BOTH;
	kinds[++i] = bed_nat("symmetric");
	kinds[i].ports.overloading = true;
	return cr_make_param_array(struct nat, kinds, i + 1);
}

ParameterizedTest(const struct nat *nat, known, a_busy_flow_passes_conntrack_by_and_nothing_changes)
{
	AUTO_NATBED struct natbed bed = natbed_open(nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	AUTO_CLOSE int stranger = bed_udp(&bed, BED_OUTSIDE, STRANGER);
	struct endpoint to = bed_endpoint(PEER), other = bed_endpoint(STRANGER);
	struct endpoint external = make_known(&bed, host, peer), seen;

	/* What is known of this flow says nothing of another one. */
	cr_assert_eq(bed_passes(&bed, stranger, &external, host),
		     nat->filtering == ENDPOINT_INDEPENDENT);
	seen = bed_pass(host, &other, stranger);
	if (nat->mapping == ENDPOINT_INDEPENDENT)
		same(&seen, &external, "another flow leaves by");
	seen = bed_pass(host, &to, peer);
	same(&seen, &external, "then it leaves by");
	seen = bed_pass(peer, &external, host);
	same(&seen, &to, "then it comes from");
}

Test(known, a_flow_that_the_outside_opened_is_known_too)
{
	const struct nat nat = bed_nat("full-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	AUTO_CLOSE int stranger = bed_udp(&bed, BED_OUTSIDE, STRANGER);
	struct endpoint to = bed_endpoint(STRANGER), external = bed_pass(host, &to, stranger), back;

	bed_pass(peer, &external, host);
	back = make_known(&bed, host, peer);
	same(&back, &external, "it answers by");
}

static struct nat short_lived(const char *name)
{
	struct nat nat = bed_nat(name);

	nat.timers.mapping[NAT_UDP] = LIFE_MS;
	return nat;
}

static void check_life(const char *name)
{
	const struct nat nat = short_lived(name);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	struct endpoint external = make_known(&bed, host, peer), to = bed_endpoint(PEER);
	uint64_t before = bed_now(), after;

	bed_pass(host, &to, peer);
	after = bed_now();
	bed_check_end(name, bed_when_closed(&bed, peer, &external, host), before, after, LIFE_MS,
		      LATE_MS);
}

Test(known, a_busy_mapping_ends_as_declared)
{
	check_life("full-cone");
}

Test(known, a_busy_permission_ends_as_declared)
{
	check_life("port-restricted-cone");
}

Test(known, a_busy_flow_keeps_its_mapping)
{
	const struct nat nat = short_lived("full-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	AUTO_CLOSE int stranger = bed_udp(&bed, BED_OUTSIDE, STRANGER);
	struct endpoint external = make_known(&bed, host, peer), to = bed_endpoint(PEER), seen;
	uint64_t end = bed_now() + 5 * LIFE_MS / 2;

	do {
		seen = bed_pass(host, &to, peer);
		same(&seen, &external, "it leaves by");
		cr_assert(bed_passes(&bed, stranger, &external, host), "the mapping ended");
	} while (bed_now() < end);
}

Test(known, what_comes_in_keeps_a_busy_mapping_where_it_refreshes)
{
	struct nat nat = short_lived("full-cone");
	struct endpoint external;
	uint64_t end;

	nat.timers.refresh = REFRESH_BOTH;
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	AUTO_CLOSE int stranger = bed_udp(&bed, BED_OUTSIDE, STRANGER);

	external = make_known(&bed, host, peer);
	for (end = bed_now() + 5 * LIFE_MS / 2; bed_now() < end;)
		bed_pass(peer, &external, host);
	cr_assert(bed_passes(&bed, stranger, &external, host), "the mapping ended");
}

/* What leaves is what came, but for the source, a hop, and what they are checked by. */

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
	busy.external = make_known(&busy.bed, busy.host, busy.peer);
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
	struct counts before = counted(&busy.bed), after;

	if (!checked)
		sent.udp.check = 0;
	send_datagram(out ? busy.sender : busy.far_sender, &sent);
	natbed_settle(&busy.bed);
	cr_assert(find_datagram(out ? busy.far_sniffer : busy.sniffer, "as it was", &got),
		  "it did not arrive");
	after = counted(&busy.bed);
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
