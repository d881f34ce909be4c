/* SPDX-License-Identifier: MIT */
/* What a punch begins with, once the rendezvous has introduced the peers to each other. */
#ifndef NATSIM_AGENTS_PUNCH_INTRODUCED_H
#define NATSIM_AGENTS_PUNCH_INTRODUCED_H

#include "agents/punch/punch.h"

/* The path, without candidates: the pair's seal, and how often to ask. */
void introduced_path(struct punch *punch);

/* Where the peer might be, as far as the rendezvous knows now; what is known already stays. */
void introduced_candidates(struct punch *punch, uint64_t now);

#endif
