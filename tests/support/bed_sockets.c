/* SPDX-License-Identifier: MIT */
/* The hosts of the test bed: their sockets, and what is sent and received. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/cleanup.h"
#include "support/natbed.h"

static int bound(struct natbed *bed, enum bed_side side, int type, int protocol,
		 const struct endpoint *local)
{
	int fd = netns_socket(bed->side[side], AF_INET, type | SOCK_NONBLOCK, protocol);
	struct sockaddr_storage address;
	int on = 1;

	cr_assert(fd >= 0, "cannot open a socket: %s", strerror(-fd));
	cr_assert(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	cr_assert(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
	cr_assert(bind(fd, (struct sockaddr *)&address, endpoint_to_sockaddr(local, &address)) == 0,
		  "cannot bind to %s: %s", BED_TEXT(local), strerror(errno));
	return fd;
}

int bed_udp(struct natbed *bed, enum bed_side side, const char *local)
{
	struct endpoint endpoint = bed_endpoint(local);

	return bound(bed, side, SOCK_DGRAM, IPPROTO_UDP, &endpoint);
}

int bed_tcp(struct natbed *bed, enum bed_side side, const char *local)
{
	struct endpoint endpoint = bed_endpoint(local);

	return bound(bed, side, SOCK_STREAM, IPPROTO_TCP, &endpoint);
}

int bed_listen(struct natbed *bed, enum bed_side side, const char *local)
{
	int fd = bed_tcp(bed, side, local);

	cr_assert(listen(fd, 64) == 0, "cannot listen on %s: %s", local, strerror(errno));
	return fd;
}

int bed_icmp(struct natbed *bed, enum bed_side side, const char *host)
{
	struct endpoint endpoint = {.addr = bed_addr(host)};

	return bound(bed, side, SOCK_RAW, IPPROTO_ICMP, &endpoint);
}

void bed_send(int fd, const struct endpoint *to, const char *message)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(to, &address);

	/* EPERM: a rule on the sender's own machine dropped it, which is a way not to arrive. */
	cr_assert(sendto(fd, message, strlen(message), 0, (struct sockaddr *)&address, length) >=
				  0 ||
			  errno == EPERM,
		  "cannot send to %s: %s", BED_TEXT(to), strerror(errno));
}

/* The next datagram, if there is one now. */
static bool take(int fd, char text[64], struct endpoint *ret_from)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	ssize_t length = recvfrom(fd, text, 63, MSG_DONTWAIT, (struct sockaddr *)&address, &size);

	if (length < 0)
		return false;
	text[length] = '\0';
	return endpoint_from_sockaddr(&address, ret_from);
}

struct endpoint bed_receive(int fd, const char *message)
{
	uint64_t deadline = bed_now() + BED_DEADLINE_MS;
	struct endpoint from;
	char text[64];

	while (bed_readable(fd, deadline))
		if (take(fd, text, &from) && strcmp(text, message) == 0)
			return from;
	cr_assert_fail("\"%s\" did not arrive within %d ms", message, BED_DEADLINE_MS);
	return from;
}

bool bed_arrived(int fd, const char *message)
{
	struct endpoint from;
	char text[64];

	while (take(fd, text, &from))
		if (strcmp(text, message) == 0)
			return true;
	return false;
}

/* A text that no other message has. */
static const char *fresh_message(char text[64])
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, 64, "message of %lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
	return text;
}

struct endpoint bed_pass(int from, const struct endpoint *to, int at)
{
	char text[64];

	bed_send(from, to, fresh_message(text));
	return bed_receive(at, text);
}

bool bed_passes(struct natbed *bed, int from, const struct endpoint *to, int at)
{
	char text[64];

	bed_send(from, to, fresh_message(text));
	natbed_settle(bed);
	return bed_arrived(at, text);
}

