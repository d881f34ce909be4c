/* SPDX-License-Identifier: MIT */
/*
 * A whole detection: mapping and filtering first (detect.h), then whichever exams were asked
 * for, one after the other, for what one of them opens another could see.
 */
#ifndef NATSIM_AGENTS_DETECT_SURVEY_H
#define NATSIM_AGENTS_DETECT_SURVEY_H

#include "agents/detect/allocation.h"
#include "agents/detect/detect.h"
#include "agents/detect/fragments.h"
#include "agents/detect/hairpin.h"
#include "agents/detect/lifetime.h"

/* In the order in which they run: who counts ports goes before those who use some. */
enum survey_exam { EXAM_ALLOCATION, EXAM_HAIRPINNING, EXAM_FRAGMENTS, EXAM_LIFETIME, EXAM_COUNT };

struct survey_config {
	struct detect_config detect;
	bool wanted[EXAM_COUNT];
	uint64_t longest;    /* the longest idle time that the test of the lifetime asks for */
	size_t unfragmented; /* the MTU towards the server */
};

struct survey {
	struct survey_config config;
	struct detect detect;
	struct site site;
	enum survey_exam exam; /* that runs; EXAM_COUNT: none does any more */
	bool examining;        /* `detect` is done, and `exam` means something */
	bool done;
	bool taken[EXAM_COUNT]; /* and its verdict means something */
	unsigned int sent;      /* datagrams of the exams */
	struct allocation allocation;
	struct hairpin hairpin;
	struct fragments fragments;
	struct lifetime lifetime;
};

/* How many sockets the tests of @wanted need; config.detect.local has so many. */
size_t survey_sockets(const bool wanted[EXAM_COUNT]);

void survey_start(struct survey *survey, const struct survey_config *config, uint64_t now);

/* As detect_send(), detect_due(), detect_receive(), detect_refused(). */
bool survey_send(struct survey *survey, uint64_t now, struct datagram *ret);
uint64_t survey_due(const struct survey *survey);
void survey_receive(struct survey *survey, size_t socket, const struct endpoint *from,
		    const void *bytes, size_t length, uint64_t now);
void survey_refused(struct survey *survey, const struct endpoint *to, const struct addr *reporter,
		    int error, uint64_t now);

/* Why something is unknown; "" when nothing is. */
const char *survey_reason(const struct survey *survey);

#endif
