/* SPDX-License-Identifier: MIT */
#include "agents/punch/guessing.h"

#include "agents/rendezvous/offer.h"

/* A port that was granted needs no guess: it admits anybody. */
static bool is_mapped(const struct punch *punch)
{
	struct endpoint mapped;

	return addr_bits(&punch->config.mapped.addr) ||
	       offer_find_endpoint(punch->peer.offer, punch->peer.offer_length, OFFER_MAPPED,
				   &mapped);
}

bool guessing_aim(struct punch *punch, uint64_t now)
{
	struct candidates *candidates = &punch->path.candidates;
	bool silent = candidates->silent;
	uint64_t patience;

	if (is_mapped(punch))
		return false;
	aim_decide(&punch->aim, &punch->peer, now);
	patience = aim_patience(&punch->aim);
	if (patience == UINT64_MAX)
		return false;
	if (punch->deadline > now + patience)
		punch->deadline = now + patience;
	if (candidates_heard(candidates))
		return true;
	candidates_start(candidates, punch->peer.role, &punch->meeting.random, &punch->path.timing);
	candidates->silent = silent;
	aim_add_candidates(&punch->aim, &punch->peer, candidates, now);
	return true;
}

/* Until something of the peer's has been heard. */
static bool wants_to_spray(const struct punch *punch)
{
	return punch->path.state == PATH_SEEKING && punch->path.seal.round == 0 &&
	       !candidates_heard(&punch->path.candidates);
}

bool guessing_send(struct punch *punch, uint64_t now, struct datagram *ret)
{
	uint8_t id[STUN_ID_SIZE];

	if (!wants_to_spray(punch) || !aim_spray(&punch->aim, now, &ret->socket, &ret->to))
		return false;
	transaction_new_id(&punch->meeting.random, id);
	ret->length = seal_check(&punch->path.seal, id, false, ret->bytes);
	return true;
}

uint64_t guessing_due(const struct punch *punch)
{
	return wants_to_spray(punch) ? aim_spray_due(&punch->aim) : UINT64_MAX;
}
