/* SPDX-License-Identifier: MIT */
/* What guessing ports (aim.h) changes in a punch: what is sent first, what besides, how long. */
#ifndef NATSIM_AGENTS_PUNCH_GUESSING_H
#define NATSIM_AGENTS_PUNCH_GUESSING_H

#include "agents/punch/punch.h"

/*
 * Both may begin: decide what is guessed, and put that before all other candidates, unless a path
 * shows already. False when nothing is to be guessed.
 */
bool guessing_aim(struct punch *punch, uint64_t now);

/* The first check of a path of which nobody has heard yet; until something was heard. */
bool guessing_send(struct punch *punch, uint64_t now, struct datagram *ret);
uint64_t guessing_due(const struct punch *punch);

#endif
