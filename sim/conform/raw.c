/* SPDX-License-Identifier: MIT */
/* Packets that probes make and read by hand: ICMP, fragments. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/checksum.h"
#include "conform/bed.h"
#include "conform/bytes.h"

static void send_icmp(struct bed *bed, int fd, const struct addr *to, const uint8_t *bytes,
		      size_t length)
{
	const struct endpoint endpoint = {.addr = *to};
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(&endpoint, &address);

	if (fd < 0 || bed->error)
		return;
	bed->sent++;
	/* Refused (EPERM) is a way not to arrive. */
	if (sendto(fd, bytes, length, 0, (struct sockaddr *)&address, size) < 0)
		sendto(fd, bytes, length, 0, (struct sockaddr *)&address, size);
}

void bed_send_echo(struct bed *bed, int fd, const struct addr *to, uint8_t type, uint16_t id,
		   uint16_t sequence)
{
	uint8_t bytes[ICMP_MINLEN] = {type};

	put16(bytes + 4, id);
	put16(bytes + 6, sequence);
	put16(bytes + 2, internet_checksum(bytes, sizeof(bytes)));
	send_icmp(bed, fd, to, bytes, sizeof(bytes));
}

enum {
	IP_HEADER = 20,
	TCP_HEADER = 20,
	OPTIONS_LENGTH = 4,
	TRANSPORT = 8,
	QUOTE_PADDED = 128,
	EXTENSION = 12
};

/* The first eight bytes of what the error is about, as its transport header; TCP's checksum is
 * further on. */
static size_t quote_transport(uint8_t *transport, const struct bed_error *error)
{
	const uint16_t wrong = 0xdead, length = 12;
	bool twisted = error->twist == TWIST_INNER_TRANSPORT;

	if (error->protocol == IPPROTO_ICMP) {
		transport[0] = ICMP_ECHO;
		put16(transport + 4, error->from.port);
		put16(transport + 6, 1);
		put16(transport + 2, internet_checksum(transport, TRANSPORT));
		return TRANSPORT;
	}
	put16(transport, error->from.port);
	put16(transport + 2, error->to.port);
	if (error->protocol == IPPROTO_UDP)
		put16(transport + 4, length);
	if (twisted)
		put16(transport + (error->protocol == IPPROTO_UDP ? 6 : 16), wrong);
	return twisted && error->protocol == IPPROTO_TCP ? TCP_HEADER : TRANSPORT;
}

/* Returns the quoted packet's length. */
static size_t quote(uint8_t *ip, const struct bed_error *error)
{
	size_t options = error->twist == TWIST_OPTIONS ? OPTIONS_LENGTH : 0;
	size_t header = IP_HEADER + options;

	ip[0] = (uint8_t)(0x40 | header / 4);
	put16(ip + 2, (uint16_t)(header + (error->protocol == IPPROTO_TCP ? TCP_HEADER : 12)));
	ip[8] = 60;
	ip[9] = error->protocol;
	memcpy(ip + 12, error->from.addr.bytes, 4);
	memcpy(ip + 16, error->to.addr.bytes, 4);
	if (options)
		memset(ip + IP_HEADER, IPOPT_NOP, options);
	put16(ip + 10, internet_checksum(ip, header));
	if (error->twist == TWIST_INNER_IP)
		ip[10] = (uint8_t)~ip[10];
	return header + quote_transport(ip + header, error);
}

/* After a quote padded to its full length, an object of a class nobody knows (RFC 4884 section 7).
 */
static size_t extend(uint8_t *icmp)
{
	uint8_t *extension = icmp + ICMP_MINLEN + QUOTE_PADDED;

	icmp[5] = QUOTE_PADDED / 4;
	extension[0] = 2 << 4;
	put16(extension + 4, EXTENSION - 4);
	extension[6] = 250;
	put16(extension + 2, internet_checksum(extension, EXTENSION));
	return ICMP_MINLEN + QUOTE_PADDED + EXTENSION;
}

void bed_send_error(struct bed *bed, int fd, const struct addr *to, const struct bed_error *error)
{
	uint8_t bytes[ICMP_MINLEN + QUOTE_PADDED + EXTENSION] = {error->type, error->code};
	size_t length = ICMP_MINLEN + quote(bytes + ICMP_MINLEN, error);

	if (error->twist == TWIST_EXTENSION)
		length = extend(bytes);
	put16(bytes + 2, internet_checksum(bytes, length));
	if (error->twist == TWIST_CHECKSUM)
		bytes[2] = (uint8_t)~bytes[2];
	send_icmp(bed, fd, to, bytes, length);
}

