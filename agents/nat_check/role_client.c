/* SPDX-License-Identifier: MIT */
/* The roles "client", "existence" and "third-party": each asks one thing and reports it. */
#include <errno.h>
#include <string.h>

#include "agents/cli/line.h"
#include "agents/nat_check/roles.h"
#include "agents/net/drive.h"
#include "agents/net/own.h"
#include "agents/net/resolve.h"

/* ---- client ---- */

static bool client_send(void *context, uint64_t now, struct datagram *ret)
{
	return check_client_send(&((struct agent *)context)->client, now, ret);
}

static uint64_t client_due(void *context)
{
	return check_client_due(&((struct agent *)context)->client);
}

static bool client_over(void *context)
{
	return check_client_over(&((struct agent *)context)->client);
}

static void client_receive(void *context, size_t socket, const struct endpoint *from,
			   const void *bytes, size_t length, uint64_t now)
{
	check_client_receive(&((struct agent *)context)->client, socket, from, bytes, length, now);
}

static int client_report(const struct agent *agent)
{
	const struct check_client *client = &agent->client;
	struct line line;

	line_begin(&line, "result");
	line_text(&line, "type", nat_type_name(client->type));
	line_text(&line, "verdict", check_word(client->type));
	if (client->reached)
		line_boolean(&line, "nat",
			     !addr_equal(&client->mapped.addr, &agent->local[0].addr));
	line_endpoint(&line, "local", &agent->local[CLIENT_SAME]);
	if (client->reached)
		line_endpoint(&line, "mapped", &client->mapped);
	if (client->compared)
		line_endpoint(&line, "mapped_by_assist", &client->mapped_by_assist);
	line_endpoint(&line, "server", &agent->server);
	line_milliseconds(&line, "elapsed_ms", client->ended - client->started);
	line_integer(&line, "probes", client->sent);
	if (client->site.notes.reason[0] != '\0')
		line_text(&line, "reason", client->site.notes.reason);
	if (line_write(&line, stdout) < 0)
		return 1;
	return client->type == TYPE_UNKNOWN;
}

int role_client(struct agent *agent, struct diag *d)
{
	static const struct drive_ops ops = {.send = client_send,
					     .due = client_due,
					     .over = client_over,
					     .events = {.receive = client_receive}};
	struct check_client_config config = {
		.local = agent->local, .timeout = agent->wishes.timeout, .random = random_system};
	struct addr own;
	size_t i;
	int r = role_need(agent, agent->wishes.server, "server", d);

	if (agent->wishes.verbose)
		config.say = say_stderr;
	if (r >= 0)
		r = role_need(agent, agent->wishes.assist, "assist", d);
	if (r >= 0)
		r = resolve_endpoint(agent->wishes.server, CHECK_PORT, &agent->server, d);
	if (r >= 0)
		r = resolve_endpoint(agent->wishes.assist, CHECK_PORT, &agent->assist, d);
	if (r >= 0)
		r = role_address(agent, &agent->server, &own, d);
	for (i = 0; r >= 0 && i < CLIENT_SOCKETS; i++)
		r = role_open(agent, &own, i == CLIENT_SAME ? (uint16_t)agent->wishes.port : 0, d);
	if (r < 0)
		return r;
	config.server = agent->server;
	config.assist = agent->assist;
	check_client_start(&agent->client, &config, clock_now());
	if (role_ready(agent) < 0 || drive(&ops, agent, &agent->sockets, agent->signals) < 0)
		return 1;
	return client_report(agent);
}

/* ---- existence ---- */

static bool alone_send(void *context, uint64_t now, struct datagram *ret)
{
	return existence_send(&((struct agent *)context)->existence, now, ret);
}

static uint64_t alone_due(void *context)
{
	return existence_due(&((struct agent *)context)->existence);
}

static bool alone_over(void *context)
{
	return ((struct agent *)context)->existence.over;
}

static void alone_receive(void *context, size_t socket, const struct endpoint *from,
			  const void *bytes, size_t length, uint64_t now)
{
	(void)socket;
	existence_receive(&((struct agent *)context)->existence, from, bytes, length, now);
}

/* Where strangers may knock. */
static int alone_tell(void *context)
{
	struct agent *agent = context;
	struct line line;

	if (agent->announced || !agent->existence.probe.answered)
		return 0;
	agent->announced = true;
	line_begin(&line, "mapped");
	line_endpoint(&line, "mapped", &agent->existence.probe.mapped);
	return line_write(&line, stdout);
}

