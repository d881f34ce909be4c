/* SPDX-License-Identifier: MIT */
/* Part of probe_lifetimes(): what refreshes a UDP mapping, of an idle flow and of a busy one. */
#ifndef NATSIM_CONFORM_REFRESH_H
#define NATSIM_CONFORM_REFRESH_H

#include "conform/agenda.h"
#include "conform/observed.h"

/* A lifetime: this long for certain, and no longer than that; ms. */
struct life {
	uint64_t least, most;
};

/* What one socket, or its peer, did at which moment, and whether the peer got in at last. */
struct refresh {
	bool busy, inbound, warm;
	struct speaker speaker;
	struct busy flow;
	struct endpoint at;
	bool tried, alive, known;
	uint64_t born, refreshed[2], asked[2];
};

enum { REFRESHES = 4, REFRESHES_BUSY = 2 };

/* Must not be moved. */
struct refreshes {
	struct speech speech;
	struct refresh each[REFRESHES];
	struct chat chats[REFRESHES_BUSY];
};

/* With @busy, busy flows are tried, too: they send what comes first. */
void refreshes_begin(struct bed *bed, bool busy, struct refreshes *ret);
/*
 * Try, BUSY_PAUSE_MS after that, and again while the machine was too busy to know; meanwhile
 * @agenda, whose chats are these, is attended to.
 */
void refreshes_try(struct refreshes *r, const struct life *life, const struct agenda *agenda,
		   struct observed *o);
/* Nothing is known, for this reason. */
void refreshes_unseen(struct observed *o, const char *reason);

#endif
