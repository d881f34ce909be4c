/* SPDX-License-Identifier: MIT */
/*
 * TCP segments that probes read and make by hand: where a connection cannot come about, or is
 * over, and its ends would not say what the probe has to ask.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/checksum.h"
#include "conform/bed.h"
#include "conform/bytes.h"

enum { IP_HEADER = 20, TCP_HEADER = 20, PSEUDO_HEADER = 12, FLAGS = 0x3f };

static struct endpoint read_endpoint(const uint8_t *address, const uint8_t *port)
{
	struct endpoint endpoint;
	uint32_t bits;

	memcpy(&bits, address, sizeof(bits));
	endpoint = (struct endpoint){.addr = addr_from_ipv4(bits), .port = get16(port)};
	return endpoint;
}

bool bed_next_segment(int tap, uint16_t port, struct bed_segment *ret)
{
	uint8_t packet[256], *tcp;
	size_t header;
	ssize_t n;

	while (tap >= 0 && (n = recv(tap, packet, sizeof(packet), MSG_DONTWAIT)) >= 0) {
		header = n ? (packet[0] & 0xfU) * 4U : 0;
		if (header < IP_HEADER || (size_t)n < header + TCP_HEADER)
			continue;
		tcp = packet + header;
		if (get16(tcp + 2) != port)
			continue;
		*ret = (struct bed_segment){.from = read_endpoint(packet + 12, tcp),
					    .to = read_endpoint(packet + 16, tcp + 2),
					    .sequence = get32(tcp + 4),
					    .acknowledged = get32(tcp + 8),
					    .flags = tcp[13] & FLAGS};
		return true;
	}
	return false;
}

bool bed_next_syn(int tap, uint16_t port, struct endpoint *ret_from)
{
	struct bed_segment segment;

	while (bed_next_segment(tap, port, &segment)) {
		if ((segment.flags & (SEGMENT_SYN | SEGMENT_ACK)) != SEGMENT_SYN)
			continue;
		*ret_from = segment.from;
		return true;
	}
	return false;
}

/* Over the pseudo header (RFC 9293 section 3.1) and a segment without payload. */
static uint16_t tcp_checksum(const uint8_t *ip, const uint8_t *tcp)
{
	uint8_t bytes[PSEUDO_HEADER + TCP_HEADER] = {0};

	memcpy(bytes, ip + 12, 8);
	bytes[9] = IPPROTO_TCP;
	put16(bytes + 10, TCP_HEADER);
	memcpy(bytes + PSEUDO_HEADER, tcp, TCP_HEADER);
	return internet_checksum(bytes, sizeof(bytes));
}

void bed_send_segment(struct bed *bed, int fd, const struct bed_segment *segment)
{
	const struct endpoint host = {.addr = segment->to.addr};
	uint8_t packet[IP_HEADER + TCP_HEADER] = {0x45}, *tcp = packet + IP_HEADER;
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(&host, &address);

	if (fd < 0 || bed->error)
		return;
	/* Total length and the header's checksum are the kernel's to fill in. */
	packet[8] = 60;
	packet[9] = IPPROTO_TCP;
	memcpy(packet + 12, segment->from.addr.bytes, 4);
	memcpy(packet + 16, segment->to.addr.bytes, 4);
	put16(tcp, segment->from.port);
	put16(tcp + 2, segment->to.port);
	put32(tcp + 4, segment->sequence);
	put32(tcp + 8, segment->acknowledged);
	tcp[12] = TCP_HEADER / 4 << 4;
	tcp[13] = segment->flags;
	put16(tcp + 14, 0xffff);
	put16(tcp + 16, tcp_checksum(packet, tcp));
	bed->sent++;
	if (sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&address, size) < 0)
		return; /* refused is a way not to arrive */
}
