/* SPDX-License-Identifier: MIT */
/*
 * Inside the loader: the layers that turn a YAML tree into the model, in the
 * order in which topo_load_text() calls them.
 *
 * Node i of the model is entry i of the file's map of nodes (networks likewise),
 * also when its definition has mistakes, so that whatever refers to it by name
 * is still understood. Each returns 0 or -ENOMEM; mistakes are counted in the source.
 */
#ifndef NATSIM_TOPO_LOADER_H
#define NATSIM_TOPO_LOADER_H

#include "topo/source.h"
#include "topo/topo.h"
#include "topo/yaml.h"

struct own_nat;

struct loader {
	struct source *source;
	struct topo *topo;
	/* The file's sections: mappings, or NULL when absent or no mapping. */
	const struct yaml *networks;
	const struct yaml *nodes;
	const struct yaml *steps; /* a sequence */
	size_t *wanted_gateways;  /* for each node, what its `gateway:` names, or TOPO_NONE */
	struct own_nat *nats;     /* the file's `nats:` */
	size_t nat_count;
	bool picture_is_good; /* no mistake up to and with the networks and nodes */
};

/* networks.c */
int load_networks(struct loader *loader);

/* nodes.c */
int load_nodes(struct loader *loader);
void check_unused_networks(struct loader *loader);
void check_isolated_networks(struct loader *loader); /* uplinks are resolved */
/* The key that names interface @i of node @node, for messages about it. */
const struct yaml *interface_key(const struct loader *loader, size_t node, size_t i);

/* nat.c */
int load_nats(struct loader *loader, const struct yaml *map);
int load_nat(struct loader *loader, const struct yaml *value, struct node *node);
void check_unused_nats(struct loader *loader);

/* forwards.c: what NATs say about the picture; needs uplinks */
void check_nats(struct loader *loader);

/* resolve.c: needs a good picture */
int resolve_uplinks(struct loader *loader);

/* realms.c: needs uplinks */
int check_realms(struct loader *loader);

/* steps.c */
int load_steps(struct loader *loader);

/* programs.c: one program of a `start` or `run` @step, which has those before it already */
int load_program(struct loader *loader, const struct yaml *value, struct step *step,
		 struct program *program);

/* options.c: the options an agent is given, and those it is filled in with */
int load_options(struct loader *loader, const struct yaml *map, const char *const other_keys[],
		 struct program *program);
int fill_options(struct loader *loader, const struct yaml *map, struct program *program);

/*
 * expect.c: append the expectations in @value (NULL: none) to *list. @agent judges
 * which fields there are; NULL is a command's, which has none.
 */
int load_expectations(struct loader *loader, const struct yaml *value, const struct agent *agent,
		      struct expectation **list, size_t *count);
/* Also `ready:`'s: false after telling why @text is no usable POSIX extended expression. */
bool check_expression(struct loader *loader, const struct yaml *value, const char *text);

/* Grow *array by one zeroed element of @size. Returns it, or NULL without memory. */
void *array_add(void *array, size_t *count, size_t size);

#endif
