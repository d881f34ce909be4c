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

void probe_unsolicited(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	const struct seen *allocation = &o->seen[ASPECT_ALLOCATION][protocol];
	size_t mark = bed->socket_count;
	uint16_t port = bed_fresh_port(bed);
	struct endpoint at = {.addr = bed->subject->externals[0], .port = port}, external;
	struct speech speech = speech_begin(bed, protocol);
	char text[2][ENDPOINT_TEXT_MAX];
	struct speaker late;
	const char *how;
	bool answered, moved = false, known;

	answered = provoke(bed, protocol, &at, &how);
	/* The stranger's own attempt must be over, else it meets the host's as a simultaneous one.
	 */
	bed_close_since(bed, mark);
	speech = speech_begin(bed, protocol);
	late = speaker_make(&speech, 0, port);
	known = allocation->known && allocation->value == PORTS_PRESERVING &&
		speaker_speak(&late, STRANGER, PORT_A, &external);
	if (known) {
		moved = external.port != port;
		see(o, ASPECT_POISONED, protocol, moved,
		    "after the stranger's packet, %s becomes %s",
		    endpoint_format(&late.local, text[0]), endpoint_format(&external, text[1]));
	} else {
		unseen(o, ASPECT_POISONED, protocol, "only seen where ports are preserved");
	}
	if (moved)
		see(o, ASPECT_UNSOLICITED, protocol, UNSOLICITED_ACCEPT,
		    "%s hears %s, and the host's own packet is moved to %u",
		    endpoint_format(&at, text[0]), how, external.port);
	else if (answered)
		see(o, ASPECT_UNSOLICITED, protocol, UNSOLICITED_REJECT,
		    "a stranger to %s hears %s", endpoint_format(&at, text[0]), how);
	else
		see(o, ASPECT_UNSOLICITED, protocol, UNSOLICITED_DROP, "a stranger to %s hears %s",
		    endpoint_format(&at, text[0]), how);
	bed_close_since(bed, mark);
}
