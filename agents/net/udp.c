/* SPDX-License-Identifier: MIT */
#include "agents/net/udp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <string.h>
#include <unistd.h>

static int bound_endpoint(int fd, struct endpoint *ret)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	return endpoint_from_sockaddr(&address, ret) ? 0 : -EAFNOSUPPORT;
}

int udp_open(const struct endpoint *local, struct endpoint *ret_bound, struct diag *d)
{
	char text[ENDPOINT_TEXT_MAX];
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(local, &address);
	AUTO_CLOSE int fd = -1;
	struct endpoint bound;
	int on = 1;
	int r;

	fd = socket(local->addr.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return diag_system(d, errno, "cannot open a UDP socket");
	/* Mapped IPv4 addresses would be told to IPv4 peers, who cannot use them. */
	if (local->addr.family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return diag_system(d, errno, "cannot keep IPv4 out of an IPv6 socket");
	if (bind(fd, (const struct sockaddr *)&address, length) < 0)
		return diag_system(d, errno, "cannot use %s", endpoint_format(local, text));
	r = bound_endpoint(fd, &bound);
	if (r < 0)
		return diag_system(d, -r, "cannot learn the local port");
	if (ret_bound)
		*ret_bound = bound;
	return STEAL_FD(fd);
}

int udp_source_for(const struct endpoint *remote, struct addr *ret, struct diag *d)
{
	char text[ENDPOINT_TEXT_MAX];
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(remote, &address);
	AUTO_CLOSE int fd = -1;
	struct endpoint bound;
	int r;

	fd = socket(remote->addr.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return diag_system(d, errno, "cannot open a UDP socket");
	if (connect(fd, (const struct sockaddr *)&address, length) < 0)
		return diag_system(d, errno, "no way to %s", endpoint_format(remote, text));
	r = bound_endpoint(fd, &bound);
	if (r < 0)
		return diag_system(d, -r, "cannot learn the local address");
	*ret = bound.addr;
	return 0;
}

int udp_keep_errors(int fd, sa_family_t family)
{
	int on = 1;
	int r = family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on))
				   : setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));

	return r < 0 ? -errno : 0;
}

ssize_t udp_receive(int fd, void *buffer, size_t capacity, struct endpoint *ret_from)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	ssize_t n = recvfrom(fd, buffer, capacity, 0, (struct sockaddr *)&address, &length);

	if (n < 0)
		return -errno;
	return endpoint_from_sockaddr(&address, ret_from) ? n : -EAFNOSUPPORT;
}

int udp_send(int fd, const struct endpoint *to, const void *bytes, size_t length)
{
	struct sockaddr_storage address;
	socklen_t address_length = endpoint_to_sockaddr(to, &address);
	int tries =
		2; /* an ICMP error of an earlier datagram may be reported first; then try again */

	while (tries-- > 0) {
		if (sendto(fd, bytes, length, MSG_NOSIGNAL, (const struct sockaddr *)&address,
			   address_length) >= 0)
			return 0;
	}
	return -errno;
}

int udp_error(int fd, struct udp_error *ret)
{
	struct sockaddr_storage destination, offender = {0};
	uint8_t payload[1], control[512];
	struct iovec iov = {.iov_base = payload, .iov_len = sizeof(payload)};
	struct msghdr message = {
		.msg_name = &destination,
		.msg_namelen = sizeof(destination),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct udp_error error = {0};
	struct cmsghdr *header;

	if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return -errno;
	if (!endpoint_from_sockaddr(&destination, &error.destination))
		return -EAGAIN;
	for (header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
		struct sock_extended_err extended;
		struct endpoint reporter;
		size_t size;

		if (!(header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) &&
		    !(header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&extended, CMSG_DATA(header), sizeof(extended));
		error.error = (int)extended.ee_errno;
		/* The offender's socket address stands behind the struct: SO_EE_OFFENDER. */
		size = header->cmsg_len - CMSG_LEN(sizeof(extended));
		if (size > sizeof(offender))
			size = sizeof(offender);
		memcpy(&offender, CMSG_DATA(header) + sizeof(extended), size);
		if (endpoint_from_sockaddr(&offender, &reporter))
			error.reporter = reporter.addr;
	}
	*ret = error;
	return 0;
}
