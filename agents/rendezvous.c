/* SPDX-License-Identifier: MIT */
/*
 * rendezvous: rendezvous/server.c behind UDP, and once more behind TCP on the same port.
 *
 * Two tables of sessions, for a session is of one transport: what the one peer could tell the
 * other of UDP is worth nothing over TCP. A push goes down the connection that the Join came by.
 */
#include <errno.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/cli/session.h"
#include "agents/net/clock.h"
#include "agents/net/resolve.h"
#include "agents/net/tcp_server.h"
#include "agents/net/udp.h"
#include "agents/net/wait.h"
#include "agents/rendezvous/server.h"

enum { SESSIONS_MAX = 16384, RELAY_RATE = 65536, CONNECTIONS_MAX = 4096 };

struct service {
	struct rendezvous *udp, *tcp; /* sessions, by transport */
	int fd;                       /* of UDP */
	struct tcp_server *server;
	uint64_t requests, replies;
	bool verbose;
};

static void service_clear(struct service *service)
{
	rendezvous_free(service->udp);
	rendezvous_free(service->tcp);
	tcp_server_free(service->server);
	fd_cleanup(&service->fd);
}

/* What @core makes of a message; returns how many are to be sent. */
static size_t take(struct service *service, struct rendezvous *core, const struct endpoint *from,
		   const void *bytes, size_t length, uint64_t now,
		   struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX])
{
	size_t count = rendezvous_receive(core, from, bytes, length, now, out);
	char text[ENDPOINT_TEXT_MAX];

	service->requests++;
	if (service->verbose)
		fprintf(stderr, "%s%s: %zu answers, %zu sessions\n", endpoint_format(from, text),
			core == service->tcp ? " (TCP)" : "", count, rendezvous_sessions(core));
	return count;
}

static void serve_message(void *context, struct tcp_server *server, const struct tcp_client *client,
			  const struct stun_message *message, uint64_t now)
{
	struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
	struct service *service = context;
	size_t i, count = take(service, service->tcp, &client->from, message->bytes,
			       message->length, now, out);

	for (i = 0; i < count; i++) {
		const struct tcp_client to = {.listener = client->listener, .from = out[i].to};

		if (tcp_server_send(server, &to, out[i].bytes, out[i].length) == 0)
			service->replies++;
	}
}

static void serve(struct service *service)
{
	int turns = 64; /* then look at the clock and the signals again */

	while (turns-- > 0) {
		struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX];
		uint8_t datagram[2048];
		struct endpoint from;
		ssize_t n = udp_receive(service->fd, datagram, sizeof(datagram), &from);
		size_t count, i;

		if (n < 0)
			return;
		count = take(service, service->udp, &from, datagram, (size_t)n, clock_now(), out);
		for (i = 0; i < count; i++) {
			if (udp_send(service->fd, &out[i].to, out[i].bytes, out[i].length) == 0)
				service->replies++;
		}
	}
}

/* Forget what is idle; returns when there will be more of it. */
static uint64_t expire(struct service *service)
{
	uint64_t now = clock_now();
	uint64_t due = rendezvous_expire(service->udp, now);
	uint64_t tcp = rendezvous_expire(service->tcp, now);
	uint64_t silent = tcp_server_expire(service->server, now);

	due = tcp < due ? tcp : due;
	return silent < due ? silent : due;
}

static int run(struct service *service, const struct endpoint *bound, int signals)
{
	const int fds[] = {service->fd, tcp_server_fd(service->server)};
	struct line line;
	bool ready[2];
	int r;

	line_begin(&line, "ready");
	line_endpoint(&line, "listen", bound);
	r = line_write(&line, stdout);
	while (r >= 0 && r != WAIT_STOP) {
		r = wait_for(signals, fds, 2, expire(service), ready);
		if (r == WAIT_READY && ready[0])
			serve(service);
		if (r == WAIT_READY && ready[1])
			tcp_server_serve(service->server, clock_now());
	}
	if (r < 0)
		return r;
	line_begin(&line, "end");
	line_integer(&line, "requests", service->requests);
	line_integer(&line, "replies", service->replies);
	return line_write(&line, stdout);
}

/* Open one port for both transports, and the tables behind them. */
static int set_up(struct service *service, const struct rendezvous_config *config,
		  const char *listen, uint16_t port, struct endpoint *ret_bound, struct diag *d)
{
	const struct tcp_server_config server = {.connections = CONNECTIONS_MAX,
						 .idle = config->idle,
						 .receive = serve_message,
						 .context = service};
	struct endpoint local = {.port = port};
	int r = resolve_address(listen, &local.addr, d);

	if (r < 0)
		return r;
	r = service->fd = udp_open(&local, ret_bound, d);
	if (r >= 0)
		r = tcp_server_new(&server, &service->server, d);
	if (r >= 0)
		r = tcp_server_listen(service->server, ret_bound, NULL, d);
	if (r < 0)
		return r;
	if (rendezvous_new(config, &service->udp) < 0 || rendezvous_new(config, &service->tcp) < 0)
		return diag_error(d, ENOMEM, "out of memory");
	return 0;
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
	struct service service CLEANUP(service_clear) = {.fd = -1};
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
		.summary = "Introduce two peers to each other by the name of a session, over UDP "
			   "or TCP.",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	struct endpoint bound;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	if (r == CLI_DONE)
		return 0;
	if (r >= 0)
		r = signals = wait_signals(&diag);
	if (r >= 0)
		r = set_up(&service, &config, listen, (uint16_t)port, &bound, &diag);
	if (r < 0)
		return cli_misuse(&cli, &diag, stderr);
	return run(&service, &bound, signals) < 0 ? 1 : 0;
}
