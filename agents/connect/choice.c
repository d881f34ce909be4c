/* SPDX-License-Identifier: MIT */
/*
 * How this works: a way that is settled is chosen as soon as each better one has ended, or has
 * had its time since both were ready for it. Before that nobody can tell, unless another way
 * got there: then the better one is given its time from there on. So a peer that comes late
 * costs nothing, and a network that lets no UDP pass costs a moment.
 */
#include "agents/connect/choice.h"

#include "agents/connect/ways.h"
#include "agents/net/clock.h"

#define WINDOW_MIN (400 * MSEC)
#define WINDOW_MAX (2 * SEC)
enum { WINDOW_ROUND_TRIPS = 10 };

uint64_t choice_window(const struct race *race)
{
	uint64_t udp = race->punch.meeting.round_trip, tcp = race->tcp.meeting.round_trip;
	uint64_t span = WINDOW_ROUND_TRIPS * (udp ? udp : tcp);

	return span < WINDOW_MIN ? WINDOW_MIN : span > WINDOW_MAX ? WINDOW_MAX : span;
}

/* When packets first went to the peer by another way than UDP; UINT64_MAX: not yet. */
static uint64_t others_gone(const struct race *race)
{
	uint64_t tcp = race->gone_at[RACE_TCP], relay = race->gone_at[RACE_RELAY];

	if (!tcp || !relay)
		return tcp ? tcp : relay ? relay : UINT64_MAX;
	return tcp < relay ? tcp : relay;
}

/* UDP is not ready, which TCP or a relay is: measuring a NAT takes long; or nobody met there, in
 * all the time before TCP was tried under the common name. */
static uint64_t patience_before_udp(const struct race *race)
{
	uint64_t gone = others_gone(race);
	bool met = race->punch.peer.stage >= SESSION_PAIRED;

	if (gone == UINT64_MAX)
		return gone;
	return met ? gone + 2 * choice_window(race) : gone + choice_window(race) / 4;
}

static uint64_t patience_with_udp(const struct race *race)
{
	uint64_t since = race->gone_at[RACE_UDP];

	if (!since)
		return patience_before_udp(race);
	/* Who guesses ports knows how long that takes, and ends by itself; that there is no use in
	 * guessing is known at once. */
	switch (race->punch.aim.guess.kind) {
	case GUESS_PREDICTION:
	case GUESS_BIRTHDAY:
		return UINT64_MAX;
	case GUESS_HOPELESS:
		return since + choice_window(race) / 4;
	case GUESS_NOTHING:
		break;
	}
	return since + choice_window(race);
}

/* Until when @way is waited for if it does not end before; UINT64_MAX: until the very end. */
static uint64_t patience(const struct race *race, enum race_way way)
{
	switch (way) {
	case RACE_UDP:
		return patience_with_udp(race);
	case RACE_TCP:
		return (race->gone_at[way] ? race->gone_at[way] : race->began_at[way]) +
		       choice_window(race);
	case RACE_RELAY:
		break;
	}
	return UINT64_MAX;
}

static bool is_hopeful(const struct race *race, enum race_way way, uint64_t now)
{
	return race->began[way] && !way_is_over(race, way) && now < patience(race, way);
}

bool choice_is_ours(const struct race *race)
{
	if (race->punch.peer.stage >= SESSION_PAIRED)
		return race->punch.peer.role == ROLE_CONTROLLING;
	return race->began[RACE_TCP] && race->tcp.peer.role == ROLE_CONTROLLING;
}

/* The other peer, which controls, has chosen what it talks over. */
static bool is_talked_over(const struct race *race, enum race_way way)
{
	const struct path *path = race_path(race, way);

	return path && (path->talk.received > 0 || path->talk.bye_received);
}

bool choice_find(const struct race *race, uint64_t now, enum race_way *ret)
{
	bool ours = choice_is_ours(race);
	enum race_way way;

	for (way = 0; way < RACE_WAYS; way++) {
		*ret = way;
		if (ours ? way_is_settled(race, way) : is_talked_over(race, way))
			return true;
		if (ours && is_hopeful(race, way, now))
			return false;
	}
	return false;
}

uint64_t choice_due(const struct race *race)
{
	uint64_t due = UINT64_MAX, until;
	enum race_way way;

	for (way = 0; way < RACE_WAYS; way++) {
		if (!race->began[way] || way_is_over(race, way) || way_is_settled(race, way))
			continue;
		until = patience(race, way);
		if (until > race->looked && until < due) /* what is over has been seen to be */
			due = until;
	}
	return due;
}
