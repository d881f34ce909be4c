/* SPDX-License-Identifier: MIT */
/*
 * YAML text to a tree of plain values that know where they stand.
 *
 * How this works: libfyaml parses into events, and the tree is built from those
 * here, because that is where a hostile file is stopped: depth, keys of a map and
 * values in all (aliases counted as often as they are used) have limits, and
 * duplicate keys are told with the place of the first. libfyaml's own document
 * builder compares every key with every other without a limit and prints what it finds.
 *
 * An alias is the very node its anchor names, so the tree is a graph without
 * cycles; nodes belong to the document, not to their parents.
 */
#ifndef NATSIM_TOPO_YAML_H
#define NATSIM_TOPO_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/source.h"

enum {
	YAML_DEPTH_MAX = 32,
	YAML_KEYS_MAX = 1024,    /* of one map */
	YAML_NODES_MAX = 200000, /* of a document with its aliases written out */
	YAML_ANCHORS_MAX = 256,
};

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml {
	enum yaml_kind kind;
	struct span span;
	struct place place;
	char *text; /* scalar: NUL-terminated, without a NUL inside */
	bool plain; /* scalar: written without quotes, so it may be a number, a boolean or null */
	struct yaml **keys;  /* mapping: scalars, no two alike */
	struct yaml **items; /* sequence; of a mapping the values */
	size_t count;
	size_t weight;     /* nodes below and including this one, aliases written out */
	struct yaml *next; /* all nodes of a document */
};

struct yaml_document {
	struct yaml *nodes;
	struct yaml *root;
};

/*
 * Parse the whole of @source.
 *
 * Returns 0 with a document that the caller clears, also after mistakes that leave
 * something to read; its root is NULL when nothing is left. -ENOMEM otherwise.
 */
int yaml_parse(struct source *source, struct yaml_document *ret);
void yaml_clear(struct yaml_document *document);

/* The value of @key, or NULL (also when @map is no mapping). */
struct yaml *yaml_get(const struct yaml *map, const char *key);
struct yaml *yaml_get_key(const struct yaml *map, const char *key);

/* Nothing at all, "null" or "~" (YAML 1.2 section 10.2.1.1). */
bool yaml_is_null(const struct yaml *node);

/* "a map", "a list", "text", for messages. */
const char *yaml_kind_name(const struct yaml *node);

#endif
