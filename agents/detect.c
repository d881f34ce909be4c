/* SPDX-License-Identifier: MIT */
/* detect: three sockets around detect/detect.c. */
#include <stdlib.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/detect/detect.h"
#include "agents/net/clock.h"
#include "agents/net/resolve.h"
#include "agents/net/udp.h"
#include "agents/net/wait.h"
#include "base/cleanup.h"
#include "base/diag.h"

struct client {
	struct detect core;
	int fds[SOCKET_COUNT];
};

static void client_clear(struct client *client)
{
	size_t i;

	for (i = 0; i < SOCKET_COUNT; i++)
		fd_cleanup(&client->fds[i]);
}

static void say(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "%s\n", line);
}

/* Bind to the very address packets will leave by, so that "mapped equals local" can be seen. */
static int open_sockets(struct client *client, struct detect_config *config, uint16_t port,
			struct diag *d)
{
	struct endpoint local = {.port = port};
	size_t i;
	int r = udp_source_for(&config->server, &local.addr, d);

	for (i = 0; r >= 0 && i < SOCKET_COUNT; i++) {
		r = udp_open(&local, &config->local[i], d);
		if (r < 0)
			break;
		client->fds[i] = r;
		r = udp_keep_errors(client->fds[i], local.addr.family);
		local.port = 0;
	}
	return r;
}

static void drain(struct client *client, enum detect_socket socket)
{
	uint8_t datagram[2048];
	struct udp_error error;
	struct endpoint from;
	int turns = 64; /* then the clock and the signals want a look */
	ssize_t n;

	while (udp_error(client->fds[socket], &error) == 0)
		detect_refused(&client->core, &error.destination, &error.reporter, error.error,
			       clock_now());
	while (turns-- > 0 &&
	       (n = udp_receive(client->fds[socket], datagram, sizeof(datagram), &from)) >= 0)
		detect_receive(&client->core, socket, &from, datagram, (size_t)n, clock_now());
}

static int run(struct client *client, int signals)
{
	struct detect_packet packet;
	bool ready[SOCKET_COUNT];
	size_t i;
	int r;

	for (;;) {
		while (detect_send(&client->core, clock_now(), &packet))
			(void)udp_send(client->fds[packet.by], &packet.to, packet.bytes,
				       packet.length);
		if (client->core.done)
			return WAIT_READY;
		r = wait_for(signals, client->fds, SOCKET_COUNT, detect_due(&client->core), ready);
		if (r < 0 || r == WAIT_STOP)
			return r;
		for (i = 0; r == WAIT_READY && i < SOCKET_COUNT; i++) {
			if (ready[i])
				drain(client, (enum detect_socket)i);
		}
	}
}

static int report(const struct detect *core)
{
	struct observation seen = detect_observation(core);
	struct finding finding = classify(&seen);
	bool binding = core->config.binding_only;
	struct line line;

	line_begin(&line, "result");
	if (!binding) {
		line_text(&line, "type", nat_type_name(finding.type));
		line_text(&line, "mapping", behaviour_name(finding.mapping));
		line_text(&line, "filtering", behaviour_name(finding.filtering));
	}
	if (seen.reached)
		line_boolean(&line, "nat", finding.nat);
	line_endpoint(&line, "local", &seen.local);
	if (seen.reached) {
		line_endpoint(&line, "mapped", &seen.primary);
		line_text(&line, "ports", core->ports_changed ? "changed" : "preserving");
	}
	line_endpoint(&line, "server", &core->config.server);
	if (core->has_other)
		line_endpoint(&line, "alternate", &core->other);
	if (seen.reached)
		line_milliseconds(&line, "rtt_ms", core->srtt);
	line_milliseconds(&line, "elapsed_ms", core->ended - core->started);
	line_integer(&line, "probes", detect_sent(core));
	line_integer(&line, "lost", detect_lost(core));
	if (core->reason[0] != '\0')
		line_text(&line, "reason", core->reason);
	if (line_write(&line, stdout) < 0)
		return 1;
	return (binding ? seen.reached : finding.type != TYPE_UNKNOWN) ? 0 : 1;
}

int main(int argc, char *argv[])
{
	struct client client CLEANUP(client_clear) = {.fds = {-1, -1, -1}};
	struct detect_config config = {.timeout = 3 * SEC, .random = random_system};
	const char *server = NULL;
	uint64_t port = 0;
	bool verbose = false;
	const struct cli_option options[] = {
		{0, "server", "HOST[:PORT]", "STUN server with two addresses (port 3478)", CLI_TEXT,
		 &server, 0, true},
		{0, "port", "PORT", "local port of the mapping tests", CLI_NUMBER, &port,
		 UINT16_MAX, false},
		{0, "timeout", "SECONDS", "for an answer that must come (3)", CLI_SECONDS,
		 &config.timeout, 3600, false},
		{0, "binding", NULL, "only ask how the server sees us (any STUN server)", CLI_FLAG,
		 &config.binding_only, 0, false},
		{'v', "verbose", NULL, "tell each test on stderr", CLI_FLAG, &verbose, 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "detect",
		.summary =
			"Find out what NAT this host is behind: RFC 5780 mapping and filtering,\n"
			"and the type of RFC 3489.",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	struct line ready;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	if (r == CLI_DONE)
		return 0;
	if (r >= 0)
		r = signals = wait_signals(&diag);
	if (r >= 0)
		r = resolve_endpoint(server, 3478, &config.server, &diag);
	if (r >= 0)
		r = open_sockets(&client, &config, (uint16_t)port, &diag);
	if (r < 0) {
		return cli_misuse(&cli, &diag, stderr);
	}
	config.say = verbose ? say : NULL;
	detect_start(&client.core, &config, clock_now());
	line_begin(&ready, "ready");
	line_endpoint(&ready, "local", &config.local[SOCKET_MAPPING]);
	if (line_write(&ready, stdout) < 0)
		return 1;
	r = run(&client, signals);
	return r == WAIT_READY ? report(&client.core) : 1;
}
