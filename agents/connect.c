/* SPDX-License-Identifier: MIT */
/* connect: options and results around connect/race.c. */
#include <errno.h>
#include <stdio.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/cli/race.h"
#include "agents/cli/race_line.h"
#include "agents/net/clock.h"
#include "agents/net/wait.h"

struct peer {
	struct race race;
	struct race_hands hands;
	struct race_ends ends;
	bool told_paired, told_chosen;
};

static void peer_cleanup(struct peer **peer)
{
	race_hands_clear(&(*peer)->hands);
}

/* ---- what stdout is told ---- */

static int tell_progress(void *context)
{
	struct peer *peer = context;
	struct line line;
	int r = 0;

	if (!peer->told_paired && peer->race.punch.peer.stage >= SESSION_PAIRED) {
		peer->told_paired = true;
		line_begin(&line, "paired");
		race_line_paired(&peer->race, &line);
		r = line_write(&line, stdout);
	}
	if (r == 0 && !peer->told_chosen && peer->race.phase == RACE_CHOSEN) {
		peer->told_chosen = true;
		line_begin(&line, "connected");
		race_line_way(&peer->race, &line);
		r = line_write(&line, stdout);
	}
	return r;
}

static int tell_result(struct peer *peer)
{
	struct line line;

	line_begin(&line, "result");
	race_line_result(&peer->race, &peer->ends, &line);
	return line_write(&line, stdout);
}

int main(int argc, char *argv[])
{
	static struct peer peer; /* large, and not to be moved */
	struct peer *clear CLEANUP(peer_cleanup) = &peer;
	struct race_config config = {.timeout = 10 * SEC, .meeting = {.random = random_system}};
	struct race_words words = RACE_WORDS;
	uint64_t messages = 20;
	bool verbose = false;
	const struct cli_option options[] = {
		RACE_OPTIONS(words),
		{0, "messages", "N", "payload messages to send, at least 1 (20)", CLI_NUMBER,
		 &messages, 1000000, false},
		{0, "interval", "SECONDS", "between messages (0)", CLI_SECONDS,
		 &config.talk.interval, 3600, false},
		{0, "hold", "SECONDS", "keep the path after the last message (0)", CLI_SECONDS,
		 &config.talk.hold, 86400, false},
		{0, "timeout", "SECONDS", "from start to a chosen path (10)", CLI_SECONDS,
		 &config.timeout, 3600, false},
		{'v', "verbose", NULL, "tell each step on stderr", CLI_FLAG, &verbose, 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "connect",
		.summary = "Reach the other peer of a session by the best way there is: a direct "
			   "path\n"
			   "over UDP or TCP, or a relay; and exchange messages over it.",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	struct line line;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	peer.hands = (struct race_hands){.sockets = SOCKETS_NONE, .links = LINKS_NONE, .extra = -1};
	if (r == CLI_DONE)
		return 0;
	if (r >= 0 && messages == 0)
		r = diag_error(&diag, EINVAL, "--messages is at least 1: the first tells the way");
	if (r >= 0)
		r = signals = wait_signals(&diag);
	if (r >= 0)
		r = race_open(&words, config.timeout, &config, &peer.hands, &peer.ends, &diag);
	if (r < 0)
		return cli_misuse(&cli, &diag, stderr);
	config.talk.messages = (uint32_t)messages;
	if (verbose)
		config.say = say_stderr;
	peer.hands.signals = signals;
	peer.hands.tell = tell_progress;
	peer.hands.context = clear;
	race_start(&peer.race, &config, clock_now());
	line_begin(&line, "ready");
	line_endpoint(&line, "local", &peer.ends.locals[PUNCH_MAIN]);
	r = line_write(&line, stdout);
	if (r == 0)
		r = race_play(&peer.race, &peer.hands);
	if (r == 0)
		r = tell_result(&peer);
	return r == 0 && peer.race.phase == RACE_DONE ? 0 : 1;
}
