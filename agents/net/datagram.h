/* SPDX-License-Identifier: MIT */
/* What a core wants sent: its sockets are numbers to it. */
#ifndef NATSIM_AGENTS_NET_DATAGRAM_H
#define NATSIM_AGENTS_NET_DATAGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum { DATAGRAM_MAX = 2048 }; /* more than any Ethernet carries unfragmented */

struct datagram {
	size_t socket; /* from which of the core's sockets */
	struct endpoint to;
	size_t length;
	uint8_t bytes[DATAGRAM_MAX];
};

#endif
