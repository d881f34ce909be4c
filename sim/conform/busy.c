/* SPDX-License-Identifier: MIT */
/*
 * Is a busy flow's last packet treated as its first?
 *
 * A NAT may treat a flow otherwise once it knows it well: by a shorter way through its
 * rules, a faster one through its hardware. Nobody outside may see that. So thousands of packets
 * are sent, and some more when the NAT has had time to think of the flow as known. They are made by
 * hand, half of them without a checksum (RFC 768: zero, which must stay zero) and of
 * different lengths, in either direction, and each that arrives is compared with what was sent:
 * source endpoint, length, payload, checksum, and as many hops taken off its TTL as off the
 * first one's.
 */
#include "conform/busy.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/checksum.h"
#include "conform/bytes.h"
#include "nft-rules/ruleset.h"

enum {
	IP_HEADER = 20,
	UDP_HEADER = 8,
	PSEUDO_HEADER = 12,
	PAYLOAD_MAX = 64,
	PACKET_MAX = IP_HEADER + UDP_HEADER + PAYLOAD_MAX,
	BATCH = 100, /* as many as socket buffers hold for certain */
	TTL = 60,
	PEER = 2, /* no other probe's ears are at its PORT_B */
};

_Static_assert((unsigned int)BUSY_PACKETS > RULESET_COUNTED &&
		       (unsigned int)BUSY_PAUSE_MS > RULESET_LOOK_AGAIN_MS,
	       "natsim's own NATs know such a flow by then");

/* One way: who sends by hand, who sees it arrive, and the socket that it is for. */
struct lane {
	struct busy_way *way;
	struct endpoint from, to;           /* as sent */
	struct endpoint seen_from, seen_to; /* as it should arrive */
	int out, tap, ear;
};

static size_t payload_size(unsigned int number)
{
	return 4 + number % (PAYLOAD_MAX - 3);
}

static bool without_checksum(unsigned int number)
{
	return number % 2 == 0;
}

/* Over the pseudo header of @ip (RFC 768); 0 when a checksum that is in place is right. */
static uint16_t udp_checksum(const uint8_t *ip, const uint8_t *udp, size_t length)
{
	uint8_t bytes[PSEUDO_HEADER + PACKET_MAX] = {0};

	memcpy(bytes, ip + 12, 8);
	bytes[9] = IPPROTO_UDP;
	put16(bytes + 10, (unsigned int)length);
	memcpy(bytes + PSEUDO_HEADER, udp, length);
	return internet_checksum(bytes, PSEUDO_HEADER + length);
}

/* Packet @number from @from to @to, whole; returns its length. */
static size_t compose(const struct endpoint *from, const struct endpoint *to, unsigned int number,
		      uint8_t packet[PACKET_MAX])
{
	size_t size = payload_size(number), length = UDP_HEADER + size;
	uint8_t *udp = packet + IP_HEADER;
	uint16_t sum;

	memset(packet, 0, PACKET_MAX);
	packet[0] = 0x45;
	packet[8] = TTL;
	packet[9] = IPPROTO_UDP;
	memcpy(packet + 12, from->addr.bytes, 4);
	memcpy(packet + 16, to->addr.bytes, 4);
	put16(udp, from->port);
	put16(udp + 2, to->port);
	put16(udp + 4, (unsigned int)length);
	memset(udp + UDP_HEADER, (int)(number & 0xff), size);
	put32(udp + UDP_HEADER, number);
	if (!without_checksum(number)) {
		sum = udp_checksum(packet, udp, length);
		put16(udp + 6, sum ? sum : 0xffff);
	}
	return IP_HEADER + length;
}

static void send_packet(struct bed *bed, struct lane *lane)
{
	const struct endpoint host = {.addr = lane->to.addr};
	uint8_t packet[PACKET_MAX];
	size_t length = compose(&lane->from, &lane->to, ++lane->way->sent, packet);

	bed_send_bytes(bed, lane->out, &host, packet, length);
}

/* What is wrong with a packet that arrived; NULL for nothing. */
static const char *compare(const struct lane *lane, const uint8_t *packet, size_t length)
{
	const uint8_t *udp = packet + IP_HEADER;
	uint8_t expected[PACKET_MAX];
	unsigned int number = get32(udp + UDP_HEADER);
	size_t size;

	if (number == 0 || number > lane->way->sent)
		return "has another payload";
	size = compose(&lane->seen_from, &lane->seen_to, number, expected);
	if (memcmp(packet + 12, expected + 12, 4) != 0 || get16(udp) != lane->seen_from.port)
		return "has another source";
	if (length != size || get16(udp + 4) != size - IP_HEADER)
		return "has another length";
	if (memcmp(udp + UDP_HEADER, expected + IP_HEADER + UDP_HEADER, payload_size(number)) != 0)
		return "has another payload";
	if (packet[8] != lane->way->ttl)
		return "has another TTL";
	if (without_checksum(number))
		return get16(udp + 6) ? "has got a checksum" : NULL;
	if (get16(udp + 6) == 0)
		return "has lost its checksum";
	return udp_checksum(packet, udp, length - IP_HEADER) ? "has a wrong checksum" : NULL;
}

