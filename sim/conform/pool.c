/* SPDX-License-Identifier: MIT */
/* Several external addresses (RFC 4787 REQ-2): does a host keep to one? */
#include "conform/probes.h"
#include "conform/speech.h"

enum { POOL_HOSTS = 6, POOL_SOCKETS = 4 };

void probe_pool(struct bed *bed, struct observed *o)
{
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, NAT_UDP);
	struct endpoint first = {0}, external;
	struct speaker speaker;
	char text[3][ADDR_TEXT_MAX];
	size_t host, i;

	for (host = 0; host < POOL_HOSTS; host++) {
		for (i = 0; i < POOL_SOCKETS; i++) {
			speaker = speaker_make(&speech, host, bed_fresh_port(bed));
			if (!speaker_speak(&speaker, 0, PORT_A, &external)) {
				unseen(o, ASPECT_POOLING, NAT_UDP, "not every socket got out");
				bed_close_since(bed, mark);
				return;
			}
			if (i == 0)
				first = external;
			if (addr_equal(&first.addr, &external.addr))
				continue;
			see(o, ASPECT_POOLING, NAT_UDP, POOLING_ARBITRARY, "%s is both %s and %s",
			    addr_format(&speaker.local.addr, text[0]),
			    addr_format(&first.addr, text[1]),
			    addr_format(&external.addr, text[2]));
			bed_close_since(bed, mark);
			return;
		}
	}
	see(o, ASPECT_POOLING, NAT_UDP, POOLING_PAIRED,
	    "each of %d hosts has one address for its %d sockets", POOL_HOSTS, POOL_SOCKETS);
	bed_close_since(bed, mark);
}
