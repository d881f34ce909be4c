/* SPDX-License-Identifier: MIT */
/*
 * NAT detection as a state machine: fed with time and datagrams, it says what to
 * send next, from which socket, and in the end what it found. It owns no socket
 * and no clock.
 */
#ifndef NATSIM_AGENTS_DETECT_DETECT_H
#define NATSIM_AGENTS_DETECT_DETECT_H

#include "agents/detect/classify.h"
#include "agents/detect/probe.h"
#include "agents/detect/silence.h"
#include "agents/net/random.h"

struct detect_config {
	struct endpoint server;
	struct endpoint local[SOCKET_COUNT]; /* what the sockets are bound to: no wildcard */
	uint64_t timeout;                    /* for any answer that has to come; nanoseconds */
	bool binding_only;                   /* Test I and nothing else */
	struct random_source random;
	void (*say)(void *context, const char *line); /* what is going on, for people; or NULL */
	void *say_context;
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
	uint64_t srtt, rttvar;
	bool clean_rtt;           /* they come from requests that were sent once */
	enum detect_probe queued; /* the control that goes right behind the last datagram;
				     PROBE_COUNT: none */
	unsigned int refusals;    /* ICMP errors for Test I */
	bool blocked, ports_changed;
	char reason[160]; /* the first that made something undecidable */
};

void detect_start(struct detect *detect, const struct detect_config *config, uint64_t now);

/* The next datagram to send at @now; call until false. */
bool detect_send(struct detect *detect, uint64_t now, struct detect_packet *ret);

/* When to call detect_send() again if nothing arrives; UINT64_MAX when done. */
uint64_t detect_due(const struct detect *detect);

void detect_receive(struct detect *detect, enum detect_socket socket, const struct endpoint *from,
		    const void *datagram, size_t length, uint64_t now);

/* An ICMP error came for a datagram to @to; @reporter is who sent it. */
void detect_refused(struct detect *detect, const struct endpoint *to, const struct addr *reporter,
		    int error, uint64_t now);

/* What the tests have seen; complete once `done`. */
struct observation detect_observation(const struct detect *detect);

/* Datagrams sent, and controls of the filtering tests that were never answered. */
unsigned int detect_sent(const struct detect *detect);
unsigned int detect_lost(const struct detect *detect);

#endif
