/* SPDX-License-Identifier: MIT */
/* UDP flows of thousands of packets, in which none may be treated otherwise than the first. */
#ifndef NATSIM_CONFORM_BUSY_H
#define NATSIM_CONFORM_BUSY_H

#include "conform/observed.h"
#include "conform/speech.h"

enum {
	BUSY_PACKETS = 5000, /* each way */
	BUSY_PAUSE_MS = 110, /* then a NAT may look at the flow again, and know it by now */
	BUSY_AGAIN = 200,    /* packets after that */
};

/* One way of a flow: what was sent, and what became of it. */
struct busy_way {
	unsigned int sent, arrived;
	unsigned int changed; /* the first packet that was: the how manieth to arrive */
	const char *how;      /* what was changed about it; NULL while nothing was */
	uint8_t ttl;          /* that the first one arrived with */
};

/* One flow; begins as zeros. */
struct busy {
	struct endpoint external; /* as the first packet was seen */
	struct busy_way out, in;
};

/*
 * Let @speaker send @count more packets to @port of @peer, which sends as many. Returns whether any
 * packet ever got out.
 */
bool busy_burst(struct speaker *speaker, size_t peer, uint16_t port, unsigned int count,
		struct busy *busy);

/* The probe of one such flow, which goes on while others are made. Must not be moved. */
struct busy_probe {
	struct speech speech;
	struct speaker speaker;
	struct busy busy;
	uint64_t again;
};

void busy_begin(struct bed *bed, struct busy_probe *ret);
/* Writes nothing down about one that never began. */
void busy_end(struct busy_probe *probe, struct observed *o);

#endif
