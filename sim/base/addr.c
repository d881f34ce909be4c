/* SPDX-License-Identifier: MIT */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t addr_bits(const struct addr *addr)
{
	switch (addr->family) {
	case AF_INET:
		return 32;
	case AF_INET6:
		return 128;
	}
	return 0;
}

bool addr_parse(const char *text, struct addr *ret)
{
	struct addr addr = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

	if (inet_pton(addr.family, text, addr.bytes) != 1)
		return false;
	*ret = addr;
	return true;
}

/* A decimal number without sign, space or leading zero, at most @max. */
static bool number_parse(const char *text, unsigned long max, unsigned long *ret)
{
	unsigned long value = 0;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 5 || text[digits] != '\0')
		return false;
	if (text[0] == '0' && digits > 1)
		return false;
	value = strtoul(text, NULL, 10);
	if (value > max)
		return false;
	*ret = value;
	return true;
}

bool prefix_parse(const char *text, struct prefix *ret)
{
	char head[ADDR_TEXT_MAX];
	const char *slash = strchr(text, '/');
	struct prefix prefix;
	unsigned long len;

	if (!slash || (size_t)(slash - text) >= sizeof(head))
		return false;
	memcpy(head, text, (size_t)(slash - text));
	head[slash - text] = '\0';
	if (!addr_parse(head, &prefix.addr))
		return false;
	if (!number_parse(slash + 1, addr_bits(&prefix.addr), &len))
		return false;
	prefix.len = (uint8_t)len;
	*ret = prefix;
	return true;
}

bool endpoint_parse(const char *text, struct endpoint *ret)
{
	char head[ADDR_TEXT_MAX];
	const char *colon = strrchr(text, ':');
	const char *first = text;
	const char *last = colon;
	struct endpoint endpoint;
	unsigned long port;

	if (!colon)
		return false;
	if (text[0] == '[') {
		if (colon == text || colon[-1] != ']')
			return false;
		first = text + 1;
		last = colon - 1;
	}
	if (last < first || (size_t)(last - first) >= sizeof(head))
		return false;
	memcpy(head, first, (size_t)(last - first));
	head[last - first] = '\0';
	if (!addr_parse(head, &endpoint.addr))
		return false;
	/* Brackets belong to IPv6, and only to it: "::1:80" would be ambiguous. */
	if ((endpoint.addr.family == AF_INET6) != (text[0] == '['))
		return false;
	if (!number_parse(colon + 1, UINT16_MAX, &port))
		return false;
	endpoint.port = (uint16_t)port;
	*ret = endpoint;
	return true;
}

const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX])
{
	if (!addr_bits(addr) || !inet_ntop(addr->family, addr->bytes, text, ADDR_TEXT_MAX)) {
		text[0] = '-';
		text[1] = '\0';
	}
	return text;
}

const char *prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_MAX])
{
	char head[ADDR_TEXT_MAX];

	snprintf(text, PREFIX_TEXT_MAX, "%s/%u", addr_format(&prefix->addr, head), prefix->len);
	return text;
}

const char *endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX])
{
	char head[ADDR_TEXT_MAX];
	bool six = endpoint->addr.family == AF_INET6;

	snprintf(text, ENDPOINT_TEXT_MAX, "%s%s%s:%u", six ? "[" : "",
		 addr_format(&endpoint->addr, head), six ? "]" : "", endpoint->port);
	return text;
}

struct addr addr_from_ipv4(uint32_t network_order)
{
	struct addr addr = {.family = AF_INET};

	memcpy(addr.bytes, &network_order, sizeof(network_order));
	return addr;
}

uint32_t addr_to_ipv4(const struct addr *addr)
{
	uint32_t network_order = 0;

	if (addr->family == AF_INET)
		memcpy(&network_order, addr->bytes, sizeof(network_order));
	return network_order;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, addr_bits(a) / 8U) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

struct prefix prefix_network(const struct prefix *prefix)
{
	struct prefix network = *prefix;
	unsigned int bit;

	for (bit = prefix->len; bit < addr_bits(&prefix->addr); bit++)
		network.addr.bytes[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
	return network;
}

bool prefix_contains(const struct prefix *prefix, const struct addr *addr)
{
	struct prefix own = prefix_network(prefix);
	struct prefix other = {.addr = *addr, .len = prefix->len};

	if (addr->family != prefix->addr.family || !addr_bits(addr))
		return false;
	other = prefix_network(&other);
	return addr_equal(&own.addr, &other.addr);
}

bool prefix_overlap(const struct prefix *a, const struct prefix *b)
{
	return a->len <= b->len ? prefix_contains(a, &b->addr) : prefix_contains(b, &a->addr);
}

socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = endpoint->addr.family;
	switch (endpoint->addr.family) {
	case AF_INET:
		in->sin_port = htons(endpoint->port);
		memcpy(&in->sin_addr, endpoint->addr.bytes, sizeof(in->sin_addr));
		return sizeof(*in);
	case AF_INET6:
		in6->sin6_port = htons(endpoint->port);
		memcpy(&in6->sin6_addr, endpoint->addr.bytes, sizeof(in6->sin6_addr));
		return sizeof(*in6);
	}
	return 0;
}

bool endpoint_from_sockaddr(const struct sockaddr_storage *address, struct endpoint *ret)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	struct endpoint endpoint = {.addr.family = address->ss_family};

	switch (address->ss_family) {
	case AF_INET:
		endpoint.port = ntohs(in->sin_port);
		memcpy(endpoint.addr.bytes, &in->sin_addr, sizeof(in->sin_addr));
		break;
	case AF_INET6:
		endpoint.port = ntohs(in6->sin6_port);
		memcpy(endpoint.addr.bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
		break;
	default:
		return false;
	}
	*ret = endpoint;
	return true;
}
