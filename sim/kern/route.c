/* SPDX-License-Identifier: MIT */
#include "kern/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "kern/libnl.h"

static int set_next_hop(struct rtnl_route *object, const struct route *route)
{
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *via;

	if (!hop)
		return -ENOMEM;
	if (route->via.family != AF_UNSPEC) {
		via = libnl_addr(&route->via, addr_bits(&route->via));
		if (!via) {
			rtnl_route_nh_free(hop);
			return -ENOMEM;
		}
		rtnl_route_nh_set_gateway(hop, via);
		nl_addr_put(via);
		if (route->index)
			rtnl_route_set_flags(object, RTNH_F_ONLINK);
	}
	if (route->index)
		rtnl_route_nh_set_ifindex(hop, route->index);
	rtnl_route_add_nexthop(object, hop); /* owns it now */
	return 0;
}

static int fill(struct rtnl_route *object, const struct route *route)
{
	bool direct = route->via.family == AF_UNSPEC;
	struct nl_addr *to = libnl_addr(&route->to.addr, route->to.len);
	int r;

	if (!to)
		return -ENOMEM;
	rtnl_route_set_family(object, (uint8_t)route->to.addr.family);
	r = rtnl_route_set_dst(object, to) < 0 ? -ENOMEM : 0;
	nl_addr_put(to);
	if (r < 0)
		return r;
	rtnl_route_set_protocol(object, RTPROT_STATIC);
	rtnl_route_set_table(object, RT_TABLE_MAIN);
	if (direct && !route->index) {
		rtnl_route_set_type(object, RTN_BLACKHOLE);
		rtnl_route_set_scope(object, RT_SCOPE_UNIVERSE);
		return 0;
	}
	rtnl_route_set_scope(object, direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
	return set_next_hop(object, route);
}

int route_add(struct batch *batch, size_t tag, const struct route *route)
{
	struct rtnl_route *object = rtnl_route_alloc();
	struct nl_msg *message = NULL;

	if (object && fill(object, route) == 0 &&
	    rtnl_route_build_add_request(object, NLM_F_CREATE | NLM_F_EXCL, &message) < 0)
		message = NULL;
	rtnl_route_put(object);
	return batch_add(batch, message, tag);
}
