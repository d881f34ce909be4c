/* SPDX-License-Identifier: MIT */
#include "agents/icmp/packet.h"

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "base/checksum.h"

enum { IP_SIZE = 20, ICMP_SIZE = 8 };

static void seal_checksum(uint8_t *bytes, size_t length, size_t offset)
{
	uint16_t sum;

	memset(bytes + offset, 0, sizeof(sum));
	sum = htons(internet_checksum(bytes, length));
	memcpy(bytes + offset, &sum, sizeof(sum));
}

void icmp_write_echo(uint8_t ret[ICMP_ECHO_SIZE])
{
	memset(ret, 0, ICMP_ECHO_SIZE);
	ret[0] = ICMP_ECHO;
	seal_checksum(ret, ICMP_ECHO_SIZE, offsetof(struct icmphdr, checksum));
}

void icmp_write_quote(const struct addr *listener, const struct addr *target,
		      const uint8_t tag[ICMP_TAG_SIZE], uint8_t ret[ICMP_QUOTE_SIZE])
{
	/* As the echo request looked when its time ran out. */
	struct iphdr header = {
		.version = 4,
		.ihl = IP_SIZE / 4,
		.tot_len = htons(IP_SIZE + ICMP_ECHO_SIZE),
		.ttl = 1,
		.protocol = IPPROTO_ICMP,
		.saddr = addr_to_ipv4(listener),
		.daddr = addr_to_ipv4(target),
	};

	memset(ret, 0, ICMP_SIZE);
	ret[0] = ICMP_TIME_EXCEEDED;
	ret[1] = ICMP_EXC_TTL;
	memcpy(ret + ICMP_SIZE, &header, IP_SIZE);
	seal_checksum(ret + ICMP_SIZE, IP_SIZE, offsetof(struct iphdr, check));
	icmp_write_echo(ret + ICMP_SIZE + IP_SIZE);
	memcpy(ret + ICMP_SIZE + IP_SIZE + ICMP_ECHO_SIZE, tag, ICMP_TAG_SIZE);
	seal_checksum(ret, ICMP_QUOTE_SIZE, offsetof(struct icmphdr, checksum));
}

/* The payload of an IPv4 packet of ICMP; NULL for anything else. */
static const uint8_t *open_ip(const uint8_t *bytes, size_t length, struct iphdr *ret,
			      size_t *ret_length)
{
	size_t header;

	if (length < IP_SIZE)
		return NULL;
	memcpy(ret, bytes, IP_SIZE);
	header = ret->ihl * 4U;
	if (ret->version != 4 || header < IP_SIZE || header > length ||
	    ret->protocol != IPPROTO_ICMP)
		return NULL;
	*ret_length = length - header;
	return bytes + header;
}

bool icmp_read_error(const void *packet, size_t length, struct icmp_error *ret)
{
	struct iphdr outer, inner;
	const uint8_t *error = open_ip(packet, length, &outer, &length);
	const uint8_t *echo;

	if (!error || length < ICMP_SIZE || internet_checksum(error, length) != 0 ||
	    (error[0] != ICMP_TIME_EXCEEDED && error[0] != ICMP_DEST_UNREACH))
		return false;
	echo = open_ip(error + ICMP_SIZE, length - ICMP_SIZE, &inner, &length);
	/* Type, code, then identifier and sequence number behind the checksum. */
	if (!echo || length < ICMP_ECHO_SIZE || echo[0] != ICMP_ECHO || echo[1] != 0 ||
	    memcmp(echo + 4, "\0\0\0", 4) != 0)
		return false;
	*ret = (struct icmp_error){
		.from = addr_from_ipv4(outer.saddr),
		.target = addr_from_ipv4(inner.daddr),
		.tagged = length >= ICMP_ECHO_SIZE + ICMP_TAG_SIZE,
	};
	if (ret->tagged)
		memcpy(ret->tag, echo + ICMP_ECHO_SIZE, ICMP_TAG_SIZE);
	return true;
}
