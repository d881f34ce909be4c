/* SPDX-License-Identifier: MIT */
/*
 * How this works: three whole state machines run at once, each on a session of its own at the
 * rendezvous, and each knows nothing of the others:
 *
 *     UDP     punch/punch.c     private, open, reversal, punch, hairpin; guesses ports if it can
 *     TCP     tcp/punch.c       direct too, but dearer to keep and slower to lose
 *     relay   relay/relay.c     works (almost) always, and costs somebody
 *
 * What settles is parked: nothing is said on it, it is only kept alive. So the relay costs no
 * time when it is needed, and nothing but some packets when it is not.
 *
 * One peer chooses, the one that controls the UDP session: the best way that is settled, as soon
 * as what is better has ended or had its time (punch.c ends early by itself where both NATs
 * are known and guessing is hopeless). It begins to talk over that way. The other peer hears
 * it there, and talks too: the choice needs no message of its own. What was not chosen is
 * dropped on both sides.
 *
 * The other sessions are named after the token of the UDP session, which only the pair knows,
 * so that three who use one name are not paired crosswise. Where UDP does not pass, nobody meets
 * there; then, after a while, both meet over TCP under the common name.
 */
#include "agents/connect/race.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"

#define PARKED (3600 * SEC)
#define ALONE_AFTER (500 * MSEC) /* UDP has brought nobody together: try without */
#define WINDOW_MIN (400 * MSEC)  /* a way that might work is waited for so long, */
#define WINDOW_MAX (2 * SEC)
enum { WINDOW_ROUND_TRIPS = 10 }; /* or for so many of those to the rendezvous */

static void __attribute__((format(printf, 2, 3)))
say(const struct race *race, const char *format, ...)
{
	char line[320];
	va_list arguments;

	if (!race->config.say)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	race->config.say(race->config.say_context, line);
}

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

/* ---- the ways, alike ---- */

static bool is_over(const struct race *race, enum race_way way)
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

const struct path *race_path(const struct race *race, enum race_way way)
{
	if (!race->began[way])
		return NULL;
	switch (way) {
	case RACE_UDP:
		return race->punch.path.connected ? &race->punch.path : NULL;
	case RACE_TCP:
		return race->tcp.path.connected ? &race->tcp.path : NULL;
	case RACE_RELAY:
		return race->relay.path.connected ? &race->relay.path : NULL;
	}
	return NULL;
}

static const char *reason_of(const struct race *race, enum race_way way)
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

/* Works, and waits to be chosen. */
static bool is_settled(const struct race *race, enum race_way way)
{
	const struct path *path = race_path(race, way);

	return path && path->state == PATH_TALKING && !is_over(race, way);
}

/* Both have said "dialled": from here on packets go to the peer. */
static bool has_gone(const struct race *race, enum race_way way)
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

static void drop(struct race *race, enum race_way way, uint64_t now)
{
	if (!race->began[way] || is_over(race, way))
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
	if (race->phase >= RACE_CHOSEN && race->chosen == way && race_path(race, way))
		return "won";
	if (race_path(race, way))
		return "unused";
	if (race->dropped[way])
		return "dropped";
	*ret_reason = reason_of(race, way);
	return is_over(race, way) ? "failed" : "dropped";
}

/* ---- beginning ---- */

static struct talk_config parked(const struct race *race)
{
	struct talk_config talk = race->config.talk;

	talk.messages = 0;
	talk.hold = PARKED;
	return talk;
}

static void begin(struct race *race, enum race_way way, uint64_t now)
{
	race->began[way] = true;
	race->began_at[way] = now;
	race->gone_at[way] = 0;
}

static void begin_udp(struct race *race, uint64_t now)
{
	struct punch_config config = {
		.meeting = race->config.meeting,
		.talk = parked(race),
		.timeout = race->config.timeout,
		.repunch = 3,
		.aim = race->config.aim,
		.say = race->config.say,
		.say_context = race->config.say_context,
	};

	if (race->portmap.phase == PORTMAP_HELD)
		config.mapped = race->portmap.external;
	race->phase = RACE_RUNNING;
	begin(race, RACE_UDP, now);
	punch_start(&race->punch, &config, now);
}

