/* SPDX-License-Identifier: MIT */
#include "agents/net/tcp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/tcp.h>
#include <unistd.h>

int tcp_local(int fd, struct endpoint *ret)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	return endpoint_from_sockaddr(&address, ret) ? 0 : -EAFNOSUPPORT;
}

/* What every socket here is; the rest of the kernel's defaults are right. */
static int set_options(int fd, sa_family_t family)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return -errno;
	/* Mapped IPv4 addresses would be told to IPv4 peers, who cannot use them. */
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -errno;
	/* Keeps the ICMP error that ends a connect(), for tcp_result(): an extra, no need. */
	(void)(family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on))
				  : setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)));
	return 0;
}

int tcp_open(const struct endpoint *local, struct endpoint *ret_bound, struct diag *d)
{
	char text[ENDPOINT_TEXT_MAX];
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(local, &address);
	AUTO_CLOSE int fd = -1;
	int r;

	fd = socket(local->addr.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return diag_system(d, errno, "cannot open a TCP socket");
	r = set_options(fd, local->addr.family);
	if (r < 0)
		return diag_system(d, -r, "cannot make a TCP socket share its port");
	if (bind(fd, (const struct sockaddr *)&address, length) < 0)
		return diag_system(d, errno, "cannot use TCP %s", endpoint_format(local, text));
	r = ret_bound ? tcp_local(fd, ret_bound) : 0;
	if (r < 0)
		return diag_system(d, -r, "cannot learn the local port");
	return STEAL_FD(fd);
}

int tcp_listen(const struct endpoint *local, struct endpoint *ret_bound, struct diag *d)
{
	char text[ENDPOINT_TEXT_MAX];
	AUTO_CLOSE int fd = tcp_open(local, ret_bound, d);

	if (fd < 0)
		return fd;
	if (listen(fd, SOMAXCONN) < 0)
		return diag_system(d, errno, "cannot listen on TCP %s",
				   endpoint_format(local, text));
	return STEAL_FD(fd);
}

int tcp_accept(int listener, struct endpoint *ret_from)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	AUTO_CLOSE int fd = accept4(listener, (struct sockaddr *)&address, &length,
				    SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	return endpoint_from_sockaddr(&address, ret_from) ? STEAL_FD(fd) : -EAFNOSUPPORT;
}

int tcp_connect(int fd, const struct endpoint *to)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(to, &address);

	return connect(fd, (const struct sockaddr *)&address, length) < 0 ? -errno : 0;
}

/* The ICMP error that was kept for @fd, if there is one. */
static void read_icmp(int fd, struct tcp_refusal *ret)
{
	union {
		struct cmsghdr header;
		uint8_t bytes[512];
	} control;
	struct msghdr message = {.msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header;

	if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return;
	for (header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
		const struct sock_extended_err *error = (const void *)CMSG_DATA(header);
		struct endpoint reporter;

		if (!(header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) &&
		    !(header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR))
			continue;
		ret->icmp = error->ee_origin == SO_EE_ORIGIN_ICMP ||
			    error->ee_origin == SO_EE_ORIGIN_ICMP6;
		if (ret->icmp &&
		    endpoint_from_sockaddr((const void *)SO_EE_OFFENDER(error), &reporter))
			ret->reporter = reporter.addr;
	}
}

int tcp_result(int fd, struct tcp_refusal *ret)
{
	struct tcp_refusal refusal = {0};
	socklen_t length = sizeof(refusal.error);
	struct tcp_info info = {0};
	socklen_t info_length = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &refusal.error, &length) < 0)
		return -errno;
	if (refusal.error != 0) {
		read_icmp(fd, &refusal);
		if (ret)
			*ret = refusal;
		return -refusal.error;
	}
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_length) < 0)
		return -errno;
	if (info.tcpi_state == TCP_CLOSE)
		return -ENOTCONN;
	return info.tcpi_state == TCP_SYN_SENT || info.tcpi_state == TCP_SYN_RECV ? -EINPROGRESS
										  : 0;
}

ssize_t tcp_receive(int fd, void *buffer, size_t capacity)
{
	ssize_t n = recv(fd, buffer, capacity, 0);

	return n < 0 ? -errno : n;
}

ssize_t tcp_send(int fd, const void *bytes, size_t length)
{
	ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

void tcp_abort(int fd)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}
