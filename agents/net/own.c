/* SPDX-License-Identifier: MIT */
#include "agents/net/own.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

static bool is_link_local(const struct addr *addr)
{
	/* It means nothing without naming the link. */
	return addr->family == AF_INET6 && addr->bytes[0] == 0xfe &&
	       (addr->bytes[1] & 0xc0) == 0x80;
}

static bool read_address(const struct ifaddrs *interface, sa_family_t family, struct endpoint *ret)
{
	struct sockaddr_storage address = {0};

	if (!interface->ifa_addr || interface->ifa_addr->sa_family != family ||
	    (interface->ifa_flags & IFF_LOOPBACK) || !(interface->ifa_flags & IFF_UP))
		return false;
	memcpy(&address, interface->ifa_addr,
	       family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	return endpoint_from_sockaddr(&address, ret) && !is_link_local(&ret->addr);
}

size_t own_endpoints(const struct endpoint *local, struct endpoint *ret, size_t max)
{
	struct ifaddrs *all = NULL, *each;
	struct endpoint endpoint;
	size_t count = 0;

	if (max > 0)
		ret[count++] = *local;
	if (getifaddrs(&all) < 0)
		return count;
	for (each = all; each && count < max; each = each->ifa_next) {
		if (!read_address(each, local->addr.family, &endpoint) ||
		    addr_equal(&endpoint.addr, &local->addr))
			continue;
		endpoint.port = local->port;
		ret[count++] = endpoint;
	}
	freeifaddrs(all);
	return count;
}
