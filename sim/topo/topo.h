/* SPDX-License-Identifier: MIT */
/*
 * The model of a topology file: what the user drew, checked and resolved.
 *
 * Everything refers by index into the arrays of struct topo, so the model can be
 * read in any order and nothing points in circles. topo_load() is the only way to
 * get one, and one that it returns is valid: later stages need not check again.
 */
#ifndef NATSIM_TOPO_TOPO_H
#define NATSIM_TOPO_TOPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/diag.h"
#include "nft-rules/nat.h"
#include "topo/agents.h"

/* What a file may ask for at most. Beyond is an error at the place, never a truncation. */
enum {
	TOPO_FILE_BYTES_MAX = 1 << 20,
	TOPO_NAME_MAX = 15, /* characters: a network's name is an interface's name (IFNAMSIZ) */
	TOPO_NETWORKS_MAX = 256,
	TOPO_NODES_MAX = 512,
	TOPO_INTERFACES_MAX = 32, /* per node */
	TOPO_ADDRESSES_MAX = 16,  /* per interface */
	TOPO_STEPS_MAX = 1024,
	TOPO_PROGRAMS_MAX = 64,     /* per step */
	TOPO_ARGUMENTS_MAX = 256,   /* per command */
	TOPO_EXPECTATIONS_MAX = 64, /* per program */
	TOPO_DEADLINE_MAX_MS = 3600 * 1000,
	TOPO_DEADLINE_DEFAULT_MS = 30 * 1000,
};

#define TOPO_NONE SIZE_MAX /* "no such index" */

struct place { /* in the topology file, from 1 */
	unsigned int line, column;
};

enum network_type {
	NETWORK_LAN,      /* one broadcast domain with a subnet */
	NETWORK_INTERNET, /* the routed core: every address behind a link of its own */
};

struct network {
	char *name;
	enum network_type type;
	struct prefix subnet; /* NETWORK_LAN only */
	bool isolated;        /* NETWORK_LAN only: hosts reach its routers, not each other */
	struct place place;
};

struct interface {
	size_t network;         /* index into topo.networks; the interface is named after it */
	struct addr *addresses; /* the first is the primary one */
	size_t address_count;
	struct place place;
};

struct node {
	char *name;
	struct interface *interfaces;
	size_t interface_count;
	bool router; /* forwards: has a NAT, or more than one interface */
	bool has_nat;
	struct nat nat; /* meaningful when has_nat */
	/* Resolved from the picture: the way towards the internet. */
	size_t uplink;  /* index of the interface that leads there, TOPO_NONE for none */
	size_t gateway; /* index of the node that is the next hop over uplink; TOPO_NONE on the
			   internet itself */
	struct addr gateway_address; /* its address there */
	struct place place;
};

enum expect_kind {
	EXPECT_EXIT,   /* exit status equals `number` */
	EXPECT_FAILS,  /* `flag`: it ran to its own end and the status was (not) non-zero */
	EXPECT_STDOUT, /* POSIX extended regular expression `text` matches somewhere */
	EXPECT_STDERR,
	EXPECT_FIELD, /* the agent's result has `field`, and its value equals the one here */
};

enum expect_type { EXPECT_TEXT, EXPECT_NUMBER, EXPECT_BOOLEAN };

struct expectation {
	enum expect_kind kind;
	char *field; /* EXPECT_FIELD: its name; dots reach into objects ("public.address") */
	enum expect_type type; /* which of the three below holds the value */
	char *text;
	double number;
	bool flag;
	struct place place;
};

/* One `--NAME VALUE` of an agent; a boolean true is `--NAME` alone. (Not "option": getopt has that
 * name.) */
struct program_option {
	char *name;
	char *value; /* NULL for a flag */
};

struct program {
	size_t node;
	const struct agent *agent; /* NULL for a command */
	struct program_option
		*options; /* of an agent: as the file gives them, then what was filled in */
	size_t option_count;
	char **argv; /* of a command: NULL-terminated, at least one element */
	char *ready; /* of a started command: the POSIX extended regular expression of the line on
		      * stdout that says it is ready; NULL: it is as soon as it runs */
	char *name;  /* `as:`, by which stop and wait find it; default "NODE/AGENT" or
			"NODE/argv[0]'s last part" */
	unsigned int deadline_ms;
	struct expectation *expectations;
	size_t expectation_count;
	struct place place;
};

enum step_kind {
	STEP_START, /* in the background; goes on when it is ready */
	STEP_RUN,   /* one or several at once; goes on when all have ended */
	STEP_STOP,  /* SIGTERM a started program, goes on when it has ended */
	STEP_WAIT,  /* goes on when a started program has ended by itself */
};

struct step {
	enum step_kind kind;
	struct program *programs; /* STEP_START, STEP_RUN */
	size_t program_count;
	size_t target_step, target_program; /* STEP_STOP, STEP_WAIT: which started program */
	unsigned int deadline_ms;           /* STEP_STOP, STEP_WAIT */
	struct expectation *expectations;   /* STEP_STOP, STEP_WAIT: on the target's end */
	size_t expectation_count;
	struct place place;
};

struct topo {
	char *file; /* as given, for messages */
	char *name;
	char *description; /* the comment or `description:` at the top, or NULL */
	struct network *networks;
	size_t network_count;
	size_t internet; /* index of the NETWORK_INTERNET, TOPO_NONE when the file has none */
	struct node *nodes;
	size_t node_count;
	struct step *steps;
	size_t step_count;
	char **rule_files; /* paths of files that NATs load; struct nat borrows them */
	size_t rule_file_count;
};

/*
 * Load, check and resolve @path ("-" is standard input).
 *
 * Returns 0 and a model the caller frees, or -errno with every mistake of the file
 * in @d, each at its place (-EINVAL), or why it cannot be read. Warnings may be in
 * @d even on success.
 */
int topo_load(const char *path, struct topo **ret, struct diag *d);

/* The same from memory; @file is the name used in messages. What the fuzzer calls. */
int topo_load_text(const char *file, const char *text, size_t length, struct topo **ret,
		   struct diag *d);

void topo_free(struct topo *topo);
DEFINE_CLEANUP(struct topo *, topo_free)

/* Index of the node called @name, or TOPO_NONE. */
size_t topo_find_node(const struct topo *topo, const char *name);

/* Whether @program is an agent that runs until it is stopped, in the role it is given. */
bool program_serves(const struct program *program);

/*
 * Whether @node, which is on @network, is one of those whose packets do not reach each other there:
 * the network is isolated, and @node is no router of it, but goes out through it (or, where
 * nothing leads to an internet, forwards nothing).
 */
bool topo_is_kept_apart(const struct topo *topo, size_t network, size_t node);

/* The interface of @node on @network, or NULL. */
const struct interface *topo_interface_on(const struct node *node, size_t network);

#endif
