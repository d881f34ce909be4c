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
 * One peer chooses (choice.c), the one that controls the UDP session, or that over TCP where nobody
 * met over UDP. It begins to talk over the way chosen. The other peer hears it there, and talks
 * too: the choice needs no message of its own. What was not chosen is dropped on both sides.
 *
 * The other sessions are named after the token of the UDP session, which only the pair knows,
 * so that three who use one name are not paired crosswise. Where UDP does not pass, nobody meets
 * there; then, after a while, both meet over TCP under the common name. If they meet over UDP
 * after all, what is there already is kept, provided it is the same peer: each offers the same
 * random bytes in all its sessions. Else it is left, in order, and TCP is tried anew as a pair.
 */
#include "agents/connect/race.h"

#include <stdio.h>
#include <string.h>

#include "agents/connect/choice.h"
#include "agents/connect/ways.h"
#include "agents/net/clock.h"
#include "agents/rendezvous/offer.h"

#define PARKED (3600 * SEC)
#define ALONE_AFTER (500 * MSEC) /* UDP has brought nobody together: try without */

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
	race->dropped[way] = false;
	race->began_at[way] = now;
	race->gone_at[way] = 0;
}

static void begin_udp(struct race *race, uint64_t now)
{
	struct punch_config config = {
		.meeting = race->config.meeting,
		.talk = parked(race),
		.timeout = race->config.timeout,
		.patience = race->config.patience,
		.repunch = 3,
		.aim = race->config.aim,
		.say = race->config.say,
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
		.timeout = race->met_at ? race->config.timeout : race->deadline - now,
		.say = race->config.say,
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
		.allocates_within = choice_window(race),
	};

	config.meeting.session = race->names[RACE_RELAY];
	begin(race, RACE_RELAY, now);
	relay_start(&race->relay, &config, now);
}

void race_start(struct race *race, const struct race_config *config, uint64_t now)
{
	uint8_t self[SELF_SIZE];

	*race = (struct race){.config = *config, .started = now, .chosen = RACE_UDP};
	race->deadline = now + (config->patience ? config->patience : config->timeout);
	random_fill(&config->meeting.random, self, sizeof(self));
	offer_put(&race->config.meeting.offer, OFFER_SELF, self, sizeof(self));
	offer_put(&race->config.tcp.offer, OFFER_SELF, self, sizeof(self));
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

/* Who was met over TCP under the common name is who was met over UDP. */
static bool is_same_peer(const struct race *race)
{
	const struct introduction *udp = &race->punch.peer, *tcp = &race->tcp.peer;
	const uint8_t *a, *b;
	size_t length_a, length_b;

	return tcp->stage >= SESSION_PAIRED &&
	       offer_find(udp->offer, udp->offer_length, OFFER_SELF, &a, &length_a) &&
	       offer_find(tcp->offer, tcp->offer_length, OFFER_SELF, &b, &length_b) &&
	       length_a == length_b && memcmp(a, b, length_a) == 0;
}

static void begin_tcp_as_a_pair(struct race *race, uint64_t now)
{
	/* Nobody of ours waits where we waited alone; who does is to be told that we left. */
	if (race->alone && !is_same_peer(race)) {
		way_drop(race, RACE_TCP, now);
		if (!way_is_quiet(race, RACE_TCP))
			return;
		race->began[RACE_TCP] = false;
	}
	race->alone = false;
	if (race->began[RACE_TCP])
		return;
	name_after_token(race, RACE_TCP);
	begin_tcp(race, now);
}

static void begin_tcp_alone(struct race *race, uint64_t now)
{
	if (race->began[RACE_TCP] || now < race->began_at[RACE_UDP] + ALONE_AFTER)
		return;
	race->alone = true;
	snprintf(race->names[RACE_TCP], sizeof(race->names[RACE_TCP]), "%s/tcp",
		 race->config.meeting.session);
	begin_tcp(race, now);
}

static void begin_others(struct race *race, uint64_t now)
{
	const bool *with = race->config.with;

	if (with[RACE_TCP] && has_met(race))
		begin_tcp_as_a_pair(race, now);
	else if (with[RACE_TCP])
		begin_tcp_alone(race, now);
	if (with[RACE_RELAY] && has_met(race) && !race->began[RACE_RELAY]) {
		name_after_token(race, RACE_RELAY);
		begin_relay(race, now);
	}
}

/* ---- choosing ---- */

static void choose(struct race *race, enum race_way way, uint64_t now)
{
	enum race_way other;

	race->phase = RACE_CHOSEN;
	race->chosen = way;
	race->chosen_at = now;
	say(&race->config.say, "%s chose: %s", choice_is_ours(race) ? "we" : "the peer",
	    race_way_name(way));
	if (race->config.post)
		path_carry(way_path(race, way), race->config.post);
	path_release(way_path(race, way), race->config.talk.messages, race->config.talk.hold, now);
	for (other = 0; other < RACE_WAYS; other++)
		if (other != way)
			way_drop(race, other, now);
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
		bool settled = way_is_settled(race, way);

		if (!race->began[way])
			continue;
		way_drop(race, way, now);
		race->dropped[way] = false; /* it was waited for */
		add_reason(race, way,
			   settled ? "it worked, but the other peer did not choose it"
				   : way_reason(race, way));
	}
	say(&race->config.say, "%s", race->reason);
	end(race, RACE_FAILED, now);
}

