/* SPDX-License-Identifier: MIT */
/* punch: two sockets, and some to guess ports with, around punch/punch.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/cli/aim.h"
#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/cli/session.h"
#include "agents/net/clock.h"
#include "agents/net/drive.h"
#include "agents/net/own.h"
#include "agents/net/wait.h"
#include "agents/punch/punch.h"

struct peer {
	struct punch core;
	struct sockets sockets;
	/* By number, with the address from which we speak to the rendezvous. */
	struct endpoint locals[PUNCH_SOCKETS + AIM_SOCKETS_MAX];
	bool told_measured, told_guess;
	enum punch_phase told; /* the phase of which stdout knows */
	uint32_t told_again;   /* how many times that a path was found again */
};

static void peer_clear(struct peer *peer)
{
	sockets_clear(&peer->sockets);
}

static int open_sockets(struct peer *peer, const struct endpoint *rendezvous, uint16_t port,
			struct diag *d)
{
	struct endpoint any = {.addr.family = rendezvous->addr.family, .port = port};
	size_t i;
	int r;

	for (i = 0; i < PUNCH_SOCKETS; i++) {
		r = sockets_add(&peer->sockets, &any, &peer->locals[i], d);
		if (r < 0)
			return r;
		any.port = 0;
	}
	return udp_source_for(rendezvous, &peer->locals[PUNCH_MAIN].addr, d);
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
	const struct candidate *settled = peer->core.path.candidates.settled;

	line_endpoint(line, "peer", &settled->to);
	line_text(line, "candidate", candidate_kind_name(settled->kind));
}

/* Of the socket on which the path was found, else of the main one. */
static struct endpoint *local_of(struct peer *peer)
{
	const struct candidate *settled = peer->core.path.candidates.settled;

	return &peer->locals[settled ? settled->socket : PUNCH_MAIN];
}

static int tell_connected(struct peer *peer, const char *event, uint64_t when)
{
	const struct punch *core = &peer->core;
	struct endpoint *local = local_of(peer);
	struct line line;

	/* A peer on another network may be spoken to from another of our addresses. */
	(void)udp_source_for(&core->path.candidates.settled->to, &local->addr, NULL);
	line_begin(&line, event);
	line_endpoint(&line, "local", local);
	put_path(peer, &line);
	line_integer(&line, "punches", core->path.candidates.sent);
	line_milliseconds(&line, "elapsed_ms", when - core->started);
	return line_write(&line, stdout);
}

static int tell_progress(void *context)
{
	struct peer *peer = context;
	const struct punch *core = &peer->core;
	int r = 0;

	if (peer->told < PHASE_DIALLING && core->peer.stage >= SESSION_PAIRED) {
		peer->told = PHASE_DIALLING;
		r = tell_paired(peer);
	}
	if (r == 0 && !peer->told_measured && core->aim.measured) {
		peer->told_measured = true;
		r = aim_tell_measured(&core->aim, stdout);
	}
	if (r == 0 && !peer->told_guess && core->aim.decided) {
		peer->told_guess = true;
		r = aim_tell_guess(&core->aim, stdout);
	}
	if (r == 0 && peer->told < PHASE_TALKING && core->path.candidates.settled) {
		peer->told = PHASE_TALKING;
		r = tell_connected(peer, "connected", core->path.connected);
	}
	if (r == 0 && peer->told_again != core->path.repunched && core->path.candidates.settled) {
		peer->told_again = core->path.repunched;
		r = tell_connected(peer, "reconnected", clock_now());
	}
	return r;
}

