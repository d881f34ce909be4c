/* SPDX-License-Identifier: MIT */
#include "agents/nat_check/roles.h"

#include <errno.h>

#include "agents/cli/line.h"
#include "agents/net/resolve.h"

int role_open(struct agent *agent, const struct addr *addr, uint16_t port, struct diag *d)
{
	const struct endpoint local = {.addr = *addr, .port = port};
	int r = sockets_add(&agent->sockets, &local, &agent->local[agent->sockets.count], d);

	return r < 0 ? r : 0;
}

int role_address(const struct agent *agent, const struct endpoint *remote, struct addr *ret,
		 struct diag *d)
{
	return agent->wishes.address ? resolve_address(agent->wishes.address, ret, d)
				     : udp_source_for(remote, ret, d);
}

int role_need(const struct agent *agent, const char *value, const char *option, struct diag *d)
{
	return value ? 0
		     : diag_error(d, EINVAL, "--role %s needs --%s", agent->wishes.role, option);
}

int role_ready(const struct agent *agent)
{
	struct line line;

	line_begin(&line, "ready");
	line_endpoint(&line, "local", &agent->local[0]);
	return line_write(&line, stdout);
}
