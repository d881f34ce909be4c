/* SPDX-License-Identifier: MIT */
/* UDP flows of hundreds of packets, in which none may be treated otherwise than the first. */
#ifndef NATSIM_CONFORM_BUSY_H
#define NATSIM_CONFORM_BUSY_H

#include "conform/observed.h"
#include "conform/speech.h"

enum {
	BUSY_PACKETS = 5000,
	BUSY_PAUSE_MS = 110, /* then a NAT may look at the flow again, and know it by now */
	BUSY_AGAIN = 200,    /* packets after that */
};

/* One flow; begins as zeros. */
struct busy {
	struct endpoint external;                   /* as the first packet was seen */
	uint8_t ttl;                                /* that it arrived with */
	unsigned int sent, arrived, asked, answers; /* packets, and replies to some of them */
	unsigned int changed; /* the first packet that was: the how manieth to arrive */
	const char *how;      /* what was changed about it; NULL while nothing was */
};

/*
 * Let @speaker send @count more packets to @port of @peer, which replies to some of them. Returns
 * whether any packet ever arrived.
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
