/* SPDX-License-Identifier: MIT */
/*
 * Anything at all as what a gateway says: to NAT-PMP's and PCP's client in each of its states, and
 * as the answer to a search for a device. An input seldom has the port and the nonce that were
 * asked about, so it is given them.
 */
#include <stdlib.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/portmap/client.h"
#include "agents/portmap/ssdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 40, INTERNAL = 7777 };

static const struct endpoint gateway = {.addr = {AF_INET, {192, 168, 1, 254}},
					.port = PORTMAP_SERVER_PORT};

/* Repeatable, and different from call to call within one input. */
static void fill(void *context, void *bytes, size_t length)
{
	uint8_t *counter = context;

	memset(bytes, (*counter)++, length);
}

/* What was asked about, where an answer of @protocol has it. */
static void mend(enum portmap_protocol protocol, uint8_t *bytes, size_t length,
		 const struct portmap *portmap)
{
	static const uint8_t port[2] = {INTERNAL >> 8, INTERNAL & 0xff};

	if (protocol == PORTMAP_NAT_PMP && length >= 10) {
		memcpy(bytes + 8, port, sizeof(port));
	} else if (protocol == PORTMAP_PCP && length >= 42) {
		memcpy(bytes + 24, portmap->config.nonce, PORTMAP_NONCE_SIZE);
		memcpy(bytes + 40, port, sizeof(port));
	}
}

/* The input in pieces, each the answer to what was just asked. */
static void answer(enum portmap_protocol protocol, const uint8_t *data, size_t size)
{
	uint8_t counter = 0, bytes[PORTMAP_MESSAGE_MAX + 4];
	const struct portmap_config config = {
		.protocol = protocol,
		.gateway = gateway,
		.client = {AF_INET, {192, 168, 1, 1}},
		.wish = {.tcp = size & 1, .internal = INTERNAL, .lifetime = 7200},
		.keep = size & 2,
		.timeout = 5 * SEC,
		.random = {.fill = fill, .context = &counter},
	};
	unsigned int turns = TURNS;
	struct portmap portmap;
	struct datagram out;
	uint64_t now = SEC;

	portmap_start(&portmap, &config, now);
	while (portmap.phase != PORTMAP_OVER && turns-- > 0) {
		size_t length = size > 0 ? 1 + data[0] * 2U : 0;

		while (portmap_send(&portmap, now, &out)) {
			if (out.length > PORTMAP_REQUEST_MAX || !endpoint_equal(&out.to, &gateway))
				abort();
		}
		length = length < size ? length : size;
		length = length < sizeof(bytes) ? length : sizeof(bytes);
		if (length > 0) {
			memcpy(bytes, data, length);
			mend(protocol, bytes, length, &portmap);
			portmap_receive(&portmap, &gateway, bytes, length, now);
			data += length;
			size -= length;
		}
		if (portmap.phase == PORTMAP_HELD && size % 7 == 0)
			portmap_release(&portmap, now);
		if (portmap_due(&portmap) != UINT64_MAX && portmap_due(&portmap) > now)
			now = portmap_due(&portmap);
	}
	if (portmap.phase == PORTMAP_OVER && portmap.outcome == PORTMAP_NONE)
		abort();
	if (portmap.outcome == PORTMAP_GRANTED && portmap.external.port == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char url[SSDP_URL_MAX];

	if (ssdp_answer(data, size, url) && strlen(url) + 1 > size)
		abort();
	answer(PORTMAP_NAT_PMP, data, size);
	answer(PORTMAP_PCP, data, size);
	return 0;
}
