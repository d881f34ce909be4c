/* SPDX-License-Identifier: MIT */
/* A router's table of flows, read while packets of each protocol cross it. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include "kern/conntrack.h"
#include "support/in_lab.h"

static struct sockaddr_in name(const char *address, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = inet_addr(address),
	};
}

/* A socket on @node, bound to @port there. */
static int open_on(struct built *built, const char *node, int type, int protocol, uint16_t port)
{
	struct sockaddr_in own = name("0.0.0.0", port);
	int fd = netns_socket(lab_netns(built->lab, topo_find_node(built->topo, node)), AF_INET,
			      type, protocol);
	struct timeval patience = {.tv_sec = 2};

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return -errno;
	return fd;
}

static int exchange_udp(struct built *built)
{
	AUTO_CLOSE int host = open_on(built, "pc1", SOCK_DGRAM, 0, 5000);
	AUTO_CLOSE int server = open_on(built, "server", SOCK_DGRAM, 0, 7000);
	struct sockaddr_in to = name("9.9.9.9", 7000), from;
	socklen_t size = sizeof(from);
	char byte;

	EXPECT(sendto(host, "q", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1, "send");
	EXPECT(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &size) == 1, "question");
	EXPECT(sendto(server, "a", 1, 0, (struct sockaddr *)&from, size) == 1, "answer");
	EXPECT(recv(host, &byte, 1, 0) == 1, "answer");
	return 0;
}

static int exchange_echo(struct built *built)
{
	AUTO_CLOSE int host = open_on(built, "pc1", SOCK_DGRAM, IPPROTO_ICMP, 77);
	struct icmphdr echo = {.type = ICMP_ECHO};
	struct sockaddr_in to = name("9.9.9.10", 0);

	EXPECT(host >= 0, "a ping socket: %s", strerror(-host));
	EXPECT(sendto(host, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)) > 0,
	       "send");
	EXPECT(recv(host, &echo, sizeof(echo), 0) > 0, "no echo");
	return 0;
}

static bool is(const struct endpoint *endpoint, const char *text)
{
	struct endpoint expected;

	return endpoint_parse(text, &expected) && endpoint_equal(endpoint, &expected);
}

static int body_flows(void *data)
{
	AUTO_FREE struct flow *flows = NULL, *none = NULL;
	struct sockaddr_in to = name("9.9.9.9", 80);
	AUTO_CLOSE int listener = -1, host = -1;
	AUTO_BUILT struct built built;
	AUTO_DIAG struct diag d = {0};
	const struct flow *f;
	size_t count = 99;

	(void)data;
	EXPECT(built_up(two_homes, NULL, &built) == 0, "no lab");
	EXPECT(conntrack_dump(lab_netns(built.lab, topo_find_node(built.topo, "router2")), &none,
			      &count, &d) == 0 &&
		       count == 0 && none,
	       "no flow is an empty array, not %zu", count);
	if (exchange_udp(&built) || exchange_echo(&built))
		return 1;
	listener = open_on(&built, "server", SOCK_STREAM, 0, 80);
	host = open_on(&built, "pc1", SOCK_STREAM, 0, 6000);
	EXPECT(listen(listener, 1) == 0, "listen");
	EXPECT(connect(host, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
	EXPECT(conntrack_dump(lab_netns(built.lab, topo_find_node(built.topo, "router1")), &flows,
			      &count, &d) == 0 &&
		       count == 3,
	       "%zu flows", count);

	f = &flows[0]; /* sorted by protocol: ICMP 1, TCP 6, UDP 17 */
	EXPECT(f->protocol == IPPROTO_ICMP && is(&f->source, "192.168.1.1:77") &&
		       is(&f->destination, "9.9.9.10:77") && is(&f->reply_source, "9.9.9.10:77") &&
		       is(&f->reply_destination, "1.2.3.4:77"),
	       "the echo is not told as it was");
	EXPECT(f->seen_reply && f->packets == 1 && f->reply_packets == 1,
	       "echo: %llu, %llu packets", (unsigned long long)f->packets,
	       (unsigned long long)f->reply_packets);
	EXPECT(f->timeout > 0 && f->timeout <= 60, "echo: %u s", f->timeout);

	f = &flows[1];
	EXPECT(f->protocol == IPPROTO_TCP && is(&f->source, "192.168.1.1:6000") &&
		       is(&f->destination, "9.9.9.9:80") && is(&f->reply_source, "9.9.9.9:80") &&
		       is(&f->reply_destination, "1.2.3.4:6000"),
	       "the connection is not told as it was");
	EXPECT(f->assured && strcmp(f->state, "ESTABLISHED") == 0, "state %s", f->state);

	f = &flows[2];
	EXPECT(f->protocol == IPPROTO_UDP && is(&f->source, "192.168.1.1:5000") &&
		       is(&f->destination, "9.9.9.9:7000") &&
		       is(&f->reply_source, "9.9.9.9:7000") &&
		       is(&f->reply_destination, "1.2.3.4:5000"),
	       "the datagrams are not told as they were");
	EXPECT(f->packets == 1 && f->reply_packets == 1 && f->bytes == 29 && f->reply_bytes == 29,
	       "%llu + %llu bytes", (unsigned long long)f->bytes,
	       (unsigned long long)f->reply_bytes);
	EXPECT(strcmp(f->state, "") == 0, "UDP has no state: %s", f->state);
	return 0;
}

Test(conntrack, flows_of_each_protocol_are_told_sorted_and_counted, .timeout = 20)
{
	in_lab(body_flows, NULL);
}
