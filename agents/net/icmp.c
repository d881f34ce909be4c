/* SPDX-License-Identifier: MIT */
#include "agents/net/icmp.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/cleanup.h"

int icmp_open(struct diag *d)
{
	/* A set bit keeps that type out. */
	struct icmp_filter filter = {
		.data = ~((1U << ICMP_DEST_UNREACH) | (1U << ICMP_TIME_EXCEEDED))};
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);

	if (fd < 0)
		return diag_system(d, errno, "cannot open a raw socket for ICMP%s",
				   errno == EPERM ? " (it needs the capability CAP_NET_RAW)" : "");
	if (setsockopt(fd, IPPROTO_RAW, ICMP_FILTER, &filter, sizeof(filter)) < 0)
		return diag_system(d, errno, "cannot filter ICMP");
	return STEAL_FD(fd);
}
