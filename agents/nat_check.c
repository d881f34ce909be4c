/* SPDX-License-Identifier: MIT */
/* nat-check: one role of five, each in nat_check/. */
#include <errno.h>
#include <string.h>

#include "agents/cli/options.h"
#include "agents/nat_check/roles.h"
#include "agents/net/wait.h"
#include "base/cleanup.h"

static void agent_clear(struct agent *agent)
{
	sockets_clear(&agent->sockets);
	check_server_free(agent->core);
}

static const struct {
	const char *name;
	int (*be)(struct agent *agent, struct diag *d); /* an exit status, or -errno for misuse */
} roles[] = {
	{"server", role_server},       {"assist", role_assist},           {"client", role_client},
	{"existence", role_existence}, {"third-party", role_third_party},
};

static int play(struct agent *agent, struct diag *d)
{
	size_t i;

	for (i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		if (strcmp(agent->wishes.role, roles[i].name) == 0)
			return roles[i].be(agent, d);
	}
	return diag_error(d, EINVAL,
			  "--role is server, assist, client, existence or third-party, not \"%s\"",
			  agent->wishes.role);
}

int main(int argc, char *argv[])
{
	struct agent agent CLEANUP(agent_clear) = {
		.sockets = SOCKETS_NONE,
		.wishes = {.port = UINT64_MAX,
			   .other_port = CHECK_OTHER_PORT,
			   .timeout = 3 * SEC,
			   .idle = 30 * SEC},
	};
	struct wishes *wishes = &agent.wishes;
	const struct cli_option options[] = {
		{0, "role", "ROLE", "server, assist, client, existence or third-party", CLI_TEXT,
		 &wishes->role, 0, true},
		{0, "server", "HOST[:PORT]", "where the role \"server\" is played (port 3488)",
		 CLI_TEXT, &wishes->server, 0, false},
		{0, "assist", "HOST[:PORT]",
		 "where \"assist\" is; the server wants its address only", CLI_TEXT,
		 &wishes->assist, 0, false},
		{0, "address", "ADDR", "own address to use; a server must say it", CLI_TEXT,
		 &wishes->address, 0, false},
		{0, "port", "PORT", "own port (server and assist: 3488)", CLI_NUMBER, &wishes->port,
		 UINT16_MAX, false},
		{0, "other-port", "PORT", "the server's second port (3489)", CLI_NUMBER,
		 &wishes->other_port, UINT16_MAX, false},
		{0, "endpoint", "ADDR:PORT", "third-party: where to knock", CLI_TEXT,
		 &wishes->endpoint, 0, false},
		{0, "wait", "SECONDS", "existence: then stay for strangers (0)", CLI_SECONDS,
		 &wishes->wait, 86400, false},
		{0, "timeout", "SECONDS", "for an answer that must come (3)", CLI_SECONDS,
		 &wishes->timeout, 3600, false},
		{0, "idle", "SECONDS", "server: forget a check after this (30)", CLI_SECONDS,
		 &wishes->idle, 86400, false},
		{'v', "verbose", NULL, "tell each step on stderr", CLI_FLAG, &wishes->verbose, 0,
		 false},
		{0},
	};
	const struct cli cli = {
		.program = "nat-check",
		.summary =
			"Find out what NAT a client is behind with the help of two other hosts,\n"
			"or whether it is behind one, or whether a stranger gets in.",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	if (r == CLI_DONE)
		return 0;
	wishes->has_port = wishes->port != UINT64_MAX;
	wishes->port = wishes->has_port ? wishes->port : 0;
	if (r >= 0)
		r = signals = wait_signals(&diag);
	agent.signals = signals;
	if (r >= 0)
		r = play(&agent, &diag);
	return r < 0 ? cli_misuse(&cli, &diag, stderr) : r;
}
