/* SPDX-License-Identifier: MIT */
#include "agents/detect/survey.h"

#include <string.h>

/* What each exam is and where its findings are. */
static const struct {
	const struct exam_kind *kind;
	size_t offset; /* in struct survey */
} exams[EXAM_COUNT] = {
	[EXAM_ALLOCATION] = {&allocation_exam, offsetof(struct survey, allocation)},
	[EXAM_HAIRPINNING] = {&hairpin_exam, offsetof(struct survey, hairpin)},
	[EXAM_FRAGMENTS] = {&fragments_exam, offsetof(struct survey, fragments)},
	[EXAM_LIFETIME] = {&lifetime_exam, offsetof(struct survey, lifetime)},
};

static const struct exam_kind *kind_of(const struct survey *survey)
{
	return exams[survey->exam].kind;
}

static void *running(struct survey *survey)
{
	return (char *)survey + exams[survey->exam].offset;
}

static const void *running_const(const struct survey *survey)
{
	return (const char *)survey + exams[survey->exam].offset;
}

size_t survey_sockets(const bool wanted[EXAM_COUNT])
{
	size_t count = SOCKET_COUNT, i;

	for (i = 0; i < EXAM_COUNT; i++)
		count += wanted[i] ? exams[i].kind->sockets : 0;
	return count;
}

/* The number of the running exam's first socket. */
static size_t first_socket(const struct survey *survey)
{
	bool before[EXAM_COUNT] = {false};

	memcpy(before, survey->config.wanted, survey->exam * sizeof(*before));
	return survey_sockets(before);
}

void survey_start(struct survey *survey, const struct survey_config *config, uint64_t now)
{
	memset(survey, 0, sizeof(*survey));
	survey->config = *config;
	detect_start(&survey->detect, &config->detect, now);
}

/* Nothing to find out: who is not behind anything has no mapping that could expire. */
static bool pointless(const struct survey *survey)
{
	struct observation seen = detect_observation(&survey->detect);

	return survey->exam == EXAM_LIFETIME && classify(&seen).type == TYPE_OPEN_INTERNET;
}

/* Go to the next exam that is wanted, from survey->exam on. */
static void enter(struct survey *survey, uint64_t now)
{
	for (; survey->exam < EXAM_COUNT; survey->exam++) {
		if (!survey->config.wanted[survey->exam] || pointless(survey))
			continue;
		survey->taken[survey->exam] = true;
		kind_of(survey)->start(running(survey), &survey->site, first_socket(survey), now);
		if (!kind_of(survey)->over(running(survey)))
			return;
	}
	survey->done = true;
}

static void begin_exams(struct survey *survey, uint64_t now)
{
	const struct detect_config *config = &survey->config.detect;
	struct observation seen = detect_observation(&survey->detect);

	survey->examining = true;
	survey->site = (struct site){
		.server = config->server,
		.local = config->local,
		.timeout = config->timeout,
		.random = config->random,
		.rtt = survey->detect.rtt,
		.notes = {.say = config->say},
		.translated = !endpoint_equal(&seen.primary, &seen.local),
		.longest = survey->config.longest,
		.unfragmented = survey->config.unfragmented,
	};
	detect_losses(&survey->detect, now, &survey->site.trials, &survey->site.lost);
	survey->exam = seen.reached ? 0 : EXAM_COUNT;
	enter(survey, now);
}

/* True when something ended, so that there may be more to do at once. */
static bool proceed(struct survey *survey, uint64_t now)
{
	if (survey->done)
		return false;
	if (!survey->examining) {
		if (!survey->detect.done)
			return false;
		begin_exams(survey, now);
		return true;
	}
	if (!kind_of(survey)->over(running(survey)))
		return false;
	survey->exam++;
	enter(survey, now);
	return true;
}

bool survey_send(struct survey *survey, uint64_t now, struct datagram *ret)
{
	do {
		if (survey->done)
			return false;
		if (!survey->examining) {
			if (detect_send(&survey->detect, now, ret))
				return true;
		} else if (kind_of(survey)->send(running(survey), &survey->site, now, ret)) {
			survey->sent++;
			return true;
		}
	} while (proceed(survey, now));
	return false;
}

uint64_t survey_due(const struct survey *survey)
{
	if (survey->done)
		return UINT64_MAX;
	return survey->examining ? kind_of(survey)->due(running_const(survey))
				 : detect_due(&survey->detect);
}

void survey_receive(struct survey *survey, size_t socket, const struct endpoint *from,
		    const void *bytes, size_t length, uint64_t now)
{
	struct stun_message message;

	if (survey->done)
		return;
	if (!survey->examining)
		detect_receive(&survey->detect, socket, from, bytes, length, now);
	else if (stun_parse(bytes, length, &message) && message.method == STUN_BINDING)
		kind_of(survey)->receive(running(survey), &survey->site, socket, from, &message,
					 now);
}

void survey_refused(struct survey *survey, const struct endpoint *to, const struct addr *reporter,
		    int error, uint64_t now)
{
	if (!survey->examining)
		detect_refused(&survey->detect, to, reporter, error, now);
}

const char *survey_reason(const struct survey *survey)
{
	return survey->detect.notes.reason[0] ? survey->detect.notes.reason
					      : survey->site.notes.reason;
}
