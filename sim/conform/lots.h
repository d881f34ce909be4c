/* SPDX-License-Identifier: MIT */
/*
 * Sockets that are opened at one time, to be asked at different ages whether their peers still get
 * in: the last that does and the first that does not enclose a lifetime.
 */
#ifndef NATSIM_CONFORM_LOTS_H
#define NATSIM_CONFORM_LOTS_H

#include "conform/busy.h"
#include "conform/endings.h"
#include "conform/observed.h"
#include "conform/speech.h"

enum lot_kind {
	LOT_IDLE,      /* one packet, or a connection, and then silence */
	LOT_BUSY,      /* UDP: thousands of packets before it, see lot_warm() */
	LOT_HALF_OPEN, /* TCP: a SYN that nobody answers; a SYN from there asks */
	LOT_CLOSED,    /* TCP: closed by both sides */
	LOT_RESET,     /* TCP: reset by the peer */
	LOT_KINDS
};

enum { LOT_MAX = 48, LOT_BUSY_MAX = 4 };

struct lot {
	struct speech speech;
	enum lot_kind kind;
	bool open;                  /* every socket got out */
	size_t count, asked;        /* sockets, and how many of them have been asked */
	unsigned int ages[LOT_MAX]; /* ms */
	struct speaker speakers[LOT_MAX];
	struct endpoint external[LOT_MAX];
	struct busy busy[LOT_BUSY_MAX];
	uint64_t born[LOT_MAX][2]; /* between these two moments */
	int near, far;             /* LOT_HALF_OPEN: they see SYNs on either side */
	struct endings endings;    /* LOT_CLOSED, LOT_RESET */
	struct ended ended[LOT_MAX];
	int last_alive, first_dead; /* ms; 0 for none yet */
};

/* Ages that grow by a twentieth up to @bound_ms, for a lifetime of which nothing is known. */
void lot_ages_up_to(struct lot *lot, unsigned int bound_ms);
/* Twentieths of a lifetime that is known, to see whether this one is the same. */
void lot_ages_around(struct lot *lot, unsigned int life_ms);
/* As few as tell that to a tenth; the lifetime is between these two. */
void lot_ages_at(struct lot *lot, unsigned int least_ms, unsigned int most_ms);

/* Let the sockets of a busy lot that has its ages send what comes first. */
void lot_warm(struct bed *bed, struct lot *lot);

/* Open the sockets of a lot that has its ages. Asks nothing where the protocol does not pass. */
void lot_open(struct bed *bed, enum nat_protocol protocol, enum lot_kind kind,
	      const struct observed *o, struct lot *lot);
/* When the next socket is to be asked; UINT64_MAX when all have been. */
uint64_t lot_due(const struct lot *lot);
/* Ask it, when it is time. */
void lot_ask(struct lot *lot);
void lot_see(const struct lot *lot, struct observed *o);

#endif
