/* SPDX-License-Identifier: MIT */
/* Inside judge_axes(): what is judged, and where the rows go. */
#ifndef NATSIM_CONFORM_AXES_H
#define NATSIM_CONFORM_AXES_H

#include "conform/judge.h"

struct declaration {
	const struct nat *nat; /* what is promised, not who the rules belong to: nat_promise() */
	size_t external_count;
	enum nat_protocol protocol; /* of the row */
	const struct observed *o;
};

struct results {
	struct axis_result *rows;
	size_t count;
};

/* A new row, still without values; NULL when there is no room. */
struct axis_result *results_add(struct results *r, const char *axis, const struct declaration *d,
				bool whole, const char *evidence);

bool declaration_translates(const struct declaration *d);
/* Whether the protocol passes at all. */
bool declaration_open(const struct declaration *d);
void axis_unsolicited_word(int value, char text[AXIS_WORD_MAX]);

/* Judge what a table of values cannot tell. */
void judge_own_axes(const struct declaration *d, struct results *r);

#endif
