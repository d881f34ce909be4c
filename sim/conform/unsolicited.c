/* SPDX-License-Identifier: MIT */
/*
 * What a stranger hears who sends to where nothing is, and what his packet leaves
 * behind. That the router rejects and that its own stack answers look the same from
 * outside, for both send ICMP or a reset. But what reached the stack has an entry in
 * conntrack, and when the inside host then speaks from that very port to the stranger,
 * it is moved to another one. That is what breaks hole punching, so it is also told by
 * itself.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "conform/probes.h"
#include "conform/speech.h"

enum { STRANGER = 3 };

static bool told_of(struct bed *bed, int icmp, const struct endpoint *about)
{
	struct bed_icmp message;
	bool told = false;

	(void)bed;
	while (bed_next_icmp(icmp, &message))
		told = told || (message.type == ICMP_DEST_UNREACH &&
				endpoint_equal(&message.about_to, about));
	return told;
}

/* The stranger's packet to @at. Returns whether it was answered, and how. */
static bool provoke(struct bed *bed, enum nat_protocol protocol, const struct endpoint *at,
		    const char **ret_how)
{
	struct endpoint from = bed_peer(bed, STRANGER, PORT_A);
	int icmp = bed_icmp(bed, BED_OUTSIDE, &from.addr);
	int fd;

	*ret_how = "silence";
	if (protocol == NAT_UDP) {
		fd = bed_udp(bed, BED_OUTSIDE, &from);
		bed_send(bed, fd, at);
	} else {
		fd = bed_tcp(bed, BED_OUTSIDE, &from);
		bed_connect(bed, fd, at);
	}
	bed_settle(bed);
	if (told_of(bed, icmp, at)) {
		*ret_how = "ICMP destination unreachable";
		return true;
	}
	if (protocol == NAT_TCP && bed_fate(fd) == ECONNREFUSED) {
		*ret_how = "a reset";
		return true;
	}
	return false;
}

/* What came of one stranger's packet. */
struct provocation {
	struct endpoint at, local, external;
	const char *how;
	bool answered, known, moved;
};

static struct provocation provoke_and_speak(struct bed *bed, enum nat_protocol protocol, bool kept)
{
	size_t mark = bed->socket_count;
	uint16_t port = bed_kept_port(bed);
	struct provocation p = {.at = {bed->subject->externals[0], port}};
	struct speech speech;
	struct speaker late;

	p.answered = provoke(bed, protocol, &p.at, &p.how);
	/* The stranger's own attempt must be over, else it meets the host's as a simultaneous one.
	 */
	bed_close_since(bed, mark);
	speech = speech_begin(bed, protocol);
	late = speaker_make(&speech, 0, port);
	p.local = late.local;
	p.known = kept && speaker_speak(&late, STRANGER, PORT_A, &p.external);
	p.moved = p.known && p.external.port != port;
	bed_close_since(bed, mark);
	return p;
}

void probe_unsolicited(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	const struct seen *allocation = &o->seen[ASPECT_ALLOCATION][protocol];
	bool kept = allocation->known && allocation->value == PORTS_PRESERVING;
	struct provocation p = provoke_and_speak(bed, protocol, kept);
	char text[2][ENDPOINT_TEXT_MAX];

	/*
	 * An earlier probe may have been given just this port at random. Then its host answers, or
	 * ours is moved, and there is no stranger to speak of; but not twice.
	 */
	if (p.moved || p.answered)
		p = provoke_and_speak(bed, protocol, kept);
	if (p.known)
		see(o, ASPECT_POISONED, protocol, p.moved,
		    "after the stranger's packet, %s becomes %s",
		    endpoint_format(&p.local, text[0]), endpoint_format(&p.external, text[1]));
	else
		unseen(o, ASPECT_POISONED, protocol, "only seen where ports are preserved");
	if (p.moved)
		see(o, ASPECT_UNSOLICITED, protocol, UNSOLICITED_ACCEPT,
		    "%s hears %s, and the host's own packet is moved to %u",
		    endpoint_format(&p.at, text[0]), p.how, p.external.port);
	else
		see(o, ASPECT_UNSOLICITED, protocol,
		    p.answered ? UNSOLICITED_REJECT : UNSOLICITED_DROP, "a stranger to %s hears %s",
		    endpoint_format(&p.at, text[0]), p.how);
}