/* The next packet of this flow that arrived; its length, or 0. */
static size_t next_arrived(const struct lane *lane, uint8_t packet[PACKET_MAX])
{
	ssize_t n;

	while (lane->tap >= 0 &&
	       (n = recv(lane->tap, packet, PACKET_MAX, MSG_DONTWAIT | MSG_TRUNC)) >= 0)
		if (n >= IP_HEADER + UDP_HEADER + 4 && n <= PACKET_MAX && packet[0] == 0x45 &&
		    get16(packet + IP_HEADER + 2) == lane->seen_to.port)
			return (size_t)n;
	return 0;
}

static void take_arrived(struct bed *bed, struct lane *lane)
{
	struct busy_way *way = lane->way;
	uint8_t packet[PACKET_MAX];
	const char *how;
	size_t length;

	while ((length = next_arrived(lane, packet)) > 0) {
		if (way->arrived == 0)
			way->ttl = packet[8];
		if (lane->seen_from.addr.family == AF_UNSPEC) {
			lane->seen_from.addr.family = AF_INET;
			memcpy(lane->seen_from.addr.bytes, packet + 12, 4);
			lane->seen_from.port = get16(packet + IP_HEADER);
		}
		way->arrived++;
		how = compare(lane, packet, length);
		if (how && !way->how) {
			way->how = how;
			way->changed = way->arrived;
		}
	}
	bed_heard(bed, lane->ear, 0, NULL); /* which nothing is: all that came is taken */
}

static void send_batch(struct bed *bed, struct lane *out, struct lane *in, unsigned int count)
{
	while (count--) {
		send_packet(bed, out);
		if (in)
			send_packet(bed, in);
	}
	bed_settle(bed);
	take_arrived(bed, out);
	if (in)
		take_arrived(bed, in);
}

bool busy_burst(struct speaker *speaker, size_t peer, uint16_t port, unsigned int count,
		struct busy *busy)
{
	struct bed *bed = speaker->speech->bed;
	const struct endpoint local = speaker->local, other = bed_peer(bed, peer, port);
	struct lane out = {&busy->out, .from = local, .to = other, .seen_to = other};
	struct lane in = {&busy->in, .from = other, .seen_from = other, .seen_to = local};
	size_t mark;
	unsigned int part;

	out.ear = speech_ear(speaker->speech, peer, port);
	in.ear = speaker->fd;
	mark = bed->socket_count;
	out.out = bed_packets(bed, BED_INSIDE);
	in.out = bed_packets(bed, BED_OUTSIDE);
	out.tap = bed_udp_tap(bed, BED_OUTSIDE, &other.addr);
	in.tap = bed_udp_tap(bed, BED_INSIDE, &local.addr);
	out.seen_from = busy->external;
	if (busy->out.arrived == 0) { /* the first one alone: it tells where the others go */
		send_batch(bed, &out, NULL, 1);
		busy->external = out.seen_from;
		bed->drawn[busy->external.port] = true;
	}
	in.to = busy->external;
	for (; count && busy->out.arrived; count -= part) {
		part = count < BATCH ? count : BATCH;
		send_batch(bed, &out, &in, part);
	}
	bed_close_since(bed, mark);
	return busy->out.arrived > 0;
}

void busy_begin(struct bed *bed, struct busy_probe *ret)
{
	ret->speech = speech_begin(bed, NAT_UDP);
	ret->speaker = speaker_make(&ret->speech, 0, bed_fresh_port(bed));
	ret->busy = (struct busy){.out = {0}};
	busy_burst(&ret->speaker, PEER, PORT_B, BUSY_PACKETS, &ret->busy);
	ret->again = bed_clock_ms() + BUSY_PAUSE_MS;
}

void busy_end(struct busy_probe *probe, struct observed *o)
{
	const struct busy_way *out = &probe->busy.out, *in = &probe->busy.in;
	const struct busy_way *wrong = out->how ? out : in;
	char text[2][ENDPOINT_TEXT_MAX];

	if (out->sent == 0)
		return;
	if (out->arrived == 0) {
		unseen(o, ASPECT_BUSY, NAT_UDP, "nothing gets out");
		return;
	}
	bed_wait_until(probe->again);
	busy_burst(&probe->speaker, PEER, PORT_B, BUSY_AGAIN, &probe->busy);
	endpoint_format(&probe->speaker.local, text[0]);
	endpoint_format(&probe->busy.external, text[1]);
	if (wrong->how)
		see(o, ASPECT_BUSY, NAT_UDP, false, "packet %u %s %s %s", wrong->changed,
		    wrong == out ? "from" : "to", text[0], wrong->how);
	else
		see(o, ASPECT_BUSY, NAT_UDP, out->arrived == out->sent && in->arrived == in->sent,
		    "%u of %u packets of %s arrive unchanged as from %s, and %u of %u of its peer",
		    out->arrived, out->sent, text[0], text[1], in->arrived, in->sent);
}
