/* SPDX-License-Identifier: MIT */
/* How a TCP hole punch moves from phase to phase: what punch.c and act.c share. */
#ifndef NATSIM_AGENTS_TCP_PHASES_H
#define NATSIM_AGENTS_TCP_PHASES_H

#include "agents/tcp/punch.h"

/* From TCP_PUNCH_DIALLING on the peer and the pair's token are known. */
bool phases_has_peer(const struct tcp_punch *punch);

/* The meeting, or the path, may have moved on: so does the punch. */
void phases_follow_meeting(struct tcp_punch *punch, uint64_t now);
void phases_follow_path(struct tcp_punch *punch, uint64_t now);

/* Dial every endpoint of the peer from now on. */
void phases_start_punching(struct tcp_punch *punch, uint64_t now);

/* It is over, with one of the last three phases; the reason is written for two of them. */
void phases_finish(struct tcp_punch *punch, enum tcp_punch_phase phase, uint64_t now);

/* The open connection with @remote, TCP_CONNECTIONS if there is none. */
size_t phases_find_open(const struct tcp_punch *punch, const struct endpoint *remote);

#endif
