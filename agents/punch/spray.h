/* SPDX-License-Identifier: MIT */
/*
 * Which packet goes next when many own sockets try many ports of one address at a bounded
 * rate: the birthday attack's two halves, and a scan. Fed with time; what is in the
 * packets, and what becomes of an answer, is candidates.h's and its caller's.
 */
#ifndef NATSIM_AGENTS_PUNCH_SPRAY_H
#define NATSIM_AGENTS_PUNCH_SPRAY_H

#include <stdbool.h>

#include "agents/net/random.h"
#include "base/addr.h"

struct spray_config {
	struct endpoint to;  /* its port is tried too, first */
	size_t first_socket; /* own sockets, by number */
	size_t socket_count; /* at least 1 */
	uint16_t low, high;  /* ports to try besides: */
	uint32_t port_count; /* so many different ones of them; 0 for none */
	uint16_t first;      /* from here on by `step`, round the ends; in no order where */
	int step;            /* that is 0 */
	uint64_t rate;       /* packets a second, at least 1 */
	unsigned int rounds; /* how often all is sent before it is given up; 0 for ever */
	struct random_source random;
};

struct spray {
	struct spray_config config;
	uint64_t offset, stride; /* the permutation of the ports */
	uint64_t next, total;    /* packets of this round */
	uint64_t due, round_began;
	unsigned int rounds;
	uint64_t sent;
};

void spray_start(struct spray *spray, const struct spray_config *config, uint64_t now);

/* False when none is to be sent until spray_due(). */
bool spray_send(struct spray *spray, uint64_t now, size_t *ret_socket, struct endpoint *ret_to);
uint64_t spray_due(const struct spray *spray); /* UINT64_MAX when all rounds are over */

/* All has been sent as often as it should be, and time was given to answer the last. */
bool spray_exhausted(const struct spray *spray, uint64_t now);

#endif
