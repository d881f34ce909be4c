/* SPDX-License-Identifier: MIT */
#include "agents/tcp/why.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"

static void why_alone(const struct tcp_punch *punch, char *text, size_t size)
{
	double seconds = to_ms(punch->config.timeout) / 1000;
	const struct dial *rendezvous = &punch->rendezvous;
	char name[ENDPOINT_TEXT_MAX];

	endpoint_format(&punch->config.meeting.rendezvous, name);
	if (punch->meeting.phase == MEETING_REFUSED)
		snprintf(text, size, "session refused: %s", punch->meeting.refusal);
	else if (punch->phase == TCP_PUNCH_DIALLING)
		snprintf(text, size, "the other peer was introduced, but never got ready to punch");
	else if (punch->meeting.welcomed)
		snprintf(text, size, "nobody else joined the session in %.1f s", seconds);
	else if (rendezvous->error != 0)
		snprintf(text, size, "no rendezvous: TCP %s: %s, at %u attempts", name,
			 strerror(rendezvous->error), rendezvous->attempts);
	else
		snprintf(text, size, "no rendezvous: TCP %s did not answer in %.1f s", name,
			 seconds);
}

/* "...: 5 attempts (3 were reset, 1 ended by an ICMP error from 1.2.3.4, 1 got no answer)" */
static void why_not_reached(const struct dial *dial, char *text, size_t size)
{
	unsigned int silent = dial->attempts - dial_refused(dial) - dial->other_errors;
	char name[ENDPOINT_TEXT_MAX], reporter[ADDR_TEXT_MAX];
	char resets[32] = "", icmp[96] = "", other[96] = "";

	if (dial->resets)
		snprintf(resets, sizeof(resets), "%u were reset, ", dial->resets);
	if (dial->icmp_errors)
		snprintf(icmp, sizeof(icmp), "%u ended by an ICMP error from %s, ",
			 dial->icmp_errors, addr_format(&dial->reporter, reporter));
	if (dial->other_errors)
		snprintf(other, sizeof(other), "%u failed here: %s, ", dial->other_errors,
			 strerror(dial->error));
	snprintf(text, size,
		 "no connection with %s, neither by connecting (%s%s%s%u got no answer) "
		 "nor from there",
		 endpoint_format(&dial->to, name), resets, icmp, other, silent);
}

void why_none(const struct tcp_punch *punch, char *text, size_t size)
{
	if (punch->phase <= TCP_PUNCH_DIALLING)
		why_alone(punch, text, size);
	else if (candidates_heard(&punch->path.candidates))
		snprintf(text, size, "the peer was heard, but no connection lasted");
	else /* the public endpoint: the others are rarely more than a hope */
		why_not_reached(&punch->dials[punch->dial_count - 1], text, size);
}

void why_lost(const struct tcp_punch *punch, char *text, size_t size)
{
	const struct talk *talk = &punch->path.talk;

	snprintf(text, size, "%s after %u of %u messages were acknowledged, and %u had come",
		 talk->state == TALK_GONE ? "the peer closed the connection"
					  : "the peer answered nothing any more",
		 talk->acknowledged, talk->config.messages, talk->received);
}
