/* SPDX-License-Identifier: MIT */
/* What a TCP hole punch wants done, one thing at a time, and when it wants to be asked again. */
#include <string.h>

#include "agents/net/clock.h"
#include "agents/tcp/phases.h"

#define BLIND_FOR (900 * MSEC) /* one SYN only: the kernel would repeat it after a second */
#define UNHEARD_FOR (5 * SEC)  /* so long may a connection that was accepted say nothing */

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
		say(&punch->config.say, "connect to %s, attempt %u",
		    endpoint_format(&dial->to, text), dial->attempts);
		return act_connect(TCP_PEERS + i, &dial->to, ret);
	}
	return false;
}

static bool act_path(struct tcp_punch *punch, uint64_t now, struct tcp_action *ret)
{
	struct datagram datagram;

	while (path_send(&punch->path, now, &datagram)) {
		size_t connection = phases_find_open(punch, &datagram.to);

		if (connection == TCP_CONNECTIONS)
			continue;
		ret->kind = TCP_ACTION_SEND;
		ret->connection = connection;
		ret->length = datagram.length;
		memcpy(ret->bytes, datagram.bytes, datagram.length);
		return true;
	}
	phases_follow_path(punch, now);
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
		phases_finish(punch, TCP_PUNCH_FAILED, now);
	if (punch->phase <= TCP_PUNCH_PUNCHING)
		drop_unheard(punch, now);
	if (act_end(punch, ret))
		return true;
	if (phases_has_peer(punch) && act_path(punch, now, ret))
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
	if (phases_has_peer(punch))
		sooner(&due, path_due(&punch->path));
	if (punch->blind_dialled)
		sooner(&due, punch->blind_until);
	if (punch->phase < TCP_PUNCH_TALKING)
		sooner(&due, seeking_due(punch));
	return due;
}