static void put_talk(const struct path *path, struct line *line)
{
	line_integer(line, "sent", path->talk.acknowledged);
	line_integer(line, "received", path->talk.received);
	line_integer(line, "punches", path->candidates.sent);
	line_integer(line, "repunched", path->repunched);
	if (path->repunched == 0)
		return;
	line_integer(line, "last_sent", path->talk.acknowledged - path->talk.acknowledged_before);
	line_integer(line, "last_received", path->talk.received - path->talk.received_before);
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
	if (core->path.connected)
		line_text(&line, "technique", technique_name(punch_technique(core)));
	line_endpoint(&line, "local", local_of(peer));
	if (core->peer.mapped.port != 0)
		line_endpoint(&line, "public", &core->peer.mapped);
	if (peer->told >= PHASE_DIALLING) {
		line_endpoint(&line, "peer_public", &core->peer.peer_public);
		line_text(&line, "blind", blind_name(core->blind));
	}
	if (core->path.candidates.settled)
		put_path(peer, &line);
	if (core->path.connected) {
		line_milliseconds(&line, "rtt_ms", core->path.talk.srtt);
		line_milliseconds(&line, "connect_ms", core->path.connected - core->started);
	}
	put_talk(&core->path, &line);
	aim_put(&core->aim, &line);
	line_milliseconds(&line, "elapsed_ms", core->ended - core->started);
	if (core->reason[0] != '\0')
		line_text(&line, "reason", core->reason);
	return line_write(&line, stdout);
}

/* ---- the loop ---- */

static bool on_send(void *context, uint64_t now, struct datagram *ret)
{
	struct peer *peer = context;

	return punch_send(&peer->core, now, ret);
}

static uint64_t on_due(void *context)
{
	const struct peer *peer = context;

	return punch_due(&peer->core);
}

static bool on_over(void *context)
{
	const struct peer *peer = context;

	return punch_over(&peer->core);
}

static void on_receive(void *context, size_t socket, const struct endpoint *from, const void *bytes,
		       size_t length, uint64_t now)
{
	struct peer *peer = context;

	if (socket != PUNCH_BLIND)
		punch_receive(&peer->core, socket, from, bytes, length, now);
}

static void on_refused(void *context, size_t socket, const struct udp_error *error, uint64_t now)
{
	struct peer *peer = context;

	if (socket == PUNCH_MAIN && error->error == ECONNREFUSED &&
	    addr_equal(&error->reporter, &error->destination.addr))
		punch_refused(&peer->core, &error->destination, now);
}

static bool on_leave(void *context, struct datagram *ret)
{
	struct peer *peer = context;

	return punch_leave(&peer->core, ret);
}

static const struct drive_ops ops = {
	.send = on_send,
	.due = on_due,
	.over = on_over,
	.events = {.receive = on_receive, .refused = on_refused},
	.tell = tell_progress,
	.leave = on_leave,
};

/* --technique WORD */
static int read_technique(const char *word, bool *ret_call_me, struct diag *d)
{
	*ret_call_me = word && strcmp(word, "reversal") == 0;
	if (!word || *ret_call_me || strcmp(word, "punch") == 0)
		return 0;
	return diag_error(d, EINVAL, "--technique is punch or reversal, not \"%s\"", word);
}

static int set_up(struct peer *peer, const char *rendezvous, const char *session, uint16_t port,
		  struct punch_config *config, struct diag *d)
{
	struct meeting_config *meeting = &config->meeting;
	int r = session_options(rendezvous, session, meeting, d);

	if (r >= 0)
		r = open_sockets(peer, &meeting->rendezvous, port, d);
	if (r >= 0)
		r = aim_open(&config->aim, &peer->sockets, peer->locals, d);
	if (r >= 0)
		meeting->private_count =
			own_endpoints(&peer->locals[PUNCH_MAIN], meeting->privates, PRIVATE_MAX);
	return r;
}

