/* SPDX-License-Identifier: MIT */
#include "agents/detect/classify.h"

#include <assert.h>

static const char *const type_names[] = {
	[TYPE_UNKNOWN] = "unknown",
	[TYPE_OPEN_INTERNET] = "open-internet",
	[TYPE_UDP_BLOCKED] = "udp-blocked",
	[TYPE_SYMMETRIC_FIREWALL] = "symmetric-firewall",
	[TYPE_FULL_CONE] = "full-cone",
	[TYPE_RESTRICTED_CONE] = "restricted-cone",
	[TYPE_PORT_RESTRICTED_CONE] = "port-restricted-cone",
	[TYPE_SYMMETRIC] = "symmetric",
};
static_assert(sizeof(type_names) / sizeof(*type_names) == TYPE_COUNT, "every type has a name");

static const char *const behaviour_names[] = {
	[BEHAVIOUR_UNKNOWN] = "unknown",
	[BEHAVIOUR_ENDPOINT_INDEPENDENT] = "endpoint-independent",
	[BEHAVIOUR_ADDRESS_DEPENDENT] = "address-dependent",
	[BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT] = "address-and-port-dependent",
};
static_assert(sizeof(behaviour_names) / sizeof(*behaviour_names) == BEHAVIOUR_COUNT,
	      "every behaviour has a name");

const char *nat_type_name(enum nat_type type)
{
	return type_names[type];
}

const char *behaviour_name(enum behaviour behaviour)
{
	return behaviour_names[behaviour];
}

/* RFC 5780 section 4.3. */
static enum behaviour mapping_of(const struct observation *seen)
{
	if (!seen->has_address)
		return endpoint_equal(&seen->primary, &seen->local) ? BEHAVIOUR_ENDPOINT_INDEPENDENT
								    : BEHAVIOUR_UNKNOWN;
	if (endpoint_equal(&seen->address, &seen->primary))
		return BEHAVIOUR_ENDPOINT_INDEPENDENT;
	if (!seen->has_both)
		return BEHAVIOUR_UNKNOWN;
	return endpoint_equal(&seen->both, &seen->address) ? BEHAVIOUR_ADDRESS_DEPENDENT
							   : BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT;
}

/* RFC 5780 section 4.4. */
static enum behaviour filtering_of(const struct observation *seen)
{
	if (seen->change_both == ANSWER_CAME)
		return BEHAVIOUR_ENDPOINT_INDEPENDENT;
	if (seen->change_both == ANSWER_UNDECIDED || seen->change_port == ANSWER_UNDECIDED)
		return BEHAVIOUR_UNKNOWN;
	return seen->change_port == ANSWER_CAME ? BEHAVIOUR_ADDRESS_DEPENDENT
						: BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT;
}

/*
 * RFC 3489 section 10.1, figure 2. Its Test I to the changed address is Test III of
 * the mapping tests here: both go to A2:P2.
 */
static enum nat_type type_of(const struct observation *seen)
{
	if (seen->change_both == ANSWER_UNDECIDED)
		return TYPE_UNKNOWN;
	if (endpoint_equal(&seen->primary, &seen->local))
		return seen->change_both == ANSWER_CAME ? TYPE_OPEN_INTERNET
							: TYPE_SYMMETRIC_FIREWALL;
	if (seen->change_both == ANSWER_CAME)
		return TYPE_FULL_CONE;
	if (!seen->has_both)
		return TYPE_UNKNOWN;
	if (!endpoint_equal(&seen->both, &seen->primary))
		return TYPE_SYMMETRIC;
	switch (seen->change_port) {
	case ANSWER_CAME:
		return TYPE_RESTRICTED_CONE;
	case ANSWER_SILENCE:
		return TYPE_PORT_RESTRICTED_CONE;
	case ANSWER_UNDECIDED:
		break;
	}
	return TYPE_UNKNOWN;
}

struct finding classify(const struct observation *seen)
{
	struct finding finding = {0};

	if (!seen->reached) {
		finding.type = seen->blocked ? TYPE_UDP_BLOCKED : TYPE_UNKNOWN;
		return finding;
	}
	finding.nat = !endpoint_equal(&seen->primary, &seen->local);
	finding.mapping = mapping_of(seen);
	finding.filtering = filtering_of(seen);
	finding.type = type_of(seen);
	return finding;
}
