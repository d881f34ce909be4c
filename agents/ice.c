/* SPDX-License-Identifier: MIT */
/*
 * ice: libnice (ice/stack.h) with our signalling before it and our talk after it (ice/ice.h).
 *
 * libnice lives in GLib's main loop, so here that is the loop. Whatever comes is only
 * taken in where it comes; one timer does all the rest, at once after that or when
 * something is due, so nothing is ever done in the middle of something of libnice's.
 */
#include <errno.h>
#include <glib-unix.h>
#include <string.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/cli/session.h"
#include "agents/ice/ice.h"
#include "agents/ice/stack.h"
#include "agents/net/own.h"
#include "agents/net/resolve.h"
#include "agents/net/sockets.h"
#include "agents/net/wait.h"

enum { STUN_PORT = 3478 };
#define CLOSING (1 * SEC) /* how long a TURN server may take to forget us */

struct peer {
	struct ice core;
	struct stack *stack;
	struct sockets sockets; /* one, for the rendezvous */
	struct endpoint turn;   /* port 0: none */
	GMainLoop *loop;
	GSource *timer;
	struct ice_pair pair;
	bool told_gathered, told_paired, told_connected;
	uint64_t closing; /* since when */
	int error;        /* stdout's, or -EINTR */
};

static void peer_clear(struct peer *peer)
{
	stack_free(peer->stack);
	sockets_clear(&peer->sockets);
	if (peer->timer) {
		g_source_destroy(peer->timer);
		g_source_unref(peer->timer);
	}
	if (peer->loop)
		g_main_loop_unref(peer->loop);
}

/* Something has come: do what it asks for, once libnice is done with it. */
static void wake(struct peer *peer)
{
	g_source_set_ready_time(peer->timer, 0);
}

static void end(struct peer *peer, int error)
{
	peer->error = error;
	g_main_loop_quit(peer->loop);
}

/* ---- what stdout is told ---- */

static int tell_ready(const struct peer *peer)
{
	struct ice_candidates ours = stack_ours(peer->stack);
	struct line line;

	line_begin(&line, "ready");
	line_endpoint(&line, "local", &ours.host);
	return line_write(&line, stdout);
}

static int tell_gathered(struct peer *peer)
{
	struct ice_candidates ours = stack_ours(peer->stack);
	struct endpoint public = ice_public(&ours);
	struct line line;

	peer->told_gathered = true;
	line_begin(&line, "gathered");
	line_integer(&line, "candidates", ours.count);
	line_endpoint(&line, "public", &public);
	if (ours.relayed.port != 0)
		line_endpoint(&line, "relayed", &ours.relayed);
	line_milliseconds(&line, "elapsed_ms", clock_now() - peer->core.started);
	return line_write(&line, stdout);
}

static int tell_paired(struct peer *peer)
{
	struct ice_candidates theirs = stack_theirs(peer->stack);
	struct endpoint public = ice_public(&theirs);
	struct line line;

	peer->told_paired = true;
	line_begin(&line, "paired");
	line_integer(&line, "candidates", theirs.count);
	line_endpoint(&line, "peer_public", &public);
	line_text(&line, "role",
		  peer->core.exchange.seal.role == ROLE_CONTROLLING ? "controlling" : "controlled");
	return line_write(&line, stdout);
}

/* Which pair was selected, and what that makes of the path. */
static void put_pair(const struct peer *peer, struct line *line)
{
	struct ice_candidates ours = stack_ours(peer->stack), theirs = stack_theirs(peer->stack);
	const struct ice_pair *pair = &peer->pair;

	line_text(line, "technique", ice_pair_technique(pair, &ours, &theirs));
	line_text(line, "local_candidate", ice_type_name(pair->local));
	line_text(line, "peer_candidate", ice_type_name(pair->remote));
	line_endpoint(line, "peer", &pair->peer);
	if (ice_pair_is_relayed(pair))
		line_endpoint(line, "relay", &pair->relay);
}

static int tell_connected(struct peer *peer)
{
	struct line line;

	peer->told_connected = true;
	line_begin(&line, "connected");
	line_endpoint(&line, "local", &peer->pair.base);
	put_pair(peer, &line);
	line_milliseconds(&line, "elapsed_ms", peer->core.path.connected - peer->core.started);
	return line_write(&line, stdout);
}

static const char *path_name(const struct peer *peer)
{
	return peer->core.phase == ICE_LOST       ? "lost"
	       : peer->core.phase != ICE_DONE     ? "none"
	       : ice_pair_is_relayed(&peer->pair) ? "relayed"
						  : "direct";
}

