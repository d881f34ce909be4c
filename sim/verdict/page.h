/* SPDX-License-Identifier: MIT */
/* What the parts of the text report share. */
#ifndef NATSIM_VERDICT_PAGE_H
#define NATSIM_VERDICT_PAGE_H

#include <stdio.h>

#include "verdict/report.h"

struct ink {
	const char *bold, *dim, *green, *red, *yellow, *reset;
};

struct page {
	const struct report_run *run;
	const struct topo *topo;
	const struct timeline *timeline;
	const struct judgement *judgement;
	const struct ink *ink;
	enum report_detail detail;
	FILE *out;
};

/* A program as "NODE: its command line". */
void page_command(const struct page *page, const struct run *run);

/* Every router's table of flows. */
void page_routers(const struct page *page);

/* What programs printed and the rules of routers, as far as what did not hold concerns them. */
int page_evidence(const struct page *page);

#endif
