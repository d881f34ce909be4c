/* SPDX-License-Identifier: MIT */
/*
 * The built-in agents as the topology language knows them: their options, and what
 * natsim fills in from the picture when the file does not say it.
 *
 * The agents themselves know nothing of natsim; this table is the only place that
 * knows both sides.
 */
#ifndef NATSIM_TOPO_AGENTS_H
#define NATSIM_TOPO_AGENTS_H

#include <stdbool.h>
#include <stddef.h>

enum option_type {
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_NUMBER,   /* whole, not negative */
	OPTION_PORT,     /* whole, at most 65535 */
	OPTION_SECONDS,  /* a decimal number, fractions allowed */
	OPTION_ADDRESS,  /* an IP address or the name of a node */
	OPTION_ENDPOINT, /* either, with an optional ":PORT" */
};

/* What a missing option is filled with. */
enum option_fill {
	FILL_NONE,
	FILL_SET,               /* a flag that natsim needs to read what the agent says */
	FILL_OWN_ADDRESS,       /* the node's own primary address towards the internet */
	FILL_SECOND_ADDRESS,    /* its second address there, if it has one */
	FILL_STUN_SERVER,       /* where the newest earlier `start` of stun-server runs */
	FILL_STUN_TO_GUESS,     /* the same, for who is to guess ports; else nothing */
	FILL_RENDEZVOUS_SERVER, /* the same for rendezvous */
};

struct agent_option {
	const char *name; /* without the dashes */
	enum option_type type;
	enum option_fill fill;
	bool required; /* an error when neither given nor filled */
};

struct agent {
	const char *name; /* the program's file name too */
	const char *summary;
	bool server; /* runs until stopped: `start` is its place, and `run` is warned about */
	const struct agent_option *options; /* ends with a NULL name */
	const char *const *fields; /* of its result, ends with NULL: what can be expected of it */
};

extern const struct agent agents[];
extern const size_t agents_count;

const struct agent *agent_find(const char *name);
const struct agent_option *agent_option_find(const struct agent *agent, const char *name);

/* Whether the agent is a server in @role, its option of that name (NULL: it has none). */
bool agent_serves(const struct agent *agent, const char *role);

/* Whether the agent's result has @field; of a dotted name the first part counts. */
bool agent_has_field(const struct agent *agent, const char *field);

#endif
