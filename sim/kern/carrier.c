/* SPDX-License-Identifier: MIT */
#include "kern/carrier.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/route/link.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"

static void link_cleanup(struct rtnl_link **link)
{
	rtnl_link_put(*link); /* NULL is fine */
}

/*
 * Whether the link is what RFC 2863 calls operational: the worker sets that and activates
 * the queue in one go. (IFF_RUNNING and IFLA_QDISC promise too early.)
 */
static int carries(struct netns *netns, int index, bool *ret)
{
	CLEANUP(link_cleanup) struct rtnl_link *link = NULL;
	int r = rtnl_link_get_kernel(netns->route, index, NULL, &link);

	if (r < 0) /* libnl's numbers are its own */
		return r == -NLE_NOMEM ? -ENOMEM : -ENODEV;
	*ret = rtnl_link_get_operstate(link) == IF_OPER_UP;
	return 0;
}

/* A socket that hears of every change of a link of @netns. */
static int open_ear(struct netns *netns)
{
	struct sockaddr_nl group = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	AUTO_CLOSE int fd = netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&group, sizeof(group)) < 0)
		return -errno;
	return STEAL_FD(fd);
}

static int milliseconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int)((now.tv_sec - start->tv_sec) * 1000 +
		     (now.tv_nsec - start->tv_nsec) / 1000000);
}

/* Wait for a change, and take what is there. An overrun is a change too. */
static void hear(int ear, int timeout_ms)
{
	struct pollfd fd = {.fd = ear, .events = POLLIN};
	char message[4096];

	if (poll(&fd, 1, timeout_ms) > 0)
		while (recv(ear, message, sizeof(message), MSG_DONTWAIT) >= 0)
			;
}

int carrier_await(struct netns *netns, int index, int timeout_ms, struct diag *d)
{
	AUTO_CLOSE int ear = -1;
	int r, left = timeout_ms;
	struct timespec start;
	bool ready = false;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		r = carries(netns, index, &ready);
		if (r < 0)
			return diag_system(d, -r, "cannot ask for the state of link %d", index);
		if (ready)
			return 0;
		if (left <= 0)
			return diag_error(d, ETIMEDOUT,
					  "link %d is up but carries nothing after %d ms", index,
					  timeout_ms);
		/* Listen first, then look again: a change between the two is not missed. */
		if (ear < 0) {
			ear = open_ear(netns);
			if (ear < 0)
				return diag_system(d, -ear, "cannot listen for changes of links");
			continue;
		}
		hear(ear, left);
		left = timeout_ms - milliseconds_since(&start);
	}
}
