/* SPDX-License-Identifier: MIT */
/*
 * A proof: the parts that together make an observation certain, each judged.
 */
#ifndef NATSIM_VERDICT_PROOF_H
#define NATSIM_VERDICT_PROOF_H

#include <stddef.h>

#include "observe/timeline.h"
#include "topo/topo.h"

enum outcome { HELD, UNDECIDED, BROKEN }; /* in the order of weight */

const char *outcome_name(enum outcome outcome); /* "held", ... */

struct proof_line {
	enum outcome outcome;
	const char *part; /* what it is about: "report", "flow", ... as listed below */
	char *text;       /* one sentence without full stop */
};

struct proof {
	struct proof_line *lines;
	size_t count;
};

/* Append a line. Returns 0 or -ENOMEM. */
int proof_add(struct proof *proof, enum outcome outcome, const char *part, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void proof_clear(struct proof *proof);

/* The weightiest outcome of all lines; HELD for none. */
enum outcome proof_outcome(const struct proof *proof);

/*
 * Is the direct path that @run reports one? Appends a line for each part:
 *
 *   report  both peers say "direct", and each counted all the other's payload
 *   source  what each saw as source is the other's endpoint, according to the kernels on the way
 *   flow    every NAT on the way tracked packets between exactly these endpoints, both ways
 *   relay   nobody else can have carried the payload
 *   blind   the negative control came out as the declared filtering says
 */
int proof_direct(const struct topo *topo, const struct timeline *timeline, const struct run *run,
		 struct proof *proof);

/*
 * Is there truly no path, and why? Appends lines:
 *
 *   report  both peers say "none"
 *   tried   each knew the other's endpoint and, where a NAT shows it, sent there
 *   theory  the declared NATs allow none, and why
 *   guess   where ports were guessed: no guess was right, as the tables show
 *   mapping the mappings that show it
 */
int proof_none(const struct topo *topo, const struct timeline *timeline, const struct run *run,
	       struct proof *proof);

/* Only what the declared NATs make of TCP between the two, whatever they used. Line: theory. */
int proof_none_tcp(const struct topo *topo, const struct timeline *timeline, const struct run *run,
		   struct proof *proof);

/*
 * Is there truly no path of any kind, for two that tried every way? Appends the lines of
 * proof_none() for UDP, and:
 *
 *   tcp     it was not to be tried; or theory, as of proof_none_tcp()
 *   relay   nobody could have relayed
 */
int proof_none_every(const struct topo *topo, const struct timeline *timeline,
		     const struct run *run, struct proof *proof);

/*
 * The same for two that tried by ICMP, without a rendezvous. Appends lines: report, tried
 * (the listener's NAT tracked its pings), theory (which condition is not met).
 */
int proof_none_icmp(const struct topo *topo, const struct timeline *timeline, const struct run *run,
		    struct proof *proof);

/*
 * Is the relayed path that @run reports one? Appends lines:
 *
 *   report  both peers say "relayed" and how, and each counted all the other's payload
 *   relay   what relayed is the node that the file gave them as relay
 *   flow    every NAT on the way to it tracked as many packets as messages, both ways
 *   direct  no NAT saw the two talk without it
 */
int proof_relayed(const struct topo *topo, const struct timeline *timeline, const struct run *run,
		  struct proof *proof);

/* Did two that only want to be relayed find nobody who does? Lines: report, asked. */
int proof_none_relayed(const struct topo *topo, const struct timeline *timeline,
		       const struct run *run, struct proof *proof);

#endif
