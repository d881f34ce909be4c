/* SPDX-License-Identifier: MIT */
/*
 * Who may send to an external endpoint (RFC 4787 section 5): the socket has spoken to
 * one peer's one port; that peer's other port knocks, and another peer does.
 */
#include "conform/probes.h"
#include "conform/speech.h"

void probe_filtering(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, protocol);
	struct speaker speaker = speaker_make(&speech, 0, bed_fresh_port(bed));
	char local[ENDPOINT_TEXT_MAX], outer[ENDPOINT_TEXT_MAX];
	enum nat_dependence filtering = ADDRESS_AND_PORT_DEPENDENT;
	struct endpoint external;
	bool port, address;

	if (!speaker_speak(&speaker, 0, PORT_A, &external)) {
		unseen(o, ASPECT_FILTERING, protocol, "nothing gets out");
		bed_close_since(bed, mark);
		return;
	}
	/* The stranger first: a knock that is let in must not open the door for the other. */
	address = speaker_knock(&speaker, 1, PORT_A, &external, NULL);
	port = speaker_knock(&speaker, 0, PORT_B, &external, NULL);
	if (address)
		filtering = ENDPOINT_INDEPENDENT;
	else if (port || protocol == NAT_ICMP)
		filtering = ADDRESS_DEPENDENT;
	see(o, ASPECT_FILTERING, protocol, (int)filtering,
	    "%s, seen as %s, spoke to one peer: its other port %s, another peer %s",
	    endpoint_format(&speaker.local, local), endpoint_format(&external, outer),
	    protocol == NAT_ICMP ? "does not exist"
	    : port               ? "gets in"
				 : "does not get in",
	    address ? "gets in" : "does not get in");
	bed_close_since(bed, mark);
}
