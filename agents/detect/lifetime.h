/* SPDX-License-Identifier: MIT */
/* How long does a mapping live that nobody uses, and what keeps it alive? RFC 5780 section 4.6. */
#ifndef NATSIM_AGENTS_DETECT_LIFETIME_H
#define NATSIM_AGENTS_DETECT_LIFETIME_H

#include "agents/detect/exam.h"

enum refresh {
	REFRESH_UNKNOWN,
	REFRESH_OUTBOUND,
	REFRESH_INBOUND,
	REFRESH_BOTH,
	REFRESH_NEITHER,
	REFRESH_COUNT
};

const char *refresh_name(enum refresh refresh);

enum { LIFETIME_RUNGS = 8 };

/* One mapping left alone for a while, and the question whether it is still there. */
struct rung {
	struct probe prime;  /* from X, which makes the mapping */
	struct probe remind; /* the refresh tests: what comes half-way, if anything */
	struct probe check;  /* from Y, to be answered to X */
	struct trial trial;
	uint64_t idle;        /* to be left alone for so long */
	uint64_t half;        /* until `remind`; 0: none */
	unsigned int reminds; /* indications sent */
	bool reminded;
	uint64_t remind_first, remind_last; /* it was on its way between these */
	uint64_t alive;                     /* verdict ANSWER_CAME: it was idle at least so long */
	uint64_t gone; /* verdict ANSWER_SILENCE: it was idle at most so long */
};

enum lifetime_stage {
	LIFETIME_VERIFY,  /* does the server answer to another port at all? */
	LIFETIME_SEARCH,  /* between `low` and `high` */
	LIFETIME_REFRESH, /* what keeps it alive? */
	LIFETIME_OVER
};

struct lifetime {
	enum lifetime_stage stage;
	size_t first; /* X of rung 0; Y is behind the last rung's */
	struct rung rungs[LIFETIME_RUNGS];
	size_t count;               /* rungs of this pass */
	uint64_t low, high;         /* alive after `low`, gone after `high` (0: not seen gone) */
	unsigned int passes, tries; /* of the search, and of the refresh */
	bool known;                 /* `low` and `high` mean something */
	enum refresh refresh;
};

#endif
