/* SPDX-License-Identifier: MIT */
/*
 * What only TCP has: simultaneous open (RFC 5382 REQ-2), and whether a reset ends the
 * mapping (RFC 7857 section 2.2).
 *
 * A simultaneous open needs an own SYN that nobody answers. The peer's port therefore
 * has a listener that is deaf: a socket filter drops what comes, so no reset goes back.
 */
#include "conform/probes.h"
#include "conform/speech.h"

enum { PORT_DEAF = 7002 };

static bool predict(struct speech *speech, const struct observed *o, struct speaker *speaker,
		    struct endpoint *ret)
{
	const struct seen *mapping = &o->seen[ASPECT_MAPPING][NAT_TCP];
	const struct seen *allocation = &o->seen[ASPECT_ALLOCATION][NAT_TCP];

	if (mapping->known && mapping->value == ENDPOINT_INDEPENDENT)
		return speaker_speak(speaker, 0, PORT_A, ret);
	*ret = (struct endpoint){.addr = speech->bed->subject->externals[0],
				 .port = speaker->local.port};
	return allocation->known && allocation->value == PORTS_PRESERVING;
}

/* SYNs cross between a fresh socket and the deaf port. Returns whether both ends could begin. */
static bool cross(struct speech *speech, const struct observed *o, struct endpoint *ret_local,
		  bool *ret_met)
{
	struct bed *bed = speech->bed;
	struct speaker speaker = speaker_make(speech, 0, bed_fresh_port(bed));
	struct endpoint deaf = bed_peer(bed, 1, PORT_DEAF), external;
	int own, other;

	*ret_local = speaker.local;
	if (!predict(speech, o, &speaker, &external))
		return false;
	own = bed_tcp(bed, BED_INSIDE, &speaker.local);
	bed_connect(bed, own, &deaf);
	bed_settle(bed);
	other = bed_tcp(bed, BED_OUTSIDE, &deaf);
	bed_connect(bed, other, &external);
	bed_settle(bed);
	*ret_met = bed_connected(own) && bed_connected(other);
	return true;
}

static void probe_simultaneous(struct speech *speech, struct observed *o)
{
	struct bed *bed = speech->bed;
	struct endpoint deaf = bed_peer(bed, 1, PORT_DEAF), local;
	char text[2][ENDPOINT_TEXT_MAX];
	bool met = false, begun;

	bed_deafen(bed, bed_listen(bed, BED_OUTSIDE, &deaf));
	begun = cross(speech, o, &local, &met);
	/* The port that was predicted may be another's, at random; not twice. */
	if (begun && !met)
		begun = cross(speech, o, &local, &met);
	if (begun)
		see(o, ASPECT_SIMULTANEOUS, NAT_TCP, met, "SYNs between %s and %s cross and %s",
		    endpoint_format(&local, text[0]), endpoint_format(&deaf, text[1]),
		    met ? "connect" : "do not connect");
	else
		unseen(o, ASPECT_SIMULTANEOUS, NAT_TCP,
		       "the peer cannot know the endpoint to connect to");
}

/*
 * What is left of the mapping after the peer's reset. The very connection cannot be
 * opened again from outside, whatever the mapping: conntrack remembers its end. Where
 * the filter is not as strict as that, the peer knocks from its other port; where ports are
 * drawn and mappings serve all peers, the host speaks to another one and has the port it
 * had, or a new one. Else no packet tells the difference.
 */
static void probe_reset(struct speech *speech, struct observed *o)
{
	const struct seen *allocation = &o->seen[ASPECT_ALLOCATION][NAT_TCP];
	const struct seen *filtering = &o->seen[ASPECT_FILTERING][NAT_TCP];
	const struct seen *mapping = &o->seen[ASPECT_MAPPING][NAT_TCP];
	struct bed *bed = speech->bed;
	struct speaker speaker = speaker_make(speech, 0, bed_fresh_port(bed));
	struct endpoint external, again;
	char text[ENDPOINT_TEXT_MAX];
	const char *how;
	bool alive;

	if (!speaker_speak(&speaker, 0, PORT_A, &external) || !allocation->known ||
	    !filtering->known) {
		unseen(o, ASPECT_RST_KILLS, NAT_TCP, "ports or filtering are not known");
		return;
	}
	/* The newest socket is the peer's end: closing it, abruptly, sends the reset. */
	bed_close_since(bed, bed->socket_count - 1);
	bed_settle(bed);
	if (filtering->value != ADDRESS_AND_PORT_DEPENDENT) {
		alive = speaker_knock(&speaker, 0, PORT_B, &external, NULL);
		how = "a connection from its other port";
	} else if (allocation->value != PORTS_PRESERVING && mapping->known &&
		   mapping->value == ENDPOINT_INDEPENDENT) {
		alive = speaker_speak(&speaker, 1, PORT_A, &again) &&
			endpoint_equal(&external, &again);
		how = "the host speaks to another peer, and its old port";
	} else {
		unseen(o, ASPECT_RST_KILLS, NAT_TCP,
		       "with so strict a filter, and such ports, it makes no difference");
		return;
	}
	see(o, ASPECT_RST_KILLS, NAT_TCP, !alive, "the peer resets %s; then %s %s",
	    endpoint_format(&external, text), how, alive ? "is there" : "is not");
}

void probe_tcp(struct bed *bed, struct observed *o)
{
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, NAT_TCP);

	probe_simultaneous(&speech, o);
	probe_reset(&speech, o);
	bed_close_since(bed, mark);
}
