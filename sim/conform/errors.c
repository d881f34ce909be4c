/* SPDX-License-Identifier: MIT */
/*
 * ICMP errors (RFC 5508, RFC 4787 REQ-12): a peer, then somebody on the way, complains
 * about a flow. The inside should see the complaint, about its own endpoint, and go on
 * as before. And an error from inside that is about no flow at all: the NAT may drop
 * it, translate it, or let the private address out.
 */
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "conform/probes.h"
#include "conform/speech.h"

static const uint8_t numbers[] = {
	[NAT_UDP] = IPPROTO_UDP, [NAT_TCP] = IPPROTO_TCP, [NAT_ICMP] = IPPROTO_ICMP};

/* @peer says @type and @code about what @external sent to the first peer. Is @local told? */
static bool complain(struct speech *speech, size_t peer, uint8_t type, uint8_t code,
		     const struct endpoint *external, const struct endpoint *local)
{
	struct bed *bed = speech->bed;
	struct endpoint about = bed_peer(bed, 0, PORT_A);
	int from = bed_icmp(bed, BED_OUTSIDE, &bed->peers[peer]);
	int at = bed_icmp(bed, BED_INSIDE, &local->addr);
	struct bed_icmp message;

	bed_send_error(bed, from, &external->addr, type, code, numbers[speech->protocol], external,
		       &about);
	bed_settle(bed);
	while (bed_next_icmp(at, &message))
		if (message.type == type && endpoint_equal(&message.about_from, local))
			return true;
	return false;
}

static void probe_flow(struct speech *speech, struct observed *o)
{
	/* Host unreachable: a soft error, which the host's own TCP survives. */
	const uint8_t type = ICMP_DEST_UNREACH, code = ICMP_HOST_UNREACH;
	struct speaker speaker = speaker_make(speech, 0, bed_fresh_port(speech->bed));
	struct speaker other = speaker_make(speech, 0, bed_fresh_port(speech->bed));
	char text[2][ENDPOINT_TEXT_MAX];
	struct endpoint external, second;
	bool told, alive;

	if (!speaker_speak(&speaker, 0, PORT_A, &external) ||
	    !speaker_speak(&other, 0, PORT_A, &second)) {
		unseen(o, ASPECT_ERRORS, speech->protocol, "nothing gets out");
		return;
	}
	told = complain(speech, 0, type, code, &external, &speaker.local);
	see(o, ASPECT_ERRORS, speech->protocol, told, "host unreachable about %s %s %s",
	    endpoint_format(&external, text[0]), told ? "arrives about" : "does not arrive at",
	    endpoint_format(&speaker.local, text[1]));
	alive = speaker_answered(&speaker, 0, PORT_A, &external);
	see(o, ASPECT_ERRORS_KILL, speech->protocol, !alive, "after it, the peer's answer to %s %s",
	    endpoint_format(&external, text[0]),
	    alive ? "still gets in" : "does not get in any more");
	told = complain(speech, 2, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, &second, &other.local);
	see(o, ASPECT_STRANGE_ERRORS, speech->protocol, told,
	    "time exceeded about %s, said by another host, %s", endpoint_format(&second, text[0]),
	    told ? "arrives" : "does not arrive");
}

static void probe_unmatched(struct bed *bed, struct observed *o)
{
	static const uint32_t nobody = 0x03030303;
	struct endpoint about_from = bed_peer(bed, 2, 0), about_to = {0};
	int from = bed_icmp(bed, BED_INSIDE, &bed->hosts[0]);
	int at = bed_icmp(bed, BED_OUTSIDE, &bed->peers[2]);
	enum nat_unmatched value = UNMATCHED_DROPPED;
	struct bed_icmp message;
	char text[ADDR_TEXT_MAX];
	bool arrived = false;

	about_to.addr = addr_from_ipv4(htonl(nobody));
	bed_send_error(bed, from, &bed->peers[2], ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, IPPROTO_ICMP,
		       &about_from, &about_to);
	bed_settle(bed);
	while (!arrived && bed_next_icmp(at, &message))
		arrived = message.type == ICMP_TIME_EXCEEDED;
	if (arrived)
		value = addr_equal(&message.from, &bed->hosts[0]) ? UNMATCHED_LEAKED
								  : UNMATCHED_TRANSLATED;
	see(o, ASPECT_UNMATCHED, NAT_UDP, (int)value,
	    "time exceeded about a packet that never was %s%s",
	    arrived ? "leaves as from " : "does not leave",
	    arrived ? addr_format(&message.from, text) : "");
}

/* A datagram in fragments, in their order (RFC 4787 REQ-14). */
static void probe_fragments(struct speech *speech, struct observed *o)
{
	struct bed *bed = speech->bed;
	struct speaker speaker = speaker_make(speech, 0, bed_fresh_port(bed));
	struct endpoint external, from = bed_peer(bed, 0, PORT_A);
	uint32_t number;
	bool heard;

	if (!speaker_speak(&speaker, 0, PORT_A, &external))
		return;
	number = bed_send_long(bed, bed_udp(bed, BED_OUTSIDE, &from), &external);
	bed_settle(bed);
	heard = bed_heard(bed, speaker.fd, number, NULL);
	see(o, ASPECT_FRAGMENTS, NAT_UDP, heard, "4000 bytes in three fragments, in order, %s",
	    heard ? "arrive" : "do not arrive");
}

void probe_errors(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, protocol);

	probe_flow(&speech, o);
	if (protocol == NAT_UDP) {
		probe_unmatched(bed, o);
		probe_fragments(&speech, o);
	}
	bed_close_since(bed, mark);
}