static void begin_tcp(struct race *race, uint64_t now)
{
	struct tcp_punch_config config = {
		.meeting = race->config.tcp,
		.talk = parked(race),
		.timeout = race->config.timeout,
		.say = race->config.say,
		.say_context = race->config.say_context,
	};

	config.meeting.session = race->names[RACE_TCP];
	begin(race, RACE_TCP, now);
	tcp_punch_start(&race->tcp, &config, now);
}

static void begin_relay(struct race *race, uint64_t now)
{
	struct relay_config config = {
		.meeting = race->config.relay,
		.with_turn = race->config.with_turn,
		.turn = race->config.turn,
		.channels = race->config.channels,
		.talk = parked(race),
		.timeout = race->config.timeout,
		.say = race->config.say,
		.say_context = race->config.say_context,
	};

	config.meeting.session = race->names[RACE_RELAY];
	begin(race, RACE_RELAY, now);
	relay_start(&race->relay, &config, now);
}

void race_start(struct race *race, const struct race_config *config, uint64_t now)
{
	*race = (struct race){.config = *config, .started = now, .chosen = RACE_UDP};
	race->config.talk.random = config->meeting.random;
	if (config->with_portmap)
		portmap_start(&race->portmap, &config->portmap, now);
	else
		begin_udp(race, now);
}

static void name_after_token(struct race *race, enum race_way way)
{
	const uint8_t *token = race->punch.peer.token;
	char *name = race->names[way];
	size_t i;

	for (i = 0; i < TOKEN_SIZE; i++)
		snprintf(name + 2 * i, 3, "%02x", token[i]);
	snprintf(name + 2 * i, 8, "/%s", race_way_name(way));
}

static bool has_met(const struct race *race)
{
	return race->punch.peer.stage >= SESSION_PAIRED;
}

static void begin_others(struct race *race, uint64_t now)
{
	const bool *with = race->config.with;
	bool alone = race->alone;

	if (has_met(race)) {
		race->alone = false;
		name_after_token(race, RACE_TCP);
		name_after_token(race, RACE_RELAY);
		/* Nobody can be waiting for us where we waited alone. */
		if (with[RACE_TCP] && (!race->began[RACE_TCP] || alone))
			begin_tcp(race, now);
		if (with[RACE_RELAY] && !race->began[RACE_RELAY])
			begin_relay(race, now);
	} else if (with[RACE_TCP] && !race->began[RACE_TCP] &&
		   now >= race->began_at[RACE_UDP] + ALONE_AFTER) {
		race->alone = true;
		snprintf(race->names[RACE_TCP], sizeof(race->names[RACE_TCP]), "%s/tcp",
			 race->config.meeting.session);
		begin_tcp(race, now);
	}
}

/* ---- choosing ---- */

static uint64_t window(const struct race *race)
{
	uint64_t span = WINDOW_ROUND_TRIPS * race->punch.meeting.round_trip;

	return span < WINDOW_MIN ? WINDOW_MIN : span > WINDOW_MAX ? WINDOW_MAX : span;
}

/* Until when @way is waited for if it does not end before; UINT64_MAX: until the very end. */
static uint64_t patience(const struct race *race, enum race_way way)
{
	uint64_t since = race->gone_at[way] ? race->gone_at[way] : race->began_at[way];

	if (way == RACE_RELAY || !race->config.with[RACE_RELAY])
		return UINT64_MAX;
	if (way == RACE_TCP)
		return since + window(race);
	/* Before both are ready nobody can tell. Then who guesses ports knows how long that takes,
	 * and ends by itself; that there is no use in guessing is known at once. */
	if (!race->gone_at[way])
		return UINT64_MAX;
	switch (race->punch.aim.guess.kind) {
	case GUESS_PREDICTION:
	case GUESS_BIRTHDAY:
		return UINT64_MAX;
	case GUESS_HOPELESS:
		return since + window(race) / 4;
	case GUESS_NOTHING:
		break;
	}
	return since + window(race);
}

static bool is_hopeful(const struct race *race, enum race_way way, uint64_t now)
{
	return race->began[way] && !is_over(race, way) && now < patience(race, way);
}

static bool controls(const struct race *race)
{
	if (has_met(race))
		return race->punch.peer.role == ROLE_CONTROLLING;
	return race->began[RACE_TCP] && race->tcp.peer.role == ROLE_CONTROLLING;
}

