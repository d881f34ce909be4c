/* SPDX-License-Identifier: MIT */
/* The roles of nat-check with their sockets, from the command line to the exit status. */
#ifndef NATSIM_AGENTS_NAT_CHECK_ROLES_H
#define NATSIM_AGENTS_NAT_CHECK_ROLES_H

#include "agents/nat_check/client.h"
#include "agents/nat_check/existence.h"
#include "agents/nat_check/server.h"
#include "agents/nat_check/third_party.h"
#include "agents/net/sockets.h"
#include "base/diag.h"

/* The command line, each text as it was given. */
struct wishes {
	const char *role, *server, *assist, *address, *endpoint;
	uint64_t port, other_port, timeout, wait, idle;
	bool has_port, verbose;
};

struct agent {
	struct wishes wishes;
	struct sockets sockets;
	struct endpoint local[CLIENT_SOCKETS];
	int signals;
	struct endpoint server, assist;
	struct check_server *core;
	uint64_t requests, replies;
	struct check_client client;
	struct existence existence;
	bool announced;
	struct third_party third;
};

/* What the roles are made of; each returns 0 or -errno with the reason in @d. */

/* Open one more socket at @addr. */
int role_open(struct agent *agent, const struct addr *addr, uint16_t port, struct diag *d);

/* The address to speak from: the one given, or that which leads to @remote. */
int role_address(const struct agent *agent, const struct endpoint *remote, struct addr *ret,
		 struct diag *d);

/* That --@option was given, with @value. */
int role_need(const struct agent *agent, const char *value, const char *option, struct diag *d);

/* Say on stdout that the sockets are open. */
int role_ready(const struct agent *agent);

/* Play a role to its end. Each returns an exit status, or -errno with the reason in @d if misused.
 */
int role_server(struct agent *agent, struct diag *d);
int role_assist(struct agent *agent, struct diag *d);
int role_client(struct agent *agent, struct diag *d);
int role_existence(struct agent *agent, struct diag *d);
int role_third_party(struct agent *agent, struct diag *d);

#endif
