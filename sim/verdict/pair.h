/* SPDX-License-Identifier: MIT */
/* Two programs that were to meet, and what each said about it. */
#ifndef NATSIM_VERDICT_PAIR_H
#define NATSIM_VERDICT_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "observe/timeline.h"
#include "topo/topo.h"

/* One end, from its result. An endpoint it did not name has no family; a count it did not name is
 * 0. */
struct peer {
	const struct run *run;
	size_t node;
	const char *name;                       /* the node's */
	const char *path;                       /* "" when it gave no result */
	const char *blind, *reason;             /* "" when not named */
	struct endpoint local, seen, told, met; /* own; own as the rendezvous saw it; the peer's as
						   told; the peer's as met on the path */
	uint64_t sent, received;
	uint64_t last_sent, last_received; /* of these, over the path as it was last found */
	uint8_t protocol;                  /* IPPROTO_TCP where it says so, else IPPROTO_UDP */
	bool silent; /* it was told to ask to be called, and to send nothing before */
};

struct pair {
	struct peer a, b; /* a is the one asked about */
	bool complete;    /* both were found */
};

/*
 * The pair that @run belongs to: the other program with the same agent and the same
 * `session`, in the same step if there is one, else the only one anywhere.
 */
struct pair pair_of(const struct topo *topo, const struct timeline *timeline,
		    const struct run *run);

/* Further fields of a result, "" or without a family when it has none; and an option of the file's,
 * "" when not given. */
const char *pair_text(const struct peer *peer, const char *field);
struct endpoint pair_endpoint(const struct peer *peer, const char *field);
const char *pair_option(const struct topo *topo, const struct peer *peer, const char *name);

/* Was @peer given the flag @name? */
bool pair_flag(const struct topo *topo, const struct peer *peer, const char *name);

/* The tables of the routers when both had ended: the earliest such snapshot, else the last ones. */
void pair_tables(const struct timeline *timeline, const struct pair *pair,
		 const struct router_view **ret, size_t *ret_count);

/* The last that were read before the two began; none, where none were. */
void pair_tables_before(const struct timeline *timeline, const struct pair *pair,
			const struct router_view **ret, size_t *ret_count);

#endif
