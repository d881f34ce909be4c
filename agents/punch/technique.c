/* SPDX-License-Identifier: MIT */
#include "agents/punch/technique.h"

static bool is_own(const struct addr *addr, const struct endpoint *privates, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (addr_equal(addr, &privates[i].addr))
			return true;
	}
	return false;
}

static bool share_a_nat(const struct introduction *introduction, const struct endpoint *privates,
			size_t private_count)
{
	const struct addr *outside = &introduction->mapped.addr;

	return addr_equal(outside, &introduction->peer_public.addr) &&
	       !is_own(outside, privates, private_count) &&
	       !is_own(outside, introduction->privates, introduction->private_count);
}

enum technique technique_of(uint32_t own, uint32_t theirs, const struct introduction *introduction,
			    const struct endpoint *privates, size_t private_count)
{
	if ((own | theirs) & SIGHT_PRIVATELY)
		return TECHNIQUE_PRIVATE;
	if ((own | theirs) & SIGHT_MAPPED)
		return TECHNIQUE_PORT_MAPPING;
	if (share_a_nat(introduction, privates, private_count))
		return TECHNIQUE_HAIRPIN;
	if ((own | theirs) & SIGHT_CALLED)
		return TECHNIQUE_REVERSAL;
	if (own & theirs & SIGHT_DIALLED)
		return TECHNIQUE_OPEN;
	if ((own | theirs) & SIGHT_DIALLED)
		return TECHNIQUE_REVERSAL;
	if ((own | theirs) & SIGHT_PREDICTED)
		return TECHNIQUE_PREDICTION;
	return (own | theirs) & SIGHT_DRAWN ? TECHNIQUE_BIRTHDAY : TECHNIQUE_PUNCH;
}

const char *technique_name(enum technique technique)
{
	switch (technique) {
	case TECHNIQUE_PRIVATE:
		return "private";
	case TECHNIQUE_PORT_MAPPING:
		return "port-mapping";
	case TECHNIQUE_HAIRPIN:
		return "hairpin";
	case TECHNIQUE_OPEN:
		return "open";
	case TECHNIQUE_REVERSAL:
		return "reversal";
	case TECHNIQUE_PREDICTION:
		return "prediction";
	case TECHNIQUE_BIRTHDAY:
		return "birthday";
	case TECHNIQUE_PUNCH:
		return "punch";
	}
	return "unknown";
}
