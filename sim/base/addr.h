/* SPDX-License-Identifier: MIT */
/*
 * IP addresses, prefixes and transport endpoints as plain values.
 *
 * Every value carries its family, so that code which only passes addresses on
 * needs no change for IPv6; the few places that know IPv4 say so.
 */
#ifndef NATSIM_BASE_ADDR_H
#define NATSIM_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	sa_family_t family; /* AF_INET, AF_INET6, or AF_UNSPEC for "none" */
	uint8_t bytes[16];  /* network order; the first 4 for AF_INET, the rest zero */
};

struct prefix {
	struct addr addr; /* as written: host bits may be set */
	uint8_t len;
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order; an ICMP query's identifier where there are no ports */
};

/* Room for the text of any value of each kind, its final NUL included. */
#define ADDR_TEXT_MAX 46
#define PREFIX_TEXT_MAX (ADDR_TEXT_MAX + 4)
#define ENDPOINT_TEXT_MAX (ADDR_TEXT_MAX + 8)

/* Parse a whole string; false, and *ret untouched, when it is anything else ("1.2.3", "1.2.3.4 ").
 */
bool addr_parse(const char *text, struct addr *ret);
bool prefix_parse(const char *text,
		  struct prefix *ret); /* "192.168.1.0/24": the length is required */
bool endpoint_parse(const char *text, struct endpoint *ret); /* "1.2.3.4:7777", "[::1]:7777" */

/* Write the text into @text and return @text; "-" for a value without a family. */
const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX]);
const char *prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_MAX]);
const char *endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX]);

struct addr addr_from_ipv4(uint32_t network_order);
uint32_t addr_to_ipv4(const struct addr *addr); /* network order; 0 unless AF_INET */
uint8_t addr_bits(const struct addr *addr);     /* 32, 128, or 0 without a family */

bool addr_equal(const struct addr *a, const struct addr *b);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool prefix_contains(const struct prefix *prefix, const struct addr *addr);
bool prefix_overlap(const struct prefix *a, const struct prefix *b);

/* The prefix with its host bits cleared: 192.168.1.7/24 becomes 192.168.1.0/24. */
struct prefix prefix_network(const struct prefix *prefix);

/* Returns the length of the socket address written into *ret, 0 for a value without a family. */
socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *ret);
bool endpoint_from_sockaddr(const struct sockaddr_storage *address, struct endpoint *ret);

#endif
