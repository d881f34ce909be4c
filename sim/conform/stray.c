/* SPDX-License-Identifier: MIT */
/*
 * Silence first, then an answer (RFC 5382 REQ-4)
 *
 * A stray SYN must hear nothing for six seconds, since the inside's own SYN may be about
 * to cross it; then it should hear ICMP. Rules cannot wait, so it is a repetition of the
 * SYN that is answered. The silence is tried as short as lifetimes are.
 */
#include "conform/stray.h"

#include <netinet/ip_icmp.h>

enum { STRANGER = 3, PORT_STRAY = 7005 };

/* One SYN. Is it answered by ICMP? */
static bool knock(struct stray *stray)
{
	struct bed *bed = stray->bed;
	size_t mark = bed->socket_count;
	int icmp = bed_icmp(bed, BED_OUTSIDE, &stray->from.addr);
	struct bed_icmp message;
	bool told = false;

	bed_connect(bed, bed_tcp(bed, BED_OUTSIDE, &stray->from), &stray->at);
	bed_settle(bed);
	while (bed_next_icmp(icmp, &message))
		told = told || (message.type == ICMP_DEST_UNREACH &&
				endpoint_equal(&message.about_to, &stray->at));
	bed_close_since(bed, mark);
	return told;
}

void stray_begin(struct bed *bed, const struct observed *o, struct stray *ret)
{
	const struct seen *unsolicited = &o->seen[ASPECT_UNSOLICITED][NAT_TCP];

	*ret = (struct stray){.bed = bed,
			      .tried = unsolicited->known && unsolicited->value == UNSOLICITED_DROP,
			      .from = bed_peer(bed, STRANGER, PORT_STRAY),
			      .at = {bed->subject->externals[0], bed_fresh_port(bed)}};
	if (ret->tried)
		ret->told_soon = knock(ret);
	ret->born = bed_clock_ms();
}

void stray_repeat(struct stray *stray)
{
	if (stray->tried)
		stray->told_soon = knock(stray) || stray->told_soon;
}

void stray_end(struct stray *stray, struct observed *o)
{
	char text[ENDPOINT_TEXT_MAX];
	unsigned long long waited;
	bool told;

	if (!stray->tried)
		return;
	waited = bed_clock_ms() - stray->born;
	told = knock(stray);
	see(o, ASPECT_LATE_ANSWER, NAT_TCP, told && !stray->told_soon,
	    "a SYN to %s that is repeated after %llu ms hears %s",
	    endpoint_format(&stray->at, text), waited,
	    told ? "ICMP destination unreachable" : "nothing");
	if (told && !stray->told_soon)
		see(o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_DELAYED,
		    "a SYN to %s hears nothing at once, and ICMP when repeated after %llu ms", text,
		    waited);
	else if (told)
		see(o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_REJECT,
		    "a SYN to %s hears ICMP as soon as it is repeated", text);
}
