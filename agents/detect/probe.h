/* SPDX-License-Identifier: MIT */
/* The questions of a detection: what each is called, where it leaves from, and its bytes. */
#ifndef NATSIM_AGENTS_DETECT_PROBE_H
#define NATSIM_AGENTS_DETECT_PROBE_H

#include "agents/net/random.h"
#include "agents/stun/message.h"
#include "agents/stun/transaction.h"

/* Each test has a socket of its own, so that no test sees what another one opened. */
enum detect_socket { SOCKET_MAPPING, SOCKET_CHANGE_BOTH, SOCKET_CHANGE_PORT, SOCKET_COUNT };

enum detect_probe {
	PROBE_PRIMARY,     /* mapping Test I: A1:P1 */
	PROBE_ADDRESS,     /* mapping Test II: A2:P1 */
	PROBE_BOTH,        /* mapping Test III: A2:P2 */
	PROBE_PORT,        /* A1:P2: has it a voice at all? */
	PROBE_CHANGE_BOTH, /* filtering Test II, and its control */
	PROBE_CONTROL_BOTH,
	PROBE_CHANGE_PORT, /* filtering Test III, and its control */
	PROBE_CONTROL_PORT,
	PROBE_COUNT
};

struct probe {
	uint8_t id[STUN_ID_SIZE];
	bool running; /* asked, and neither answered nor given up */
	bool answered, failed;
	struct endpoint to, mapped;
	struct transaction transaction; /* not for PROBE_CHANGE_* and PROBE_CONTROL_* */
	uint64_t first_sent;
	unsigned int sent;
};

struct detect_packet {
	enum detect_socket by;
	struct endpoint to;
	size_t length;
	uint8_t bytes[STUN_HEADER_SIZE + 8];
};

/* For people. */
const char *probe_name(enum detect_probe which);

enum detect_socket probe_socket(enum detect_probe which);

/* A new question to @to, with an id of its own; it has not been asked yet. */
void probe_make(struct probe *probe, const struct endpoint *to, const struct random_source *random);

/* Write it down, and note at @now that it was sent (again). */
void probe_emit(struct probe *probe, enum detect_probe which, uint64_t now,
		struct detect_packet *ret);

#endif
