/* SPDX-License-Identifier: MIT */
/*
 * How this works: both peers send checks to every candidate of the other, again and
 * again with growing pauses, because a check does two things: it opens our own NAT
 * for that source, and it asks. An early one dies at the peer's closed NAT, no harm
 * done; the first that meets two open NATs arrives.
 *
 *   - A check that arrives is answered to its source, and that source is checked at
 *     once. It may be one that nobody announced: a NAT with another mapping for every
 *     destination shows its new mapping only here ("reflexive").
 *   - A check that is answered has shown that the path works both ways, to us.
 *   - So that both peers agree on one path and each knows that the other hears it, the
 *     controlling side nominates its first such path. The controlled side settles there once
 *     its own check was answered too; the controlling side when the nomination is answered.
 */
#include "agents/punch/candidates.h"

#include <string.h>

void candidates_start(struct candidates *candidates, enum peer_role role,
		      const struct random_source *random, const struct transaction_timing *timing)
{
	*candidates = (struct candidates){.role = role,
					  .random = *random,
					  .timing = *timing,
					  .unannounced = CANDIDATE_REFLEXIVE};
}

static struct candidate *find(struct candidates *candidates, size_t socket,
			      const struct endpoint *to)
{
	size_t i;

	for (i = 0; i < candidates->count; i++) {
		if (candidates->list[i].socket == socket &&
		    endpoint_equal(&candidates->list[i].to, to))
			return &candidates->list[i];
	}
	return NULL;
}

struct candidate *candidates_add(struct candidates *candidates, enum candidate_kind kind,
				 const struct endpoint *to, uint64_t now)
{
	return candidates_add_on(candidates, 0, kind, to, now);
}

struct candidate *candidates_add_on(struct candidates *candidates, size_t socket,
				    enum candidate_kind kind, const struct endpoint *to,
				    uint64_t now)
{
	struct candidate *candidate = find(candidates, socket, to);

	if (candidate || candidates->count == CANDIDATES_MAX)
		return candidate;
	candidate = &candidates->list[candidates->count++];
	*candidate = (struct candidate){.kind = kind, .socket = socket, .to = *to};
	transaction_new_id(&candidates->random, candidate->id);
	transaction_new_id(&candidates->random, candidate->nominate_id);
	transaction_start(&candidate->checks, &candidates->timing, now);
	return candidate;
}

static bool is_nominating(const struct candidates *candidates, const struct candidate *candidate)
{
	return candidate == candidates->nominee && candidates->settled != candidate;
}

/* What already answered has nothing more to be asked, unless it is to be nominated. */
static bool has_question(const struct candidates *candidates, const struct candidate *candidate)
{
	if (candidate->confirmed)
		return is_nominating(candidates, candidate);
	return candidate->heard || !candidates->silent;
}

bool candidates_send(struct candidates *candidates, uint64_t now, struct candidate_check *ret)
{
	size_t i;

	if (candidates->settled)
		return false;
	for (i = 0; i < candidates->count; i++) {
		struct candidate *candidate = &candidates->list[i];
		bool nominate = is_nominating(candidates, candidate);
		struct transaction *timer = nominate ? &candidate->nomination : &candidate->checks;

		if (!has_question(candidates, candidate) ||
		    transaction_step(timer, now) != TRANSACTION_SEND)
			continue;
		if (timer->sent == 1)
			candidate->first_sent = now;
		candidates->sent++;
		*ret = (struct candidate_check){
			.candidate = candidate,
			.id = nominate ? candidate->nominate_id : candidate->id,
			.nominate = nominate,
		};
		return true;
	}
	return false;
}

uint64_t candidates_due(const struct candidates *candidates)
{
	uint64_t due = UINT64_MAX;
	size_t i;

	for (i = 0; !candidates->settled && i < candidates->count; i++) {
		const struct candidate *candidate = &candidates->list[i];
		uint64_t own = candidate->checks.due;

		if (!has_question(candidates, candidate))
			continue;
		if (is_nominating(candidates, candidate))
			own = candidate->nomination.due;
		if (own < due)
			due = own;
	}
	return due;
}

/* The controlled side's rule. */
static void settle_if_agreed(struct candidates *candidates, struct candidate *candidate)
{
	if (!candidates->settled && candidate->nominated && candidate->confirmed)
		candidates->settled = candidate;
}

void candidates_check(struct candidates *candidates, size_t socket, const struct endpoint *from,
		      bool nominated, uint64_t now)
{
	struct candidate *candidate =
		candidates_add_on(candidates, socket, candidates->unannounced, from, now);

	if (!candidate)
		return;
	if (!candidate->heard && !candidate->confirmed) {
		/* What just came in may well have opened the way out: ask now, not at the next
		 * turn. */
		transaction_start(&candidate->checks, &candidates->timing, now);
	}
	candidate->heard = true;
	if (nominated && candidates->role == ROLE_CONTROLLED)
		candidate->nominated = true;
	settle_if_agreed(candidates, candidate);
}

void candidates_reply(struct candidates *candidates, size_t socket, const struct endpoint *from,
		      const uint8_t id[STUN_ID_SIZE], uint64_t now)
{
	struct candidate *candidate = find(candidates, socket, from);
	bool check, nomination;

	/* An answer from elsewhere than was asked shows two one-way paths, not one that works. */
	if (!candidate)
		return;
	check = candidate->checks.sent > 0 && memcmp(candidate->id, id, STUN_ID_SIZE) == 0;
	nomination = candidate == candidates->nominee && candidate->nomination.sent > 0 &&
		     memcmp(candidate->nominate_id, id, STUN_ID_SIZE) == 0;
	if (!check && !nomination)
		return;
	candidates->round_trip = now - candidate->first_sent;
	candidate->confirmed = true;
	if (candidates->role == ROLE_CONTROLLED) {
		settle_if_agreed(candidates, candidate);
	} else if (nomination && !candidates->settled) {
		candidates->settled = candidate;
	} else if (!candidates->nominee) {
		candidates->nominee = candidate;
		transaction_start(&candidate->nomination, &candidates->timing, now);
	}
}

void candidates_settle(struct candidates *candidates, size_t socket, const struct endpoint *from)
{
	if (!candidates->settled)
		candidates->settled = find(candidates, socket, from);
}

bool candidates_heard(const struct candidates *candidates)
{
	size_t i;

	for (i = 0; i < candidates->count; i++) {
		if (candidates->list[i].heard)
			return true;
	}
	return false;
}

const char *candidate_kind_name(enum candidate_kind kind)
{
	switch (kind) {
	case CANDIDATE_PRIVATE:
		return "private";
	case CANDIDATE_MAPPED:
		return "mapped";
	case CANDIDATE_PUBLIC:
		return "public";
	case CANDIDATE_REFLEXIVE:
		return "reflexive";
	case CANDIDATE_PREDICTED:
		return "predicted";
	case CANDIDATE_DRAWN:
		return "drawn";
	}
	return "unknown";
}
