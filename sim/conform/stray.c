/* SPDX-License-Identifier: MIT */
/*
 * Silence first, then an answer (RFC 5382 REQ-4)
 *
 * A stray SYN must hear nothing for six seconds, since the inside's own SYN may be about
 * to cross it; then it should hear ICMP. It is sent, repeated at once, which must not hurry
 * the answer, and then listened for while lifetimes are tried. The silence is tried as short
 * as lifetimes are.
 */
#include "conform/stray.h"

#include <netinet/ip_icmp.h>

enum { STRANGER = 3, PORT_STRAY = 7005 };

static void knock(struct stray *stray)
{
	struct bed *bed = stray->bed;
	size_t mark = bed->socket_count;

	bed_connect(bed, bed_tcp(bed, BED_OUTSIDE, &stray->from), &stray->at);
	bed_settle(bed);
	bed_close_since(bed, mark);
}

void stray_begin(struct bed *bed, const struct observed *o, struct stray *ret)
{
	const struct seen *unsolicited = &o->seen[ASPECT_UNSOLICITED][NAT_TCP];

	*ret = (struct stray){.bed = bed,
			      .tried = unsolicited->known && unsolicited->value == UNSOLICITED_DROP,
			      .from = bed_peer(bed, STRANGER, PORT_STRAY),
			      .at = {bed->subject->externals[0], bed_fresh_port(bed)}};
	if (!ret->tried)
		return;
	ret->icmp = bed_icmp(bed, BED_OUTSIDE, &ret->from.addr);
	ret->sent = bed_clock_ms();
	knock(ret);
	ret->until = bed_clock_ms();
	knock(ret);
	stray_look(ret);
}

void stray_look(struct stray *stray)
{
	struct bed_icmp message;

	while (stray->tried && bed_next_icmp(stray->icmp, &message)) {
		if (stray->told || message.type != ICMP_DEST_UNREACH ||
		    message.code != ICMP_PORT_UNREACH ||
		    !endpoint_equal(&message.about_from, &stray->from) ||
		    !endpoint_equal(&message.about_to, &stray->at))
			continue;
		stray->told = true;
		stray->waited = bed_clock_ms() - stray->sent;
	}
}

void stray_end(struct stray *stray, struct observed *o)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!stray->tried)
		return;
	bed_settle(stray->bed);
	stray_look(stray);
	endpoint_format(&stray->at, text);
	if (!stray->told) {
		see(o, ASPECT_SILENCE, NAT_TCP, 0, "a SYN to %s hears nothing for %llu ms", text,
		    (unsigned long long)(bed_clock_ms() - stray->until));
		return;
	}
	see(o, ASPECT_SILENCE, NAT_TCP, (int)stray->waited,
	    "a SYN to %s hears ICMP port unreachable after %llu ms", text, stray->waited);
	see(o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_DELAYED,
	    "a SYN to %s hears nothing at once, and ICMP after %llu ms", text, stray->waited);
}
