/* SPDX-License-Identifier: MIT */
#include "agents/connect/ways.h"

const char *race_way_name(enum race_way way)
{
	switch (way) {
	case RACE_UDP:
		return "udp";
	case RACE_TCP:
		return "tcp";
	case RACE_RELAY:
		return "relay";
	}
	return "unknown";
}

bool way_is_over(const struct race *race, enum race_way way)
{
	switch (way) {
	case RACE_UDP:
		return race->punch.phase >= PHASE_DONE;
	case RACE_TCP:
		return race->tcp.phase >= TCP_PUNCH_DONE;
	case RACE_RELAY:
		return race->relay.phase >= RELAY_DONE;
	}
	return true;
}

bool way_is_quiet(const struct race *race, enum race_way way)
{
	switch (way) {
	case RACE_UDP:
		return punch_over(&race->punch);
	case RACE_TCP:
		return tcp_punch_over(&race->tcp);
	case RACE_RELAY:
		return relay_over(&race->relay);
	}
	return true;
}

struct path *way_path(struct race *race, enum race_way way)
{
	struct path *path = NULL;

	switch (way) {
	case RACE_UDP:
		path = &race->punch.path;
		break;
	case RACE_TCP:
		path = &race->tcp.path;
		break;
	case RACE_RELAY:
		path = &race->relay.path;
		break;
	}
	return race->began[way] && path->connected ? path : NULL;
}

const struct path *race_path(const struct race *race, enum race_way way)
{
	return way_path((struct race *)race, way);
}

const char *way_reason(const struct race *race, enum race_way way)
{
	switch (way) {
	case RACE_UDP:
		return race->punch.reason;
	case RACE_TCP:
		return race->tcp.reason;
	case RACE_RELAY:
		return race->relay.reason;
	}
	return "";
}

bool way_is_settled(const struct race *race, enum race_way way)
{
	const struct path *path = race_path(race, way);

	return path && path->state == PATH_TALKING && !way_is_over(race, way);
}

bool way_has_gone(const struct race *race, enum race_way way)
{
	switch (way) {
	case RACE_UDP:
		return race->punch.phase >= PHASE_PUNCHING;
	case RACE_TCP:
		return race->tcp.phase >= TCP_PUNCH_PUNCHING;
	case RACE_RELAY:
		return race->relay.phase >= RELAY_ADMITTING;
	}
	return false;
}

void way_drop(struct race *race, enum race_way way, uint64_t now)
{
	if (!race->began[way] || way_is_over(race, way))
		return;
	race->dropped[way] = true;
	switch (way) {
	case RACE_UDP:
		punch_abandon(&race->punch, now);
		break;
	case RACE_TCP:
		tcp_punch_abandon(&race->tcp, now);
		break;
	case RACE_RELAY:
		relay_abandon(&race->relay, now);
		break;
	}
}

const char *race_outcome(const struct race *race, enum race_way way, const char **ret_reason)
{
	*ret_reason = "";
	if (way > RACE_RELAY || !race->began[way])
		return NULL;
	/* What was wrong with the relay that was wanted, if another was taken. */
	if (way == RACE_RELAY && race_path(race, way) && !race->relay.offered)
		*ret_reason = race->relay.turn.reason;
	if (race->phase >= RACE_CHOSEN && race->chosen == way && race_path(race, way))
		return "won";
	if (race_path(race, way))
		return "unused";
	if (race->dropped[way])
		return "dropped";
	*ret_reason = way_reason(race, way);
	return way_is_over(race, way) ? "failed" : "dropped";
}