static int alone_report(const struct agent *agent)
{
	const struct existence *existence = &agent->existence;
	bool answered = existence->probe.answered;
	struct line line;

	line_begin(&line, "result");
	if (answered)
		line_boolean(&line, "nat", existence->translated);
	line_endpoint(&line, "local", &agent->local[0]);
	if (answered)
		line_endpoint(&line, "mapped", &existence->probe.mapped);
	line_integer(&line, "addresses", existence->config.own_count);
	line_integer(&line, "strangers", existence->strangers);
	if (existence->strangers > 0)
		line_endpoint(&line, "stranger", &existence->stranger);
	line_endpoint(&line, "server", &agent->server);
	if (existence->notes.reason[0] != '\0')
		line_text(&line, "reason", existence->notes.reason);
	return line_write(&line, stdout) < 0 || !answered;
}

int role_existence(struct agent *agent, struct diag *d)
{
	static const struct drive_ops ops = {.send = alone_send,
					     .due = alone_due,
					     .over = alone_over,
					     .events = {.receive = alone_receive},
					     .tell = alone_tell};
	struct existence_config config = {.timeout = agent->wishes.timeout,
					  .wait = agent->wishes.wait,
					  .random = random_system};
	struct addr own;
	int r = role_need(agent, agent->wishes.server, "server", d);

	if (agent->wishes.verbose)
		config.say = say_stderr;
	if (r >= 0)
		r = resolve_endpoint(agent->wishes.server, CHECK_PORT, &agent->server, d);
	if (r >= 0)
		r = role_address(agent, &agent->server, &own, d);
	if (r >= 0)
		r = role_open(agent, &own, (uint16_t)agent->wishes.port, d);
	if (r < 0)
		return r;
	config.server = agent->server;
	config.own_count = own_endpoints(&agent->local[0], config.own, OWN_MAX);
	existence_start(&agent->existence, &config, clock_now());
	if (role_ready(agent) < 0 || drive(&ops, agent, &agent->sockets, agent->signals) < 0)
		return 1;
	return alone_report(agent);
}

/* ---- third party ---- */

static bool third_send(void *context, uint64_t now, struct datagram *ret)
{
	return third_party_send(&((struct agent *)context)->third, now, ret);
}

static uint64_t third_due(void *context)
{
	return third_party_due(&((struct agent *)context)->third);
}

static bool third_over(void *context)
{
	return ((struct agent *)context)->third.over;
}

static void third_receive(void *context, size_t socket, const struct endpoint *from,
			  const void *bytes, size_t length, uint64_t now)
{
	(void)socket;
	third_party_receive(&((struct agent *)context)->third, from, bytes, length, now);
}

int role_third_party(struct agent *agent, struct diag *d)
{
	static const struct drive_ops ops = {.send = third_send,
					     .due = third_due,
					     .over = third_over,
					     .events = {.receive = third_receive}};
	const struct third_party *third = &agent->third;
	struct endpoint to;
	struct line line;
	struct addr own;
	int r = role_need(agent, agent->wishes.endpoint, "endpoint", d);

	if (r >= 0 && !endpoint_parse(agent->wishes.endpoint, &to))
		r = diag_error(d, EINVAL, "--endpoint takes ADDRESS:PORT, not \"%s\"",
			       agent->wishes.endpoint);
	if (r >= 0)
		r = role_address(agent, &to, &own, d);
	if (r >= 0)
		r = role_open(agent, &own, (uint16_t)agent->wishes.port, d);
	if (r < 0)
		return r;
	third_party_start(&agent->third, &to, agent->wishes.timeout, &random_system, clock_now());
	if (role_ready(agent) < 0 || drive(&ops, agent, &agent->sockets, agent->signals) < 0)
		return 1;
	line_begin(&line, "result");
	line_boolean(&line, "reached", third->reached);
	line_endpoint(&line, "local", &agent->local[0]);
	line_endpoint(&line, "endpoint", &third->to);
	line_milliseconds(&line, "elapsed_ms", third->ended - third->started);
	line_integer(&line, "probes", third->transaction.sent);
	return line_write(&line, stdout) < 0 || !third->reached;
}
