/* SPDX-License-Identifier: MIT */
/*
 * How this works
 *
 *     JOINING    over a connection from the local port that everything else will share, so
 *                that the rendezvous sees the endpoint which the NAT gives that port
 *     DIALLING   a SYN from a fresh port to the peer's public endpoint: the negative control
 *     PUNCHING   connect() to every endpoint of the peer, from the shared port, on which
 *                there is a listener too
 *     TALKING    over the connection that the controlling side chose (punch/path.h: a
 *                connection is a candidate, named by its other end); the others are closed
 *
 * A SYN does what a punch does: it opens our own NAT for the endpoint it goes to.
 *
 *      A                 NAT A      NAT B                 B
 *      |--- SYN ---------->|--------->x                   |   dropped: B has not opened yet
 *      |                   |<---------|<--------- SYN ----|
 *      |<-- SYN -----------|          |                   |   A's connect() meets a SYN: both
 *      |--- SYN+ACK ------>|--------->|-----------------> |   have dialled, neither accepts
 *      |                   |          |                   |   (RFC 9293 section 3.5)
 *
 * So nothing has to be repeated, unless the early SYN is refused. A reset or an ICMP error ends
 * A's connect() at once; A dials again after a pause, and what comes in the meantime finds the
 * listener. Where a NAT lets nothing in that crosses an own SYN, a repetition helps, and that is
 * the kernel's, after a second: a fresh connect() would begin with another sequence number,
 * which a NAT that has seen both SYNs takes for an intruder's (Linux does). So an attempt lives
 * until after that.
 *
 * The public endpoint of a peer behind our own NAT is dialled a little later than its
 * private ones: through the NAT is the fallback.
 */
#include "agents/tcp/punch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/punch/technique.h"
#include "agents/tcp/why.h"

#define RENDEZVOUS_PATIENCE (2 * SEC)
#define PEER_PATIENCE (1500 * MSEC) /* the kernel repeats a SYN after 1 s */
#define BLIND_FOR (900 * MSEC)      /* one SYN only: the kernel would repeat it after a second */
#define HAIRPIN_LATER (100 * MSEC)
#define UNHEARD_FOR (5 * SEC) /* so long may a connection that was accepted say nothing */

static void __attribute__((format(printf, 2, 3)))
say(const struct tcp_punch *punch, const char *format, ...)
{
	char line[240];
	va_list arguments;

	if (!punch->config.say)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	punch->config.say(punch->config.say_context, line);
}

static bool has_peer(const struct tcp_punch *punch)
{
	return punch->peer.stage >= SESSION_PAIRED;
}

static void finish(struct tcp_punch *punch, enum tcp_punch_phase phase, uint64_t now)
{
	if (phase == TCP_PUNCH_FAILED)
		why_none(punch, punch->reason, sizeof(punch->reason));
	else if (phase == TCP_PUNCH_LOST)
		why_lost(punch, punch->reason, sizeof(punch->reason));
	if (phase != TCP_PUNCH_DONE)
		say(punch, "%s", punch->reason);
	punch->phase = phase;
	punch->ended = now;
	punch->leave_due = true;
}

void tcp_punch_start(struct tcp_punch *punch, const struct tcp_punch_config *config, uint64_t now)
{
	*punch = (struct tcp_punch){.config = *config, .started = now};
	punch->config.talk.random = config->meeting.random;
	dial_start(&punch->rendezvous, &config->meeting.rendezvous, RENDEZVOUS_PATIENCE, now);
}

