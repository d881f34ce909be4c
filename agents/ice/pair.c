/* SPDX-License-Identifier: MIT */
#include "agents/ice/pair.h"

const char *ice_type_name(enum ice_type type)
{
	switch (type) {
	case ICE_HOST:
		return "host";
	case ICE_SERVER_REFLEXIVE:
		return "server-reflexive";
	case ICE_PEER_REFLEXIVE:
		return "peer-reflexive";
	case ICE_RELAYED:
		return "relayed";
	}
	return "?";
}

struct endpoint ice_public(const struct ice_candidates *candidates)
{
	return candidates->reflexive.port != 0 ? candidates->reflexive : candidates->host;
}

bool ice_pair_is_relayed(const struct ice_pair *pair)
{
	return pair->local == ICE_RELAYED || pair->remote == ICE_RELAYED;
}

const char *ice_pair_technique(const struct ice_pair *pair, const struct ice_candidates *ours,
			       const struct ice_candidates *theirs)
{
	bool we = ours->reflexive.port != 0, they = theirs->reflexive.port != 0;

	if (ice_pair_is_relayed(pair))
		return "turn";
	if (pair->local == ICE_HOST && pair->remote == ICE_HOST)
		return we || they ? "private" : "open";
	if (we && they && addr_equal(&ours->reflexive.addr, &theirs->reflexive.addr))
		return "hairpin";
	return "punch";
}
