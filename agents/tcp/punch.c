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

#include <string.h>

#include "agents/net/clock.h"
#include "agents/punch/technique.h"
#include "agents/tcp/phases.h"

#define RENDEZVOUS_PATIENCE (2 * SEC)

void tcp_punch_start(struct tcp_punch *punch, const struct tcp_punch_config *config, uint64_t now)
{
	*punch = (struct tcp_punch){.config = *config, .started = now};
	punch->config.talk.random = config->meeting.random;
	dial_start(&punch->rendezvous, &config->meeting.rendezvous, RENDEZVOUS_PATIENCE, now);
}

bool tcp_punch_over(const struct tcp_punch *punch)
{
	return punch->phase >= TCP_PUNCH_DONE && !punch->leave_due &&
	       (!phases_has_peer(punch) || punch->phase == TCP_PUNCH_FAILED ||
		path_over(&punch->path));
}

static bool is_dial(size_t connection)
{
	return connection >= TCP_PEERS && connection < TCP_ACCEPTED;
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
		phases_start_punching(punch, now);
	phases_follow_path(punch, now);
}

/* What came before we knew the peer. */
static void take_held(struct tcp_punch *punch, uint64_t now)
{
	struct stun_message message;
	size_t i;

	for (i = TCP_ACCEPTED; phases_has_peer(punch) && i < TCP_CONNECTIONS; i++) {
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
		phases_follow_meeting(punch, now);
		take_held(punch, now);
	} else if (number == TCP_BLIND) {
		return;
	} else if (phases_has_peer(punch)) {
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
	phases_follow_path(punch, now);
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
