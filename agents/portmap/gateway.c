/* SPDX-License-Identifier: MIT */
#include "agents/portmap/gateway.h"

#include <errno.h>
#include <net/route.h>
#include <stdio.h>

#include "base/cleanup.h"

int gateway_default(struct addr *ret, struct diag *d)
{
	AUTO_FCLOSE FILE *file = fopen("/proc/net/route", "re");
	unsigned int to, via, flags, metric, mask, best = 0;
	bool found = false;
	char line[256];

	if (!file)
		return diag_system(d, errno, "cannot read /proc/net/route");
	/* Addresses are in it as the machine reads four bytes in network order. */
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %x %x %x %*d %*d %u %x", &to, &via, &flags, &metric, &mask) !=
			    5 ||
		    to != 0 || mask != 0 || !(flags & RTF_GATEWAY) || (found && metric >= best))
			continue;
		*ret = addr_from_ipv4(via);
		best = metric;
		found = true;
	}
	if (found)
		return 0;
	diag_error(d, ENETUNREACH, "this host has no default route by a gateway");
	diag_help(d, "say --gateway ADDR");
	return -ENETUNREACH;
}
