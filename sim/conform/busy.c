/* SPDX-License-Identifier: MIT */
/*
 * Is a busy flow's last packet treated as its first?
 *
 * A NAT may treat a flow otherwise once it knows it well: by a shorter way through its
 * rules, a faster one through its hardware. Nobody outside may see that. So thousands of packets
 * are sent, and some more when the NAT has had time to think of the flow as known. They are made by
 * hand, half of them without a checksum (RFC 768: zero, which must stay zero) and of
 * different lengths, and each that arrives is compared with what was sent: source
 * endpoint, length, payload, checksum, and as many hops taken off its TTL as off the first one's.
 */
#include "conform/busy.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/checksum.h"
#include "conform/bytes.h"

enum {
	IP_HEADER = 20,
	UDP_HEADER = 8,
	PSEUDO_HEADER = 12,
	PAYLOAD_MAX = 64,
	PACKET_MAX = IP_HEADER + UDP_HEADER + PAYLOAD_MAX,
	BATCH = 100,   /* as many as socket buffers hold for certain */
	ANSWERED = 20, /* every twentieth */
	TTL = 60,
	PEER = 2, /* no other probe's ears are at its PORT_B */
};

struct burst {
	struct bed *bed;
	struct speaker *speaker;
	struct endpoint peer;
	int out, tap, ear;
	struct busy *busy;
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

static void send_packet(struct burst *b, unsigned int number)
{
	const struct endpoint host = {.addr = b->peer.addr};
	uint8_t packet[PACKET_MAX];
	size_t length = compose(&b->speaker->local, &b->peer, number, packet);

	bed_send_bytes(b->bed, b->out, &host, packet, length);
}

/* What is wrong with a packet that arrived; NULL for nothing. */
static const char *compare(const struct burst *b, const uint8_t *packet, size_t length)
{
	const uint8_t *udp = packet + IP_HEADER;
	uint8_t expected[PACKET_MAX];
	unsigned int number = get32(udp + UDP_HEADER);
	size_t size;

	if (number == 0 || number > b->busy->sent)
		return "has another payload";
	size = compose(&b->busy->external, &b->peer, number, expected);
	if (memcmp(packet + 12, expected + 12, 4) != 0 || get16(udp) != b->busy->external.port)
		return "has another source";
	if (length != size || get16(udp + 4) != size - IP_HEADER)
		return "has another length";
	if (memcmp(udp + UDP_HEADER, expected + IP_HEADER + UDP_HEADER, payload_size(number)) != 0)
		return "has another payload";
	if (packet[8] != b->busy->ttl)
		return "has another TTL";
	if (without_checksum(number))
		return get16(udp + 6) ? "has got a checksum" : NULL;
	if (get16(udp + 6) == 0)
		return "has lost its checksum";
	return udp_checksum(packet, udp, length - IP_HEADER) ? "has a wrong checksum" : NULL;
}

static void take_arrived(struct burst *b)
{
	uint8_t packet[PACKET_MAX];
	struct busy *busy = b->busy;
	const char *how;
	ssize_t n;

	while (b->tap >= 0 &&
	       (n = recv(b->tap, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC)) >= 0) {
		if (n < IP_HEADER + UDP_HEADER + 4 || n > PACKET_MAX || packet[0] != 0x45 ||
		    get16(packet + IP_HEADER + 2) != b->peer.port)
			continue;
		if (busy->arrived == 0) {
			memcpy(busy->external.addr.bytes, packet + 12, 4);
			busy->external.addr.family = AF_INET;
			busy->external.port = get16(packet + IP_HEADER);
			busy->ttl = packet[8];
			b->bed->drawn[busy->external.port] = true;
		}
		busy->arrived++;
		how = compare(b, packet, (size_t)n);
		if (how && !busy->how) {
			busy->how = how;
			busy->changed = busy->arrived;
		}
	}
}

/* The peer's socket and the host's, emptied. */
static void take_answers(struct burst *b, const uint32_t answers[], size_t count)
{
	struct endpoint from;
	size_t i;

	bed_heard(b->bed, b->ear, 0, NULL); /* which nothing is: all that came is taken */
	for (i = 0; i < count; i++)
		b->busy->answers += bed_heard(b->bed, b->speaker->fd, answers[i], &from) &&
				    endpoint_equal(&from, &b->peer);
}

static void send_batch(struct burst *b, unsigned int count)
{
	uint32_t answers[BATCH / ANSWERED + 1];
	size_t asked = 0;

	while (count--) {
		send_packet(b, ++b->busy->sent);
		if (b->busy->sent % ANSWERED == 0)
			answers[asked++] = bed_send(b->bed, b->ear, &b->busy->external);
	}
	bed_settle(b->bed);
	take_arrived(b);
	take_answers(b, answers, asked);
	b->busy->asked += (unsigned int)asked;
}

bool busy_burst(struct speaker *speaker, size_t peer, uint16_t port, unsigned int count,
		struct busy *busy)
{
	struct bed *bed = speaker->speech->bed;
	struct burst b = {.bed = bed,
			  .speaker = speaker,
			  .peer = bed_peer(bed, peer, port),
			  .ear = speech_ear(speaker->speech, peer, port),
			  .busy = busy};
	size_t mark = bed->socket_count;
	unsigned int part;

	b.out = bed_packets(bed, BED_INSIDE);
	b.tap = bed_udp_tap(bed, BED_OUTSIDE, &b.peer.addr);
	/* The first one alone: it tells where answers go. */
	for (part = busy->sent ? BATCH : 1; count; count -= part, part = BATCH) {
		part = part < count ? part : count;
		send_batch(&b, part);
		if (busy->arrived == 0)
			break;
	}
	bed_close_since(bed, mark);
	return busy->arrived > 0;
}

void busy_begin(struct bed *bed, struct busy_probe *ret)
{
	ret->speech = speech_begin(bed, NAT_UDP);
	ret->speaker = speaker_make(&ret->speech, 0, bed_fresh_port(bed));
	ret->busy = (struct busy){.sent = 0};
	busy_burst(&ret->speaker, PEER, PORT_B, BUSY_PACKETS, &ret->busy);
	ret->again = bed_clock_ms() + BUSY_PAUSE_MS;
}

void busy_end(struct busy_probe *probe, struct observed *o)
{
	const struct busy *busy = &probe->busy;
	char text[2][ENDPOINT_TEXT_MAX];

	if (busy->sent == 0)
		return;
	if (busy->arrived == 0) {
		unseen(o, ASPECT_BUSY, NAT_UDP, "nothing gets out");
		return;
	}
	bed_wait_until(probe->again);
	busy_burst(&probe->speaker, PEER, PORT_B, BUSY_AGAIN, &probe->busy);
	endpoint_format(&probe->speaker.local, text[0]);
	endpoint_format(&busy->external, text[1]);
	if (busy->how)
		see(o, ASPECT_BUSY, NAT_UDP, false, "packet %u from %s %s", busy->changed, text[0],
		    busy->how);
	else
		see(o, ASPECT_BUSY, NAT_UDP,
		    busy->arrived == busy->sent && busy->answers == busy->asked,
		    "%u of %u packets of %s arrive unchanged as from %s, and %u of %u answers",
		    busy->arrived, busy->sent, text[0], text[1], busy->answers, busy->asked);
}
