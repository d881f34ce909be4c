/* SPDX-License-Identifier: MIT */
/* Our addresses as libnl's. */
#ifndef NATSIM_KERN_LIBNL_H
#define NATSIM_KERN_LIBNL_H

#include <netlink/addr.h>

#include "base/addr.h"

/* A libnl address the caller puts back (nl_addr_put), NULL without memory. */
static inline struct nl_addr *libnl_addr(const struct addr *addr, uint8_t length)
{
	struct nl_addr *ret = nl_addr_build(addr->family, addr->bytes, addr_bits(addr) / 8U);

	if (ret)
		nl_addr_set_prefixlen(ret, length);
	return ret;
}

static inline void nl_addr_cleanup(struct nl_addr **addr)
{
	nl_addr_put(*addr); /* NULL is fine */
}

#endif