bool tcp_punch_over(const struct tcp_punch *punch)
{
	return punch->phase >= TCP_PUNCH_DONE && !punch->leave_due &&
	       (!has_peer(punch) || punch->phase == TCP_PUNCH_FAILED || path_over(&punch->path));
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* ---- phases ---- */

static void become_paired(struct tcp_punch *punch)
{
	struct seal seal = {.role = punch->peer.role};
	/* A stream loses nothing; what is repeated is for a connection that came later. */
	const struct transaction_timing timing = {
		.first = clamp(4 * punch->meeting.round_trip, 100 * MSEC, SEC),
		.longest = SEC,
	};

	memcpy(seal.token, punch->peer.token, TOKEN_SIZE);
	path_start(&punch->path, &seal, &timing, &punch->config.talk);
	punch->phase = TCP_PUNCH_DIALLING;
	punch->blind_due = true;
}

/* Two homes may use the same private addresses: dialling such an endpoint we would meet ourselves.
 */
static bool is_own(const struct tcp_punch *punch, const struct endpoint *endpoint)
{
	const struct meeting_config *config = &punch->config.meeting;
	size_t i;

	for (i = 0; i < config->private_count; i++) {
		if (endpoint_equal(&config->privates[i], endpoint))
			return true;
	}
	return false;
}

static void start_punching(struct tcp_punch *punch, uint64_t now)
{
	uint64_t first = now + punch->config.delay, public_first = first;
	const struct introduction *peer = &punch->peer;
	size_t i;

	punch->phase = TCP_PUNCH_PUNCHING;
	say(punch, "both have dialled: punching");
	for (i = 0; i < peer->private_count; i++) {
		if (!endpoint_equal(&peer->privates[i], &peer->peer_public) &&
		    !is_own(punch, &peer->privates[i]))
			dial_start(&punch->dials[punch->dial_count++], &peer->privates[i],
				   PEER_PATIENCE, first);
	}
	if (punch->dial_count > 0 && addr_equal(&peer->mapped.addr, &peer->peer_public.addr))
		public_first += HAIRPIN_LATER;
	dial_start(&punch->dials[punch->dial_count++], &peer->peer_public, PEER_PATIENCE,
		   public_first);
}

static void follow_meeting(struct tcp_punch *punch, uint64_t now)
{
	if (punch->meeting.phase == MEETING_REFUSED && punch->phase <= TCP_PUNCH_DIALLING) {
		finish(punch, TCP_PUNCH_FAILED, now);
		return;
	}
	if (punch->phase > TCP_PUNCH_DIALLING || punch->meeting.peer.stage < SESSION_PAIRED)
		return;
	punch->peer = punch->meeting.peer;
	if (punch->phase == TCP_PUNCH_JOINING)
		become_paired(punch);
	if (punch->meeting.phase == MEETING_GO)
		start_punching(punch, now);
}

static size_t find_open(const struct tcp_punch *punch, const struct endpoint *remote)
{
	size_t i;

	for (i = TCP_PEERS; i < TCP_CONNECTIONS; i++) {
		if (punch->connections[i].open &&
		    endpoint_equal(&punch->connections[i].remote, remote))
			return i;
	}
	return TCP_CONNECTIONS;
}

static void start_talking(struct tcp_punch *punch)
{
	const struct candidate *settled = punch->path.candidates.settled;
	size_t chosen = find_open(punch, &settled->to), i;
	char text[ENDPOINT_TEXT_MAX];

	say(punch, "settled on the connection with %s, which we %s",
	    endpoint_format(&settled->to, text), chosen < TCP_ACCEPTED ? "dialled" : "accepted");
	punch->phase = TCP_PUNCH_TALKING;
	punch->leave_due = true;
	if (chosen >= TCP_ACCEPTED)
		punch->path.seal.sight |= SIGHT_ACCEPTED;
	for (i = 0; i < punch->dial_count; i++) {
		if (TCP_PEERS + i == chosen)
			continue;
		punch->connections[TCP_PEERS + i].abort_due =
			punch->dials[i].state >= DIAL_DIALLING;
		punch->dials[i].state = DIAL_IDLE;
	}
	for (i = TCP_ACCEPTED; i < TCP_CONNECTIONS; i++)
		punch->connections[i].abort_due = punch->connections[i].open && i != chosen;
}

static void follow_path(struct tcp_punch *punch, uint64_t now)
{
	if (punch->phase == TCP_PUNCH_PUNCHING && punch->path.candidates.settled)
		start_talking(punch);
	if (punch->phase != TCP_PUNCH_TALKING)
		return;
	if (punch->path.state == PATH_DONE)
		finish(punch, TCP_PUNCH_DONE, now);
	else if (punch->path.state == PATH_LOST)
		finish(punch, TCP_PUNCH_LOST, now);
}

void tcp_punch_abandon(struct tcp_punch *punch, uint64_t now)
{
	size_t i;

	if (punch->phase >= TCP_PUNCH_DONE)
		return;
	finish(punch, TCP_PUNCH_FAILED, now);
	for (i = 0; i < TCP_CONNECTIONS; i++)
		if (i != TCP_RENDEZVOUS)
			punch->connections[i].abort_due = true;
}

/* ---- what is to be done ---- */

static bool is_dial(size_t connection)
{
	return connection >= TCP_PEERS && connection < TCP_ACCEPTED;
}

static bool act_connect(size_t connection, const struct endpoint *to, struct tcp_action *ret)
{
	*ret = (struct tcp_action){.kind = TCP_ACTION_CONNECT,
				   .connection = connection,
				   .fresh_port = connection == TCP_BLIND,
				   .to = *to};
	return true;
}

static bool act_end(struct tcp_punch *punch, struct tcp_action *ret)
{
	size_t i;

	for (i = 0; i < TCP_CONNECTIONS; i++) {
		struct tcp_connection *connection = &punch->connections[i];

		if (!connection->abort_due && !connection->close_due)
			continue;
		ret->kind = connection->abort_due ? TCP_ACTION_ABORT : TCP_ACTION_CLOSE;
		ret->connection = i;
		*connection = (struct tcp_connection){0};
		return true;
	}
	return false;
}

bool tcp_punch_leave(struct tcp_punch *punch, struct tcp_action *ret)
{
	punch->leave_due = false;
	punch->rendezvous.state = DIAL_IDLE;
	if (!punch->connections[TCP_RENDEZVOUS].open)
		return false;
	punch->connections[TCP_RENDEZVOUS].abort_due = true;
	ret->kind = TCP_ACTION_SEND;
	ret->connection = TCP_RENDEZVOUS;
	ret->length = meeting_leave(&punch->meeting, ret->bytes);
	return ret->length > 0;
}

static bool act_rendezvous(struct tcp_punch *punch, uint64_t now, struct tcp_action *ret)
{
	if (dial_step(&punch->rendezvous, now))
		return act_connect(TCP_RENDEZVOUS, &punch->rendezvous.to, ret);
	if (!punch->connections[TCP_RENDEZVOUS].open)
		return false;
	ret->kind = TCP_ACTION_SEND;
	ret->connection = TCP_RENDEZVOUS;
	ret->length = meeting_send(&punch->meeting, now, ret->bytes);
	return ret->length > 0;
}

/* The blind dial, its one message, its end. */
static bool act_blind(struct tcp_punch *punch, uint64_t now, struct tcp_action *ret)
{
	struct tcp_connection *connection = &punch->connections[TCP_BLIND];
	uint8_t id[STUN_ID_SIZE];

	if (punch->blind_due) {
		punch->blind_due = false;
		punch->blind_dialled = true;
		punch->blind_until = now + BLIND_FOR;
		meeting_dialled(&punch->meeting, now);
		return act_connect(TCP_BLIND, &punch->peer.peer_public, ret);
	}
	if (!punch->blind_dialled)
		return false;
	if (connection->open) {
		punch->blind_dialled = false;
		connection->close_due = true;
		transaction_new_id(&punch->config.meeting.random, id);
		ret->kind = TCP_ACTION_SEND;
		ret->connection = TCP_BLIND;
		ret->length = seal_blind(&punch->path.seal, id, ret->bytes);
		return true;
	}
	if (now >= punch->blind_until) {
		punch->blind_dialled = false;
		connection->abort_due = true;
	}
	return false;
}

static bool act_dial(struct tcp_punch *punch, uint64_t now, struct tcp_action *ret)
{
	char text[ENDPOINT_TEXT_MAX];
	size_t i;

	for (i = 0; i < punch->dial_count; i++) {
		struct dial *dial = &punch->dials[i];

		if (!dial_step(dial, now))
			continue;
		if (punch->punched == 0)
			punch->punched = now;
		say(punch, "connect to %s, attempt %u", endpoint_format(&dial->to, text),
		    dial->attempts);
		return act_connect(TCP_PEERS + i, &dial->to, ret);
	}
	return false;
}

static bool act_path(struct tcp_punch *punch, uint64_t now, struct tcp_action *ret)
{
	struct datagram datagram;

	while (path_send(&punch->path, now, &datagram)) {
		size_t connection = find_open(punch, &datagram.to);

		if (connection == TCP_CONNECTIONS)
			continue;
		ret->kind = TCP_ACTION_SEND;
		ret->connection = connection;
		ret->length = datagram.length;
		memcpy(ret->bytes, datagram.bytes, datagram.length);
		return true;
	}
	follow_path(punch, now);
	return false;
}

static void drop_unheard(struct tcp_punch *punch, uint64_t now)
{
	size_t i;

	for (i = TCP_ACCEPTED; i < TCP_CONNECTIONS; i++) {
		struct tcp_connection *connection = &punch->connections[i];

		if (connection->open && !connection->heard &&
		    now >= connection->since + UNHEARD_FOR)
			connection->abort_due = true;
	}
}

bool tcp_punch_act(struct tcp_punch *punch, uint64_t now, struct tcp_action *ret)
{
	if (punch->phase <= TCP_PUNCH_PUNCHING && now >= punch->started + punch->config.timeout)
		finish(punch, TCP_PUNCH_FAILED, now);
	if (punch->phase <= TCP_PUNCH_PUNCHING)
		drop_unheard(punch, now);
	if (act_end(punch, ret))
		return true;
	if (has_peer(punch) && act_path(punch, now, ret))
		return true;
	if (punch->leave_due && tcp_punch_leave(punch, ret))
		return true;
	if (punch->phase <= TCP_PUNCH_TALKING && act_blind(punch, now, ret))
		return true;
	if (punch->phase <= TCP_PUNCH_PUNCHING &&
	    (act_rendezvous(punch, now, ret) || act_dial(punch, now, ret)))
		return true;
	return act_end(punch, ret);
}

static void sooner(uint64_t *due, uint64_t when)
{
	if (when < *due)
		*due = when;
}

/* Of what only one that seeks a connection waits for. */
static uint64_t seeking_due(const struct tcp_punch *punch)
{
	uint64_t due = punch->started + punch->config.timeout;
	size_t i;

	sooner(&due, dial_due(&punch->rendezvous));
	if (punch->connections[TCP_RENDEZVOUS].open)
		sooner(&due, meeting_due(&punch->meeting));
	for (i = 0; i < punch->dial_count; i++)
		sooner(&due, dial_due(&punch->dials[i]));
	for (i = TCP_ACCEPTED; i < TCP_CONNECTIONS; i++) {
		if (punch->connections[i].open && !punch->connections[i].heard)
			sooner(&due, punch->connections[i].since + UNHEARD_FOR);
	}
	return due;
}

uint64_t tcp_punch_due(const struct tcp_punch *punch)
{
	uint64_t due = UINT64_MAX;

	if (punch->phase >= TCP_PUNCH_DONE)
		return due;
	if (has_peer(punch))
		sooner(&due, path_due(&punch->path));
	if (punch->blind_dialled)
		sooner(&due, punch->blind_until);
	if (punch->phase < TCP_PUNCH_TALKING)
		sooner(&due, seeking_due(punch));
	return due;
}

/* ---- what has happened ---- */

static enum candidate_kind kind_of(const struct tcp_punch *punch, const struct endpoint *remote)
{
	size_t i;

	if (endpoint_equal(remote, &punch->peer.peer_public))
		return CANDIDATE_PUBLIC;
	for (i = 0; i < punch->peer.private_count; i++) {
		if (endpoint_equal(remote, &punch->peer.privates[i]))
			return CANDIDATE_PRIVATE;
	}
	return CANDIDATE_REFLEXIVE;
}

static void open_connection(struct tcp_punch *punch, size_t number, const struct endpoint *remote,
			    uint64_t now)
{
	punch->connections[number] =
		(struct tcp_connection){.open = true, .remote = *remote, .since = now};
}

void tcp_punch_connected(struct tcp_punch *punch, size_t connection, uint64_t now)
{
	struct dial *dial;

	if (connection == TCP_BLIND) {
		open_connection(punch, connection, &punch->peer.peer_public, now);
		return;
	}
	dial = is_dial(connection) ? &punch->dials[connection - TCP_PEERS] : &punch->rendezvous;
	if (dial->state != DIAL_DIALLING)
		return;
	dial_connected(dial);
	open_connection(punch, connection, &dial->to, now);
	if (is_dial(connection))
		(void)candidates_add(&punch->path.candidates, kind_of(punch, &dial->to), &dial->to,
				     now);
	else if (punch->meeting.first_sent == 0)
		meeting_start(&punch->meeting, &punch->config.meeting, now);
}

void tcp_punch_failed(struct tcp_punch *punch, size_t connection, const struct tcp_refusal *refusal,
		      uint64_t now)
{
	if (connection == TCP_BLIND)
		punch->blind_dialled = false;
	else
		dial_failed(is_dial(connection) ? &punch->dials[connection - TCP_PEERS]
						: &punch->rendezvous,
			    refusal, now);
}

int tcp_punch_accepted(struct tcp_punch *punch, const struct endpoint *from, uint64_t now)
{
	size_t i;

	if (punch->phase > TCP_PUNCH_TALKING)
		return -1;
	for (i = TCP_ACCEPTED; i < TCP_CONNECTIONS; i++) {
		if (punch->connections[i].open)
			continue;
		open_connection(punch, i, from, now);
		return (int)i;
	}
	return -1;
}

/* The blind dial of the peer's. A SYN before our own first one met a NAT that we had not opened. */
static void take_blind(struct tcp_punch *punch, struct tcp_connection *connection)
{
	bool late = punch->punched != 0 && connection->since > punch->punched;

	if (punch->blind == BLIND_NONE)
		punch->blind = late ? BLIND_LATE : BLIND_RECEIVED;
	connection->abort_due = true;
}

static void take_peers(struct tcp_punch *punch, struct tcp_connection *connection,
		       const struct stun_message *message, uint64_t now)
{
	enum candidate_kind kind = kind_of(punch, &connection->remote);
	enum sealed_kind sealed;

	/* What was announced keeps its name, whoever dialled. */
	if (kind != CANDIDATE_REFLEXIVE)
		(void)candidates_add(&punch->path.candidates, kind, &connection->remote, now);
	sealed = path_receive(&punch->path, &connection->remote, message, now);
	if (sealed == SEALED_NONE)
		return;
	connection->heard = true;
	if (sealed == SEALED_BLIND)
		take_blind(punch, connection);
	else if (punch->phase == TCP_PUNCH_DIALLING) /* it would not before its own "go" */
		start_punching(punch, now);
	follow_path(punch, now);
}

/* What came before we knew the peer. */
static void take_held(struct tcp_punch *punch, uint64_t now)
{
	struct stun_message message;
	size_t i;

	for (i = TCP_ACCEPTED; has_peer(punch) && i < TCP_CONNECTIONS; i++) {
		struct tcp_connection *connection = &punch->connections[i];
		size_t length = connection->held_length;

		connection->held_length = 0;
		if (connection->open && stun_parse(connection->held, length, &message))
			take_peers(punch, connection, &message, now);
	}
}

void tcp_punch_receive(struct tcp_punch *punch, size_t number, const struct stun_message *message,
		       uint64_t now)
{
	struct tcp_connection *connection = &punch->connections[number];

	if (punch->phase >= TCP_PUNCH_DONE || !connection->open)
		return;
	if (number == TCP_RENDEZVOUS) {
		(void)meeting_receive(&punch->meeting, &connection->remote, message, now);
		follow_meeting(punch, now);
		take_held(punch, now);
	} else if (number == TCP_BLIND) {
		return;
	} else if (has_peer(punch)) {
		take_peers(punch, connection, message, now);
	} else if (message->length <= sizeof(connection->held)) {
		connection->held_length = message->length;
		memcpy(connection->held, message->bytes, message->length);
	}
}

/* A stream's end is no rumour: it is all the refusals that a talk waits for. */
static void end_path(struct tcp_punch *punch, const struct endpoint *remote, uint64_t now)
{
	enum { ENOUGH = 3 };
	int i;

	for (i = 0; i < ENOUGH; i++)
		path_refused(&punch->path, remote, now);
	follow_path(punch, now);
}

void tcp_punch_ended(struct tcp_punch *punch, size_t number, uint64_t now)
{
	struct endpoint remote = punch->connections[number].remote;

	if (!punch->connections[number].open)
		return;
	punch->connections[number] = (struct tcp_connection){0};
	if (number == TCP_RENDEZVOUS)
		dial_ended(&punch->rendezvous, now);
	else if (is_dial(number))
		dial_ended(&punch->dials[number - TCP_PEERS], now);
	if (number >= TCP_PEERS && punch->phase == TCP_PUNCH_TALKING)
		end_path(punch, &remote, now);
}

/* ---- results ---- */

const char *tcp_punch_technique(const struct tcp_punch *punch)
{
	uint32_t own = punch->path.seal.sight, theirs = punch->path.peer_sight;
	enum technique technique =
		technique_of(own, theirs, &punch->peer, punch->config.meeting.privates,
			     punch->config.meeting.private_count);

	if (technique == TECHNIQUE_PRIVATE || technique == TECHNIQUE_HAIRPIN)
		return technique_name(technique);
	return (own | theirs) & SIGHT_ACCEPTED ? "tcp-connect" : "tcp-crossed";
}

unsigned int tcp_punch_attempts(const struct tcp_punch *punch)
{
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < punch->dial_count; i++)
		sum += punch->dials[i].attempts;
	return sum;
}

unsigned int tcp_punch_refused(const struct tcp_punch *punch)
{
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < punch->dial_count; i++)
		sum += dial_refused(&punch->dials[i]);
	return sum;
}
