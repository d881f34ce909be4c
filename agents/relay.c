/* SPDX-License-Identifier: MIT */
/* relay: one socket around relay/relay.c. */
#include <errno.h>
#include <string.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/cli/session.h"
#include "agents/net/clock.h"
#include "agents/net/drive.h"
#include "agents/net/own.h"
#include "agents/net/resolve.h"
#include "agents/net/wait.h"
#include "agents/relay/relay.h"

struct peer {
	struct relay core;
	struct sockets sockets;
	struct endpoint local;
	bool told_allocated, told_paired, told_connected;
};

static void peer_clear(struct peer *peer)
{
	sockets_clear(&peer->sockets);
}

/* ---- what stdout is told ---- */

static int tell_allocated(struct peer *peer)
{
	struct line line;

	peer->told_allocated = true;
	line_begin(&line, "allocated");
	line_endpoint(&line, "relayed", &peer->core.turn.relayed);
	line_endpoint(&line, "public", &peer->core.turn.mapped);
	line_milliseconds(&line, "elapsed_ms", clock_now() - peer->core.started);
	return line_write(&line, stdout);
}

static int tell_paired(struct peer *peer)
{
	const struct introduction *known = &peer->core.meeting.peer;
	struct line line;

	peer->told_paired = true;
	line_begin(&line, "paired");
	line_endpoint(&line, "public", &known->mapped);
	line_endpoint(&line, "peer_public", &known->peer_public);
	line_text(&line, "role", known->role == ROLE_CONTROLLING ? "controlling" : "controlled");
	return line_write(&line, stdout);
}

/* Which relay, and what the path looks like through it. */
static void put_way(const struct relay *core, struct line *line)
{
	const struct carrier *carrier = &core->carrier;
	struct endpoint relay = carrier_relay(carrier);
	bool rendezvous = carrier->way == CARRIER_RENDEZVOUS;

	line_text(line, "technique", rendezvous ? "rendezvous-relay" : "turn");
	line_endpoint(line, "relay", &relay);
	if (carrier->peer_relayed.port != 0)
		line_endpoint(line, "peer_relayed", &carrier->peer_relayed);
	if (!rendezvous)
		line_endpoint(line, "peer", &carrier->peer);
}

static int tell_connected(struct peer *peer)
{
	const struct relay *core = &peer->core;
	struct line line;

	peer->told_connected = true;
	line_begin(&line, "connected");
	line_endpoint(&line, "local", &peer->local);
	put_way(core, &line);
	line_milliseconds(&line, "elapsed_ms", core->path.connected - core->started);
	return line_write(&line, stdout);
}

static int on_tell(void *context)
{
	struct peer *peer = context;
	const struct relay *core = &peer->core;
	int r = 0;

	if (!peer->told_allocated && core->turn.phase == TURN_READY)
		r = tell_allocated(peer);
	if (r == 0 && !peer->told_paired && core->meeting.peer.stage >= SESSION_PAIRED)
		r = tell_paired(peer);
	if (r == 0 && !peer->told_connected && core->path.state >= PATH_TALKING)
		r = tell_connected(peer);
	return r;
}

/* Who was or would have been asked to relay, when it came to nothing. */
static void put_asked(const struct relay *core, struct line *line)
{
	line_text(line, "technique", core->config.with_turn ? "turn" : "rendezvous-relay");
	line_endpoint(line, "relay",
		      core->config.with_turn ? &core->config.turn.server
					     : &core->meeting.rendezvous);
}

static int tell_result(struct peer *peer)
{
	const struct relay *core = &peer->core;
	const struct talk *talk = &core->path.talk;
	struct line line;

	line_begin(&line, "result");
	line_text(&line, "path",
		  core->phase == RELAY_DONE   ? "relayed"
		  : core->phase == RELAY_LOST ? "lost"
					      : "none");
	line_endpoint(&line, "local", &peer->local);
	if (core->meeting.welcomed)
		line_endpoint(&line, "public", &core->meeting.peer.mapped);
	if (peer->told_paired)
		line_endpoint(&line, "peer_public", &core->meeting.peer.peer_public);
	if (peer->told_allocated)
		line_endpoint(&line, "relayed", &core->turn.relayed);
	if (peer->told_connected)
		put_way(core, &line);
	else
		put_asked(core, &line);
	line_integer(&line, "sent", talk->acknowledged);
	line_integer(&line, "received", talk->received);
	if (core->config.with_turn)
		line_integer(&line, "refreshes", core->turn.refreshes);
	if (peer->told_connected) {
		line_milliseconds(&line, "rtt_ms", talk->srtt);
		line_milliseconds(&line, "connect_ms", core->path.connected - core->started);
	}
	line_milliseconds(&line, "elapsed_ms", core->ended - core->started);
	if (core->reason[0] != '\0')
		line_text(&line, "reason", core->reason);
	return line_write(&line, stdout);
}

/* ---- the loop ---- */

static bool on_send(void *context, uint64_t now, struct datagram *ret)
{
	struct peer *peer = context;

	return relay_send(&peer->core, now, ret);
}

static uint64_t on_due(void *context)
{
	const struct peer *peer = context;

	return relay_due(&peer->core);
}

static bool on_over(void *context)
{
	const struct peer *peer = context;

	return relay_over(&peer->core);
}

static void on_receive(void *context, size_t socket, const struct endpoint *from, const void *bytes,
		       size_t length, uint64_t now)
{
	struct peer *peer = context;

	(void)socket;
	relay_receive(&peer->core, from, bytes, length, now);
}