static int tell_result(struct peer *peer)
{
	struct ice_candidates ours = stack_ours(peer->stack), theirs = stack_theirs(peer->stack);
	struct endpoint public = ice_public(&ours), peer_public = ice_public(&theirs);
	const struct ice *core = &peer->core;
	const struct talk *talk = &core->path.talk;
	struct line line;

	line_begin(&line, "result");
	line_text(&line, "path", path_name(peer));
	line_endpoint(&line, "local", core->selected ? &peer->pair.base : &ours.host);
	line_endpoint(&line, "public", &public);
	if (peer->told_paired)
		line_endpoint(&line, "peer_public", &peer_public);
	if (ours.relayed.port != 0)
		line_endpoint(&line, "relayed", &ours.relayed);
	if (theirs.relayed.port != 0)
		line_endpoint(&line, "peer_relayed", &theirs.relayed);
	if (core->selected)
		put_pair(peer, &line);
	line_integer(&line, "sent", talk->acknowledged);
	line_integer(&line, "received", talk->received);
	if (core->path.connected) {
		line_milliseconds(&line, "rtt_ms", talk->srtt);
		line_milliseconds(&line, "connect_ms", core->path.connected - core->started);
	}
	line_milliseconds(&line, "elapsed_ms", core->ended - core->started);
	if (core->reason[0] != '\0')
		line_text(&line, "reason", core->reason);
	return line_write(&line, stdout);
}

static int tell_news(struct peer *peer)
{
	int r = 0;

	if (!peer->told_gathered && peer->core.exchange.described)
		r = tell_gathered(peer);
	if (r == 0 && !peer->told_paired && peer->core.phase >= ICE_CHECKING &&
	    exchange_theirs(&peer->core.exchange))
		r = tell_paired(peer);
	if (r == 0 && !peer->told_connected && peer->core.path.connected)
		r = tell_connected(peer);
	return r;
}

/* Nothing more is to be said; what is left is to give back what a TURN server keeps for us. */
static void close_stack(struct peer *peer)
{
	peer->closing = clock_now();
	if (peer->turn.port != 0)
		stack_close(peer->stack);
	else
		end(peer, peer->error);
	wake(peer);
}

/* ---- what comes ---- */

static void on_gathered(void *context, const char *description)
{
	struct peer *peer = context;

	ice_gathered(&peer->core, description, clock_now());
	wake(peer);
}

static void on_connected(void *context, const struct ice_pair *pair)
{
	struct peer *peer = context;

	peer->pair = *pair;
	ice_connected(&peer->core, &pair->peer, clock_now());
	wake(peer);
}

static void on_failed(void *context, const char *why)
{
	struct peer *peer = context;

	ice_failed(&peer->core, why, clock_now());
	wake(peer);
}

static void on_payload(void *context, const void *bytes, size_t length)
{
	struct peer *peer = context;

	ice_receive_payload(&peer->core, bytes, length, clock_now());
	wake(peer);
}

static void on_closed(void *context)
{
	struct peer *peer = context;

	end(peer, peer->error);
}

static void on_signalling(void *context, size_t socket, const struct endpoint *from,
			  const void *bytes, size_t length, uint64_t now)
{
	struct peer *peer = context;

	(void)socket;
	ice_receive(&peer->core, from, bytes, length, now);
}

static gboolean on_sockets(gint fd, GIOCondition condition, gpointer context)
{
	static const struct sockets_events events = {.receive = on_signalling};
	struct peer *peer = context;

	(void)fd;
	(void)condition;
	sockets_drain(&peer->sockets, &events, peer);
	wake(peer);
	return G_SOURCE_CONTINUE;
}

static gboolean on_signal(gint fd, GIOCondition condition, gpointer context)
{
	struct peer *peer = context;
	struct datagram datagram;

	(void)fd;
	(void)condition;
	if (exchange_leave(&peer->core.exchange, &datagram))
		(void)sockets_send(&peer->sockets, &datagram);
	peer->error = -EINTR;
	close_stack(peer);
	return G_SOURCE_REMOVE;
}

/* ---- what is done ---- */

static void send_all(struct peer *peer)
{
	uint8_t payload[ICE_PAYLOAD_MAX];
	struct datagram datagram;
	size_t length;

	while ((length = ice_send_payload(&peer->core, clock_now(), payload)) > 0)
		stack_send(peer->stack, payload, length);
	while (ice_send(&peer->core, clock_now(), &datagram))
		(void)sockets_send(&peer->sockets, &datagram);
}

static void check_if_told(struct peer *peer)
{
	enum peer_role role;
	const char *theirs = ice_description(&peer->core, &role);

	if (theirs && stack_check(peer->stack, theirs, role == ROLE_CONTROLLING) < 0)
		ice_failed(&peer->core, "nobody can read the other peer's description",
			   clock_now());
}

static uint64_t do_all(struct peer *peer)
{
	int r;

	check_if_told(peer);
	send_all(peer);
	r = tell_news(peer);
	if (r == 0 && ice_over(&peer->core)) {
		r = tell_result(peer);
		close_stack(peer);
	}
	if (r < 0)
		end(peer, r);
	return ice_due(&peer->core);
}

static gboolean on_timer(gpointer context)
{
	struct peer *peer = context;
	uint64_t due = peer->closing ? UINT64_MAX : do_all(peer);

	if (peer->closing)
		due = peer->closing + CLOSING;
	if (peer->closing && clock_now() >= due)
		end(peer, peer->error);
	/* A microsecond late rather than a nanosecond early. */
	g_source_set_ready_time(peer->timer, due == UINT64_MAX ? -1 : (gint64)(due / 1000 + 1));
	return G_SOURCE_CONTINUE;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer context)
{
	(void)source;
	return callback(context);
}

