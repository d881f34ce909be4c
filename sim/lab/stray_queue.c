/* SPDX-License-Identifier: MIT */
#include "lab/stray_queue.h"

#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "base/checksum.h"

/* RFC 791 section 3.1, RFC 9293 section 3.1. */
enum { IP_LEAST = 20, IP_PROTOCOL = 9, IP_SOURCE = 12, IP_DESTINATION = 16, TCP_QUOTED = 8 };

static struct endpoint endpoint_at(const uint8_t *address, const uint8_t *port)
{
	uint32_t ipv4;

	memcpy(&ipv4, address, sizeof(ipv4));
	return (struct endpoint){addr_from_ipv4(ipv4), (uint16_t)(port[0] << 8 | port[1])};
}

/* What is quoted of @packet, and who it is from and for. Returns false for what is no TCP. */
static bool read_syn(const uint8_t *packet, size_t length, struct stray_syn *ret)
{
	size_t header = length < IP_LEAST ? 0 : (packet[0] & 0xfU) * 4U;

	if (header < IP_LEAST || packet[0] >> 4 != 4 || packet[IP_PROTOCOL] != IPPROTO_TCP ||
	    length < header + TCP_QUOTED)
		return false;
	*ret = (struct stray_syn){
		.from = endpoint_at(packet + IP_SOURCE, packet + header),
		.at = endpoint_at(packet + IP_DESTINATION, packet + header + 2),
		.length = header + TCP_QUOTED,
	};
	memcpy(ret->quote, packet, ret->length);
	return true;
}

static bool waits(const struct stray_queue *queue, const struct stray_syn *syn)
{
	const struct stray_syn *other;
	size_t i;

	for (i = 0; i < queue->count; i++) {
		other = &queue->syns[(queue->first + i) % STRAY_QUEUE_MAX];
		if (endpoint_equal(&other->from, &syn->from) &&
		    endpoint_equal(&other->at, &syn->at))
			return true;
	}
	return false;
}

bool stray_queue_add(struct stray_queue *queue, const uint8_t *packet, size_t length, uint64_t now)
{
	struct stray_syn syn;

	if (queue->count == STRAY_QUEUE_MAX || !read_syn(packet, length, &syn) ||
	    waits(queue, &syn))
		return false;
	syn.due = now + queue->silence;
	queue->syns[(queue->first + queue->count++) % STRAY_QUEUE_MAX] = syn;
	return true;
}

uint64_t stray_queue_due(const struct stray_queue *queue)
{
	return queue->count ? queue->syns[queue->first].due : UINT64_MAX;
}

bool stray_queue_take(struct stray_queue *queue, uint64_t now, struct stray_syn *ret)
{
	if (stray_queue_due(queue) > now || queue->count == 0)
		return false;
	*ret = queue->syns[queue->first];
	queue->first = (queue->first + 1) % STRAY_QUEUE_MAX;
	queue->count--;
	return true;
}

size_t stray_error(const struct stray_syn *syn, uint8_t ret[STRAY_ERROR_MAX])
{
	const size_t header = sizeof(struct icmphdr), length = header + syn->length;
	uint16_t sum;

	memset(ret, 0, header);
	ret[0] = ICMP_DEST_UNREACH;
	ret[1] = ICMP_PORT_UNREACH;
	memcpy(ret + header, syn->quote, syn->length);
	sum = internet_checksum(ret, length);
	ret[2] = (uint8_t)(sum >> 8);
	ret[3] = (uint8_t)sum;
	return length;
}
