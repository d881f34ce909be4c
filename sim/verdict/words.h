/* SPDX-License-Identifier: MIT */
/* Observations as words. Every function returns text the caller frees, NULL without memory. */
#ifndef NATSIM_VERDICT_WORDS_H
#define NATSIM_VERDICT_WORDS_H

#include <jansson.h>

#include "observe/timeline.h"
#include "topo/topo.h"

/* How a run ended: "exited with status 1", "could not be started: ...". */
char *words_end(const struct run *run, bool interrupted);

/* What an agent found, in one readable line from its result or last event; NULL also when there is
 * nothing to say. */
char *words_result(const struct topo *topo, const struct run *run);

/* A JSON value as a person would write it: text in quotes, numbers and booleans bare. */
char *words_value(const json_t *value);

/* What an expectation asks for: `type is "symmetric"`, `exits with status 0`. */
char *words_expected(const struct expectation *expectation);

#endif