static void fail_if_hopeless(struct race *race, uint64_t now)
{
	enum race_way way;
	bool hope = false;

	for (way = 0; way < RACE_WAYS; way++)
		hope |= race->began[way] && !way_is_over(race, way);
	/* Who is refused has no business in what the other two do. */
	if (race->punch.meeting.phase == MEETING_REFUSED && !has_met(race))
		hope = false;
	if (!hope || now >= race->deadline)
		fail(race, now);
}

static void end_if_said(struct race *race, uint64_t now)
{
	const struct path *path = race_path(race, race->chosen);

	if (path->state == PATH_DONE && way_is_over(race, race->chosen)) {
		end(race, RACE_DONE, now);
	} else if (way_is_over(race, race->chosen)) {
		snprintf(race->reason, sizeof(race->reason), "%s", way_reason(race, race->chosen));
		end(race, RACE_LOST, now);
	}
}

static void note_met(struct race *race, uint64_t now)
{
	if (race->met_at || (!has_met(race) && race->tcp.peer.stage < SESSION_PAIRED))
		return;
	race->met_at = now;
	if (race->config.patience)
		race->deadline = now + race->config.timeout;
}

static void note_gone(struct race *race, uint64_t now)
{
	enum race_way way;

	for (way = 0; way < RACE_WAYS; way++)
		if (race->began[way] && !race->gone_at[way] && way_has_gone(race, way))
			race->gone_at[way] = now;
}

void race_follow(struct race *race, uint64_t now)
{
	enum race_way way;

	if (race->phase == RACE_ASKING && race->portmap.phase != PORTMAP_ASKING)
		begin_udp(race, now);
	if (race->phase == RACE_RUNNING) {
		note_met(race, now);
		note_gone(race, now);
		begin_others(race, now);
		race->looked = now;
		if (choice_find(race, now, &way))
			choose(race, way, now);
		else
			fail_if_hopeless(race, now);
	}
	if (race->phase == RACE_CHOSEN)
		end_if_said(race, now);
}

void race_part(struct race *race, uint64_t patience, uint64_t now)
{
	if (race->phase == RACE_CHOSEN)
		path_part(way_path(race, race->chosen), patience, now);
}

void race_stop(struct race *race, uint64_t now)
{
	enum race_way way;

	if (race->phase >= RACE_DONE)
		return;
	for (way = 0; way < RACE_WAYS; way++)
		way_drop(race, way, now);
	end(race, RACE_LOST, now);
}

bool race_over(const struct race *race)
{
	enum race_way way;

	if (race->phase < RACE_DONE)
		return false;
	for (way = 0; way < RACE_WAYS; way++)
		if (race->began[way] && !way_is_quiet(race, way))
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
	uint64_t due = race->deadline;

	if (race->phase != RACE_RUNNING)
		return UINT64_MAX;
	if (race->config.with[RACE_TCP] && !race->began[RACE_TCP])
		due = earlier(due, race->began_at[RACE_UDP] + ALONE_AFTER);
	return earlier(due, choice_due(race));
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
