/* SPDX-License-Identifier: MIT */
/*
 * Asking a STUN server from several sockets and at its several endpoints which external
 * ports they have, one question after the other, so that the order of the questions is
 * the order in which the NAT chose. Fed with time and datagrams.
 */
#ifndef NATSIM_AGENTS_PREDICT_MEASURE_H
#define NATSIM_AGENTS_PREDICT_MEASURE_H

#include "agents/detect/classify.h"
#include "agents/detect/probe.h"
#include "agents/predict/pattern.h"

enum {
	MEASURE_SOCKETS_MAX = 12,
	MEASURE_QUESTIONS_MAX = MEASURE_SOCKETS_MAX + 3, /* of the main one: 3 endpoints more */
};

struct measure_config {
	struct endpoint server;
	/* The sockets' numbers and internal ports, the main one first: it is asked about last. */
	size_t sockets[MEASURE_SOCKETS_MAX];
	uint16_t internal[MEASURE_SOCKETS_MAX];
	size_t socket_count;
	struct endpoint rendezvous; /* towards whom the main one was seen as `seen` before */
	struct endpoint seen;
	uint64_t round_trip; /* what is known of it; 0 for nothing */
	struct random_source random;
};

struct measure {
	struct measure_config config;
	struct probe questions[MEASURE_QUESTIONS_MAX];
	size_t count, current;
	uint64_t first, limit; /* until a question is repeated, and until it is given up */
	bool over;
};

void measure_start(struct measure *measure, const struct measure_config *config, uint64_t now);

/* The next datagram at @now; call until false. */
bool measure_send(struct measure *measure, uint64_t now, struct datagram *ret);
uint64_t measure_due(const struct measure *measure); /* UINT64_MAX when it is over */

/* False for what is no answer to a question of ours. */
bool measure_receive(struct measure *measure, const struct endpoint *from,
		     const struct stun_message *message, uint64_t now);

/* How the NAT chooses ports, judged from all sockets. */
struct port_pattern measure_pattern(const struct measure *measure);

/*
 * The main socket's mapping, as far as could be told: BEHAVIOUR_UNKNOWN when fewer than
 * two destinations are known. One external port towards all of them is taken for
 * endpoint-independent, one towards each address for address-dependent.
 */
enum behaviour measure_mapping(const struct measure *measure);

unsigned int measure_sent(const struct measure *measure);

#endif
