/* SPDX-License-Identifier: MIT */
/* rendezvous: one socket around rendezvous/server.c. */
#include <errno.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/cli/session.h"
#include "agents/net/clock.h"
#include "agents/net/resolve.h"
#include "agents/net/udp.h"
#include "agents/net/wait.h"
#include "agents/rendezvous/server.h"

enum { SESSIONS_MAX = 16384, RELAY_RATE = 65536 };

struct service {
	struct rendezvous *core;
	int fd;
	uint64_t requests, replies;
	bool verbose;
};

static void serve(struct service *service)
{
	int turns = 64; /* then look at the clock and the signals again */

	while (turns-- > 0) {
		struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
		char text[ENDPOINT_TEXT_MAX];
		uint8_t datagram[2048];
		struct endpoint from;
		ssize_t n = udp_receive(service->fd, datagram, sizeof(datagram), &from);
		size_t count, i;

		if (n < 0)
			return;
		service->requests++;
		count = rendezvous_receive(service->core, &from, datagram, (size_t)n, clock_now(),
					   out);
		if (service->verbose)
			fprintf(stderr, "%s: %zu answers, %zu sessions\n",
				endpoint_format(&from, text), count,
				rendezvous_sessions(service->core));
		for (i = 0; i < count; i++) {
			if (udp_send(service->fd, &out[i].to, out[i].bytes, out[i].length) == 0)
				service->replies++;
		}
	}
}

static int run(struct service *service, const struct endpoint *bound, int signals)
{
	struct line line;
	bool ready;
	int r;

	line_begin(&line, "ready");
	line_endpoint(&line, "listen", bound);
	r = line_write(&line, stdout);
	while (r >= 0 && r != WAIT_STOP) {
		uint64_t due = rendezvous_expire(service->core, clock_now());

		r = wait_for(signals, &service->fd, 1, due, &ready);
		if (r == WAIT_READY && ready)
			serve(service);
	}
	if (r < 0)
		return r;
	line_begin(&line, "end");
	line_integer(&line, "requests", service->requests);
	line_integer(&line, "replies", service->replies);
	return line_write(&line, stdout);
}

int main(int argc, char *argv[])
{
	struct rendezvous_config config = {
		.sessions = SESSIONS_MAX,
		.idle = 30 * SEC,
		.relay_rate = RELAY_RATE,
		.random = random_system,
	};
	const char *listen = "0.0.0.0";
	uint64_t port = RENDEZVOUS_PORT;
	struct rendezvous *core CLEANUP(rendezvous_free_cleanup) = NULL;
	struct service service = {.fd = -1};
	const struct cli_option options[] = {
		{0, "listen", "ADDR", "address to listen on (all of IPv4)", CLI_TEXT, &listen, 0,
		 false},
		{0, "port", "PORT", "port (1024)", CLI_NUMBER, &port, UINT16_MAX, false},
		{0, "idle", "SECONDS", "forget a silent session after this (30)", CLI_SECONDS,
		 &config.idle, 86400, false},
		{0, "relay-rate", "BYTES", "relay so much a second for each session (65536)",
		 CLI_NUMBER, &config.relay_rate, UINT32_MAX, false},
		{'v', "verbose", NULL, "say on stderr who came", CLI_FLAG, &service.verbose, 0,
		 false},
		{0},
	};
	const struct cli cli = {
		.program = "rendezvous",
		.summary = "Introduce two peers to each other by the name of a session.",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	AUTO_CLOSE int fd = -1;
	struct endpoint local = {0}, bound;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	if (r == CLI_DONE)
		return 0;
	if (r >= 0)
		r = signals = wait_signals(&diag);
	if (r >= 0)
		r = resolve_address(listen, &local.addr, &diag);
	local.port = (uint16_t)port;
	if (r >= 0)
		r = fd = udp_open(&local, &bound, &diag);
	if (r >= 0) {
		r = rendezvous_new(&config, &core);
		if (r < 0)
			diag_error(&diag, -r, "out of memory");
	}
	if (r < 0) {
		return cli_misuse(&cli, &diag, stderr);
	}
	service.core = core;
	service.fd = fd;
	return run(&service, &bound, signals) < 0 ? 1 : 0;
}
