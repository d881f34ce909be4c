/* SPDX-License-Identifier: MIT */
/* What probes do with sockets on both sides of the bed. */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conform/bed.h"

static void fail(struct bed *bed, int error, const char *what)
{
	if (!bed->error)
		bed->error = diag_system(bed->d, error, "the bed cannot %s", what);
}

static int own(struct bed *bed, int fd)
{
	if (fd < 0) {
		fail(bed, -fd, "open a socket");
		return -1;
	}
	if (bed->socket_count == BED_SOCKETS_MAX) {
		close(fd);
		fail(bed, EMFILE, "open a socket");
		return -1;
	}
	bed->sockets[bed->socket_count++] = fd;
	return fd;
}

static int set_reusable(int fd)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

static int bound(struct bed *bed, enum bed_side side, int type, int protocol,
		 const struct endpoint *local)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(local, &address);
	int fd;

	if (bed->error)
		return -1;
	fd = own(bed, netns_socket(bed->side[side], AF_INET, type | SOCK_NONBLOCK, protocol));
	if (fd < 0)
		return -1;
	if (set_reusable(fd) < 0 || bind(fd, (struct sockaddr *)&address, length) < 0) {
		fail(bed, errno, "bind a socket");
		return -1;
	}
	return fd;
}

int bed_udp(struct bed *bed, enum bed_side side, const struct endpoint *local)
{
	return bound(bed, side, SOCK_DGRAM, IPPROTO_UDP, local);
}

/* No lingering: what is closed is gone, and its port can be used again. */
static void be_abrupt(int fd)
{
	const struct linger abrupt = {.l_onoff = 1};

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof(abrupt));
}

int bed_tcp(struct bed *bed, enum bed_side side, const struct endpoint *local)
{
	int fd = bound(bed, side, SOCK_STREAM, IPPROTO_TCP, local);

	be_abrupt(fd);
	return fd;
}

int bed_listen(struct bed *bed, enum bed_side side, const struct endpoint *local)
{
	int fd = bed_tcp(bed, side, local);

	if (fd >= 0 && listen(fd, 64) < 0)
		fail(bed, errno, "listen");
	return fd;
}

int bed_icmp(struct bed *bed, enum bed_side side, const struct addr *local)
{
	const struct endpoint endpoint = {.addr = *local};

	return bound(bed, side, SOCK_RAW, IPPROTO_ICMP, &endpoint);
}

void bed_close_since(struct bed *bed, size_t mark)
{
	while (bed->socket_count > mark)
		close(bed->sockets[--bed->socket_count]);
}

/* --- UDP ------------------------------------------------------------------------ */

static uint32_t send_sized(struct bed *bed, int fd, const struct endpoint *to, size_t size)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(to, &address);
	uint32_t number = ++bed->serial;
	uint8_t bytes[4000] = {0};

	if (fd < 0 || bed->error)
		return number;
	memcpy(bytes, &number, sizeof(number));
	bed->sent++;
	/*
	 * An error queued by an earlier packet (ICMP) is told here instead of sending, so
	 * once more. That the packet itself is refused is a way not to arrive.
	 */
	if (sendto(fd, bytes, size, 0, (struct sockaddr *)&address, length) < 0)
		sendto(fd, bytes, size, 0, (struct sockaddr *)&address, length);
	return number;
}

uint32_t bed_send(struct bed *bed, int fd, const struct endpoint *to)
{
	return send_sized(bed, fd, to, sizeof(uint32_t));
}

uint32_t bed_send_long(struct bed *bed, int fd, const struct endpoint *to)
{
	return send_sized(bed, fd, to, 4000);
}

bool bed_heard(struct bed *bed, int fd, uint32_t number, struct endpoint *ret_from)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	uint32_t found;
	ssize_t n;

	if (fd < 0 || bed->error)
		return false;
	while ((n = recvfrom(fd, &found, sizeof(found), MSG_DONTWAIT, (struct sockaddr *)&address,
			     &size)) >= 0 ||
	       (errno != EAGAIN && errno != EWOULDBLOCK)) {
		if (n == sizeof(found) && found == number)
			return !ret_from || endpoint_from_sockaddr(&address, ret_from);
		size = sizeof(address);
	}
	return false;
}

bool bed_pass(struct bed *bed, int from, const struct endpoint *to, int at,
	      struct endpoint *ret_from)
{
	uint32_t number = bed_send(bed, from, to);

	bed_settle(bed);
	return bed_heard(bed, at, number, ret_from);
}

/* --- TCP ------------------------------------------------------------------------- */

void bed_connect(struct bed *bed, int fd, const struct endpoint *to)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(to, &address);

	if (fd < 0 || bed->error)
		return;
	bed->sent++;
	if (connect(fd, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS &&
	    errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH &&
	    errno != EPERM)
		fail(bed, errno, "connect");
}

int bed_accept(struct bed *bed, int listener, struct endpoint *ret_from)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int fd;

	if (listener < 0 || bed->error)
		return -1;
	fd = accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return -1;
	be_abrupt(fd);
	if (ret_from)
		endpoint_from_sockaddr(&address, ret_from);
	return own(bed, fd);
}

void bed_deafen(struct bed *bed, int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {1, &nothing};

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		fail(bed, errno, "attach a filter");
}

int bed_fate(int fd)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (fd >= 0)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

bool bed_connected(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	return fd >= 0 && getsockopt(fd, SOL_TCP, TCP_INFO, &info, &size) == 0 &&
	       info.tcpi_state == TCP_ESTABLISHED;
}

