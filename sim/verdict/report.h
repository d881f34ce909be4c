/* SPDX-License-Identifier: MIT */
/* A judged run, for people and for machines. Both forms say the same. */
#ifndef NATSIM_VERDICT_REPORT_H
#define NATSIM_VERDICT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/diag.h"
#include "conform/selfcheck.h"
#include "observe/timeline.h"
#include "topo/topo.h"
#include "verdict/verdict.h"

/* On what the run was made: kernels and libraries differ. */
struct report_versions {
	const char *natsim, *kernel;
	const char *libnl, *libmnl, *libnftnl, *libnetfilter_conntrack, *libfyaml, *jansson;
};

/* One file's run. Without a judgement the lab could not be built or played: @trouble says why. */
struct report_run {
	const struct topo *topo;
	const struct timeline *timeline;
	const struct judgement *judgement;
	const struct diag *trouble;
	const struct self_checks *self_checks; /* NULL: not spoken of */
};

enum report_detail {
	REPORT_QUIET,   /* what did not hold, and the closing line */
	REPORT_NORMAL,  /* topology, steps, proofs, mappings; on failure the evidence */
	REPORT_VERBOSE, /* the evidence always, and nothing shortened */
};

struct report_style {
	enum report_detail detail;
	bool colour;
};

/* Write one run as text. Returns 0, or -ENOMEM. Errors of @out are the caller's to see. */
int report_text(const struct report_run *run, const struct report_style *style, FILE *out);

/* The closing table of several runs, in the order of @runs. */
void report_text_sum(const struct report_run *runs, size_t count, const struct report_style *style,
		     FILE *out);

/* One run as a JSON object, NULL without memory. The schema is in README.md beside this file. */
json_t *report_json(const struct report_run *report);

/* The whole document: versions, runs (borrowed), sums. NULL without memory. */
json_t *report_json_document(const struct report_versions *versions, json_t *runs);

/* The libraries as built with; @kernel is the running one's release. */
struct report_versions report_versions(const char *kernel);

#endif
