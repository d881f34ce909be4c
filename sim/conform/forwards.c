/* SPDX-License-Identifier: MIT */
/* Static forwards and the DMZ host: a stranger knocks where nobody has spoken from. */
#include "conform/probes.h"
#include "conform/speech.h"

enum { STRANGER = 3 };

static size_t host_of(const struct bed *bed, const struct addr *addr)
{
	size_t i;

	for (i = 0; i + 1 < BED_HOSTS && !addr_equal(&bed->hosts[i], addr); i++)
		;
	return i;
}

static bool leads(struct bed *bed, const struct nat_forward *forward)
{
	struct speech speech = speech_begin(bed, forward->protocol);
	struct speaker speaker =
		speaker_make(&speech, host_of(bed, &forward->to.addr), forward->to.port);
	struct endpoint at = {.addr = bed->subject->externals[0], .port = forward->port};

	return speaker_knock(&speaker, STRANGER, PORT_A, &at, NULL);
}

static void see_forwards(struct bed *bed, struct observed *o)
{
	const struct nat *nat = subject_promise(bed->subject);
	char text[ENDPOINT_TEXT_MAX];
	size_t i, mark = bed->socket_count;
	bool good = true;

	for (i = 0; i < nat->forward_count && good; i++) {
		good = leads(bed, &nat->forwards[i]);
		bed_close_since(bed, mark);
		if (!good)
			see(o, ASPECT_FORWARDS, NAT_UDP, false,
			    "a stranger to %s port %u does not reach %s",
			    nat_protocol_name(nat->forwards[i].protocol), nat->forwards[i].port,
			    endpoint_format(&nat->forwards[i].to, text));
	}
	if (good)
		see(o, ASPECT_FORWARDS, NAT_UDP, true,
		    "a stranger reaches the inside by each of %zu", nat->forward_count);
}

/* To a port that an earlier probe was given at random, nobody is a stranger; but not twice. */
static void see_dmz(struct bed *bed, struct observed *o)
{
	const struct nat *nat = subject_promise(bed->subject);
	struct speech speech = speech_begin(bed, NAT_UDP);
	struct endpoint at = {.addr = bed->subject->externals[0]};
	char text[2][ENDPOINT_TEXT_MAX];
	struct speaker speaker;
	bool heard = false;
	int tries;

	for (tries = 0; tries < 2 && !heard; tries++) {
		at.port = bed_fresh_port(bed);
		speaker = speaker_make(&speech, host_of(bed, &nat->dmz), at.port);
		heard = speaker_knock(&speaker, STRANGER, PORT_A, &at, NULL);
	}
	see(o, ASPECT_DMZ, NAT_UDP, heard, "a stranger to %s %s %s", endpoint_format(&at, text[0]),
	    heard ? "reaches" : "does not reach", endpoint_format(&speaker.local, text[1]));
}

void probe_forwards(struct bed *bed, struct observed *o)
{
	const struct nat *nat = subject_promise(bed->subject);
	size_t mark = bed->socket_count;

	if (nat->forward_count)
		see_forwards(bed, o);
	if (nat->dmz.family != AF_UNSPEC)
		see_dmz(bed, o);
	bed_close_since(bed, mark);
}