struct bed_end bed_when_closed(struct natbed *bed, int outside, const struct endpoint *external,
			       int host)
{
	enum { PROBE_MS = 10 };
	uint64_t deadline = bed_now() + BED_DEADLINE_MS, probe;
	struct bed_end end = {0};

	while (true) {
		probe = bed_now();
		cr_assert(probe < deadline, "it does not end");
		if (!bed_passes(bed, outside, external, host))
			break;
		end.open = probe;
		bed_wait_until(probe + PROBE_MS);
	}
	end.closed = bed_now();
	return end;
}

void bed_check_end(const char *what, struct bed_end end, uint64_t before, uint64_t after,
		   unsigned int life, unsigned int late)
{
	cr_assert(end.closed >= before + life, "%s: ended after %d ms of %u", what,
		  (int)(end.closed - before), life);
	cr_assert(end.open <= after + life + late, "%s: had not ended after %d ms of %u", what,
		  (int)(end.open - after), life);
}

void bed_connect(int fd, const struct endpoint *to)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(to, &address);

	cr_assert(connect(fd, (struct sockaddr *)&address, length) == 0 || errno == EINPROGRESS,
		  "cannot connect to %s: %s", BED_TEXT(to), strerror(errno));
}

int bed_try_accept(int listener, struct endpoint *ret_peer)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int fd =
		accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		endpoint_from_sockaddr(&address, ret_peer);
	return fd;
}

int bed_accept(int listener, struct endpoint *ret_peer)
{
	int fd;

	cr_assert(bed_readable(listener, bed_now() + BED_DEADLINE_MS),
		  "no connection arrived within %d ms", BED_DEADLINE_MS);
	fd = bed_try_accept(listener, ret_peer);
	cr_assert(fd >= 0, "cannot accept: %s", strerror(errno));
	return fd;
}

bool bed_unanswered(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	cr_assert(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
	return info.tcpi_state == TCP_SYN_SENT;
}

void bed_send_icmp(int fd, const char *to, const void *message, size_t length)
{
	const struct endpoint endpoint = {.addr = bed_addr(to)};
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(&endpoint, &address);
	uint8_t packet[128];
	uint16_t sum;

	cr_assert(length <= sizeof(packet));
	memcpy(packet, message, length);
	packet[2] = packet[3] = 0;
	sum = internet_checksum(packet, length);
	packet[2] = (uint8_t)(sum >> 8);
	packet[3] = (uint8_t)sum;
	cr_assert(sendto(fd, packet, length, 0, (struct sockaddr *)&address, size) >= 0 ||
			  errno == EPERM,
		  "cannot send ICMP to %s: %s", to, strerror(errno));
}

void bed_send_echo(int fd, const char *to, uint8_t type, uint16_t id, uint16_t sequence)
{
	struct icmphdr header = {.type = type};

	header.un.echo.id = htons(id);
	header.un.echo.sequence = htons(sequence);
	bed_send_icmp(fd, to, &header, sizeof(header));
}

bool bed_find_echo(int fd, uint8_t type, uint16_t sequence, struct bed_echo *ret)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	uint8_t packet[256];
	struct icmphdr header;
	struct endpoint from;
	size_t offset;
	ssize_t length;

	while ((length = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT,
				  (struct sockaddr *)&address, &size)) >= 0) {
		offset = (packet[0] & 0xfU) * 4U;
		if ((size_t)length < offset + sizeof(header))
			continue;
		memcpy(&header, packet + offset, sizeof(header));
		if (header.type != type || ntohs(header.un.echo.sequence) != sequence)
			continue;
		endpoint_from_sockaddr(&address, &from);
		*ret = (struct bed_echo){from.addr, type, ntohs(header.un.echo.id), sequence};
		return true;
	}
	return false;
}

struct bed_echo bed_receive_echo(int fd, uint8_t type, uint16_t sequence)
{
	uint64_t deadline = bed_now() + BED_DEADLINE_MS;
	struct bed_echo echo = {0};

	while (bed_readable(fd, deadline))
		if (bed_find_echo(fd, type, sequence, &echo))
			return echo;
	cr_assert_fail("no ICMP type %u with sequence %u within %d ms", type, sequence,
		       BED_DEADLINE_MS);
	return echo;
}
