/* SPDX-License-Identifier: MIT */
#include "agents/tcp/phases.h"

#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/punch/technique.h"
#include "agents/tcp/why.h"

#define PEER_PATIENCE (1500 * MSEC) /* the kernel repeats a SYN after 1 s */
#define HAIRPIN_LATER (100 * MSEC)

bool phases_has_peer(const struct tcp_punch *punch)
{
	return punch->peer.stage >= SESSION_PAIRED;
}

void phases_finish(struct tcp_punch *punch, enum tcp_punch_phase phase, uint64_t now)
{
	if (phase == TCP_PUNCH_FAILED)
		why_none(punch, punch->reason, sizeof(punch->reason));
	else if (phase == TCP_PUNCH_LOST)
		why_lost(punch, punch->reason, sizeof(punch->reason));
	if (phase != TCP_PUNCH_DONE)
		say(&punch->config.say, "%s", punch->reason);
	punch->phase = phase;
	punch->ended = now;
	punch->leave_due = true;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

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

void phases_start_punching(struct tcp_punch *punch, uint64_t now)
{
	uint64_t first = now + punch->config.delay, public_first = first;
	const struct introduction *peer = &punch->peer;
	size_t i;

	punch->phase = TCP_PUNCH_PUNCHING;
	say(&punch->config.say, "both have dialled: punching");
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

void phases_follow_meeting(struct tcp_punch *punch, uint64_t now)
{
	if (punch->meeting.phase == MEETING_REFUSED && punch->phase <= TCP_PUNCH_DIALLING) {
		phases_finish(punch, TCP_PUNCH_FAILED, now);
		return;
	}
	if (punch->phase > TCP_PUNCH_DIALLING || punch->meeting.peer.stage < SESSION_PAIRED)
		return;
	punch->peer = punch->meeting.peer;
	if (punch->phase == TCP_PUNCH_JOINING)
		become_paired(punch);
	if (punch->meeting.phase == MEETING_GO)
		phases_start_punching(punch, now);
}

size_t phases_find_open(const struct tcp_punch *punch, const struct endpoint *remote)
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
	size_t chosen = phases_find_open(punch, &settled->to), i;
	char text[ENDPOINT_TEXT_MAX];

	say(&punch->config.say, "settled on the connection with %s, which we %s",
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

void phases_follow_path(struct tcp_punch *punch, uint64_t now)
{
	if (punch->phase == TCP_PUNCH_PUNCHING && punch->path.candidates.settled)
		start_talking(punch);
	if (punch->phase != TCP_PUNCH_TALKING)
		return;
	if (punch->path.state == PATH_DONE)
		phases_finish(punch, TCP_PUNCH_DONE, now);
	else if (punch->path.state == PATH_LOST)
		phases_finish(punch, TCP_PUNCH_LOST, now);
}

void tcp_punch_abandon(struct tcp_punch *punch, uint64_t now)
{
	size_t i;

	if (punch->phase >= TCP_PUNCH_DONE)
		return;
	phases_finish(punch, TCP_PUNCH_FAILED, now);
	for (i = 0; i < TCP_CONNECTIONS; i++)
		if (i != TCP_RENDEZVOUS)
			punch->connections[i].abort_due = true;
}
