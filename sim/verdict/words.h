/* SPDX-License-Identifier: MIT */
/* Observations as words. Text is freed by the caller; where it is returned, NULL means no memory.
 */
#ifndef NATSIM_VERDICT_WORDS_H
#define NATSIM_VERDICT_WORDS_H

#include <jansson.h>

#include "observe/timeline.h"
#include "topo/topo.h"

/* How a run ended: "exited with status 1", "could not be started: ...". */
char *words_end(const struct run *run, bool interrupted);

/*
 * What an agent found, in one readable line from its result or first event; *ret is
 * NULL when there is nothing to say. Returns 0 or -ENOMEM.
 */
int words_result(const struct topo *topo, const struct run *run, char **ret);

/* A JSON value as a person would write it: text in quotes, numbers and booleans bare. */
char *words_value(const json_t *value);

/* What an expectation asks for: `type is "symmetric"`, `exits with status 0`. */
char *words_expected(const struct expectation *expectation);

#endif
