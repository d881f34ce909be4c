/* SPDX-License-Identifier: MIT */
/* punch: two sockets around punch/punch.c. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/net/clock.h"
#include "agents/net/resolve.h"
#include "agents/net/udp.h"
#include "agents/net/wait.h"
#include "agents/punch/punch.h"

struct peer {
	struct punch core;
	int fds[PUNCH_SOCKETS];
	struct endpoint
		local; /* the main socket's, with the address it speaks from to the rendezvous */
	enum punch_phase told; /* the phase of which stdout knows */
};

static void peer_clear(struct peer *peer)
{
	size_t i;

	for (i = 0; i < PUNCH_SOCKETS; i++)
		fd_cleanup(&peer->fds[i]);
}

static void say(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "%s\n", line);
}

/* All addresses a peer in the same network could use, the one towards the rendezvous first. */
static void list_privates(const struct endpoint *local, struct punch_config *config)
{
	struct ifaddrs *all = NULL, *each;

	config->privates[config->private_count++] = *local;
	if (getifaddrs(&all) < 0)
		return;
	for (each = all; each && config->private_count < PRIVATE_MAX; each = each->ifa_next) {
		struct sockaddr_storage address = {0};
		struct endpoint endpoint;

		if (!each->ifa_addr || each->ifa_addr->sa_family != local->addr.family ||
		    (each->ifa_flags & IFF_LOOPBACK) || !(each->ifa_flags & IFF_UP))
			continue;
		memcpy(&address, each->ifa_addr,
		       local->addr.family == AF_INET ? sizeof(struct sockaddr_in)
						     : sizeof(struct sockaddr_in6));
		if (!endpoint_from_sockaddr(&address, &endpoint) ||
		    addr_equal(&endpoint.addr, &local->addr))
			continue;
		/* A link-local address means nothing without naming the link. */
		if (endpoint.addr.family == AF_INET6 && endpoint.addr.bytes[0] == 0xfe &&
		    (endpoint.addr.bytes[1] & 0xc0) == 0x80)
			continue;
		endpoint.port = local->port;
		config->privates[config->private_count++] = endpoint;
	}
	freeifaddrs(all);
}

static int open_sockets(struct peer *peer, const struct endpoint *rendezvous, uint16_t port,
			struct diag *d)
{
	struct endpoint any = {.addr.family = rendezvous->addr.family, .port = port};
	size_t i;
	int r;

	for (i = 0; i < PUNCH_SOCKETS; i++) {
		r = udp_open(&any, i == PUNCH_MAIN ? &peer->local : NULL, d);
		if (r < 0)
			return r;
		peer->fds[i] = r;
		r = udp_keep_errors(peer->fds[i], any.addr.family);
		if (r < 0)
			return diag_system(d, -r, "cannot ask for ICMP errors");
		any.port = 0;
	}
	return udp_source_for(rendezvous, &peer->local.addr, d);
}

/* ---- what stdout is told ---- */

static int tell_paired(struct peer *peer)
{
	const struct introduction *known = &peer->core.peer;
	struct line line;

	line_begin(&line, "paired");
	line_endpoint(&line, "public", &known->mapped);
	line_endpoint(&line, "peer_public", &known->peer_public);
	line_text(&line, "role", known->role == ROLE_CONTROLLING ? "controlling" : "controlled");
	return line_write(&line, stdout);
}

static void put_path(struct peer *peer, struct line *line)
{
	const struct candidate *settled = peer->core.candidates.settled;

	line_endpoint(line, "peer", &settled->to);
	line_text(line, "candidate", candidate_kind_name(settled->kind));
}

static int tell_connected(struct peer *peer)
{
	struct line line;

	/* A peer on another network may be spoken to from another of our addresses. */
	(void)udp_source_for(&peer->core.candidates.settled->to, &peer->local.addr, NULL);
	line_begin(&line, "connected");
	line_endpoint(&line, "local", &peer->local);
	put_path(peer, &line);
	line_integer(&line, "punches", peer->core.candidates.sent);
	line_milliseconds(&line, "elapsed_ms", peer->core.connected - peer->core.started);
	return line_write(&line, stdout);
}

static int tell_progress(struct peer *peer)
{
	const struct punch *core = &peer->core;
	int r = 0;

	if (peer->told < PHASE_DIALLING && core->peer.stage >= SESSION_PAIRED) {
		peer->told = PHASE_DIALLING;
		r = tell_paired(peer);
	}
	if (r == 0 && peer->told < PHASE_TALKING && core->candidates.settled) {
		peer->told = PHASE_TALKING;
		r = tell_connected(peer);
	}
	return r;
}

static int tell_result(struct peer *peer)
{
	const struct punch *core = &peer->core;
	const char *path = core->phase == PHASE_DONE   ? "direct"
			   : core->phase == PHASE_LOST ? "lost"
						       : "none";
	struct line line;

	line_begin(&line, "result");
	line_text(&line, "path", path);
	line_endpoint(&line, "local", &peer->local);
	if (core->welcomed)
		line_endpoint(&line, "public", &core->peer.mapped);
	if (peer->told >= PHASE_DIALLING) {
		line_endpoint(&line, "peer_public", &core->peer.peer_public);
		line_text(&line, "blind", blind_name(core->blind));
	}
	if (core->candidates.settled) {
		put_path(peer, &line);
		line_milliseconds(&line, "rtt_ms", core->talk.srtt);
		line_milliseconds(&line, "connect_ms", core->connected - core->started);
	}
	line_integer(&line, "sent", core->talk.acknowledged);
	line_integer(&line, "received", core->talk.received);
	line_integer(&line, "punches", core->candidates.sent);
	line_milliseconds(&line, "elapsed_ms", core->ended - core->started);
	if (core->reason[0] != '\0')
		line_text(&line, "reason", core->reason);
	return line_write(&line, stdout);
}

