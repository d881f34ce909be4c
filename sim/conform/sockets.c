/* SPDX-License-Identifier: MIT */
/* What probes do with sockets on both sides of the bed. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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
	/*
	 * TCP leaves ports behind that are to be used again. Two UDP sockets at one port would
	 * share what comes for it: that is a mistake of a probe, and must not pass.
	 */
	if ((type != SOCK_DGRAM && set_reusable(fd) < 0) ||
	    bind(fd, (struct sockaddr *)&address, length) < 0) {
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

void bed_send_bytes(struct bed *bed, int fd, const struct endpoint *to, const void *bytes,
		    size_t size)
{
	struct sockaddr_storage address;
	socklen_t length = to ? endpoint_to_sockaddr(to, &address) : 0;

	if (fd < 0 || bed->error)
		return;
	bed->sent++;
	/* Refused is a way not to arrive. */
	if (sendto(fd, bytes, size, MSG_NOSIGNAL, to ? (struct sockaddr *)&address : NULL, length) <
	    0)
		return;
}

ssize_t bed_receive(struct bed *bed, int fd, void *buffer, size_t size, struct endpoint *ret_from)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	ssize_t n;

	if (fd < 0 || bed->error)
		return -1;
	n = recvfrom(fd, buffer, size, MSG_DONTWAIT, (struct sockaddr *)&address, &length);
	if (n >= 0 && ret_from && !endpoint_from_sockaddr(&address, ret_from))
		return -1;
	return n;
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

int bed_udp_tap(struct bed *bed, enum bed_side side, const struct addr *local)
{
	const struct endpoint endpoint = {.addr = *local};

	return bound(bed, side, SOCK_RAW, IPPROTO_UDP, &endpoint);
}

int bed_tcp_tap(struct bed *bed, enum bed_side side, const struct addr *local)
{
	const struct endpoint endpoint = {.addr = *local};

	return bound(bed, side, SOCK_RAW, IPPROTO_TCP, &endpoint);
}

int bed_packets(struct bed *bed, enum bed_side side)
{
	if (bed->error)
		return -1;
	return own(bed,
		   netns_socket(bed->side[side], AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW));
}

int bed_sniffer(struct bed *bed, enum bed_side side)
{
	if (bed->error)
		return -1;
	return own(bed, netns_socket(bed->side[side], AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK,
				     htons(ETH_P_IP)));
}

void bed_set_outside_mtu(struct bed *bed, int mtu)
{
	struct ifreq request = {.ifr_mtu = mtu};
	int fd;

	if (bed->error)
		return;
	fd = netns_socket(bed->router, AF_INET, SOCK_DGRAM, 0);
	if (fd < 0) {
		fail(bed, -fd, "open a socket");
		return;
	}
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", bed->subject->outside);
	if (ioctl(fd, SIOCSIFMTU, &request) < 0)
		fail(bed, errno, "set the outside link's MTU");
	close(fd);
}
