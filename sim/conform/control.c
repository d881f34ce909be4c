/* SPDX-License-Identifier: MIT */
/*
 * Whether mappings can be asked for (RFC 6888 REQ-9): a host asks the router by PCP
 * (RFC 6887 section 11), else by NAT-PMP (RFC 6886 section 3.3), for a mapping of its port,
 * and a stranger tries the endpoint that it got.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "conform/bytes.h"
#include "conform/probes.h"
#include "conform/speech.h"

enum {
	PORT_CONTROL = 5351,
	STRANGER = 3,
	LIFETIME = 120,
	ANSWER_MS = 500, /* it is a program that answers, not the kernel */
	PCP_BYTES = 60,
	NAT_PMP_BYTES = 16,
};

/* An IPv4 address in IPv6's clothes (RFC 6887 section 5). */
static void put_address(uint8_t *bytes, const uint8_t ipv4[4])
{
	bytes[10] = bytes[11] = 0xff;
	memcpy(bytes + 12, ipv4, 4);
}

static size_t compose_pcp(const struct endpoint *local, uint8_t *bytes)
{
	static const uint8_t nobody[4];

	bytes[0] = 2; /* version */
	bytes[1] = 1; /* MAP */
	put16(bytes + 6, LIFETIME);
	put_address(bytes + 8, local->addr.bytes);
	memset(bytes + 24, 0xa5, 12); /* the nonce: nobody else is here to guess it */
	bytes[36] = IPPROTO_UDP;
	put16(bytes + 40, local->port);
	put16(bytes + 42, local->port);
	put_address(bytes + 44, nobody);
	return PCP_BYTES;
}

static bool read_pcp(const uint8_t *bytes, size_t length, struct endpoint *ret)
{
	const uint8_t response_to_map = 0x81;
	uint32_t address;

	if (length < PCP_BYTES || bytes[0] != 2 || bytes[1] != response_to_map || bytes[3] != 0)
		return false;
	memcpy(&address, bytes + 56, sizeof(address));
	*ret = (struct endpoint){.addr = addr_from_ipv4(address), .port = get16(bytes + 42)};
	return true;
}

static size_t compose_nat_pmp(const struct endpoint *local, uint8_t *bytes)
{
	const size_t length = 12;

	bytes[1] = 1; /* map UDP; the version is 0 */
	put16(bytes + 4, local->port);
	put16(bytes + 6, local->port);
	put16(bytes + 10, LIFETIME);
	return length;
}

/* It tells the port only: the caller knows the address. */
static bool read_nat_pmp(const uint8_t *bytes, size_t length, struct endpoint *ret)
{
	const uint8_t response_to_map = 0x81;

	if (length < NAT_PMP_BYTES || bytes[0] != 0 || bytes[1] != response_to_map ||
	    get16(bytes + 2) != 0)
		return false;
	ret->port = get16(bytes + 10);
	return true;
}

static const struct language {
	enum control control;
	const char *name;
	size_t (*compose)(const struct endpoint *local, uint8_t *bytes);
	bool (*read)(const uint8_t *bytes, size_t length, struct endpoint *ret);
} languages[] = {
	{CONTROL_PCP, "PCP", compose_pcp, read_pcp},
	{CONTROL_NAT_PMP, "NAT-PMP", compose_nat_pmp, read_nat_pmp},
};

/* Ask for a mapping of @local; false when that is refused or not answered. */
static bool ask(struct bed *bed, const struct language *language, const struct endpoint *local,
		struct endpoint *ret)
{
	struct endpoint own = bed_host(bed, 0, bed_fresh_port(bed));
	struct endpoint router = {.addr = bed->subject->lan.addr, .port = PORT_CONTROL};
	struct pollfd p = {.fd = bed_udp(bed, BED_INSIDE, &own), .events = POLLIN};
	uint8_t bytes[PCP_BYTES] = {0};
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(&router, &address);
	size_t length = language->compose(local, bytes);
	ssize_t n;

	/* Connected, so that a closed port says so. */
	if (p.fd < 0 || connect(p.fd, (struct sockaddr *)&address, size) < 0)
		return false;
	bed_send_bytes(bed, p.fd, NULL, bytes, length);
	if (poll(&p, 1, ANSWER_MS) <= 0)
		return false;
	n = bed_receive(bed, p.fd, bytes, sizeof(bytes), NULL);
	ret->addr = bed->subject->externals[0];
	return n > 0 && language->read(bytes, (size_t)n, ret);
}

void probe_control(struct bed *bed, struct observed *o)
{
	size_t mark = bed->socket_count, i;
	struct endpoint local = bed_host(bed, 0, bed_fresh_port(bed)), at;
	struct endpoint stranger = bed_peer(bed, STRANGER, PORT_A);
	int host = bed_udp(bed, BED_INSIDE, &local);
	int knocker = bed_udp(bed, BED_OUTSIDE, &stranger);
	char text[2][ENDPOINT_TEXT_MAX];

	for (i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
		if (!ask(bed, &languages[i], &local, &at))
			continue;
		if (bed_pass(bed, knocker, &at, host, NULL))
			see(o, ASPECT_CONTROL, NAT_UDP, (int)languages[i].control,
			    "%s asks by %s and gets %s, where a stranger reaches it",
			    endpoint_format(&local, text[0]), languages[i].name,
			    endpoint_format(&at, text[1]));
		else
			see(o, ASPECT_CONTROL, NAT_UDP, CONTROL_NONE,
			    "%s asks by %s and gets %s, where no stranger reaches it",
			    endpoint_format(&local, text[0]), languages[i].name,
			    endpoint_format(&at, text[1]));
		bed_close_since(bed, mark);
		return;
	}
	see(o, ASPECT_CONTROL, NAT_UDP, CONTROL_NONE,
	    "nobody at the router grants a mapping by PCP "
	    "or NAT-PMP");
	bed_close_since(bed, mark);
}