/* ---- the loop ---- */

static void drain(struct peer *peer, enum punch_socket socket)
{
	uint8_t datagram[2048];
	struct udp_error error;
	struct endpoint from;
	int turns = 64; /* then the clock and the signals want a look */
	ssize_t n;

	while (udp_error(peer->fds[socket], &error) == 0) {
		if (socket == PUNCH_MAIN && error.error == ECONNREFUSED &&
		    addr_equal(&error.reporter, &error.destination.addr))
			punch_refused(&peer->core, &error.destination, clock_now());
	}
	while (turns-- > 0 &&
	       (n = udp_receive(peer->fds[socket], datagram, sizeof(datagram), &from)) >= 0) {
		if (socket == PUNCH_MAIN)
			punch_receive(&peer->core, &from, datagram, (size_t)n, clock_now());
	}
}

static void interrupted(struct peer *peer)
{
	struct punch_packet packet;

	if (punch_leave(&peer->core, &packet))
		(void)udp_send(peer->fds[packet.by], &packet.to, packet.bytes, packet.length);
}

static int run(struct peer *peer, int signals)
{
	struct punch_packet packet;
	bool ready[PUNCH_SOCKETS];
	size_t i;
	int r;

	for (;;) {
		while (punch_send(&peer->core, clock_now(), &packet))
			(void)udp_send(peer->fds[packet.by], &packet.to, packet.bytes,
				       packet.length);
		r = tell_progress(peer);
		if (r < 0 || punch_over(&peer->core))
			return r;
		r = wait_for(signals, peer->fds, PUNCH_SOCKETS, punch_due(&peer->core), ready);
		if (r == WAIT_STOP)
			interrupted(peer);
		if (r < 0 || r == WAIT_STOP)
			return r;
		for (i = 0; r == WAIT_READY && i < PUNCH_SOCKETS; i++) {
			if (ready[i])
				drain(peer, (enum punch_socket)i);
		}
	}
}

static int set_up(struct peer *peer, const char *rendezvous, const char *session, uint16_t port,
		  struct punch_config *config, struct diag *d)
{
	size_t length = strlen(session);
	int r;

	if (length < 1 || length > SESSION_NAME_MAX)
		return diag_error(d, EINVAL, "--session takes 1 to %d bytes", SESSION_NAME_MAX);
	config->session = session;
	r = resolve_endpoint(rendezvous, 1024, &config->rendezvous, d);
	if (r >= 0)
		r = open_sockets(peer, &config->rendezvous, port, d);
	if (r >= 0)
		list_privates(&peer->local, config);
	return r;
}

int main(int argc, char *argv[])
{
	struct peer peer CLEANUP(peer_clear) = {.fds = {-1, -1}};
	struct punch_config config = {.timeout = 10 * SEC, .random = random_system};
	const char *rendezvous = NULL, *session = NULL;
	uint64_t port = 0, messages = 5;
	bool verbose = false;
	const struct cli_option options[] = {
		{0, "rendezvous", "HOST[:PORT]", "who introduces the peers (port 1024)", CLI_TEXT,
		 &rendezvous, 0, true},
		{0, "session", "NAME", "what both peers call their meeting", CLI_TEXT, &session, 0,
		 true},
		{0, "port", "PORT", "local port", CLI_NUMBER, &port, UINT16_MAX, false},
		{0, "messages", "N", "payload messages to send (5)", CLI_NUMBER, &messages, 1000000,
		 false},
		{0, "interval", "SECONDS", "between messages (0)", CLI_SECONDS, &config.interval,
		 3600, false},
		{0, "timeout", "SECONDS", "from start to a working path (10)", CLI_SECONDS,
		 &config.timeout, 3600, false},
		{'v', "verbose", NULL, "tell each step on stderr", CLI_FLAG, &verbose, 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "punch",
		.summary =
			"Make a direct UDP path to the other peer of a session, NATs or not, and\n"
			"exchange messages over it.",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	struct line line;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	if (r == CLI_DONE)
		return 0;
	if (r >= 0)
		r = signals = wait_signals(&diag);
	if (r >= 0)
		r = set_up(&peer, rendezvous, session, (uint16_t)port, &config, &diag);
	if (r < 0) {
		return cli_misuse(&cli, &diag, stderr);
	}
	config.messages = (uint32_t)messages;
	config.say = verbose ? say : NULL;
	punch_start(&peer.core, &config, clock_now());
	line_begin(&line, "ready");
	line_endpoint(&line, "local", &peer.local);
	r = line_write(&line, stdout);
	if (r == 0)
		r = run(&peer, signals);
	if (r == 0)
		r = tell_result(&peer);
	return r == 0 && peer.core.phase == PHASE_DONE ? 0 : 1;
}
