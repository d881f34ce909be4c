/* SPDX-License-Identifier: MIT */
#include "kern/address.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/addr.h>
#include <netlink/msg.h>
#include <netlink/route/addr.h>

#include "kern/libnl.h"

int address_add(struct batch *batch, size_t tag, int index, const struct prefix *prefix)
{
	CLEANUP(nl_addr_cleanup) struct nl_addr *local = libnl_addr(&prefix->addr, prefix->len);
	struct rtnl_addr *address = rtnl_addr_alloc();
	struct nl_msg *message = NULL;

	if (local && address) {
		rtnl_addr_set_ifindex(address, index);
		if (rtnl_addr_set_local(address, local) < 0 ||
		    rtnl_addr_build_add_request(address, NLM_F_CREATE | NLM_F_EXCL, &message) < 0)
			message = NULL;
	}
	rtnl_addr_put(address);
	return batch_add(batch, message, tag);
}
