/* SPDX-License-Identifier: MIT */
/*
 * Stray SYNs that wait for their answer (RFC 5382 REQ-4). Pure: fed with packets and time.
 *
 * A router keeps silent about a SYN that nothing admits, since the inside's own SYN may be about to
 * cross it. When the silence is over, whoever sent it should hear ICMP. An attempt to connect is
 * answered once: a repetition while the first SYN waits changes nothing.
 */
#ifndef NATSIM_LAB_STRAY_QUEUE_H
#define NATSIM_LAB_STRAY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	STRAY_QUEUE_MAX = 1024,   /* further ones stay unanswered */
	STRAY_QUOTE_MAX = 60 + 8, /* an IP header and 8 bytes (RFC 792) */
	STRAY_ERROR_MAX = 8 + STRAY_QUOTE_MAX,
};

struct stray_syn {
	struct endpoint from, at; /* who sent it, and to which external endpoint */
	uint64_t due;
	uint8_t quote[STRAY_QUOTE_MAX]; /* how it begins */
	size_t length;
};

/* First come, first due: all wait for the same time. Starts as all zeros, but for `silence`. */
struct stray_queue {
	uint64_t silence; /* nanoseconds */
	struct stray_syn syns[STRAY_QUEUE_MAX];
	size_t first, count;
};

/*
 * @packet, an IPv4 packet of which at least the start is there, has come at @now (nanoseconds on
 * any clock that does not go back). Returns whether it waits from now on: not what is no TCP, a
 * repetition, or one too many.
 */
bool stray_queue_add(struct stray_queue *queue, const uint8_t *packet, size_t length, uint64_t now);

/* When the next one is due; UINT64_MAX: none waits. */
uint64_t stray_queue_due(const struct stray_queue *queue);

/* Take out the next one that is due at @now. Returns false when none is. */
bool stray_queue_take(struct stray_queue *queue, uint64_t now, struct stray_syn *ret);

/* The ICMP message that answers: port unreachable, about @syn. Returns its length. */
size_t stray_error(const struct stray_syn *syn, uint8_t ret[STRAY_ERROR_MAX]);

#endif
