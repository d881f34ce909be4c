/* SPDX-License-Identifier: MIT */
/* connect: options and results around connect/race.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/cli/race.h"
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

static void say(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "%s\n", line);
}

/* ---- what stdout is told ---- */

/* Of the way chosen, else of UDP. */
static struct endpoint local_of(struct peer *peer)
{
	const struct path *path = race_path(&peer->race, peer->race.chosen);
	const struct candidate *settled = path ? path->candidates.settled : NULL;
	struct endpoint local = peer->ends.locals[PUNCH_MAIN];

	if (!settled)
		return local;
	switch (peer->race.chosen) {
	case RACE_UDP:
		local = peer->ends.locals[settled->socket];
		break;
	case RACE_TCP:
		local = peer->ends.tcp;
		break;
	case RACE_RELAY:
		return peer->ends.locals[RACE_SOCKET_RELAY];
	}
	/* A peer on another network may be spoken to from another of our addresses. */
	(void)udp_source_for(&settled->to, &local.addr, NULL);
	return local;
}

static const struct introduction *introduction_of(const struct race *race)
{
	switch (race->chosen) {
	case RACE_UDP:
		break;
	case RACE_TCP:
		return &race->tcp.peer;
	case RACE_RELAY:
		return &race->relay.meeting.peer;
	}
	return &race->punch.peer;
}

static const char *path_word(const struct race *race)
{
	if (race->phase == RACE_LOST)
		return "lost";
	if (race->phase != RACE_DONE)
		return "none";
	return race->chosen == RACE_RELAY ? "relayed" : "direct";
}

static const char *technique_word(const struct race *race)
{
	switch (race->chosen) {
	case RACE_UDP:
		break;
	case RACE_TCP:
		return tcp_punch_technique(&race->tcp);
	case RACE_RELAY:
		return race->relay.carrier.way == CARRIER_RENDEZVOUS ? "rendezvous-relay" : "turn";
	}
	return technique_name(punch_technique(&race->punch));
}

/* The negative control of the way chosen; a relay has none. */
static const char *blind_word(const struct race *race)
{
	switch (race->chosen) {
	case RACE_UDP:
		return blind_name(race->punch.blind);
	case RACE_TCP:
		return blind_name(race->tcp.blind);
	case RACE_RELAY:
		break;
	}
	return NULL;
}

static void put_relay(const struct race *race, struct line *line)
{
	struct endpoint relay = carrier_relay(&race->relay.carrier);

	line_endpoint(line, "relay", &relay);
	if (race->relay.turn.relayed.port)
		line_endpoint(line, "relayed", &race->relay.turn.relayed);
	if (race->relay.carrier.peer_relayed.port)
		line_endpoint(line, "peer_relayed", &race->relay.carrier.peer_relayed);
}

static void put_way(struct peer *peer, struct line *line)
{
	const struct race *race = &peer->race;
	const struct path *path = race_path(race, race->chosen);

	line_text(line, "technique", technique_word(race));
	line_text(line, "transport", race->chosen == RACE_TCP ? "tcp" : "udp");
	if (path->candidates.settled)
		line_endpoint(line, "peer", &path->candidates.settled->to);
	if (race->chosen == RACE_RELAY)
		put_relay(race, line);
	line_milliseconds(line, "connect_ms", race->chosen_at - race->started);
	line_integer(line, "packets", race->packets);
}

/* "udp failed: ...; relay won" */
static void put_tried(const struct race *race, struct line *line)
{
	char text[1024];
	size_t used = 0;
	int way;

	for (way = 0; way < RACE_WAYS; way++) {
		const char *reason;
		const char *outcome = race_outcome(race, (enum race_way)way, &reason);

		if (!outcome || used >= sizeof(text))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s%s%s",
					 used ? "; " : "", race_way_name((enum race_way)way),
					 outcome, reason[0] ? ": " : "", reason);
	}
	if (used > 0)
		line_text(line, "tried", text);
}

static void put_nats(const struct race *race, struct line *line)
{
	const struct aim *aim = &race->punch.aim;

	if (aim->measured)
		line_text(line, "mapping", behaviour_name(aim->own.mapping));
	if (aim->decided && aim->guess.kind != GUESS_NOTHING)
		line_text(line, "guess", aim->guess.reason);
}

static int tell_progress(void *context)
{
	struct peer *peer = context;
	const struct introduction *known = &peer->race.punch.peer;
	struct line line;
	int r = 0;

	if (!peer->told_paired && known->stage >= SESSION_PAIRED) {
		peer->told_paired = true;
		line_begin(&line, "paired");
		line_endpoint(&line, "public", &known->mapped);
		line_endpoint(&line, "peer_public", &known->peer_public);
		line_text(&line, "role",
			  known->role == ROLE_CONTROLLING ? "controlling" : "controlled");
		r = line_write(&line, stdout);
	}
	if (r == 0 && !peer->told_chosen && peer->race.phase == RACE_CHOSEN) {
		peer->told_chosen = true;
		line_begin(&line, "connected");
		put_way(peer, &line);
		r = line_write(&line, stdout);
	}
	return r;
}

static int tell_result(struct peer *peer)
{
	const struct race *race = &peer->race;
	const struct introduction *known = introduction_of(race);
	const struct path *path = race_path(race, race->chosen);
	struct endpoint local = local_of(peer);
	struct line line;

	line_begin(&line, "result");
	line_text(&line, "path", path_word(race));
	if (peer->told_chosen)
		put_way(peer, &line);
	line_endpoint(&line, "local", &local);
	if (known->mapped.port)
		line_endpoint(&line, "public", &known->mapped);
	if (known->stage >= SESSION_PAIRED) {
		line_endpoint(&line, "peer_public", &known->peer_public);
		if (blind_word(race))
			line_text(&line, "blind", blind_word(race));
	}
	if (race->portmap.external.port)
		line_endpoint(&line, "mapped", &race->portmap.external);
	put_nats(race, &line);
	put_tried(race, &line);
	line_integer(&line, "sent", path ? path->talk.acknowledged : 0);
	line_integer(&line, "received", path ? path->talk.received : 0);
	if (path)
		line_milliseconds(&line, "rtt_ms", path->talk.srtt);
	line_milliseconds(&line, "elapsed_ms", race->ended - race->started);
	if (race->reason[0] != '\0')
		line_text(&line, "reason", race->reason);
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
	config.say = verbose ? say : NULL;
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