/* The other peer, which controls, has chosen what it talks over. */
static bool is_talked_over(const struct race *race, enum race_way way)
{
	const struct path *path = race_path(race, way);

	return path && (path->talk.received > 0 || path->talk.bye_received);
}

/* True when it is not too early to say. */
static bool find_best(const struct race *race, uint64_t now, enum race_way *ret)
{
	enum race_way way;

	for (way = 0; way < RACE_WAYS; way++) {
		*ret = way;
		if (!controls(race) ? is_talked_over(race, way) : is_settled(race, way))
			return true;
		if (controls(race) && is_hopeful(race, way, now))
			return false;
	}
	return false;
}

static struct path *path_of(struct race *race, enum race_way way)
{
	return way == RACE_UDP   ? &race->punch.path
	       : way == RACE_TCP ? &race->tcp.path
				 : &race->relay.path;
}

static void choose(struct race *race, enum race_way way, uint64_t now)
{
	enum race_way other;

	race->phase = RACE_CHOSEN;
	race->chosen = way;
	race->chosen_at = now;
	say(race, "%s chose: %s", controls(race) ? "we" : "the peer", race_way_name(way));
	path_release(path_of(race, way), race->config.talk.messages, race->config.talk.hold, now);
	for (other = 0; other < RACE_WAYS; other++)
		if (other != way)
			drop(race, other, now);
}

/* ---- ending ---- */

static void end(struct race *race, enum race_phase phase, uint64_t now)
{
	race->phase = phase;
	race->ended = now;
	if (race->config.with_portmap)
		portmap_release(&race->portmap, now);
}

static void add_reason(struct race *race, enum race_way way, const char *words)
{
	size_t used = strlen(race->reason);

	snprintf(race->reason + used, sizeof(race->reason) - used, "%s%s: %s", used ? "; " : "",
		 race_way_name(way), words);
}

static void fail(struct race *race, uint64_t now)
{
	enum race_way way;

	for (way = 0; way < RACE_WAYS; way++) {
		if (!race->began[way])
			continue;
		if (is_settled(race, way))
			add_reason(race, way, "it worked, but the other peer did not choose it");
		else if (!is_over(race, way))
			add_reason(race, way, "no end in sight");
		else
			add_reason(race, way, reason_of(race, way));
		drop(race, way, now);
	}
	say(race, "%s", race->reason);
	end(race, RACE_FAILED, now);
}

static void fail_if_hopeless(struct race *race, uint64_t now)
{
	enum race_way way;
	bool hope = false;

	for (way = 0; way < RACE_WAYS; way++)
		hope |= race->began[way] && !is_over(race, way);
	/* Who is refused has no business in what the other two do. */
	if (race->punch.meeting.phase == MEETING_REFUSED)
		hope = false;
	if (!hope || now >= race->started + race->config.timeout)
		fail(race, now);
}

static void end_if_said(struct race *race, uint64_t now)
{
	const struct path *path = race_path(race, race->chosen);

	if (path->state == PATH_DONE && is_over(race, race->chosen)) {
		end(race, RACE_DONE, now);
	} else if (is_over(race, race->chosen)) {
		snprintf(race->reason, sizeof(race->reason), "%s", reason_of(race, race->chosen));
		end(race, RACE_LOST, now);
	}
}

static void note_gone(struct race *race, uint64_t now)
{
	enum race_way way;

	for (way = 0; way < RACE_WAYS; way++)
		if (race->began[way] && !race->gone_at[way] && has_gone(race, way))
			race->gone_at[way] = now;
}

void race_follow(struct race *race, uint64_t now)
{
	enum race_way way;

	if (race->phase == RACE_ASKING && race->portmap.phase != PORTMAP_ASKING)
		begin_udp(race, now);
	if (race->phase == RACE_RUNNING) {
		note_gone(race, now);
		begin_others(race, now);
		race->looked = now;
		if (find_best(race, now, &way))
			choose(race, way, now);
		else
			fail_if_hopeless(race, now);
	}
	if (race->phase == RACE_CHOSEN)
		end_if_said(race, now);
}

