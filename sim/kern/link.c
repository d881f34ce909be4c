/* SPDX-License-Identifier: MIT */
/*
 * Links are written attribute by attribute and not with libnl-route's objects:
 * those know neither a bridge's spanning tree and snooping, nor how to leave out
 * what a caller did not set.
 */
#include "kern/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

static struct nl_msg *request(int flags, int index, bool up)
{
	struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = index,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = up ? IFF_UP : 0,
	};
	struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWLINK, flags);

	if (message && nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(message);
		return NULL;
	}
	return message;
}

/*
 * The other end travels inside the request as a request of its own, header included.
 * It is created first and so cannot be up yet: veth_open() wants a partner.
 */
static int put_peer(struct nl_msg *message, const struct link_end *far, int far_netns)
{
	struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = far->index,
	};
	struct nlattr *peer = nla_nest_start(message, VETH_INFO_PEER);

	if (!peer || nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(message, IFLA_IFNAME, far->name) < 0 ||
	    nla_put_u32(message, IFLA_NET_NS_FD, (uint32_t)far_netns) < 0)
		return -ENOMEM;
	nla_nest_end(message, peer);
	return 0;
}

static int put_veth(struct nl_msg *message, const struct link_end *near, int master,
		    const struct link_end *far, int far_netns)
{
	struct nlattr *info, *data;

	if (nla_put_string(message, IFLA_IFNAME, near->name) < 0)
		return -ENOMEM;
	if (master && nla_put_u32(message, IFLA_MASTER, (uint32_t)master) < 0)
		return -ENOMEM;
	info = nla_nest_start(message, IFLA_LINKINFO);
	if (!info || nla_put_string(message, IFLA_INFO_KIND, "veth") < 0)
		return -ENOMEM;
	data = nla_nest_start(message, IFLA_INFO_DATA);
	if (!data || put_peer(message, far, far_netns) < 0)
		return -ENOMEM;
	nla_nest_end(message, data);
	nla_nest_end(message, info);
	return 0;
}

static int put_bridge(struct nl_msg *message, const struct link_end *bridge)
{
	struct nlattr *info, *data;

	if (nla_put_string(message, IFLA_IFNAME, bridge->name) < 0)
		return -ENOMEM;
	info = nla_nest_start(message, IFLA_LINKINFO);
	if (!info || nla_put_string(message, IFLA_INFO_KIND, "bridge") < 0)
		return -ENOMEM;
	data = nla_nest_start(message, IFLA_INFO_DATA);
	/* A port must forward from its first moment: no listening, no learning first. */
	if (!data || nla_put_u32(message, IFLA_BR_STP_STATE, 0) < 0 ||
	    nla_put_u32(message, IFLA_BR_FORWARD_DELAY, 0) < 0 ||
	    nla_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0) < 0)
		return -ENOMEM;
	nla_nest_end(message, data);
	nla_nest_end(message, info);
	return 0;
}

/* Hand over @message if it could be filled (@r is 0), else drop it. */
static int add_or_drop(struct batch *batch, struct nl_msg *message, int r, size_t tag)
{
	if (r < 0) {
		nlmsg_free(message);
		return r;
	}
	return batch_add(batch, message, tag);
}

int link_add_veth(struct batch *batch, size_t tag, const struct link_end *near, int master,
		  const struct link_end *far, int far_netns)
{
	struct nl_msg *message = request(NLM_F_CREATE | NLM_F_EXCL, near->index, true);

	if (!message)
		return -ENOMEM;
	return add_or_drop(batch, message, put_veth(message, near, master, far, far_netns), tag);
}

int link_add_bridge(struct batch *batch, size_t tag, const struct link_end *bridge)
{
	struct nl_msg *message = request(NLM_F_CREATE | NLM_F_EXCL, bridge->index, true);

	if (!message)
		return -ENOMEM;
	return add_or_drop(batch, message, put_bridge(message, bridge), tag);
}

static int put_isolation(struct nl_msg *message)
{
	struct nlattr *info, *data;

	info = nla_nest_start(message, IFLA_LINKINFO);
	if (!info || nla_put_string(message, IFLA_INFO_SLAVE_KIND, "bridge") < 0)
		return -ENOMEM;
	data = nla_nest_start(message, IFLA_INFO_SLAVE_DATA);
	if (!data || nla_put_u8(message, IFLA_BRPORT_ISOLATED, 1) < 0)
		return -ENOMEM;
	nla_nest_end(message, data);
	nla_nest_end(message, info);
	return 0;
}

/* A request of its own: while a link is created the kernel reads nothing about its bridge. */
int link_isolate(struct batch *batch, size_t tag, int index)
{
	struct nl_msg *message = request(0, index, true);

	if (!message)
		return -ENOMEM;
	return add_or_drop(batch, message, put_isolation(message), tag);
}

int link_set_up(struct batch *batch, size_t tag, int index)
{
	return batch_add(batch, request(0, index, true), tag);
}
