/* SPDX-License-Identifier: MIT */
/*
 * Packets that are larger than a link (RFC 4787 REQ-13 and REQ-14)
 *
 *     inside --- 1500 --- NAT --- 1280 --- outside
 *
 * The way out is made narrow for a moment. What must not be fragmented is then refused
 * with the size that would fit; what may be arrives in fragments. From outside a
 * datagram comes in fragments, in their order and the last one first: only the first has
 * ports, so a NAT has to wait for it.
 */
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>

#include "conform/probes.h"

enum { WIDE = 1500, NARROW = 1280, LARGE = 1400, PORT_SIZES = 7004 };

static void probe_fragments(struct bed *bed, struct observed *o)
{
	struct endpoint local = bed_host(bed, 0, bed_fresh_port(bed)), external;
	struct endpoint peer = bed_peer(bed, 0, PORT_SIZES);
	int host = bed_udp(bed, BED_INSIDE, &local), at = bed_udp(bed, BED_OUTSIDE, &peer);
	uint32_t number;
	bool heard;

	if (!bed_pass(bed, host, &peer, at, &external)) {
		unseen(o, ASPECT_FRAGMENTS, NAT_UDP, "nothing gets out");
		return;
	}
	number = bed_send_long(bed, at, &external);
	bed_settle(bed);
	heard = bed_heard(bed, host, number, NULL);
	see(o, ASPECT_FRAGMENTS, NAT_UDP, heard, "4000 bytes in three fragments, in order, %s",
	    heard ? "arrive" : "do not arrive");
	number = bed_send_backwards(bed, bed_packets(bed, BED_OUTSIDE), &peer, &external);
	bed_settle(bed);
	heard = bed_heard(bed, host, number, NULL);
	see(o, ASPECT_BACKWARDS, NAT_UDP, heard,
	    "2000 bytes in two fragments, the second one first, %s",
	    heard ? "arrive" : "do not arrive");
}

static void send_large(struct bed *bed, int fd, const struct endpoint *to, int discover)
{
	static const uint8_t bytes[LARGE];

	if (fd >= 0 &&
	    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover)) == 0)
		bed_send_bytes(bed, fd, to, bytes, sizeof(bytes));
	bed_settle(bed);
}

/* A datagram of @local for @peer, which is open already. */
struct flow {
	struct endpoint local, peer;
	int host, at;
};

static void probe_unfragmentable(struct bed *bed, const struct flow *flow, struct observed *o)
{
	int icmp = bed_icmp(bed, BED_INSIDE, &flow->local.addr);
	char text[ENDPOINT_TEXT_MAX];
	struct bed_icmp message;
	unsigned int told = 0;

	send_large(bed, flow->host, &flow->peer, IP_PMTUDISC_PROBE);
	while (told == 0 && bed_next_icmp(icmp, &message))
		if (message.type == ICMP_DEST_UNREACH && message.code == ICMP_FRAG_NEEDED &&
		    endpoint_equal(&message.about_from, &flow->local))
			told = message.sequence;
	endpoint_format(&flow->local, text);
	if (told)
		see(o, ASPECT_TOO_BIG, NAT_UDP, told == NARROW,
		    "a link of %d bytes and a whole packet of %d: %s hears that %u fit", NARROW,
		    LARGE, text, told);
	else
		see(o, ASPECT_TOO_BIG, NAT_UDP, false,
		    "a link of %d bytes and a whole packet of %d: %s hears nothing", NARROW, LARGE,
		    text);
}

static void probe_fragmentable(struct bed *bed, const struct flow *flow, struct observed *o)
{
	int sniffer = bed_sniffer(bed, BED_OUTSIDE), offset, last = -1, count = 0;
	enum cutting value = CUT_IN_ORDER;
	uint8_t buffer[LARGE + 1];
	bool arrived = false;
	ssize_t n;

	send_large(bed, flow->host, &flow->peer, IP_PMTUDISC_DONT);
	while ((n = bed_receive(bed, flow->at, buffer, sizeof(buffer), NULL)) >= 0)
		arrived = arrived || n == LARGE;
	while ((offset = bed_next_fragment(sniffer, &flow->peer.addr)) >= 0) {
		if (offset < last)
			value = CUT_IN_DISORDER;
		last = offset;
		count++;
	}
	if (!arrived)
		see(o, ASPECT_CUT, NAT_UDP, CUT_NOT_AT_ALL,
		    "a link of %d bytes and a datagram of %d: %d fragments, that do not arrive as "
		    "one",
		    NARROW, LARGE, count);
	else
		see(o, ASPECT_CUT, NAT_UDP, (int)value,
		    "a link of %d bytes and a datagram of %d: %d fragments arrive, %s", NARROW,
		    LARGE, count, value == CUT_IN_ORDER ? "in order" : "out of order");
}

static void probe_narrow(struct bed *bed, struct observed *o)
{
	struct flow flow = {.local = bed_host(bed, 0, bed_fresh_port(bed)),
			    .peer = bed_peer(bed, 0, PORT_SIZES)};
	struct endpoint external;

	flow.host = bed_udp(bed, BED_INSIDE, &flow.local);
	flow.at = bed_udp(bed, BED_OUTSIDE, &flow.peer);
	/* The flow exists before the link is narrow. */
	if (!bed_pass(bed, flow.host, &flow.peer, flow.at, &external)) {
		unseen(o, ASPECT_TOO_BIG, NAT_UDP, "nothing gets out");
		unseen(o, ASPECT_CUT, NAT_UDP, "nothing gets out");
		return;
	}
	bed_set_outside_mtu(bed, NARROW);
	probe_unfragmentable(bed, &flow, o);
	probe_fragmentable(bed, &flow, o);
	bed_set_outside_mtu(bed, WIDE);
}

void probe_sizes(struct bed *bed, struct observed *o)
{
	size_t mark = bed->socket_count;

	probe_fragments(bed, o);
	bed_close_since(bed, mark);
	probe_narrow(bed, o);
	bed_close_since(bed, mark);
}
