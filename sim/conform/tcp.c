/* SPDX-License-Identifier: MIT */
/*
 * What only TCP has: simultaneous open (RFC 5382 REQ-2), and whether a reset ends the
 * mapping (RFC 7857 section 2.2).
 *
 * A simultaneous open needs an own SYN that nobody answers. The peer's port therefore
 * has a listener that is deaf: a socket filter drops what comes, so no reset goes back. Where
 * the own SYN comes from is where the peer's goes: there is nothing to predict.
 */
#include "conform/endings.h"
#include "conform/probes.h"
#include "conform/speech.h"

enum { PORT_DEAF = 7002, PORT_RESET = 7006 };

/* SYNs cross between a fresh socket and the deaf port. Returns whether the own one got out. */
static bool cross(struct speech *speech, struct endpoint *ret_local, struct endpoint *ret_external,
		  bool *ret_met)
{
	struct bed *bed = speech->bed;
	struct endpoint deaf = bed_peer(bed, 1, PORT_DEAF);
	int tap = bed_tcp_tap(bed, BED_OUTSIDE, &deaf.addr), own, other;

	*ret_local = bed_host(bed, 0, bed_fresh_port(bed));
	own = bed_tcp(bed, BED_INSIDE, ret_local);
	bed_connect(bed, own, &deaf);
	bed_settle(bed);
	if (!bed_next_syn(tap, PORT_DEAF, ret_external))
		return false;
	other = bed_tcp(bed, BED_OUTSIDE, &deaf);
	bed_connect(bed, other, ret_external);
	bed_settle(bed);
	*ret_met = bed_connected(own) && bed_connected(other);
	return true;
}

static void probe_simultaneous(struct speech *speech, struct observed *o)
{
	struct bed *bed = speech->bed;
	struct endpoint deaf = bed_peer(bed, 1, PORT_DEAF), local, external;
	char text[3][ENDPOINT_TEXT_MAX];
	bool met = false;

	bed_deafen(bed, bed_listen(bed, BED_OUTSIDE, &deaf));
	if (cross(speech, &local, &external, &met))
		see(o, ASPECT_SIMULTANEOUS, NAT_TCP, met,
		    "SYNs between %s, seen as %s, and %s cross and %s",
		    endpoint_format(&local, text[0]), endpoint_format(&external, text[1]),
		    endpoint_format(&deaf, text[2]), met ? "connect" : "do not connect");
	else
		unseen(o, ASPECT_SIMULTANEOUS, NAT_TCP, "the own SYN does not get out");
}

/* What is left of the mapping after the peer's reset: whether the peer is still let in. */
static void probe_reset(struct bed *bed, struct observed *o)
{
	const struct endings endings = endings_begin(bed, ENDING_RESET, PORT_RESET);
	struct endpoint local = bed_host(bed, 0, bed_fresh_port(bed));
	char text[ENDPOINT_TEXT_MAX];
	struct ended ended;
	bool alive;

	if (!ended_make(&endings, &local, &ended)) {
		unseen(o, ASPECT_RST_KILLS, NAT_TCP, "no connection comes about");
		return;
	}
	alive = ended_answers(&endings, &ended);
	see(o, ASPECT_RST_KILLS, NAT_TCP, !alive, "the peer resets %s; what it says next %s",
	    endpoint_format(&ended.external, text), alive ? "gets in" : "does not get in");
}

void probe_tcp(struct bed *bed, struct observed *o)
{
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, NAT_TCP);

	probe_simultaneous(&speech, o);
	probe_reset(bed, o);
	bed_close_since(bed, mark);
}
