/* SPDX-License-Identifier: MIT */
/* Which way of a race is talked over, and when it is time to say. */
#ifndef NATSIM_AGENTS_CONNECT_CHOICE_H
#define NATSIM_AGENTS_CONNECT_CHOICE_H

#include "agents/connect/race.h"

/* Do we choose, of the two peers? Only meaningful once they have met. */
bool choice_is_ours(const struct race *race);

/* The way to be talked over, with true, when it is not too early to say. */
bool choice_find(const struct race *race, uint64_t now, enum race_way *ret);

/* When to look again if nothing happens; UINT64_MAX: something has to. */
uint64_t choice_due(const struct race *race);

/* Ten round trips to the rendezvous, within bounds: what something that works would need. */
uint64_t choice_window(const struct race *race);

#endif