static void make_loop(struct peer *peer)
{
	static GSourceFuncs timer = {.dispatch = dispatch};

	peer->loop = g_main_loop_new(NULL, FALSE);
	peer->timer = g_source_new(&timer, sizeof(GSource));
	g_source_set_callback(peer->timer, on_timer, peer, NULL);
	g_source_attach(peer->timer, NULL);
}

static int play(struct peer *peer, int signals)
{
	g_unix_fd_add(peer->sockets.epoll, G_IO_IN, on_sockets, peer);
	g_unix_fd_add(signals, G_IO_IN, on_signal, peer);
	wake(peer);
	g_main_loop_run(peer->loop);
	return peer->error;
}

/* ---- from the command line to there ---- */

struct words {
	const char *rendezvous, *session, *stun, *turn, *user, *password;
};

static int servers(const struct words *words, struct stack_config *ret, struct diag *d)
{
	int r = 0;

	if (!words->turn != !words->user || !words->user != !words->password)
		return diag_error(d, EINVAL, "--turn, --user and --password go together");
	ret->user = words->user;
	ret->password = words->password;
	if (words->stun)
		r = resolve_endpoint(words->stun, STUN_PORT, &ret->stun, d);
	if (r == 0 && words->turn)
		r = resolve_endpoint(words->turn, STUN_PORT, &ret->turn, d);
	return r;
}

/* The socket for the rendezvous, and libnice's. */
static int open_all(struct peer *peer, struct ice_config *config, struct stack_config *stack,
		    struct diag *d)
{
	static const struct stack_events events = {
		.gathered = on_gathered,
		.connected = on_connected,
		.failed = on_failed,
		.received = on_payload,
		.closed = on_closed,
	};
	const struct endpoint *rendezvous = &config->meeting.rendezvous;
	struct endpoint any = {.addr.family = rendezvous->addr.family}, local;
	struct endpoint hosts[PRIVATE_MAX];
	int r = sockets_add(&peer->sockets, &any, &local, d);

	if (r >= 0)
		r = udp_source_for(rendezvous, &local.addr, d);
	if (r < 0)
		return r;
	stack->hosts = hosts;
	stack->host_count = own_endpoints(&local, hosts, PRIVATE_MAX);
	peer->turn = stack->turn;
	make_loop(peer);
	ice_start(&peer->core, config, clock_now());
	return stack_new(stack, &events, peer, &peer->stack, d);
}

int main(int argc, char *argv[])
{
	struct peer peer CLEANUP(peer_clear) = {.sockets = SOCKETS_NONE};
	struct ice_config config = {.timeout = 10 * SEC, .meeting = {.random = random_system}};
	struct stack_config stack = {0};
	struct words words = {0};
	uint64_t messages = 50;
	bool verbose = false;
	const struct cli_option options[] = {
		{0, "rendezvous", "HOST[:PORT]", "who introduces the peers (port 1024)", CLI_TEXT,
		 &words.rendezvous, 0, true},
		{0, "session", "NAME", "what both peers call their meeting", CLI_TEXT,
		 &words.session, 0, true},
		{0, "stun", "HOST[:PORT]", "STUN server (port 3478)", CLI_TEXT, &words.stun, 0,
		 false},
		{0, "turn", "HOST[:PORT]", "TURN server (port 3478)", CLI_TEXT, &words.turn, 0,
		 false},
		{0, "user", "NAME", "of the TURN server", CLI_TEXT, &words.user, 0, false},
		{0, "password", "TEXT", "of the TURN server", CLI_TEXT, &words.password, 0, false},
		{0, "messages", "N", "payload messages to send (50)", CLI_NUMBER, &messages,
		 1000000, false},
		{0, "patience", "SECONDS", "a path is dead that answers nothing so long (5)",
		 CLI_SECONDS, &config.talk.patience, 3600, false},
		{0, "timeout", "SECONDS", "from start to a working path (10)", CLI_SECONDS,
		 &config.timeout, 3600, false},
		{'v', "verbose", NULL, "let libnice tell each step on stderr", CLI_FLAG, &verbose,
		 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "ice",
		.summary =
			"Make a path to the other peer of a session as libnice does it: by ICE,\n"
			"directly where that is possible and otherwise over a TURN server.",
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
		r = session_options(words.rendezvous, words.session, &config.meeting, &diag);
	if (r >= 0)
		r = servers(&words, &stack, &diag);
	config.talk.messages = (uint32_t)messages;
	if (verbose)
		stack_tell_all();
	if (r >= 0)
		r = open_all(&peer, &config, &stack, &diag);
	if (r < 0)
		return cli_misuse(&cli, &diag, stderr);
	r = tell_ready(&peer);
	if (r == 0)
		r = play(&peer, signals);
	return r == 0 && peer.core.phase == ICE_DONE ? 0 : 1;
}
