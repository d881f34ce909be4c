/* SPDX-License-Identifier: MIT */
/* Topologies in tests: loaded from text, with what is wrong shown when it should not be. */
#ifndef NATSIM_TESTS_SUPPORT_TOPO_H
#define NATSIM_TESTS_SUPPORT_TOPO_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo/topo.h"

#define AUTO_TOPO CLEANUP(topo_free_cleanup)

/* All that diag_print() says, without colour; the caller frees it. */
static inline char *diag_text(const struct diag *d)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	if (d->count)
		diag_print(d, out, false);
	fclose(out);
	return text;
}

/* The model of a good topology; the test fails with the mistakes when it is not good. */
static inline struct topo *topo_of(const char *text)
{
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *words = NULL;
	struct topo *topo = NULL;
	int r = topo_load_text("test.yaml", text, strlen(text), &topo, &d);

	words = diag_text(&d);
	cr_assert_eq(r, 0, "not a good topology:\n%s", words);
	return topo;
}

/* What is said about @text, warnings included; the caller frees it. */
static inline char *mistakes_of(const char *text)
{
	AUTO_DIAG struct diag d = {0};
	struct topo *topo = NULL;

	topo_load_text("test.yaml", text, strlen(text), &topo, &d);
	topo_free(topo);
	return diag_text(&d);
}

#endif
