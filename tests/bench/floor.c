/* SPDX-License-Identifier: MIT */
/*
 * The same links as natsim makes of topologies/double-nat.yaml (three veths into a
 * routed core, two between a router and its only host) with nothing in between but
 * the bytes of the requests: indexes are known beforehand, each namespace gets
 * one buffer, and only its last message is acknowledged.
 */
#include "bench/floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CORE, SERVER, ROUTER1, ROUTER2, PC1, PC2 };
enum { LO = 1, FIRST = 11, SECOND = 12, THIRD = 13 };

struct buffer {
	_Alignas(struct nlmsghdr) char bytes[8192];
	size_t length;
	struct nlmsghdr *last;
};

static struct nlmsghdr *begin(struct buffer *b, uint16_t type, uint16_t flags)
{
	b->last = mnl_nlmsg_put_header(b->bytes + b->length);
	b->last->nlmsg_type = type;
	b->last->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return b->last;
}

static void end(struct buffer *b)
{
	b->length += NLMSG_ALIGN(b->last->nlmsg_len);
}

static int flush(int fd, struct buffer *b)
{
	_Alignas(struct nlmsghdr) char reply[1024];
	const struct nlmsghdr *header = (const struct nlmsghdr *)reply;
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);

	b->last->nlmsg_flags |= NLM_F_ACK;
	if (send(fd, b->bytes, b->length, 0) < 0 || recv(fd, reply, sizeof(reply), 0) < 0)
		return -errno;
	b->length = 0;
	return error->error;
}

static void up(struct buffer *b, int index)
{
	struct nlmsghdr *header = begin(b, RTM_NEWLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

	info->ifi_index = index;
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	end(b);
}

/* A veth whose near end is up. */
static void veth(struct buffer *b, const char *near, int near_index, int space, const char *far,
		 int far_index)
{
	struct nlmsghdr *header = begin(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	struct nlattr *link, *data, *peer;

	info->ifi_index = near_index;
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	mnl_attr_put_strz(header, IFLA_IFNAME, near);
	link = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->ifi_index = far_index;
	mnl_attr_put_strz(header, IFLA_IFNAME, far);
	mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)space);
	mnl_attr_nest_end(header, peer);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, link);
	end(b);
}

static void address(struct buffer *b, int index, const char *text, uint8_t length)
{
	struct nlmsghdr *header = begin(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

	info->ifa_family = AF_INET;
	info->ifa_prefixlen = length;
	info->ifa_index = (uint32_t)index;
	mnl_attr_put_u32(header, IFA_LOCAL, inet_addr(text));
	mnl_attr_put_u32(header, IFA_ADDRESS, inet_addr(text));
	end(b);
}

/* @to NULL: the default route; @via NULL: on the link; both missing: a blackhole. */
static void route(struct buffer *b, const char *to, const char *via, int index)
{
	struct nlmsghdr *header = begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

	info->rtm_family = AF_INET;
	info->rtm_dst_len = to ? 32 : 0;
	info->rtm_table = RT_TABLE_MAIN;
	info->rtm_protocol = RTPROT_STATIC;
	info->rtm_type = to || via ? RTN_UNICAST : RTN_BLACKHOLE;
	info->rtm_scope = to ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	info->rtm_flags = via && index ? RTNH_F_ONLINK : 0;
	if (to)
		mnl_attr_put_u32(header, RTA_DST, inet_addr(to));
	if (via)
		mnl_attr_put_u32(header, RTA_GATEWAY, inet_addr(via));
	if (index)
		mnl_attr_put_u32(header, RTA_OIF, (uint32_t)index);
	end(b);
}

static int make_space(int *ret_space, int *ret_socket)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	*ret_space = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	*ret_socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return *ret_space < 0 || *ret_socket < 0 ? -errno : 0;
}

static int forward(int space)
{
	int fd, r = 0;

	if (setns(space, CLONE_NEWNET) < 0)
		return -errno;
	fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

static int build_core(const struct floor_lab *lab, struct buffer *b)
{
	up(b, LO);
	address(b, LO, "192.0.0.8", 32);
	route(b, NULL, NULL, 0);
	veth(b, "server", FIRST, lab->spaces[SERVER], "internet", FIRST);
	route(b, "9.9.9.9", NULL, FIRST);
	route(b, "9.9.9.10", NULL, FIRST);
	veth(b, "router1", SECOND, lab->spaces[ROUTER1], "internet", FIRST);
	route(b, "1.2.3.4", NULL, SECOND);
	veth(b, "router2", THIRD, lab->spaces[ROUTER2], "internet", FIRST);
	route(b, "5.6.7.8", NULL, THIRD);
	return flush(lab->sockets[CORE], b);
}

static int build_router(const struct floor_lab *lab, struct buffer *b, int router, int host,
			const char *outside, const char *inside)
{
	veth(b, "home", SECOND, lab->spaces[host], "home", FIRST);
	up(b, LO);
	up(b, FIRST);
	address(b, FIRST, outside, 32);
	address(b, SECOND, inside, 24);
	route(b, NULL, "192.0.0.8", FIRST);
	return flush(lab->sockets[router], b);
}

static int build_host(const struct floor_lab *lab, struct buffer *b, int host, const char *own,
		      const char *gateway)
{
	up(b, LO);
	up(b, FIRST);
	address(b, FIRST, own, 24);
	route(b, NULL, gateway, 0);
	return flush(lab->sockets[host], b);
}

static int build_server(const struct floor_lab *lab, struct buffer *b)
{
	up(b, LO);
	up(b, FIRST);
	address(b, FIRST, "9.9.9.9", 32);
	address(b, FIRST, "9.9.9.10", 32);
	route(b, NULL, "192.0.0.8", FIRST);
	return flush(lab->sockets[SERVER], b);
}

static int build(struct floor_lab *lab)
{
	static const int forwarding[] = {CORE, ROUTER1, ROUTER2};
	struct buffer b = {.length = 0};
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < FLOOR_SPACES; i++)
		r = make_space(&lab->spaces[i], &lab->sockets[i]);
	if (r == 0)
		r = build_core(lab, &b);
	if (r == 0)
		r = build_router(lab, &b, ROUTER1, PC1, "1.2.3.4", "192.168.1.254");
	if (r == 0)
		r = build_router(lab, &b, ROUTER2, PC2, "5.6.7.8", "192.168.2.254");
	if (r == 0)
		r = build_server(lab, &b);
	if (r == 0)
		r = build_host(lab, &b, PC1, "192.168.1.1", "192.168.1.254");
	if (r == 0)
		r = build_host(lab, &b, PC2, "192.168.2.1", "192.168.2.254");
	for (i = 0; r == 0 && i < sizeof(forwarding) / sizeof(forwarding[0]); i++)
		r = forward(lab->spaces[forwarding[i]]);
	return r;
}

int floor_build(int home, struct floor_lab *ret)
{
	int r = build(ret);

	if (setns(home, CLONE_NEWNET) < 0)
		return -errno;
	return r;
}
