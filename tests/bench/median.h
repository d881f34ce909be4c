/* SPDX-License-Identifier: MIT */
/* What a measurement is worth that somebody else's work may have disturbed: its median. */
#ifndef NATSIM_TESTS_BENCH_MEDIAN_H
#define NATSIM_TESTS_BENCH_MEDIAN_H

#include <stdlib.h>

static inline int median_compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* Sorts @values, of which there is at least one. */
static inline double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), median_compare);
	return values[count / 2];
}

#endif
