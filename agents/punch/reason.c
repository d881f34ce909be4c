/* SPDX-License-Identifier: MIT */
#include "agents/punch/reason.h"

#include <stdio.h>

#include "agents/rendezvous/offer.h"

static bool was_asked_to_call(const struct punch *punch)
{
	const uint8_t *value;
	size_t length;

	return offer_find(punch->peer.offer, punch->peer.offer_length, OFFER_CALL, &value, &length);
}

/* Nothing of the peer's arrived: was anything to be expected? */
static const char *silence(const struct punch *punch)
{
	bool asked = was_asked_to_call(punch);

	if (punch->config.call_me && asked)
		return "both asked to be called, so nobody called";
	if (punch->config.call_me)
		return "no packet of the peer's arrived, which was asked to call";
	if (asked)
		return "no packet of the peer's arrived, which was called as it asked to be";
	return "no packet of the peer's arrived, though both sent to each other";
}

/* Ports were to be guessed, and the chance was known before. */
static void reason_guess(const struct punch *punch, char *buffer, size_t size)
{
	const struct guess *guess = &punch->aim.guess;

	if (guess->kind == GUESS_HOPELESS)
		snprintf(buffer, size, "given up: %s", guess->reason);
	else
		snprintf(buffer, size, "given up, no guess was right: %s", guess->reason);
}

void reason_none(const struct punch *punch, char *buffer, size_t size)
{
	bool waited = punch->phase == PHASE_JOINING && punch->config.patience;
	double seconds = to_ms(waited ? punch->config.patience : punch->config.timeout) / 1000;
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(&punch->meeting.rendezvous, text);
	if (punch->meeting.phase == MEETING_REFUSED)
		snprintf(buffer, size, "session refused: %s", punch->meeting.refusal);
	else if (!punch->meeting.welcomed)
		snprintf(buffer, size, "no rendezvous: %s did not answer in %.1f s", text, seconds);
	else if (punch->phase == PHASE_JOINING)
		snprintf(buffer, size, "nobody else joined the session in %.1f s", seconds);
	else if (punch->phase == PHASE_DIALLING)
		snprintf(buffer, size,
			 "the other peer was introduced, but never got ready to punch");
	else if (punch->aim.guess.kind != GUESS_NOTHING &&
		 !candidates_heard(&punch->path.candidates))
		reason_guess(punch, buffer, size);
	else if (candidates_heard(&punch->path.candidates))
		snprintf(buffer, size,
			 "only one way: the peer's packets arrived, but none of ours was answered");
	else
		snprintf(buffer, size, "%s, in %.1f s", silence(punch), seconds);
}

void reason_lost(const struct punch *punch, char *buffer, size_t size)
{
	const struct path *path = &punch->path;
	const struct talk *talk = &path->talk;
	const char *why = "the peer does not answer";

	if (path->seal.round == path->repunched) {
		snprintf(buffer, size,
			 "the peer vanished after acknowledging %u of %u messages, having sent %u",
			 talk->acknowledged, talk->config.messages, talk->received);
		return;
	}
	if (punch->meeting_again && !punch->meeting.welcomed)
		why = "nor does the rendezvous answer";
	else if (punch->meeting_again && punch->meeting.phase == MEETING_JOINING)
		why = "the peer did not come to the rendezvous again";
	else if (punch->meeting_again)
		why = "the peer's new endpoints do not answer either";
	snprintf(buffer, size,
		 "the path died after %u of %u messages and was not found again in %.1f s: %s",
		 talk->acknowledged, talk->config.messages,
		 to_ms(path->ended - path->sought) / 1000, why);
}
