/* SPDX-License-Identifier: MIT */
/* The ways of a race, alike: what each state machine says in its own words, asked in one. */
#ifndef NATSIM_AGENTS_CONNECT_WAYS_H
#define NATSIM_AGENTS_CONNECT_WAYS_H

#include "agents/connect/race.h"

/* It has ended, with a path or without; its last words may still be to be said. */
bool way_is_over(const struct race *race, enum race_way way);

/* Over, and nothing is left to be said. */
bool way_is_quiet(const struct race *race, enum race_way way);

/* Works, and waits to be chosen. */
bool way_is_settled(const struct race *race, enum race_way way);

/* Both have said "dialled": from here on packets go to the peer. */
bool way_has_gone(const struct race *race, enum race_way way);

/* NULL before there is one. */
struct path *way_path(struct race *race, enum race_way way);

/* Why there is no path, or none any more. */
const char *way_reason(const struct race *race, enum race_way way);

/* It is not needed any more: what is left is to be given back. */
void way_drop(struct race *race, enum race_way way, uint64_t now);

#endif
