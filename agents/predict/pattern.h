/* SPDX-License-Identifier: MIT */
/*
 * How a NAT chooses external ports, judged from those that successive probes were seen
 * with, and the ports it will choose next (RFC 4787 section 4.2, RFC 5128 section 3.5).
 */
#ifndef NATSIM_AGENTS_PREDICT_PATTERN_H
#define NATSIM_AGENTS_PREDICT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_SAMPLES_MAX = 64 };

/* One answered probe. */
struct port_sample {
	uint16_t internal; /* the port of the socket that asked */
	uint16_t external; /* as the answer said */
	unsigned int
		order; /* its place among all probes, lost ones included, as they were first sent */
};

enum port_choice {
	PATTERN_UNKNOWN,    /* too little was seen */
	PATTERN_PRESERVING, /* "preserving": the external port is the internal one */
	PATTERN_SEQUENTIAL, /* "sequential": each is `step` beyond the one before */
	PATTERN_RANDOM,     /* "random" */
};

struct port_pattern {
	enum port_choice choice; /* of a socket's first mapping */
	double confidence;       /* in that, 0 to 1 */

	/* Of a further mapping of a socket that has one: as `choice`, unless it is preserving and
	 * only the first could keep its port. This is what is predicted. */
	enum port_choice next;
	double next_confidence;
	int step; /* where one of them is PATTERN_SEQUENTIAL; not 0 */

	/* A socket had one external port towards several destinations: an endpoint-independent
	 * mapping as far as was seen. The next port of such a socket is no new one. */
	bool fixed;

	unsigned int mappings;  /* distinct ones that were seen */
	unsigned int strangers; /* with `step`: ports that others took in between */
	uint16_t internal;      /* of the newest probe */
	uint16_t last;          /* the newest mapping's external port */
	uint16_t low, high;     /* with `step`: where it turns round, 1024 and 65535 if not seen */
};

/*
 * Judge @count samples (at most PATTERN_SAMPLES_MAX count) in any sequence. Two with the
 * same internal and external port are one mapping that was used twice.
 */
struct port_pattern pattern_judge(const struct port_sample *samples, size_t count);

/*
 * The @count most likely external ports, in order, of the socket that probed last
 * towards a destination not probed yet, after @others more mappings that it does
 * not belong to. Returns how many were written to @ports: 0 where ports are drawn or
 * unknown, 1 where the port is fixed or kept.
 */
size_t pattern_predict(const struct port_pattern *pattern, unsigned int others, uint16_t *ports,
		       size_t count);

/* "unknown", "preserving", "sequential", "random". */
const char *port_choice_name(enum port_choice choice);

#endif