/* --- ICMP ------------------------------------------------------------------------ */

/* RFC 1071. */
static uint16_t checksum(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

static void put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void send_icmp(struct bed *bed, int fd, const struct addr *to, uint8_t *bytes, size_t length)
{
	const struct endpoint endpoint = {.addr = *to};
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(&endpoint, &address);

	if (fd < 0 || bed->error)
		return;
	put16(bytes + 2, 0);
	put16(bytes + 2, checksum(bytes, length));
	bed->sent++;
	/* Refused (EPERM) is a way not to arrive. */
	if (sendto(fd, bytes, length, 0, (struct sockaddr *)&address, size) < 0)
		sendto(fd, bytes, length, 0, (struct sockaddr *)&address, size);
}

void bed_send_echo(struct bed *bed, int fd, const struct addr *to, uint8_t type, uint16_t id,
		   uint16_t sequence)
{
	uint8_t bytes[ICMP_MINLEN] = {type};

	put16(bytes + 4, id);
	put16(bytes + 6, sequence);
	send_icmp(bed, fd, to, bytes, sizeof(bytes));
}

enum { IP_HEADER = 20, QUOTED = IP_HEADER + 8 };

void bed_send_error(struct bed *bed, int fd, const struct addr *to, uint8_t type, uint8_t code,
		    uint8_t protocol, const struct endpoint *about_from,
		    const struct endpoint *about_to)
{
	uint8_t bytes[ICMP_MINLEN + QUOTED] = {type, code};
	uint8_t *ip = bytes + ICMP_MINLEN, *transport = ip + IP_HEADER;

	ip[0] = 0x45;
	put16(ip + 2, protocol == IPPROTO_TCP ? 40 : 32);
	ip[8] = 60;
	ip[9] = protocol;
	memcpy(ip + 12, about_from->addr.bytes, 4);
	memcpy(ip + 16, about_to->addr.bytes, 4);
	put16(ip + 10, checksum(ip, IP_HEADER));
	if (protocol == IPPROTO_ICMP) {
		transport[0] = ICMP_ECHO;
		put16(transport + 4, about_from->port);
		put16(transport + 6, 1);
		put16(transport + 2, checksum(transport, 8));
	} else {
		put16(transport, about_from->port);
		put16(transport + 2, about_to->port);
		if (protocol == IPPROTO_UDP)
			put16(transport + 4, 12);
	}
	send_icmp(bed, fd, to, bytes, sizeof(bytes));
}

int bed_tcp_tap(struct bed *bed, enum bed_side side, const struct addr *local)
{
	const struct endpoint endpoint = {.addr = *local};

	return bound(bed, side, SOCK_RAW, IPPROTO_TCP, &endpoint);
}

bool bed_next_syn(int tap, uint16_t port, struct endpoint *ret_from)
{
	const uint8_t syn = 0x02, ack = 0x10;
	uint8_t packet[256], *tcp;
	uint32_t address;
	size_t header;
	ssize_t n;

	while (tap >= 0 && (n = recv(tap, packet, sizeof(packet), MSG_DONTWAIT)) >= 0) {
		header = n ? (packet[0] & 0xfU) * 4U : 0;
		if (header < IP_HEADER || (size_t)n < header + 20)
			continue;
		tcp = packet + header;
		if (get16(tcp + 2) != port || (tcp[13] & (syn | ack)) != syn)
			continue;
		memcpy(&address, packet + 12, sizeof(address));
		*ret_from = (struct endpoint){.addr = addr_from_ipv4(address), .port = get16(tcp)};
		return true;
	}
	return false;
}

static bool read_quoted(const uint8_t *ip, size_t length, struct bed_icmp *ret)
{
	size_t header = length ? (ip[0] & 0xfU) * 4U : 0;
	uint32_t address;

	if (header < IP_HEADER || length < header + 8)
		return false;
	ret->about_protocol = ip[9];
	memcpy(&address, ip + 12, sizeof(address));
	ret->about_from.addr = addr_from_ipv4(address);
	memcpy(&address, ip + 16, sizeof(address));
	ret->about_to.addr = addr_from_ipv4(address);
	if (ip[9] == IPPROTO_ICMP) {
		ret->about_from.port = get16(ip + header + 4);
	} else {
		ret->about_from.port = get16(ip + header);
		ret->about_to.port = get16(ip + header + 2);
	}
	return true;
}

bool bed_next_icmp(int fd, struct bed_icmp *ret)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	struct endpoint from;
	uint8_t packet[256];
	size_t header;
	ssize_t n;

	while (fd >= 0 && (n = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT,
					(struct sockaddr *)&address, &size)) >= 0) {
		header = n ? (packet[0] & 0xfU) * 4U : 0;
		if ((size_t)n < header + ICMP_MINLEN || !endpoint_from_sockaddr(&address, &from))
			continue;
		*ret = (struct bed_icmp){.from = from.addr,
					 .type = packet[header],
					 .code = packet[header + 1],
					 .id = get16(packet + header + 4),
					 .sequence = get16(packet + header + 6)};
		if (ret->type != ICMP_DEST_UNREACH && ret->type != ICMP_TIME_EXCEEDED)
			return true;
		if (read_quoted(packet + header + ICMP_MINLEN, (size_t)n - header - ICMP_MINLEN,
				ret))
			return true;
	}
	return false;
}
