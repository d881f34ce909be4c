/* SPDX-License-Identifier: MIT */
#include "agents/punch/introduced.h"

#include <string.h>

#include "agents/net/clock.h"
#include "agents/rendezvous/offer.h"

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

void introduced_path(struct punch *punch)
{
	struct seal seal = {.role = punch->peer.role};
	/* Nothing is known of the path between the peers; the way to the rendezvous is a guess. */
	const struct transaction_timing timing = {
		.first = clamp(punch->meeting.round_trip, 5 * MSEC, 100 * MSEC),
		.longest = 200 * MSEC,
	};

	memcpy(seal.token, punch->peer.token, TOKEN_SIZE);
	if (punch->config.call_me)
		seal.sight |= SIGHT_CALLED;
	path_start(&punch->path, &seal, &timing, &punch->config.talk);
	punch->path.rounds = punch->config.repunch;
	punch->path.candidates.silent = punch->config.call_me;
}

void introduced_candidates(struct punch *punch, uint64_t now)
{
	const struct introduction *peer = &punch->peer;
	struct candidates *candidates = &punch->path.candidates;
	struct endpoint mapped;
	size_t i;

	if (offer_find_endpoint(peer->offer, peer->offer_length, OFFER_MAPPED, &mapped))
		(void)candidates_add(candidates, CANDIDATE_MAPPED, &mapped, now);
	for (i = 0; i < peer->private_count; i++) {
		enum candidate_kind kind = endpoint_equal(&peer->privates[i], &peer->peer_public)
						   ? CANDIDATE_PUBLIC
						   : CANDIDATE_PRIVATE;

		(void)candidates_add(candidates, kind, &peer->privates[i], now);
	}
	(void)candidates_add(candidates, CANDIDATE_PUBLIC, &peer->peer_public, now);
}
