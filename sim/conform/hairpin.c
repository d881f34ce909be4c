/* SPDX-License-Identifier: MIT */
/*
 * Hairpinning (RFC 4787 section 6, RFC 5382 REQ-8): two hosts of one inside meet by
 * their external endpoints. Where the filter asks for it, the one to be reached
 * speaks to the other's external endpoint first.
 *
 * Where mappings depend on the destination, the endpoint that the other host will have
 * is not known in advance. It is when ports are preserved: then both use fresh
 * sockets, and each may guess the other's. Where they are not: cornered.c.
 */
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "conform/hairpin.h"
#include "conform/probes.h"

static struct hairpin meet(struct speech *speech, bool known)
{
	struct speaker host = speaker_make(speech, 0, bed_kept_port(speech->bed));
	struct speaker guest = speaker_make(speech, 1, bed_kept_port(speech->bed));
	struct hairpin m = {.host = host.local, .guest = guest.local, .at = host.local};
	struct endpoint outer = guest.local;
	int tap;

	outer.addr = m.at.addr = speech->bed->subject->externals[0];
	if (known &&
	    (!speaker_speak(&host, 0, PORT_A, &m.at) || !speaker_speak(&guest, 0, PORT_A, &outer)))
		return m;
	speaker_speak_to(&host, &outer);
	if (speech->protocol == NAT_TCP) {
		/* It need not become a connection: with an internal source, none can. */
		tap = bed_tcp_tap(speech->bed, BED_INSIDE, &host.local.addr);
		speaker_speak_to(&guest, &m.at);
		m.heard = bed_next_syn(tap, host.local.port, &m.from);
		return m;
	}
	m.heard = speaker_hairpin(&host, &guest, &m.at, &m.from);
	if (m.heard)
		return m;
	/* The first one may have opened the guest's mapping only; now the host may answer. */
	speaker_speak_to(&host, &outer);
	m.heard = speaker_hairpin(&host, &guest, &m.at, &m.from);
	return m;
}

/*
 * The host that was met says that it is unreachable (RFC 5508 REQ-7). Who came must be
 * told about its own packet, to the external endpoint that it knows.
 */
static void probe_error(struct speech *speech, const struct hairpin *m, struct observed *o)
{
	struct bed *bed = speech->bed;
	struct bed_error error = {.type = ICMP_DEST_UNREACH,
				  .code = ICMP_PORT_UNREACH,
				  .protocol = IPPROTO_UDP,
				  .from = m->from,
				  .to = m->host};
	int from = bed_icmp(bed, BED_INSIDE, &m->host.addr);
	int at = bed_icmp(bed, BED_INSIDE, &m->guest.addr);
	char text[2][ENDPOINT_TEXT_MAX];
	struct bed_icmp message;
	bool told = false;

	bed_send_error(bed, from, &m->from.addr, &error);
	bed_settle(bed);
	while (bed_next_icmp(at, &message))
		told = told || (message.type == ICMP_DEST_UNREACH &&
				endpoint_equal(&message.about_from, &m->guest) &&
				endpoint_equal(&message.about_to, &m->at));
	see(o, ASPECT_HAIRPIN_ERRORS, speech->protocol, told,
	    "port unreachable from inside about a packet to %s %s %s",
	    endpoint_format(&m->at, text[0]), told ? "arrives at" : "does not arrive as such at",
	    endpoint_format(&m->guest, text[1]));
}

enum nat_hairpinning hairpin_source(const struct bed *bed, const struct hairpin *h)
{
	if (!h->heard)
		return HAIRPINNING_OFF;
	return addr_equal(&h->from.addr, &bed->subject->externals[0]) ? HAIRPINNING_EXTERNAL_SOURCE
								      : HAIRPINNING_INTERNAL_SOURCE;
}

void hairpin_see(struct speech *speech, const struct hairpin *m, const char *where,
		 struct observed *o)
{
	enum nat_protocol protocol = speech->protocol;
	char text[3][ENDPOINT_TEXT_MAX];

	see(o, ASPECT_HAIRPINNING, protocol, (int)hairpin_source(speech->bed, m),
	    "%s%s heard %s at its external endpoint, as %s", where,
	    endpoint_format(&m->host, text[0]), endpoint_format(&m->guest, text[1]),
	    endpoint_format(&m->from, text[2]));
	if (protocol == NAT_UDP)
		probe_error(speech, m, o);
}

static void probe_self(struct speech *speech, struct observed *o)
{
	struct speaker self = speaker_make(speech, 0, bed_fresh_port(speech->bed));
	char text[2][ENDPOINT_TEXT_MAX];
	struct endpoint external;
	bool heard;

	if (!speaker_speak(&self, 0, PORT_A, &external))
		return;
	heard = speaker_hairpin(&self, &self, &external, NULL) ||
		speaker_hairpin(&self, &self, &external, NULL);
	see(o, ASPECT_SELF_HAIRPIN, speech->protocol, heard, "%s %s itself at %s",
	    endpoint_format(&self.local, text[0]), heard ? "hears" : "does not hear",
	    endpoint_format(&external, text[1]));
}

void probe_hairpinning(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	const struct seen *mapping = &o->seen[ASPECT_MAPPING][protocol];
	const struct seen *filtering = &o->seen[ASPECT_FILTERING][protocol];
	const struct seen *allocation = &o->seen[ASPECT_ALLOCATION][protocol];
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, protocol);
	char text[2][ENDPOINT_TEXT_MAX];
	struct hairpin m;
	bool known, certain;

	if (!mapping->known || !filtering->known) {
		unseen(o, ASPECT_HAIRPINNING, protocol, "mapping or filtering is not known");
		return;
	}
	known = mapping->value == ENDPOINT_INDEPENDENT;
	certain = known || filtering->value == ENDPOINT_INDEPENDENT ||
		  (allocation->known && allocation->value == PORTS_PRESERVING);
	m = meet(&speech, known);
	if (!m.heard && !known)
		m = meet(&speech, true);
	/* A guess fails when an earlier probe was given the port at random; not twice. */
	if (!m.heard && !known && certain)
		m = meet(&speech, false);
	if (m.heard) {
		hairpin_see(&speech, &m, "", o);
	} else if (certain) {
		see(o, ASPECT_HAIRPINNING, protocol, HAIRPINNING_OFF,
		    "%s did not hear %s at its external endpoint",
		    endpoint_format(&m.host, text[0]), endpoint_format(&m.guest, text[1]));
	} else {
		unseen(o, ASPECT_HAIRPINNING, protocol,
		       "two hosts meet only if each sends to the port drawn for the other's "
		       "packet, "
		       "which nobody sees");
	}
	if (protocol == NAT_UDP && known)
		probe_self(&speech, o);
	bed_close_since(bed, mark);
}
