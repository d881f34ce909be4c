/* SPDX-License-Identifier: MIT */
/* icmp-punch: two UDP sockets and a raw one around icmp/knock.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/icmp/knock.h"
#include "agents/net/clock.h"
#include "agents/net/drive.h"
#include "agents/net/icmp.h"
#include "agents/net/resolve.h"
#include "agents/net/wait.h"

struct peer {
	struct knock core;
	struct sockets sockets;
	struct endpoint local; /* the UDP socket's, with the address it speaks from */
	bool told_connected;
};

static void peer_clear(struct peer *peer)
{
	sockets_clear(&peer->sockets);
}

static int open_sockets(struct peer *peer, const struct knock_config *config, struct diag *d)
{
	struct endpoint any = {.addr.family = AF_INET, .port = config->port};
	struct endpoint outside = {.addr = addr_bits(&config->peer.addr) ? config->peer.addr
									 : config->target,
				   .port = config->port};
	int r = sockets_add(&peer->sockets, &any, &peer->local, d); /* KNOCK_UDP */

	any.port = 0;
	if (r >= 0)
		r = sockets_add(&peer->sockets, &any, NULL, d); /* KNOCK_BLIND */
	if (r >= 0)
		r = icmp_open(d);
	if (r >= 0)
		r = sockets_adopt(&peer->sockets, r, d); /* KNOCK_ICMP */
	return r < 0 ? r : udp_source_for(&outside, &peer->local.addr, d);
}

/* ---- what stdout is told ---- */

static int tell_connected(void *context)
{
	struct peer *peer = context;
	const struct path *path = &peer->core.path;
	struct line line;

	if (peer->told_connected || peer->core.phase < KNOCK_TALKING || !path->candidates.settled)
		return 0;
	peer->told_connected = true;
	line_begin(&line, "connected");
	line_endpoint(&line, "local", &peer->local);
	line_endpoint(&line, "peer", &path->candidates.settled->to);
	line_milliseconds(&line, "elapsed_ms", path->connected - peer->core.started);
	return line_write(&line, stdout);
}

static const char *path_word(enum knock_phase phase)
{
	return phase == KNOCK_DONE ? "direct" : phase == KNOCK_LOST ? "lost" : "none";
}

static int tell_result(const struct peer *peer)
{
	const struct knock *core = &peer->core;
	const struct path *path = &core->path;
	bool listener = knock_is_listener(core);
	struct line line;

	line_begin(&line, "result");
	line_text(&line, "path", path_word(core->phase));
	line_text(&line, "role", listener ? "listener" : "caller");
	line_endpoint(&line, "local", &peer->local);
	if (path->candidates.settled) {
		line_text(&line, "technique", "icmp");
		line_endpoint(&line, "peer", &path->candidates.settled->to);
		line_milliseconds(&line, "rtt_ms", path->talk.srtt);
		line_milliseconds(&line, "connect_ms", path->connected - core->started);
	}
	if (listener) {
		line_integer(&line, "pings", core->pings);
		line_integer(&line, "heard", core->heard);
		if (core->heard > 0) {
			char text[ADDR_TEXT_MAX];

			line_text(&line, "heard_from", addr_format(&core->heard_from, text));
		}
		line_text(&line, "blind", core->blind ? "received" : "none");
	} else {
		line_endpoint(&line, "peer_public", &core->config.peer);
		line_integer(&line, "errors", core->errors);
	}
	line_integer(&line, "sent", path->talk.acknowledged);
	line_integer(&line, "received", path->talk.received);
	line_milliseconds(&line, "elapsed_ms", core->ended - core->started);
	if (core->reason[0] != '\0')
		line_text(&line, "reason", core->reason);
	return line_write(&line, stdout);
}

/* ---- the core's hands ---- */

static bool on_send(void *context, uint64_t now, struct datagram *ret)
{
	struct peer *peer = context;

	return knock_send(&peer->core, now, ret);
}

static uint64_t on_due(void *context)
{
	const struct peer *peer = context;

	return knock_due(&peer->core);
}

