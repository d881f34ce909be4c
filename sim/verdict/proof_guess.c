/* SPDX-License-Identifier: MIT */
#include "verdict/proof_guess.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "verdict/mapping.h"

static const char *guess_of(const struct peer *peer)
{
	const char *guess = json_string_value(json_object_get(peer->run->result, "guess"));

	return guess ? guess : "";
}

static bool has_tried(const struct peer *peer)
{
	return strcmp(guess_of(peer), "prediction") == 0 || strcmp(guess_of(peer), "birthday") == 0;
}

static bool has_given_up(const struct peer *peer)
{
	return strcmp(guess_of(peer), "hopeless") == 0;
}

bool guess_was_made(const struct peer *a, const struct peer *b)
{
	return has_tried(a) || has_tried(b) || has_given_up(a) || has_given_up(b);
}

static double chance_of(const struct peer *peer)
{
	return json_number_value(json_object_get(peer->run->result, "probability"));
}

/* Is it a flow of @self's host to @address? */
static bool leads_to(const struct guesser *self, const struct flow *flow,
		     const struct addr *address, struct mapping *ret)
{
	*ret = mapping_of(flow);
	return ret->protocol == IPPROTO_UDP &&
	       addr_equal(&ret->inside.addr, &self->peer->local.addr) &&
	       addr_equal(&ret->remote.addr, address);
}

/* Is there a flow of @other's that mirrors @mapping? */
static bool is_mirrored(const struct guesser *other, const struct mapping *mapping)
{
	struct mapping mirror;
	size_t i;

	for (i = 0; i < other->view->flow_count; i++) {
		if (leads_to(other, &other->view->flows[i], &mapping->outside.addr, &mirror) &&
		    endpoint_equal(&mirror.outside, &mapping->remote) &&
		    endpoint_equal(&mirror.remote, &mapping->outside))
			return true;
	}
	return false;
}

/* How many flows of @self's lead to the other; *ret_met tells of the one that is mirrored. */
static size_t count_flows(const struct guesser *self, const struct guesser *other,
			  struct mapping *ret_met, bool *ret_has_met)
{
	struct mapping mapping;
	size_t i, count = 0;

	for (i = 0; i < self->view->flow_count; i++) {
		if (!leads_to(self, &self->view->flows[i], &self->peer->told.addr, &mapping))
			continue;
		count++;
		if (!is_mirrored(other, &mapping))
			continue;
		*ret_met = mapping;
		*ret_has_met = true;
	}
	return count;
}

static int add_given_up(struct proof *proof, const struct peer *peer)
{
	if (!has_given_up(peer))
		return 0;
	return proof_add(proof, HELD, "guess", "%s did not try: a chance of %.3g %%", peer->name,
			 chance_of(peer) * 100);
}

int prove_guess(struct proof *proof, const struct guesser *a, const struct guesser *b)
{
	char out[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];
	struct mapping met, mirror;
	bool has_met = false, has_mirror = false;
	size_t of_a, of_b;
	int r;

	if (!has_tried(a->peer) && !has_tried(b->peer)) {
		r = add_given_up(proof, a->peer);
		return r ? r : add_given_up(proof, b->peer);
	}
	if (!a->view || !b->view)
		return proof_add(proof, UNDECIDED, "guess",
				 "ports were guessed, and no single NAT's table on either side "
				 "shows whether a guess was right");
	of_a = count_flows(a, b, &met, &has_met);
	of_b = count_flows(b, a, &mirror, &has_mirror);
	if (has_met)
		return proof_add(proof, UNDECIDED, "guess",
				 "a guess was right: both NATs tracked packets between %s and %s, "
				 "so there should be a path",
				 endpoint_format(&met.outside, out),
				 endpoint_format(&met.remote, to));
	return proof_add(proof, HELD, "guess",
			 "ports were guessed with a chance of %.3g %%, and no guess was right: of "
			 "the %zu flows that %s tracked and the %zu of %s, no two meet",
			 chance_of(a->peer) * 100, of_a, a->router, of_b, b->router);
}