int main(int argc, char *argv[])
{
	struct peer peer CLEANUP(peer_clear) = {.sockets = SOCKETS_NONE};
	struct punch_config config = {
		.timeout = 10 * SEC,
		.talk = {.keepalive = TALK_KEEPALIVE, .patience = TALK_PATIENCE},
		.meeting = {.random = random_system}};
	const char *rendezvous = NULL, *session = NULL, *technique = NULL;
	uint64_t port = 0, messages = 5, repunch = 3;
	struct aim_words aim = AIM_WORDS;
	bool verbose = false;
	const struct cli_option options[] = {
		{0, "rendezvous", "HOST[:PORT]", "who introduces the peers (port 1024)", CLI_TEXT,
		 &rendezvous, 0, true},
		{0, "session", "NAME", "what both peers call their meeting", CLI_TEXT, &session, 0,
		 true},
		{0, "port", "PORT", "local port", CLI_NUMBER, &port, UINT16_MAX, false},
		{0, "messages", "N", "payload messages to send (5)", CLI_NUMBER, &messages, 1000000,
		 false},
		{0, "interval", "SECONDS", "between messages (0)", CLI_SECONDS,
		 &config.talk.interval, 3600, false},
		{0, "timeout", "SECONDS", "from start to a working path (10)", CLI_SECONDS,
		 &config.timeout, 3600, false},
		{0, "technique", "WORD",
		 "punch, or reversal: the other peer is to send first (punch)", CLI_TEXT,
		 &technique, 0, false},
		{0, "pause", "SECONDS", "in the middle of the messages (0)", CLI_SECONDS,
		 &config.talk.pause, 3600, false},
		{0, "hold", "SECONDS", "keep the path after the last message (0)", CLI_SECONDS,
		 &config.talk.hold, 86400, false},
		{0, "keepalive", "SECONDS", "send something after so long a silence (15)",
		 CLI_SECONDS, &config.talk.keepalive, 3600, false},
		{0, "patience", "SECONDS", "a path is dead that answers nothing so long (5)",
		 CLI_SECONDS, &config.talk.patience, 3600, false},
		{0, "repunch", "N", "how often a path that died is punched again (3)", CLI_NUMBER,
		 &repunch, 1000, false},
		{0, "predict", NULL, "guess ports that follow a pattern; both peers must", CLI_FLAG,
		 &aim.predict, 0, false},
		{0, "birthday", NULL, "try many ports where they are drawn; both peers must",
		 CLI_FLAG, &aim.birthday, 0, false},
		{0, "stun", "HOST[:PORT]", "whom to measure our NAT's ports with (port 3478)",
		 CLI_TEXT, &aim.stun, 0, false},
		{0, "window", "N", "how many predicted ports to try at most (1024)", CLI_NUMBER,
		 &aim.window, GUESS_WINDOW_MAX, false},
		{0, "sockets", "N", "how many to open for a birthday attack (256)", CLI_NUMBER,
		 &aim.sockets, AIM_SOCKETS_MAX, false},
		{0, "probes", "N", "how many ports to try in one (as many as 99.9 % take)",
		 CLI_NUMBER, &aim.probes, UINT16_MAX, false},
		{0, "ports", "FIRST-LAST", "where our NAT's ports are known to be (1024-65535)",
		 CLI_TEXT, &aim.ports, 0, false},
		{0, "rate", "N", "packets a second in a birthday attack (1000)", CLI_NUMBER,
		 &aim.rate, 50000, false},
		{0, "hesitate", "SECONDS", "between measuring and punching (0)", CLI_SECONDS,
		 &aim.hesitate, 3600, false},
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
		r = read_technique(technique, &config.call_me, &diag);
	if (r >= 0)
		r = aim_options(&aim, config.timeout, &config.aim, &diag);
	if (r >= 0 && config.call_me && (aim.predict || aim.birthday))
		r = diag_error(&diag, EINVAL,
			       "who guesses ports must send first: not with --technique reversal");
	if (r >= 0)
		r = set_up(&peer, rendezvous, session, (uint16_t)port, &config, &diag);
	if (r < 0) {
		return cli_misuse(&cli, &diag, stderr);
	}
	config.talk.messages = (uint32_t)messages;
	config.repunch = (uint32_t)repunch;
	if (verbose)
		config.say = say_stderr;
	punch_start(&peer.core, &config, clock_now());
	line_begin(&line, "ready");
	line_endpoint(&line, "local", &peer.locals[PUNCH_MAIN]);
	r = line_write(&line, stdout);
	if (r == 0)
		r = drive(&ops, &peer, &peer.sockets, signals);
	if (r == 0)
		r = tell_result(&peer);
	return r == 0 && peer.core.phase == PHASE_DONE ? 0 : 1;
}
