/* SPDX-License-Identifier: MIT */
/*
 * ICMP errors (RFC 5508, RFC 4787 REQ-12): a peer, then somebody on the way, complains
 * about a flow. The inside should see the complaint, about its own endpoint, and go on
 * as before. And an error from inside that is about no flow at all: the NAT may drop
 * it, translate it, or let the private address out. And errors that are damaged.
 */
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "conform/probes.h"
#include "conform/speech.h"

static const uint8_t numbers[] = {
	[NAT_UDP] = IPPROTO_UDP, [NAT_TCP] = IPPROTO_TCP, [NAT_ICMP] = IPPROTO_ICMP};

/* @peer says @error about what was sent to the first peer. Is @local told? */
static bool complain(struct speech *speech, size_t peer, struct bed_error error,
		     const struct endpoint *local)
{
	struct bed *bed = speech->bed;
	int from = bed_icmp(bed, BED_OUTSIDE, &bed->peers[peer]);
	int at = bed_icmp(bed, BED_INSIDE, &local->addr);
	struct bed_icmp message;

	error.protocol = numbers[speech->protocol];
	error.to = bed_peer(bed, 0, PORT_A);
	bed_send_error(bed, from, &error.from.addr, &error);
	bed_settle(bed);
	while (bed_next_icmp(at, &message))
		if (message.type == error.type && endpoint_equal(&message.about_from, local))
			return true;
	return false;
}

static void probe_flow(struct speech *speech, struct observed *o)
{
	/* Host unreachable: a soft error, which the host's own TCP survives. */
	struct bed_error soft = {.type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH};
	struct bed_error late = {.type = ICMP_TIME_EXCEEDED, .code = ICMP_EXC_TTL};
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
	soft.from = external;
	late.from = second;
	told = complain(speech, 0, soft, &speaker.local);
	see(o, ASPECT_ERRORS, speech->protocol, told, "host unreachable about %s %s %s",
	    endpoint_format(&external, text[0]), told ? "arrives about" : "does not arrive at",
	    endpoint_format(&speaker.local, text[1]));
	alive = speaker_answered(&speaker, 0, PORT_A, &external);
	see(o, ASPECT_ERRORS_KILL, speech->protocol, !alive, "after it, the peer's answer to %s %s",
	    endpoint_format(&external, text[0]),
	    alive ? "still gets in" : "does not get in any more");
	told = complain(speech, 2, late, &other.local);
	see(o, ASPECT_STRANGE_ERRORS, speech->protocol, told,
	    "time exceeded about %s, said by another host, %s", endpoint_format(&second, text[0]),
	    told ? "arrives" : "does not arrive");
}

static void probe_unmatched(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	static const uint32_t nobody = 0x03030303;
	struct bed_error error = {.type = ICMP_TIME_EXCEEDED,
				  .code = ICMP_EXC_TTL,
				  .protocol = IPPROTO_ICMP,
				  .from = bed_peer(bed, 2, 0)};
	int from = bed_icmp(bed, BED_INSIDE, &bed->hosts[0]);
	int at = bed_icmp(bed, BED_OUTSIDE, &bed->peers[2]);
	enum nat_unmatched value = UNMATCHED_DROPPED;
	struct bed_icmp message;
	char text[ADDR_TEXT_MAX];
	bool arrived = false;

	error.to.addr = addr_from_ipv4(htonl(nobody));
	bed_send_error(bed, from, &bed->peers[2], &error);
	bed_settle(bed);
	while (!arrived && bed_next_icmp(at, &message))
		arrived = message.type == ICMP_TIME_EXCEEDED;
	if (arrived)
		value = addr_equal(&message.from, &bed->hosts[0]) ? UNMATCHED_LEAKED
								  : UNMATCHED_TRANSLATED;
	see(o, ASPECT_UNMATCHED, protocol, (int)value,
	    "time exceeded about a packet that never was %s%s",
	    arrived ? "leaves as from " : "does not leave",
	    arrived ? addr_format(&message.from, text) : "");
}

/* What RFC 5508 REQ-3 asks of errors that are damaged, and of those that only look so. */
static const struct oddity {
	enum bed_twist twist;
	enum aspect aspect;
	const char *what;
} oddities[] = {
	{TWIST_CHECKSUM, ASPECT_BAD_CHECKSUM, "a wrong checksum"},
	{TWIST_INNER_IP, ASPECT_BAD_INNER_IP, "a wrong IP checksum in what it quotes"},
	{TWIST_OPTIONS, ASPECT_INNER_OPTIONS, "IP options in what it quotes"},
	{TWIST_INNER_TRANSPORT, ASPECT_INNER_TRANSPORT,
	 "a wrong transport checksum in what it quotes"},
	{TWIST_EXTENSION, ASPECT_EXTENSIONS, "an extension (RFC 4884)"},
};

static void probe_twisted(struct speech *speech, struct observed *o)
{
	struct bed_error error = {.type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH};
	const struct oddity *odd;
	struct speaker speaker;
	size_t i;
	bool told;

	for (i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++) {
		odd = &oddities[i];
		/* Each about a flow of its own: an error may have ended the one before. */
		speaker = speaker_make(speech, 0, bed_fresh_port(speech->bed));
		if (!speaker_speak(&speaker, 0, PORT_A, &error.from)) {
			unseen(o, odd->aspect, speech->protocol, "nothing gets out");
			continue;
		}
		error.twist = odd->twist;
		told = complain(speech, 0, error, &speaker.local);
		see(o, odd->aspect, speech->protocol, told, "host unreachable with %s %s",
		    odd->what, told ? "arrives" : "does not arrive");
	}
}

void probe_errors(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	size_t mark = bed->socket_count;
	const struct seen *udp = &o->seen[ASPECT_PASSES][NAT_UDP];
	struct speech speech = speech_begin(bed, protocol);

	probe_flow(&speech, o);
	/* Which flow an error is about makes no difference to what else is asked of it. */
	if (protocol == NAT_UDP || (udp->known && !udp->value)) {
		probe_unmatched(bed, protocol, o);
		probe_twisted(&speech, o);
	}
	bed_close_since(bed, mark);
}
