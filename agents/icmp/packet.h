/* SPDX-License-Identifier: MIT */
/*
 * The two ICMP messages of serverless traversal as bytes: an echo request, and the error
 * that a router on the way would have sent about it (RFC 792), IPv4 only.
 *
 *     type 11 | code 0 | checksum          Time Exceeded
 *     unused
 *     | IPv4 header: listener's public address -> target, protocol 1
 *     | echo request, identifier and sequence number 0
 *     | tag
 *
 * A router quotes at least 8 bytes behind the IP header; here the tag follows them, which
 * only a party to the session can compute: an error without it comes from somebody else.
 */
#ifndef NATSIM_AGENTS_ICMP_PACKET_H
#define NATSIM_AGENTS_ICMP_PACKET_H

#include "base/addr.h"

enum {
	ICMP_TAG_SIZE = 16,
	ICMP_ECHO_SIZE = 8,
	ICMP_QUOTE_SIZE = 8 + 20 + ICMP_ECHO_SIZE + ICMP_TAG_SIZE,
};

/* An echo request with identifier and sequence number 0: what a NAT that keeps identifiers
 * lets the other side guess. */
void icmp_write_echo(uint8_t ret[ICMP_ECHO_SIZE]);

/* Time Exceeded about the echo request of @listener to @target. */
void icmp_write_quote(const struct addr *listener, const struct addr *target,
		      const uint8_t tag[ICMP_TAG_SIZE], uint8_t ret[ICMP_QUOTE_SIZE]);

/* What a raw socket got. */
struct icmp_error {
	struct addr from;   /* who sent it, as far as its source tells */
	struct addr target; /* where the packet it complains about was going */
	bool tagged;
	uint8_t tag[ICMP_TAG_SIZE];
};

/*
 * Read an IPv4 packet with its header. True for an ICMP error (unreachable or time exceeded)
 * about an echo request with identifier 0; its checksum is right.
 */
bool icmp_read_error(const void *packet, size_t length, struct icmp_error *ret);

#endif