static bool on_over(void *context)
{
	const struct peer *peer = context;

	return knock_over(&peer->core);
}

static void on_receive(void *context, size_t socket, const struct endpoint *from, const void *bytes,
		       size_t length, uint64_t now)
{
	struct peer *peer = context;

	knock_receive(&peer->core, (enum knock_socket)socket, from, bytes, length, now);
}

static void on_refused(void *context, size_t socket, const struct udp_error *error, uint64_t now)
{
	struct peer *peer = context;

	if (socket == KNOCK_UDP && error->error == ECONNREFUSED &&
	    addr_equal(&error->reporter, &error->destination.addr))
		knock_refused(&peer->core, &error->destination, now);
}

static const struct drive_ops ops = {
	.send = on_send,
	.due = on_due,
	.over = on_over,
	.events = {.receive = on_receive, .refused = on_refused},
	.tell = tell_connected,
};

static int set_up(struct peer *peer, const char *caller_of, const char *target,
		  struct knock_config *config, struct diag *d)
{
	int r = resolve_address(target, &config->target, d);

	if (r >= 0 && caller_of)
		r = resolve_address(caller_of, &config->peer.addr, d);
	if (r >= 0 && (config->target.family == AF_INET6 || config->peer.addr.family == AF_INET6))
		return diag_error(d, EINVAL, "only IPv4 has NATs to traverse this way");
	config->peer.port = config->port;
	return r < 0 ? r : open_sockets(peer, config, d);
}

int main(int argc, char *argv[])
{
	struct peer peer CLEANUP(peer_clear) = {.sockets = SOCKETS_NONE};
	struct knock_config config = {
		.interval = SEC, .timeout = 10 * SEC, .talk = {.random = random_system}};
	const char *caller_of = NULL, *target = "3.3.3.3";
	uint64_t port = 2222, messages = 5;
	bool verbose = false;
	const struct cli_option options[] = {
		{0, "session", "NAME", "what both call their meeting, and nobody else knows",
		 CLI_TEXT, &config.session, 0, true},
		{0, "peer", "ADDR", "call the listener behind this public address (else listen)",
		 CLI_TEXT, &caller_of, 0, false},
		{0, "port", "PORT", "UDP port of both (2222)", CLI_NUMBER, &port, UINT16_MAX,
		 false},
		{0, "target", "ADDR", "an address nobody answers from, the same for both (3.3.3.3)",
		 CLI_TEXT, &target, 0, false},
		{0, "every", "SECONDS", "between pings, or errors about them (1)", CLI_SECONDS,
		 &config.interval, 3600, false},
		{0, "messages", "N", "payload messages to send (5)", CLI_NUMBER, &messages, 1000000,
		 false},
		{0, "timeout", "SECONDS", "from start to a working path (10)", CLI_SECONDS,
		 &config.timeout, 3600, false},
		{'v', "verbose", NULL, "tell each step on stderr", CLI_FLAG, &verbose, 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "icmp-punch",
		.summary = "Make a direct UDP path through NATs without any server: the listener "
			   "pings\n"
			   "an address nobody answers from, the caller sends the error about it.",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	struct line line;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	if (r == CLI_DONE)
		return 0;
	config.port = (uint16_t)port;
	if (r >= 0 && (port == 0 || config.interval == 0))
		r = diag_error(&diag, EINVAL, "--port and --every cannot be 0");
	if (r >= 0)
		r = signals = wait_signals(&diag);
	if (r >= 0)
		r = set_up(&peer, caller_of, target, &config, &diag);
	if (r < 0) {
		return cli_misuse(&cli, &diag, stderr);
	}
	config.talk.messages = (uint32_t)messages;
	if (verbose)
		config.say = say_stderr;
	knock_start(&peer.core, &config, clock_now());
	line_begin(&line, "ready");
	line_endpoint(&line, "local", &peer.local);
	r = line_write(&line, stdout);
	if (r == 0)
		r = drive(&ops, &peer, &peer.sockets, signals);
	if (r == 0)
		r = tell_result(&peer);
	return r == 0 && peer.core.phase == KNOCK_DONE ? 0 : 1;
}
