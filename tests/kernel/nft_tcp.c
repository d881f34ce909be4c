/* SPDX-License-Identifier: MIT */
/* What TCP's flags do to a mapping: resets, and SYNs that cross. */
#include <criterion/criterion.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/natbed.h"

static bool syn_passes(struct natbed *bed, const char *from, const struct endpoint *external,
		       int served)
{
	int fd = bed_tcp(bed, BED_OUTSIDE, from), accepted;
	struct endpoint peer;

	bed_connect(fd, external);
	natbed_settle(bed);
	accepted = bed_try_accept(served, &peer);
	close(fd);
	if (accepted >= 0)
		close(accepted);
	return accepted >= 0;
}

/* A connection that the other side resets; does the mapping still let people in? */
static void check_reset(const char *name, enum nat_dependence mapping, bool kills)
{
	const struct linger at_once = {.l_onoff = 1};
	struct nat nat = bed_nat(name);
	struct endpoint server = bed_endpoint("9.9.9.9:80"), external, again;

	nat.mapping = mapping;
	nat.filtering = ADDRESS_DEPENDENT;
	nat.tcp.rst_kills = kills;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80");
	int client = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int served = bed_listen(&bed, BED_INSIDE, "192.168.1.1:5000"), accepted;

	bed_connect(client, &server);
	accepted = bed_accept(listener, &external);
	natbed_settle(&bed);
	cr_assert(setsockopt(accepted, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
	close(accepted);
	natbed_settle(&bed);
	close(client);
	cr_assert_eq(syn_passes(&bed, "9.9.9.9:81", &external, served), !kills,
		     "%s: after the reset", name);
	close(served);

	client = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	bed_connect(client, &server);
	accepted = bed_accept(listener, &again);
	if (!kills)
		cr_assert(mapping != ENDPOINT_INDEPENDENT || bed_same(&again, &external));
	close(accepted);
	close(client);
	close(listener);
}

Test(tcp, a_reset_leaves_the_mapping)
{
	check_reset("full-cone", ENDPOINT_INDEPENDENT, false);
	check_reset("symmetric", ADDRESS_AND_PORT_DEPENDENT, false);
}

Test(tcp, a_reset_ends_the_mapping_where_declared)
{
	check_reset("full-cone", ENDPOINT_INDEPENDENT, true);
	check_reset("full-cone", ADDRESS_DEPENDENT, true);
	check_reset("symmetric", ADDRESS_AND_PORT_DEPENDENT, true);
}

/* The refusal of a SYN, for which conntrack gives up its own entry at once. */
Test(tcp, a_refused_connection_leaves_the_mapping_unless_declared)
{
	static const bool all[] = {false, true};
	size_t i;

	for (i = 0; i < 2; i++) {
		struct nat nat = bed_nat("full-cone");
		struct endpoint nobody = bed_endpoint("9.9.9.9:81");
		struct endpoint external = bed_endpoint("1.2.3.4:5000");

		nat.tcp.rst_kills = all[i];

		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int client = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int served = bed_listen(&bed, BED_INSIDE, "192.168.1.1:5000");

		bed_connect(client, &nobody);
		natbed_settle(&bed);
		cr_assert(!bed_unanswered(client), "nobody refused");
		cr_assert_eq(syn_passes(&bed, "9.9.9.10:1000", &external, served), !all[i]);
		close(client);
		close(served);
	}
}

/*
 * A bare SYN on an own half-open connection, sent raw: the peer's kernel would rather
 * answer the host's SYN. It gets in, as a simultaneous open needs, or does not.
 */
struct segment {
	uint16_t source, destination;
	uint32_t sequence, acknowledged;
	uint8_t offset, flags;
	uint16_t window, checksum, urgent;
};

static void send_syn(int fd, const char *from, const char *to)
{
	struct endpoint source = bed_endpoint(from), target = bed_endpoint(to);
	struct segment syn = {.source = htons(source.port),
			      .destination = htons(target.port),
			      .sequence = htonl(1000),
			      .offset = 5 << 4,
			      .flags = 0x02,
			      .window = htons(1000)};
	const uint32_t addresses[2] = {addr_to_ipv4(&source.addr), addr_to_ipv4(&target.addr)};
	uint32_t sum = htons(IPPROTO_TCP) + htons(sizeof(syn));
	struct sockaddr_storage address;
	const uint16_t *words;
	socklen_t length;
	size_t i;

	words = (const uint16_t *)addresses;
	for (i = 0; i < sizeof(addresses) / 2; i++)
		sum += words[i];
	words = (const uint16_t *)(const void *)&syn;
	for (i = 0; i < sizeof(syn) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	syn.checksum = (uint16_t)~sum;
	target.port = 0;
	length = endpoint_to_sockaddr(&target, &address);
	cr_assert(sendto(fd, &syn, sizeof(syn), 0, (struct sockaddr *)&address, length) ==
		  sizeof(syn));
}

/* What the host's kernel thinks of its connection: SYN_RECV means that the SYN got in. */
static uint8_t state_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	cr_assert(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
	return info.tcpi_state;
}

/* As if it had not confirmed anything yet. */
static void forget_flows(struct natbed *bed)
{
	_Alignas(struct nlmsghdr) char buffer[512] = {0};
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	AUTO_DIAG struct diag d = {0};
	struct mnl_socket *socket;
	struct nfgenmsg *family;

	cr_assert(netns_netfilter(bed->side[BED_ROUTER], &socket, &d) == 0);
	header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	family = mnl_nlmsg_put_extra_header(header, sizeof(*family));
	family->nfgen_family = AF_INET;
	cr_assert(mnl_socket_sendto(socket, header, header->nlmsg_len) > 0);
	cr_assert(mnl_socket_recvfrom(socket, buffer, sizeof(buffer)) > 0);
	cr_assert_eq(((struct nlmsgerr *)mnl_nlmsg_get_payload(header))->error, 0);
}

/* @early: conntrack has no flow of the own SYN yet, which has left. */
static void check_crossing(bool strict, bool early)
{
	struct nat nat = bed_nat("port-restricted-cone");
	struct endpoint silent = bed_endpoint("9.9.9.200:1000");
	struct endpoint web = bed_endpoint("9.9.9.10:80"), seen;
	int on = 1;

	nat.tcp.strict_syn = strict;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int other = bed_tcp(&bed, BED_INSIDE, "192.168.1.2:6000");
	int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.10:80");
	int raw = netns_socket(bed.side[BED_OUTSIDE], AF_INET, SOCK_RAW, IPPROTO_TCP);

	cr_assert(raw >= 0);
	/* Nobody has this address, so nobody answers; the raw socket speaks for it. */
	cr_assert(setsockopt(raw, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on)) == 0);
	struct sockaddr_storage address;
	struct endpoint local = {.addr = silent.addr};
	socklen_t length = endpoint_to_sockaddr(&local, &address);

	cr_assert(bind(raw, (struct sockaddr *)&address, length) == 0);
	bed_connect(host, &silent);
	natbed_settle(&bed);
	cr_assert_eq(state_of(host), TCP_SYN_SENT);
	if (early)
		forget_flows(&bed);
	send_syn(raw, "9.9.9.200:1000", "1.2.3.4:5000");
	natbed_settle(&bed);
	cr_assert_eq(state_of(host), strict ? TCP_SYN_SENT : TCP_SYN_RECV, "strict: %d", strict);

	bed_connect(other, &web); /* and a SYN with its ACK is always welcome */
	close(bed_accept(listener, &seen));
	close(host);
	close(other);
	close(listener);
	close(raw);
}

Test(tcp, a_syn_that_crosses_the_own_one_comes_in)
{
	check_crossing(false, false);
}

Test(tcp, a_syn_that_crosses_the_own_one_stays_out_where_declared)
{
	check_crossing(true, false);
}

Test(tcp, a_crossing_syn_stays_out_before_conntrack_knows_of_the_own_one)
{
	check_crossing(true, true);
}
