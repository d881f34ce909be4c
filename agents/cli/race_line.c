/* SPDX-License-Identifier: MIT */
#include "agents/cli/race_line.h"

#include <stdio.h>

#include "agents/net/udp.h"

/* Of the way chosen, else of UDP. */
static struct endpoint local_of(const struct race *race, const struct race_ends *ends)
{
	const struct path *path = race_path(race, race->chosen);
	const struct candidate *settled = path ? path->candidates.settled : NULL;
	struct endpoint local = ends->locals[PUNCH_MAIN];

	if (!settled)
		return local;
	switch (race->chosen) {
	case RACE_UDP:
		local = ends->locals[settled->socket];
		break;
	case RACE_TCP:
		local = ends->tcp;
		break;
	case RACE_RELAY:
		return ends->locals[RACE_SOCKET_RELAY];
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

const char *race_technique(const struct race *race)
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

void race_line_way(const struct race *race, struct line *line)
{
	const struct path *path = race_path(race, race->chosen);

	line_text(line, "technique", race_technique(race));
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

void race_line_paired(const struct race *race, struct line *line)
{
	const struct introduction *known = &race->punch.peer;

	line_endpoint(line, "public", &known->mapped);
	line_endpoint(line, "peer_public", &known->peer_public);
	line_text(line, "role", known->role == ROLE_CONTROLLING ? "controlling" : "controlled");
}

void race_line_result(const struct race *race, const struct race_ends *ends, struct line *line)
{
	const struct introduction *known = introduction_of(race);
	const struct path *path = race_path(race, race->chosen);
	struct endpoint local = local_of(race, ends);

	line_text(line, "path", path_word(race));
	if (race->chosen_at)
		race_line_way(race, line);
	line_endpoint(line, "local", &local);
	if (known->mapped.port)
		line_endpoint(line, "public", &known->mapped);
	if (known->stage >= SESSION_PAIRED) {
		line_endpoint(line, "peer_public", &known->peer_public);
		if (blind_word(race))
			line_text(line, "blind", blind_word(race));
	}
	if (race->portmap.external.port)
		line_endpoint(line, "mapped", &race->portmap.external);
	put_nats(race, line);
	put_tried(race, line);
	line_integer(line, "sent", path ? path->talk.acknowledged : 0);
	line_integer(line, "received", path ? path->talk.received : 0);
	if (path)
		line_milliseconds(line, "rtt_ms", path->talk.srtt);
	line_milliseconds(line, "elapsed_ms", race->ended - race->started);
	if (race->reason[0] != '\0')
		line_text(line, "reason", race->reason);
}
