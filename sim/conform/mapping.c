/* SPDX-License-Identifier: MIT */
/*
 * Which external endpoint a socket has towards whom (RFC 4787 section 4.1; the tests
 * are RFC 5780 section 4.3's, with both ends in one hand).
 */
#include "conform/probes.h"
#include "conform/speech.h"

/* One socket, three destinations: the same address and port, another port, another address. */
struct triple {
	bool heard[3];
	struct endpoint external[3];
};

static struct triple ask_three(struct speaker *speaker)
{
	struct triple t;

	t.heard[0] = speaker_speak(speaker, 0, PORT_A, &t.external[0]);
	t.heard[1] = speaker_speak(speaker, 0, PORT_B, &t.external[1]);
	t.heard[2] = speaker_speak(speaker, 1, PORT_A, &t.external[2]);
	return t;
}

/*
 * The destination where a rival has the port comes last: a kernel that shares ports
 * (nf_nat_core.c, find_appropriate_src()) stays with whatever the socket got first.
 */
static struct triple ask_three_backwards(struct speaker *speaker)
{
	struct triple t;

	t.heard[2] = speaker_speak(speaker, 1, PORT_A, &t.external[2]);
	t.heard[1] = speaker_speak(speaker, 0, PORT_B, &t.external[1]);
	t.heard[0] = speaker_speak(speaker, 0, PORT_A, &t.external[0]);
	return t;
}

static enum nat_dependence dependence_of(const struct triple *t, enum nat_protocol protocol)
{
	/* A query has no port at the other end: the first two are one destination. */
	if (protocol != NAT_ICMP && !endpoint_equal(&t->external[0], &t->external[1]))
		return ADDRESS_AND_PORT_DEPENDENT;
	if (!endpoint_equal(&t->external[0], &t->external[2]))
		return ADDRESS_DEPENDENT;
	return ENDPOINT_INDEPENDENT;
}

static void see_dependence(struct observed *o, enum aspect aspect, enum nat_protocol protocol,
			   const struct endpoint *local, const struct triple *t, const char *when)
{
	char text[4][ENDPOINT_TEXT_MAX];

	see(o, aspect, protocol, (int)dependence_of(t, protocol),
	    "%s is %s to one peer, %s to its other port, %s to another%s",
	    endpoint_format(local, text[0]), endpoint_format(&t->external[0], text[1]),
	    endpoint_format(&t->external[1], text[2]), endpoint_format(&t->external[2], text[3]),
	    when);
}

static bool heard_all(const struct triple *t)
{
	return t->heard[0] && t->heard[1] && t->heard[2];
}

/* Another host has the port, towards the first destination only; how is ours mapped then? */
static void contend(struct speech *speech, struct observed *o)
{
	enum nat_protocol protocol = speech->protocol;
	uint16_t port = bed_fresh_port(speech->bed);
	struct speaker rival = speaker_make(speech, 1, port);
	struct speaker ours = speaker_make(speech, 2, port);
	char text[3][ENDPOINT_TEXT_MAX];
	struct endpoint external;
	struct triple t;
	bool shared = false;
	size_t i;

	if (!speaker_speak(&rival, 0, PORT_A, &external)) {
		unseen(o, ASPECT_CONTENDED, protocol, "a second host did not get out");
		unseen(o, ASPECT_OVERLOADING, protocol, "a second host did not get out");
		return;
	}
	t = ask_three_backwards(&ours);
	if (!heard_all(&t)) {
		unseen(o, ASPECT_CONTENDED, protocol, "a third host did not get out");
		unseen(o, ASPECT_OVERLOADING, protocol, "a third host did not get out");
		return;
	}
	for (i = 0; i < 3; i++)
		shared = shared || endpoint_equal(&t.external[i], &external);
	see_dependence(o, ASPECT_CONTENDED, protocol, &ours.local, &t,
		       ", another host having the port");
	see(o, ASPECT_OVERLOADING, protocol, shared, "%s is %s; %s got %s",
	    endpoint_format(&rival.local, text[0]), endpoint_format(&external, text[1]),
	    endpoint_format(&ours.local, (char[ENDPOINT_TEXT_MAX]){0}),
	    shared ? "the same towards another peer" : endpoint_format(&t.external[1], text[2]));
}

void probe_mapping(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, protocol);
	struct speaker speaker = speaker_make(&speech, 0, bed_fresh_port(bed));
	char text[2][ENDPOINT_TEXT_MAX];
	struct triple t = ask_three(&speaker);

	if (heard_all(&t)) {
		see(o, ASPECT_PASSES, protocol, true, "three of three peers heard %s",
		    endpoint_format(&speaker.local, text[0]));
		see(o, ASPECT_TRANSLATED, protocol,
		    !addr_equal(&speaker.local.addr, &t.external[0].addr), "%s is seen as %s",
		    endpoint_format(&speaker.local, text[0]),
		    endpoint_format(&t.external[0], text[1]));
		see_dependence(o, ASPECT_MAPPING, protocol, &speaker.local, &t, "");
		contend(&speech, o);
	} else if (t.heard[0] || t.heard[1] || t.heard[2]) {
		see(o, ASPECT_PASSES, protocol, true, "some of three peers heard %s",
		    endpoint_format(&speaker.local, text[0]));
		unseen(o, ASPECT_MAPPING, protocol, "%s reached %d of three destinations only",
		       endpoint_format(&speaker.local, text[0]),
		       t.heard[0] + t.heard[1] + t.heard[2]);
	} else {
		see(o, ASPECT_PASSES, protocol, false, "none of three peers heard %s",
		    endpoint_format(&speaker.local, text[0]));
	}
	bed_close_since(bed, mark);
}
