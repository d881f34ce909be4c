/* SPDX-License-Identifier: MIT */
/* One NAT's conformance, for people and for machines. */
#ifndef NATSIM_CONFORM_REPORT_H
#define NATSIM_CONFORM_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "conform/judge.h"

struct conformance {
	const char *file, *router; /* NULL for a named NAT */
	struct nat declared;       /* as written */
	struct nat tried;          /* as put to the test: with lifetimes cut down */
	size_t external_count;
	unsigned int lifetime_ms; /* what they were cut to; 0 for not waited for */
	struct observed observed;
	struct axis_result axes[AXIS_RESULTS_MAX];
	size_t axis_count;
	struct requirement_result requirements[REQUIREMENTS_MAX];
	size_t requirement_count;
};

/* Fill in the judgement on what was observed. */
void conformance_judge(struct conformance *c);
/* Every declared axis is held or could not be tested. */
bool conformance_good(const struct conformance *c);
size_t conformance_axes(const struct conformance *c, enum holding holding);

void conformance_text(const struct conformance *c, bool colour, FILE *out);
json_t *conformance_json(const struct conformance *c); /* NULL without memory */

#endif
