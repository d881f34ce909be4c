/* SPDX-License-Identifier: MIT */
/*
 * How this works: two questions that leave in fragments, and their controls that do not.
 *
 *     request with much SOFTWARE, ignored   --> small answer      outbound fragments pass
 *     request with PADDING, echoed          --> as large answer   inbound ones pass, too
 *
 * A server that may not magnify answers no more than it was sent, so inbound fragments
 * cannot be had where outbound ones are lost.
 */
#include "agents/detect/fragments.h"

#include <assert.h>

enum {
	HEADERS = 20 + 8 + STUN_HEADER_SIZE, /* IPv4, UDP; IPv6's is larger and fits, too */
	EXCESS = 64,
	OUT = 0,
	BOTH = 1
};

static const char *const names[] = {
	[FRAGMENTS_UNKNOWN] = "unknown",
	[FRAGMENTS_BOTH] = "both",
	[FRAGMENTS_OUTBOUND] = "outbound",
	[FRAGMENTS_NONE] = "none",
};
static_assert(sizeof(names) / sizeof(*names) == FRAGMENTS_COUNT, "every verdict has a name");

const char *fragments_name(enum fragments_pass pass)
{
	return names[pass];
}

static void fragments_start(void *exam, struct site *site, size_t first, uint64_t now)
{
	struct fragments *fragments = exam;
	size_t size = (site->unfragmented + EXCESS) & ~(size_t)3;
	size_t i;

	*fragments = (struct fragments){0};
	if (size + HEADERS > DATAGRAM_MAX) {
		notes_reason(&site->notes,
			     "this host sends %zu bytes in one piece, too many to "
			     "make fragments of a request",
			     site->unfragmented);
		fragments->over = true;
		return;
	}
	probe_make(&fragments->out, first, &site->server, &site->random);
	fragments->out.extras.ballast = size;
	probe_make(&fragments->both, first, &site->server, &site->random);
	fragments->both.extras.padding = size;
	for (i = 0; i < 2; i++)
		trial_start(&fragments->trials[i], site, first, now);
}

static void conclude(struct fragments *fragments, struct site *site)
{
	const struct silence *out = &fragments->trials[OUT].silence;
	const struct silence *both = &fragments->trials[BOTH].silence;

	if (!out->over || !both->over)
		return;
	fragments->over = true;
	if (both->verdict == ANSWER_CAME)
		fragments->verdict = FRAGMENTS_BOTH;
	else if (out->verdict == ANSWER_CAME && both->verdict == ANSWER_SILENCE)
		fragments->verdict = FRAGMENTS_OUTBOUND;
	else if (out->verdict == ANSWER_SILENCE && both->verdict == ANSWER_SILENCE)
		fragments->verdict = FRAGMENTS_NONE;
	say(&site->notes.say, "fragments: %s", fragments_name(fragments->verdict));
}

static bool fragments_send(void *exam, struct site *site, uint64_t now, struct datagram *ret)
{
	struct fragments *fragments = exam;
	struct probe *const questions[2] = {&fragments->out, &fragments->both};
	size_t i;

	for (i = 0; i < 2 && !fragments->over; i++) {
		if (fragments->trials[i].owes_control) {
			trial_control(&fragments->trials[i], now, ret);
			return true;
		}
		if (trial_step(&fragments->trials[i], site, now)) {
			probe_emit(questions[i], now, ret);
			return true;
		}
	}
	if (!fragments->over)
		conclude(fragments, site);
	return false;
}

static uint64_t fragments_due(const void *exam)
{
	const struct fragments *fragments = exam;
	uint64_t out = trial_due(&fragments->trials[OUT]);
	uint64_t both = trial_due(&fragments->trials[BOTH]);

	return out < both ? out : both;
}

/* The padded question was answered: did its answer come in fragments? */
static enum answer padded_answer(const struct fragments *fragments, struct site *site,
				 const struct stun_message *message)
{
	if (message->class != STUN_SUCCESS)
		notes_reason(&site->notes, "the server refused PADDING with error %u",
			     probe_error(message));
	else if (message->length < fragments->both.extras.padding)
		notes_reason(&site->notes, "the server does not return PADDING");
	else
		return ANSWER_CAME;
	return ANSWER_UNDECIDED;
}

static void fragments_receive(void *exam, struct site *site, size_t socket,
			      const struct endpoint *from, const struct stun_message *message,
			      uint64_t now)
{
	struct fragments *fragments = exam;
	size_t i;

	if (socket != fragments->out.socket || !endpoint_equal(from, &site->server) ||
	    (message->class != STUN_SUCCESS && message->class != STUN_ERROR))
		return;
	if (probe_is(&fragments->out, message))
		trial_end(&fragments->trials[OUT], site, ANSWER_CAME, now);
	else if (probe_is(&fragments->both, message))
		trial_end(&fragments->trials[BOTH], site, padded_answer(fragments, site, message),
			  now);
	for (i = 0; i < 2; i++)
		(void)trial_receive(&fragments->trials[i], site, socket, from, message, now);
	conclude(fragments, site);
}

static bool fragments_over(const void *exam)
{
	return ((const struct fragments *)exam)->over;
}

const struct exam_kind fragments_exam = {.name = "fragments",
					 .sockets = 1,
					 .start = fragments_start,
					 .send = fragments_send,
					 .due = fragments_due,
					 .receive = fragments_receive,
					 .over = fragments_over};
