/* SPDX-License-Identifier: MIT */
/* What the terminal wants. */
#ifndef NATSIM_BASE_TERM_H
#define NATSIM_BASE_TERM_H

#include <stdbool.h>
#include <stdio.h>

/* Colour goes to a terminal only, and not where NO_COLOR is set to anything (no-color.org). */
bool term_colour(FILE *stream);

#endif
