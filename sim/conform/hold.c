/* SPDX-License-Identifier: MIT */
/*
 * Does an open connection keep the mapping that it shares with one that ended?
 *
 * A mapping lives as long as the longest session that uses it (RFC 6146 section 3.2). So a socket
 * has two connections, the second one is closed by both sides, and there is silence for
 * longer than a closed one's mapping lives alone. Then the first one's peer must still be let
 * in, by its other port too where the filter admits that, and the socket's next connection
 * must have the external endpoint it had. In this order: what comes in is answered, and an answer
 * revives.
 */
#include "conform/hold.h"

enum { HELD_PEER = 0, NEXT_PEER = 2, TRIES = 3, PORT_OVER = 7008 };

static const char *reason_not_to(const struct observed *o, const struct seen *closed)
{
	const struct seen *mapping = &o->seen[ASPECT_MAPPING][NAT_TCP];
	const struct seen *life = &o->seen[ASPECT_LIFETIME][NAT_TCP];

	if (!mapping->known || mapping->value != ENDPOINT_INDEPENDENT)
		return "each connection has a mapping of its own";
	if (!life->known || !closed->known)
		return "no lifetime was seen to end";
	if (closed->value >= life->value)
		return "lifetimes of open connections and of others could not be told apart";
	return NULL;
}

static void begin(struct hold *h)
{
	struct ended ended;

	h->tries++;
	h->speaker = speaker_make(&h->speech, 0, bed_fresh_port(h->speech.bed));
	h->born = bed_clock_ms();
	h->begun = speaker_speak(&h->speaker, HELD_PEER, PORT_A, &h->external) &&
		   ended_make(&h->endings, &h->speaker.local, &ended);
	h->over = bed_clock_ms();
	if (!h->begun)
		h->reason = "the connections do not come about";
}

void hold_begin(struct bed *bed, const struct observed *o, const struct seen *closed,
		struct hold *ret)
{
	const struct seen *filtering = &o->seen[ASPECT_FILTERING][NAT_TCP];

	*ret = (struct hold){.speech = speech_begin(bed, NAT_TCP),
			     .reason = reason_not_to(o, closed)};
	if (ret->reason)
		return;
	ret->life = (uint64_t)o->seen[ASPECT_LIFETIME][NAT_TCP].value;
	ret->closed = (uint64_t)closed->value;
	ret->other_port = filtering->known && filtering->value != ADDRESS_AND_PORT_DEPENDENT;
	ret->endings = endings_begin(bed, ENDING_CLOSED, PORT_OVER);
	begin(ret);
}

uint64_t hold_due(const struct hold *h)
{
	return h->begun && !h->known && h->tries <= TRIES ? h->over + h->closed : UINT64_MAX;
}

static bool lives_on(struct hold *h)
{
	struct endpoint again;

	return (!h->other_port ||
		speaker_knock(&h->speaker, HELD_PEER, PORT_B, &h->external, NULL)) &&
	       speaker_speak(&h->speaker, NEXT_PEER, PORT_A, &again) &&
	       endpoint_equal(&again, &h->external);
}

void hold_ask(struct hold *h)
{
	struct speaker first;

	bed_wait_until(h->over + h->closed);
	h->asked = bed_clock_ms() - h->over;
	first = h->speaker;
	h->alive = lives_on(h) && speaker_answered(&first, HELD_PEER, PORT_A, &h->external);
	h->known = bed_clock_ms() - h->born <= h->life;
	if (h->known)
		return;
	h->reason = "the machine was too busy to ask in time";
	if (h->tries < TRIES)
		begin(h);
	else
		h->begun = false;
}

void hold_see(const struct hold *h, struct observed *o)
{
	char text[ENDPOINT_TEXT_MAX];

	if (h->known)
		see(o, ASPECT_HELD, NAT_TCP, h->alive,
		    "%llu ms after one of two connections by %s has closed, it %s the other",
		    (unsigned long long)h->asked, endpoint_format(&h->external, text),
		    h->alive ? "still serves" : "does not fully serve");
	else
		unseen(o, ASPECT_HELD, NAT_TCP, "%s", h->reason);
}
