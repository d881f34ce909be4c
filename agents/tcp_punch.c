/* SPDX-License-Identifier: MIT */
/* tcp-punch: options and results around tcp/punch.c. */
#include <errno.h>
#include <stdio.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/cli/session.h"
#include "agents/net/clock.h"
#include "agents/net/own.h"
#include "agents/net/udp.h"
#include "agents/net/wait.h"
#include "agents/tcp/play.h"

struct peer {
	struct tcp_punch core;
	struct links links;
	struct endpoint local; /* with the address it speaks from to the rendezvous or the peer */
	enum tcp_punch_phase told; /* the phase of which stdout knows */
};

static void peer_clear(struct peer *peer)
{
	links_clear(&peer->links);
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

static void put_path(const struct peer *peer, struct line *line)
{
	const struct candidate *settled = peer->core.path.candidates.settled;

	line_endpoint(line, "peer", &settled->to);
	line_text(line, "candidate", candidate_kind_name(settled->kind));
}

static void put_dials(const struct tcp_punch *core, struct line *line)
{
	line_integer(line, "attempts", tcp_punch_attempts(core));
	line_integer(line, "refused", tcp_punch_refused(core));
}

static int tell_connected(struct peer *peer)
{
	const struct tcp_punch *core = &peer->core;
	struct line line;

	/* A peer on another network may be spoken to from another of our addresses. */
	(void)udp_source_for(&core->path.candidates.settled->to, &peer->local.addr, NULL);
	line_begin(&line, "connected");
	line_endpoint(&line, "local", &peer->local);
	put_path(peer, &line);
	put_dials(core, &line);
	line_milliseconds(&line, "elapsed_ms", core->path.connected - core->started);
	return line_write(&line, stdout);
}

static int tell_progress(void *context)
{
	struct peer *peer = context;
	const struct tcp_punch *core = &peer->core;
	int r = 0;

	if (peer->told < TCP_PUNCH_DIALLING && core->peer.stage >= SESSION_PAIRED) {
		peer->told = TCP_PUNCH_DIALLING;
		r = tell_paired(peer);
	}
	if (r == 0 && peer->told < TCP_PUNCH_TALKING && core->path.candidates.settled) {
		peer->told = TCP_PUNCH_TALKING;
		r = tell_connected(peer);
	}
	return r;
}

static void put_session(const struct peer *peer, struct line *line)
{
	const struct tcp_punch *core = &peer->core;

	line_endpoint(line, "local", &peer->local);
	if (core->meeting.welcomed)
		line_endpoint(line, "public", &core->meeting.peer.mapped);
	if (peer->told < TCP_PUNCH_DIALLING)
		return;
	line_endpoint(line, "peer_public", &core->peer.peer_public);
	line_text(line, "blind", blind_name(core->blind));
}

static int tell_result(struct peer *peer)
{
	const struct tcp_punch *core = &peer->core;
	const char *path = core->phase == TCP_PUNCH_DONE   ? "direct"
			   : core->phase == TCP_PUNCH_LOST ? "lost"
							   : "none";
	struct line line;

	line_begin(&line, "result");
	line_text(&line, "path", path);
	line_text(&line, "transport", "tcp");
	if (core->path.connected)
		line_text(&line, "technique", tcp_punch_technique(core));
	put_session(peer, &line);
	if (core->path.connected) {
		put_path(peer, &line);
		line_milliseconds(&line, "rtt_ms", core->path.talk.srtt);
		line_milliseconds(&line, "connect_ms", core->path.connected - core->started);
	}
	line_integer(&line, "sent", core->path.talk.acknowledged);
	line_integer(&line, "received", core->path.talk.received);
	put_dials(core, &line);
	line_milliseconds(&line, "elapsed_ms", core->ended - core->started);
	if (core->reason[0] != '\0')
		line_text(&line, "reason", core->reason);
	return line_write(&line, stdout);
}

static int set_up(struct peer *peer, const char *rendezvous, const char *session, uint16_t port,
		  struct meeting_config *config, struct diag *d)
{
	struct endpoint any = {.port = port};
	int r = session_options(rendezvous, session, config, d);

	if (r < 0)
		return r;
	any.addr.family = config->rendezvous.addr.family;
	r = links_open(&peer->links, &any, TCP_CONNECTIONS, d);
	if (r < 0)
		return r;
	peer->local = peer->links.local;
	r = udp_source_for(&config->rendezvous, &peer->local.addr, d);
	config->private_count = own_endpoints(&peer->local, config->privates, PRIVATE_MAX);
	return r;
}

int main(int argc, char *argv[])
{
	struct peer peer CLEANUP(peer_clear) = {.links = LINKS_NONE};
	struct tcp_punch_config config = {.timeout = 10 * SEC,
					  .meeting = {.random = random_system}};
	const char *rendezvous = NULL, *session = NULL;
	uint64_t port = 0, messages = 20;
	bool verbose = false;
	const struct cli_option options[] = {
		{0, "rendezvous", "HOST[:PORT]", "who introduces the peers (port 1024)", CLI_TEXT,
		 &rendezvous, 0, true},
		{0, "session", "NAME", "what both peers call their meeting", CLI_TEXT, &session, 0,
		 true},
		{0, "port", "PORT", "local port", CLI_NUMBER, &port, UINT16_MAX, false},
		{0, "messages", "N", "payload messages to send (20)", CLI_NUMBER, &messages,
		 1000000, false},
		{0, "interval", "SECONDS", "between messages (0)", CLI_SECONDS,
		 &config.talk.interval, 3600, false},
		{0, "timeout", "SECONDS", "from start to a working path (10)", CLI_SECONDS,
		 &config.timeout, 3600, false},
		{0, "delay", "SECONDS", "before our own first SYN to the peer (0)", CLI_SECONDS,
		 &config.delay, 3600, false},
		{'v', "verbose", NULL, "tell each step on stderr", CLI_FLAG, &verbose, 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "tcp-punch",
		.summary = "Make a direct TCP connection to the other peer of a session, NATs or "
			   "not,\n"
			   "and exchange messages over it.",
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
		r = set_up(&peer, rendezvous, session, (uint16_t)port, &config.meeting, &diag);
	if (r < 0)
		return cli_misuse(&cli, &diag, stderr);
	config.talk.messages = (uint32_t)messages;
	if (verbose)
		config.say = say_stderr;
	tcp_punch_start(&peer.core, &config, clock_now());
	line_begin(&line, "ready");
	line_endpoint(&line, "local", &peer.local);
	r = line_write(&line, stdout);
	if (r == 0)
		r = tcp_play(&peer.core, &peer.links, signals, tell_progress, &peer);
	if (r == 0)
		r = tell_result(&peer);
	return r == 0 && peer.core.phase == TCP_PUNCH_DONE ? 0 : 1;
}
