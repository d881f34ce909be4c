/* SPDX-License-Identifier: MIT */
/* Why a punch came to nothing, from what was and was not seen, for people. */
#ifndef NATSIM_AGENTS_PUNCH_REASON_H
#define NATSIM_AGENTS_PUNCH_REASON_H

#include "agents/punch/punch.h"

/* No path was found: before @punch leaves the phase in which it ended. */
void reason_none(const struct punch *punch, char *buffer, size_t size);

/* A path was found, and is no more. */
void reason_lost(const struct punch *punch, char *buffer, size_t size);

#endif
