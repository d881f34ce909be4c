/* SPDX-License-Identifier: MIT */
/* Why there is no connection (any more), from what was seen, in words. */
#ifndef NATSIM_AGENTS_TCP_WHY_H
#define NATSIM_AGENTS_TCP_WHY_H

#include "agents/tcp/punch.h"

void why_none(const struct tcp_punch *punch, char *text, size_t size);
void why_lost(const struct tcp_punch *punch, char *text, size_t size);

#endif