static void on_refused(void *context, size_t socket, const struct udp_error *error, uint64_t now)
{
	struct peer *peer = context;

	(void)socket;
	(void)now;
	if (error->error == ECONNREFUSED && addr_equal(&error->reporter, &error->destination.addr))
		relay_refused(&peer->core, &error->destination);
}

static bool on_leave(void *context, struct datagram *ret)
{
	struct peer *peer = context;

	return relay_leave(&peer->core, clock_now(), ret);
}

static const struct drive_ops ops = {
	.send = on_send,
	.due = on_due,
	.over = on_over,
	.events = {.receive = on_receive, .refused = on_refused},
	.tell = on_tell,
	.leave = on_leave,
};

static int turn_options(const char *turn, struct relay_config *config, struct diag *d)
{
	const char *user = config->turn.user, *password = config->turn.password;

	if (!turn && (user || password || config->channels))
		return diag_error(d, EINVAL, "--user, --password and --channel go with --turn");
	if (!turn)
		return 0;
	if (!user != !password)
		return diag_error(d, EINVAL, "--user and --password go together");
	if (user && strlen(user) > USER_MAX)
		return diag_error(d, EINVAL, "--user takes at most %d bytes", USER_MAX);
	config->with_turn = true;
	return resolve_endpoint(turn, TURN_PORT, &config->turn.server, d);
}

static int open_socket(struct peer *peer, uint16_t port, struct relay_config *config,
		       struct diag *d)
{
	const struct endpoint *relay =
		config->with_turn ? &config->turn.server : &config->meeting.rendezvous;
	struct endpoint any = {.addr.family = relay->addr.family, .port = port};
	int r = sockets_add(&peer->sockets, &any, &peer->local, d);

	if (r >= 0)
		r = udp_source_for(relay, &peer->local.addr, d);
	if (r >= 0)
		config->meeting.private_count =
			own_endpoints(&peer->local, config->meeting.privates, PRIVATE_MAX);
	return r;
}

int main(int argc, char *argv[])
{
	struct peer peer CLEANUP(peer_clear) = {.sockets = SOCKETS_NONE};
	struct relay_config config = {.timeout = 10 * SEC, .meeting = {.random = random_system}};
	const char *rendezvous = NULL, *session = NULL, *turn = NULL;
	uint64_t port = 0, messages = 5;
	bool verbose = false;
	const struct cli_option options[] = {
		{0, "rendezvous", "HOST[:PORT]", "who introduces the peers (port 1024)", CLI_TEXT,
		 &rendezvous, 0, true},
		{0, "session", "NAME", "what both peers call their meeting", CLI_TEXT, &session, 0,
		 true},
		{0, "turn", "HOST[:PORT]",
		 "TURN server (port 3478); without one the rendezvous relays", CLI_TEXT, &turn, 0,
		 false},
		{0, "user", "NAME", "of the TURN server", CLI_TEXT, &config.turn.user, 0, false},
		{0, "password", "TEXT", "of the TURN server", CLI_TEXT, &config.turn.password, 0,
		 false},
		{0, "channel", NULL, "use a channel, not Send indications", CLI_FLAG,
		 &config.channels, 0, false},
		{0, "permission-life", "SECONDS", "how long the TURN server keeps one (300)",
		 CLI_SECONDS, &config.turn.permission_life, 3600, false},
		{0, "channel-life", "SECONDS", "how long the TURN server keeps one (600)",
		 CLI_SECONDS, &config.turn.channel_life, 3600, false},
		{0, "port", "PORT", "local port", CLI_NUMBER, &port, UINT16_MAX, false},
		{0, "messages", "N", "payload messages to send (5)", CLI_NUMBER, &messages, 1000000,
		 false},
		{0, "interval", "SECONDS", "between messages (0)", CLI_SECONDS,
		 &config.talk.interval, 3600, false},
		{0, "keepalive", "SECONDS", "send something after so long a silence (15)",
		 CLI_SECONDS, &config.talk.keepalive, 3600, false},
		{0, "patience", "SECONDS", "a path is dead that answers nothing so long (5)",
		 CLI_SECONDS, &config.talk.patience, 3600, false},
		{0, "timeout", "SECONDS", "from start to a working path (10)", CLI_SECONDS,
		 &config.timeout, 3600, false},
		{'v', "verbose", NULL, "tell each step on stderr", CLI_FLAG, &verbose, 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "relay",
		.summary =
			"Exchange messages with the other peer of a session over a relay: a TURN\n"
			"server, or the rendezvous itself.",
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
		r = session_options(rendezvous, session, &config.meeting, &diag);
	if (r >= 0)
		r = turn_options(turn, &config, &diag);
	if (r >= 0)
		r = open_socket(&peer, (uint16_t)port, &config, &diag);
	if (r < 0)
		return cli_misuse(&cli, &diag, stderr);
	config.talk.messages = (uint32_t)messages;
	if (verbose)
		config.say = say_stderr;
	relay_start(&peer.core, &config, clock_now());
	line_begin(&line, "ready");
	line_endpoint(&line, "local", &peer.local);
	r = line_write(&line, stdout);
	if (r == 0)
		r = drive(&ops, &peer, &peer.sockets, signals);
	if (r == 0)
		r = tell_result(&peer);
	return r == 0 && peer.core.phase == RELAY_DONE ? 0 : 1;
}
