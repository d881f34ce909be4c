/* SPDX-License-Identifier: MIT */
/* What stdout is told of a race: the fields that every agent on top of one has in common. */
#ifndef NATSIM_AGENTS_CLI_RACE_LINE_H
#define NATSIM_AGENTS_CLI_RACE_LINE_H

#include "agents/cli/line.h"
#include "agents/cli/race.h"

/* How the path of the way chosen came about, in one word. */
const char *race_technique(const struct race *race);

/* Once both have met over UDP: the public endpoints and our role. */
void race_line_paired(const struct race *race, struct line *line);

/* Once a way is chosen: which, to where, how soon. */
void race_line_way(const struct race *race, struct line *line);

/* Once the race has ended: everything. */
void race_line_result(const struct race *race, const struct race_ends *ends, struct line *line);

#endif
