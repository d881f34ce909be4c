/* SPDX-License-Identifier: MIT */
/* stun-server: four UDP sockets and four TCP listeners around stun/server.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/net/clock.h"
#include "agents/net/resolve.h"
#include "agents/net/tcp_server.h"
#include "agents/net/udp.h"
#include "agents/net/wait.h"
#include "agents/stun/server.h"
#include "base/cleanup.h"
#include "base/diag.h"

enum { SOCKETS = 4, DATAGRAM_MAX = STUN_MESSAGE_MAX };

struct listener {
	struct stun_server core;
	int fds[SOCKETS];         /* [ip * 2 + port], -1 for none */
	struct tcp_server *tcp;   /* its listeners numbered in the same way */
	uint8_t *request, *reply; /* DATAGRAM_MAX bytes each */
	uint64_t requests, replies;
	bool verbose;
};

static void listener_clear(struct listener *listener)
{
	size_t i;

	for (i = 0; i < SOCKETS; i++)
		fd_cleanup(&listener->fds[i]);
	tcp_server_free(listener->tcp);
	free(listener->request);
	free(listener->reply);
}

static int listen_on(struct listener *listener, unsigned int ip, const struct addr *addr,
		     const uint16_t ports[2], struct diag *d)
{
	unsigned int port;

	for (port = 0; port < 2; port++) {
		struct endpoint local = {.addr = *addr, .port = ports[port]};
		int off = 0, r;
		int fd = udp_open(&local, &listener->core.endpoints[ip][port], d);

		if (fd < 0)
			return fd;
		listener->fds[ip * 2 + port] = fd;
		/* PADDING is meant to be fragmented, so "do not fragment" must stay off (RFC
		 * 5780 7.6). */
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof(off));
		r = tcp_server_listen(listener->tcp, &listener->core.endpoints[ip][port], NULL, d);
		if (r < 0)
			return r;
	}
	return 0;
}

static void tell(const struct listener *listener, const struct endpoint *from,
		 const struct stun_reply *reply)
{
	const struct endpoint *by = &listener->core.endpoints[reply->by.ip][reply->by.port];
	char client[ENDPOINT_TEXT_MAX], source[ENDPOINT_TEXT_MAX];

	if (reply->length > 0)
		fprintf(stderr, "%s: answered from %s\n", endpoint_format(from, client),
			endpoint_format(by, source));
	else
		fprintf(stderr, "%s: not a Binding request, ignored\n",
			endpoint_format(from, client));
}

/* Empty one socket, but not for ever: the others and a signal want their turn. */
static void serve(struct listener *listener, struct stun_socket at)
{
	int fd = listener->fds[at.ip * 2 + at.port];
	int turns = 64;

	while (turns-- > 0) {
		struct endpoint from;
		struct stun_reply reply;
		ssize_t n = udp_receive(fd, listener->request, DATAGRAM_MAX, &from);

		if (n < 0)
			return;
		listener->requests++;
		reply = stun_server_answer(&listener->core, at, &from, listener->request, (size_t)n,
					   listener->reply, DATAGRAM_MAX);
		if (listener->verbose)
			tell(listener, &from, &reply);
		if (reply.length > 0 && udp_send(listener->fds[reply.by.ip * 2 + reply.by.port],
						 &reply.to, listener->reply, reply.length) == 0)
			listener->replies++;
	}
}

/* The same over TCP, where the answer can but go back over the connection. */
static void serve_stream(void *context, struct tcp_server *server, const struct tcp_client *client,
			 const struct stun_message *message, uint64_t now)
{
	struct listener *listener = context;
	unsigned int number = (unsigned int)client->listener;
	struct stun_socket at = {.ip = number / 2, .port = number % 2, .stream = true};
	struct stun_reply reply =
		stun_server_answer(&listener->core, at, &client->from, message->bytes,
				   message->length, listener->reply, TCP_SERVER_MESSAGE_MAX);

	(void)now;
	listener->requests++;
	if (listener->verbose)
		tell(listener, &client->from, &reply);
	if (reply.length > 0 && tcp_server_send(server, client, listener->reply, reply.length) == 0)
		listener->replies++;
}

static int announce(const struct listener *listener)
{
	struct line line;

	line_begin(&line, "ready");
	line_endpoint(&line, "primary", &listener->core.endpoints[0][0]);
	if (listener->core.alternate)
		line_endpoint(&line, "alternate", &listener->core.endpoints[1][1]);
	return line_write(&line, stdout);
}

