/* SPDX-License-Identifier: MIT */
/* What is to be done at moments of its own while something else is waited for. */
#ifndef NATSIM_CONFORM_AGENDA_H
#define NATSIM_CONFORM_AGENDA_H

#include "conform/hold.h"
#include "conform/lots.h"
#include "conform/stray.h"

/* Somebody who says something every few milliseconds, for as long as @speaker is there. */
struct chat {
	struct speaker *speaker; /* NULL: silence */
	bool inbound;            /* it is the peer, to @at */
	struct endpoint at;
	uint64_t next;
};

/* Borrowed; each may be NULL. */
struct agenda {
	struct lot *lots;
	size_t lot_count;
	struct chat *chats;
	size_t chat_count;
	struct hold *hold;
	struct stray *stray; /* to be looked at often */
};

/* Do what is due until @moment comes; UINT64_MAX: until there is nothing left to ask. */
void agenda_until(const struct agenda *agenda, uint64_t moment);

#endif
