/* SPDX-License-Identifier: MIT */
/* The roles "server" and "assist": they answer what comes, and have nothing to say of themselves.
 */
#include <errno.h>
#include <string.h>

#include "agents/cli/line.h"
#include "agents/nat_check/roles.h"
#include "agents/net/drive.h"
#include "agents/net/resolve.h"

static bool never(void *context)
{
	(void)context;
	return false;
}

static uint64_t no_time(void *context)
{
	(void)context;
	return UINT64_MAX;
}

static bool nothing(void *context, uint64_t now, struct datagram *ret)
{
	(void)context;
	(void)now;
	(void)ret;
	return false;
}

static void reply(struct agent *agent, const struct datagram *datagram)
{
	if (sockets_send(&agent->sockets, datagram) == 0)
		agent->replies++;
}

static void server_receive(void *context, size_t socket, const struct endpoint *from,
			   const void *bytes, size_t length, uint64_t now)
{
	struct agent *agent = context;
	struct datagram answer;

	agent->requests++;
	if (check_server_receive(agent->core, socket, from, bytes, length, now, &answer))
		reply(agent, &answer);
}

static void assist_receive(void *context, size_t socket, const struct endpoint *from,
			   const void *bytes, size_t length, uint64_t now)
{
	struct agent *agent = context;
	struct datagram answer;

	(void)socket;
	(void)now;
	agent->requests++;
	if (check_assist_receive(&agent->server, from, bytes, length, &answer))
		reply(agent, &answer);
}

static int serve(struct agent *agent, const struct drive_ops *ops)
{
	struct line line;
	int r = role_ready(agent);

	if (r >= 0)
		r = drive(ops, agent, &agent->sockets, agent->signals);
	if (r != -EINTR)
		return 1;
	line_begin(&line, "end");
	line_integer(&line, "requests", agent->requests);
	line_integer(&line, "replies", agent->replies);
	return line_write(&line, stdout) < 0;
}

int role_server(struct agent *agent, struct diag *d)
{
	static const struct drive_ops ops = {.send = nothing,
					     .due = no_time,
					     .over = never,
					     .events = {.receive = server_receive}};
	struct check_server_config config = {.idle = agent->wishes.idle, .random = random_system};
	struct addr own;
	int r = role_need(agent, agent->wishes.address, "address", d);

	if (r >= 0)
		r = role_need(agent, agent->wishes.assist, "assist", d);
	if (r >= 0)
		r = resolve_address(agent->wishes.address, &own, d);
	if (r >= 0)
		r = resolve_address(agent->wishes.assist, &config.assist, d);
	if (r >= 0)
		r = role_open(agent, &own,
			      agent->wishes.has_port ? (uint16_t)agent->wishes.port : CHECK_PORT,
			      d);
	if (r >= 0)
		r = role_open(agent, &own, (uint16_t)agent->wishes.other_port, d);
	if (r < 0)
		return r;
	memcpy(config.local, agent->local, sizeof(config.local));
	agent->core = check_server_new(&config);
	return agent->core ? serve(agent, &ops) : diag_error(d, ENOMEM, "out of memory");
}

int role_assist(struct agent *agent, struct diag *d)
{
	static const struct drive_ops ops = {.send = nothing,
					     .due = no_time,
					     .over = never,
					     .events = {.receive = assist_receive}};
	struct addr own;
	int r = role_need(agent, agent->wishes.server, "server", d);

	if (r >= 0)
		r = resolve_endpoint(agent->wishes.server, CHECK_PORT, &agent->server, d);
	if (r >= 0)
		r = role_address(agent, &agent->server, &own, d);
	if (r >= 0)
		r = role_open(agent, &own,
			      agent->wishes.has_port ? (uint16_t)agent->wishes.port : CHECK_PORT,
			      d);
	return r < 0 ? r : serve(agent, &ops);
}