static int run(struct listener *listener, int signals)
{
	int fds[SOCKETS + 1];
	bool ready[SOCKETS + 1];
	struct line line;
	unsigned int i;
	int r = announce(listener);

	memcpy(fds, listener->fds, sizeof(listener->fds));
	fds[SOCKETS] = tcp_server_fd(listener->tcp);

	while (r >= 0 && r != WAIT_STOP) {
		uint64_t due = tcp_server_expire(listener->tcp, clock_now());

		r = wait_for(signals, fds, SOCKETS + 1, due, ready);
		for (i = 0; r == WAIT_READY && i < SOCKETS; i++) {
			if (ready[i])
				serve(listener, (struct stun_socket){.ip = i / 2, .port = i % 2});
		}
		if (r == WAIT_READY && ready[SOCKETS])
			tcp_server_serve(listener->tcp, clock_now());
	}
	if (r < 0)
		return r;
	line_begin(&line, "end");
	line_integer(&line, "requests", listener->requests);
	line_integer(&line, "replies", listener->replies);
	return line_write(&line, stdout);
}

static int set_up(struct listener *listener, const char *primary, const char *alternate,
		  uint16_t port, uint16_t alternate_port, struct diag *d)
{
	const struct tcp_server_config tcp = {.connections = 1024,
					      .idle = 30 * SEC,
					      .receive = serve_stream,
					      .context = listener};
	uint16_t ports[2] = {port, alternate_port};
	struct addr addr;
	int r;

	if (port == alternate_port && port != 0)
		return diag_error(d, EINVAL, "--port and --alternate-port must differ");
	listener->request = malloc(DATAGRAM_MAX);
	listener->reply = malloc(DATAGRAM_MAX);
	if (!listener->request || !listener->reply)
		return diag_error(d, ENOMEM, "out of memory");
	r = tcp_server_new(&tcp, &listener->tcp, d);
	if (r >= 0)
		r = resolve_address(primary, &addr, d);
	if (r >= 0)
		r = listen_on(listener, 0, &addr, ports, d);
	if (r < 0 || !alternate)
		return r;
	/* Both addresses use the same two ports, whatever the kernel chose for 0. */
	ports[0] = listener->core.endpoints[0][0].port;
	ports[1] = listener->core.endpoints[0][1].port;
	r = resolve_address(alternate, &addr, d);
	if (r < 0)
		return r;
	if (addr_equal(&addr, &listener->core.endpoints[0][0].addr))
		return diag_error(d, EINVAL, "--primary and --alternate must differ");
	if (addr.family != listener->core.endpoints[0][0].addr.family)
		return diag_error(d, EINVAL, "--primary and --alternate must both be IPv4 or IPv6");
	listener->core.alternate = true;
	return listen_on(listener, 1, &addr, ports, d);
}

int main(int argc, char *argv[])
{
	struct listener listener CLEANUP(listener_clear) = {.fds = {-1, -1, -1, -1},
							    .core.software = "natsim"};
	const char *primary = NULL, *alternate = NULL;
	uint64_t port = 3478, alternate_port = 3479;
	const struct cli_option options[] = {
		{0, "primary", "ADDR", "address to listen on", CLI_TEXT, &primary, 0, true},
		{0, "alternate", "ADDR", "second address, for CHANGE-REQUEST", CLI_TEXT, &alternate,
		 0, false},
		{0, "port", "PORT", "primary port (3478)", CLI_NUMBER, &port, UINT16_MAX, false},
		{0, "alternate-port", "PORT", "second port (3479)", CLI_NUMBER, &alternate_port,
		 UINT16_MAX, false},
		{'v', "verbose", NULL, "say on stderr who was answered", CLI_FLAG,
		 &listener.verbose, 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "stun-server",
		.summary = "Answer STUN Binding requests of RFC 3489, 5780 and 8489 clients, over "
			   "UDP and TCP.",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	if (r == CLI_DONE)
		return 0;
	if (r >= 0)
		r = signals = wait_signals(&diag);
	if (r >= 0)
		r = set_up(&listener, primary, alternate, (uint16_t)port, (uint16_t)alternate_port,
			   &diag);
	if (r < 0) {
		return cli_misuse(&cli, &diag, stderr);
	}
	return run(&listener, signals) < 0 ? 1 : 0;
}
