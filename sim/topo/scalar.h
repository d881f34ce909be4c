/* SPDX-License-Identifier: MIT */
/*
 * Reading one value of a kind: each returns false after telling the mistake, and
 * leaves *ret alone then. @what names the value in messages: "deadline".
 */
#ifndef NATSIM_TOPO_SCALAR_H
#define NATSIM_TOPO_SCALAR_H

#include <stdbool.h>

#include "base/addr.h"
#include "topo/source.h"
#include "topo/yaml.h"

/* Text of any spelling, borrowed from @node. */
bool read_text(struct source *source, const struct yaml *node, const char *what, const char **ret);

/* Words of the language: lower-case letters, digits, dashes, at most @max characters. */
bool read_name(struct source *source, const struct yaml *node, const char *what, size_t max,
	       const char **ret);

bool read_boolean(struct source *source, const struct yaml *node, const char *what, bool *ret);

/* A whole number from 0 to @max. */
bool read_number(struct source *source, const struct yaml *node, const char *what,
		 unsigned long max, unsigned long *ret);

/* More than 0 and at most TOPO_DEADLINE_MAX_MS. */
bool read_deadline(struct source *source, const struct yaml *node, const char *what,
		   unsigned int *ret_ms);

/* An IPv4 address; IPv6 is told to be for later. */
bool read_address(struct source *source, const struct yaml *node, const char *what,
		  struct addr *ret);

/* Must be a mapping, or a sequence. */
bool read_map(struct source *source, const struct yaml *node, const char *what);
bool read_list(struct source *source, const struct yaml *node, const char *what);

/* Tell every key of @map that is not in @known, which ends with NULL. */
void refuse_unknown_keys(struct source *source, const struct yaml *map, const char *what,
			 const char *const known[]);

/* What a plain scalar means (YAML 1.2 section 10.3.2, the core schema), quoted ones being text. */
enum scalar_type { SCALAR_NULL, SCALAR_BOOLEAN, SCALAR_NUMBER, SCALAR_TEXT };
enum scalar_type scalar_type(const struct yaml *node, bool *ret_flag, double *ret_number);

#endif