void race_stop(struct race *race, uint64_t now)
{
	enum race_way way;

	if (race->phase >= RACE_DONE)
		return;
	for (way = 0; way < RACE_WAYS; way++)
		drop(race, way, now);
	end(race, RACE_LOST, now);
}

static bool is_quiet(const struct race *race, enum race_way way)
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

bool race_over(const struct race *race)
{
	enum race_way way;

	if (race->phase < RACE_DONE)
		return false;
	for (way = 0; way < RACE_WAYS; way++)
		if (race->began[way] && !is_quiet(race, way))
			return false;
	return !race->config.with_portmap || race->portmap.phase == PORTMAP_OVER;
}

/* ---- what goes out ---- */

static bool send_any(struct race *race, uint64_t now, struct datagram *ret)
{
	if (race->config.with_portmap && portmap_send(&race->portmap, now, ret)) {
		ret->socket = RACE_SOCKET_PORTMAP;
		return true;
	}
	if (race->began[RACE_UDP] && punch_send(&race->punch, now, ret))
		return true;
	if (race->began[RACE_RELAY] && relay_send(&race->relay, now, ret)) {
		ret->socket = RACE_SOCKET_RELAY;
		return true;
	}
	return false;
}

bool race_send(struct race *race, uint64_t now, struct datagram *ret)
{
	bool sent;

	race_follow(race, now);
	sent = send_any(race, now, ret);
	race->packets += sent && race->phase < RACE_CHOSEN;
	race_follow(race, now);
	return sent;
}

bool race_act(struct race *race, uint64_t now, struct tcp_action *ret)
{
	bool acted = race->began[RACE_TCP] && tcp_punch_act(&race->tcp, now, ret);

	race->packets += acted && race->phase < RACE_CHOSEN;
	race_follow(race, now);
	return acted;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When something is to be decided, if nothing happens before. */
static uint64_t decision_due(const struct race *race)
{
	uint64_t due = race->started + race->config.timeout;
	enum race_way way;

	if (race->phase != RACE_RUNNING)
		return UINT64_MAX;
	if (race->config.with[RACE_TCP] && !race->began[RACE_TCP])
		due = earlier(due, race->began_at[RACE_UDP] + ALONE_AFTER);
	for (way = 0; way < RACE_WAYS; way++) {
		/* A window that is over has been seen to be. */
		if (race->began[way] && !is_over(race, way) && !is_settled(race, way) &&
		    patience(race, way) > race->looked)
			due = earlier(due, patience(race, way));
	}
	return due;
}

uint64_t race_due(const struct race *race)
{
	uint64_t due = decision_due(race);

	if (race->config.with_portmap)
		due = earlier(due, portmap_due(&race->portmap));
	if (race->began[RACE_UDP])
		due = earlier(due, punch_due(&race->punch));
	if (race->began[RACE_TCP])
		due = earlier(due, tcp_punch_due(&race->tcp));
	if (race->began[RACE_RELAY])
		due = earlier(due, relay_due(&race->relay));
	return due;
}

/* ---- what comes in ---- */

void race_receive(struct race *race, size_t socket, const struct endpoint *from, const void *bytes,
		  size_t length, uint64_t now)
{
	if (socket == RACE_SOCKET_PORTMAP)
		portmap_receive(&race->portmap, from, bytes, length, now);
	else if (socket == RACE_SOCKET_RELAY && race->began[RACE_RELAY])
		relay_receive(&race->relay, from, bytes, length, now);
	else if (socket != PUNCH_BLIND && socket != RACE_SOCKET_RELAY && race->began[RACE_UDP])
		punch_receive(&race->punch, socket, from, bytes, length, now);
	race_follow(race, now);
}

void race_refused(struct race *race, size_t socket, const struct udp_error *error, uint64_t now)
{
	bool by_host = addr_equal(&error->reporter, &error->destination.addr);

	if (socket == RACE_SOCKET_PORTMAP)
		portmap_refused(&race->portmap, &error->destination, now);
	else if (socket == RACE_SOCKET_RELAY && race->began[RACE_RELAY] && by_host)
		relay_refused(&race->relay, &error->destination);
	else if (socket == PUNCH_MAIN && race->began[RACE_UDP] && by_host)
		punch_refused(&race->punch, &error->destination, now);
	race_follow(race, now);
}
