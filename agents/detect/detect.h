/* SPDX-License-Identifier: MIT */
/*
 * NAT detection as a state machine: fed with time and datagrams, it says what to
 * send next, from which socket, and in the end what it found. It owns no socket
 * and no clock.
 */
#ifndef NATSIM_AGENTS_DETECT_DETECT_H
#define NATSIM_AGENTS_DETECT_DETECT_H

#include "agents/detect/classify.h"
#include "agents/detect/notes.h"
#include "agents/detect/probe.h"
#include "agents/detect/rtt.h"
#include "agents/detect/silence.h"
#include "agents/net/random.h"
#include "agents/net/say.h"

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

struct detect_config {
	struct endpoint server;
	const struct endpoint *local; /* what the sockets are bound to, by number: no wildcard */
	uint64_t timeout;             /* for any answer that has to come; nanoseconds */
	bool binding_only;            /* Test I and nothing else */
	struct random_source random;
	struct say say; /* what is going on, for people */
};

struct detect {
	struct detect_config config;
	uint64_t started, ended;
	bool done;
	struct probe probes[PROBE_COUNT];
	struct silence change_both, change_port;
	bool mapping_started;
	bool has_other;
	struct endpoint other; /* the server's OTHER-ADDRESS */
	struct rtt rtt;
	enum detect_probe queued; /* the control that goes right behind the last datagram;
				     PROBE_COUNT: none */
	unsigned int refusals;    /* ICMP errors for Test I */
	bool blocked, ports_changed;
	bool alg; /* MAPPED-ADDRESS was not what XOR-MAPPED-ADDRESS was: RFC 5780 section 3.6 */
	struct notes notes;
};

void detect_start(struct detect *detect, const struct detect_config *config, uint64_t now);

/* The next datagram to send at @now; call until false. */
bool detect_send(struct detect *detect, uint64_t now, struct datagram *ret);

/* When to call detect_send() again if nothing arrives; UINT64_MAX when done. */
uint64_t detect_due(const struct detect *detect);

void detect_receive(struct detect *detect, size_t socket, const struct endpoint *from,
		    const void *bytes, size_t length, uint64_t now);

/* An ICMP error came for a datagram to @to; @reporter is who sent it. */
void detect_refused(struct detect *detect, const struct endpoint *to, const struct addr *reporter,
		    int error, uint64_t now);

/* What the tests have seen; complete once `done`. */
struct observation detect_observation(const struct detect *detect);

/* Datagrams sent, and controls of the filtering tests that were never answered. */
unsigned int detect_sent(const struct detect *detect);
unsigned int detect_lost(const struct detect *detect);

/* How many controls of the filtering tests had their time by @now, and how many were lost. */
void detect_losses(const struct detect *detect, uint64_t now, unsigned int *trials,
		   unsigned int *lost);

/* For people. */
const char *detect_probe_name(enum detect_probe which);

/* ---- between detect.c, which asks, and answer.c, which reads the answers ---- */

/* Test I has been answered: the filtering tests may start, if the server can serve them. */
void detect_start_filtering(struct detect *detect, uint64_t now);

/* The verdict is complete as soon as nothing that is still open could change it. */
void detect_check_done(struct detect *detect, uint64_t now);

#endif
