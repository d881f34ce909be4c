/* SPDX-License-Identifier: MIT */
/*
 * Observations held against the declaration, axis by axis, and against the RFCs,
 * requirement by requirement. Pure.
 */
#ifndef NATSIM_CONFORM_JUDGE_H
#define NATSIM_CONFORM_JUDGE_H

#include <stddef.h>

#include "conform/observed.h"

enum holding { AXIS_HELD, AXIS_BROKEN, AXIS_UNTESTED };

#define AXIS_WORD_MAX 48

struct axis_result {
	const char *axis;     /* as in the topology language */
	const char *protocol; /* "udp", ...; "" for an axis of the whole NAT */
	enum holding holding;
	char declared[AXIS_WORD_MAX], observed[AXIS_WORD_MAX];
	const char *evidence; /* in the observations */
};

#define AXIS_RESULTS_MAX 96

/*
 * Every axis that @nat declares something about, or would if it were a router with
 * @external_count outside addresses; as many as are returned. @nat is what was put
 * to the test: its timers are the ones the bed had.
 */
size_t judge_axes(const struct nat *nat, size_t external_count, const struct observed *o,
		  struct axis_result ret[AXIS_RESULTS_MAX]);

enum meeting {
	REQUIREMENT_MET,
	REQUIREMENT_NOT_MET,
	REQUIREMENT_NOT_APPLICABLE,
	REQUIREMENT_NOT_TESTED
};

struct requirement_result {
	unsigned int rfc;
	const char *number; /* "REQ-9" */
	const char *level;  /* "MUST", "SHOULD", ... */
	const char *text;   /* what it asks for, in our words */
	enum meeting meeting;
	char evidence[EVIDENCE_MAX];
};

#define REQUIREMENTS_MAX 96

/* The same for the requirements. @nat tells lifetimes that are declared, not waited for. */
size_t judge_requirements(const struct nat *nat, size_t external_count, const struct observed *o,
			  struct requirement_result ret[REQUIREMENTS_MAX]);

const char *holding_name(enum holding holding);
const char *meeting_name(enum meeting meeting);

#endif