static bool read_quoted(const uint8_t *ip, size_t length, struct bed_icmp *ret)
{
	size_t header = length ? (ip[0] & 0xfU) * 4U : 0;
	uint32_t address;

	if (header < IP_HEADER || length < header + 8)
		return false;
	ret->about_protocol = ip[9];
	memcpy(&address, ip + 12, sizeof(address));
	ret->about_from.addr = addr_from_ipv4(address);
	memcpy(&address, ip + 16, sizeof(address));
	ret->about_to.addr = addr_from_ipv4(address);
	if (ip[9] == IPPROTO_ICMP) {
		ret->about_from.port = get16(ip + header + 4);
	} else {
		ret->about_from.port = get16(ip + header);
		ret->about_to.port = get16(ip + header + 2);
	}
	return true;
}

bool bed_next_icmp(int fd, struct bed_icmp *ret)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	struct endpoint from;
	uint8_t packet[256];
	size_t header;
	ssize_t n;

	while (fd >= 0 && (n = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT,
					(struct sockaddr *)&address, &size)) >= 0) {
		header = n ? (packet[0] & 0xfU) * 4U : 0;
		if ((size_t)n < header + ICMP_MINLEN || !endpoint_from_sockaddr(&address, &from))
			continue;
		*ret = (struct bed_icmp){.from = from.addr,
					 .type = packet[header],
					 .code = packet[header + 1],
					 .id = get16(packet + header + 4),
					 .sequence = get16(packet + header + 6)};
		if (ret->type != ICMP_DEST_UNREACH && ret->type != ICMP_TIME_EXCEEDED)
			return true;
		if (read_quoted(packet + header + ICMP_MINLEN, (size_t)n - header - ICMP_MINLEN,
				ret))
			return true;
	}
	return false;
}

/* --- sizes ----------------------------------------------------------------------- */

enum { DATAGRAM = 2000, FIRST_FRAGMENT = 1000 };

static void send_fragment(struct bed *bed, int fd, const struct addr *from,
			  const struct endpoint *to, const uint8_t *datagram, size_t offset,
			  size_t length, bool more)
{
	const uint16_t more_fragments = 0x2000;
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(to, &address);
	uint8_t packet[IP_HEADER + DATAGRAM] = {0x45};

	/* Total length and checksum are the kernel's to fill in. */
	put16(packet + 4, (uint16_t)bed->serial);
	put16(packet + 6, (uint16_t)(offset / 8 | (more ? more_fragments : 0)));
	packet[8] = 60;
	packet[9] = IPPROTO_UDP;
	memcpy(packet + 12, from->bytes, 4);
	memcpy(packet + 16, to->addr.bytes, 4);
	memcpy(packet + IP_HEADER, datagram + offset, length);
	bed->sent++;
	if (sendto(fd, packet, IP_HEADER + length, 0, (struct sockaddr *)&address, size) < 0)
		return; /* refused is a way not to arrive */
}

uint32_t bed_send_backwards(struct bed *bed, int fd, const struct endpoint *from,
			    const struct endpoint *to)
{
	uint32_t number = ++bed->serial;
	uint8_t datagram[DATAGRAM] = {0};
	struct endpoint host = {.addr = to->addr};

	if (fd < 0 || bed->error)
		return number;
	put16(datagram, from->port);
	put16(datagram + 2, to->port);
	put16(datagram + 4, sizeof(datagram));
	memcpy(datagram + TRANSPORT, &number, sizeof(number));
	send_fragment(bed, fd, &from->addr, &host, datagram, FIRST_FRAGMENT,
		      DATAGRAM - FIRST_FRAGMENT, false);
	send_fragment(bed, fd, &from->addr, &host, datagram, 0, FIRST_FRAGMENT, true);
	return number;
}

int bed_next_fragment(int fd, const struct addr *to)
{
	const unsigned int flag_and_offset = 0x3fff, offset = 0x1fff;
	struct sockaddr_ll link;
	socklen_t size = sizeof(link);
	uint8_t packet[256];
	ssize_t n;

	while (fd >= 0 && (n = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT,
					(struct sockaddr *)&link, &size)) >= 0) {
		if (n < IP_HEADER || link.sll_pkttype == PACKET_OUTGOING ||
		    packet[9] != IPPROTO_UDP || memcmp(packet + 16, to->bytes, 4) != 0)
			continue;
		if (get16(packet + 6) & flag_and_offset)
			return (int)(get16(packet + 6) & offset) * 8;
	}
	return -1;
}
