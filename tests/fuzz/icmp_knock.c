/* SPDX-License-Identifier: MIT */
/*
 * Anything at all as what a raw socket and a UDP socket get during serverless traversal. An input
 * seldom has right checksums and tags, so it is given them.
 */
#include <stdlib.h>
#include <string.h>

#include "agents/icmp/knock.h"
#include "agents/net/clock.h"
#include "fuzz/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 8, PACKET_MAX = 2048 };

static const struct endpoint peer = {.addr = {AF_INET, {5, 6, 7, 8}}, .port = 2222};

/* Repeatable, and different from call to call within one input. */
static void fill(void *context, void *bytes, size_t length)
{
	uint8_t *counter = context;

	memset(bytes, (*counter)++, length);
}

/* RFC 1071 over an ICMP message, in place. */
static void mend_checksum(uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;
	size_t i;

	bytes[2] = bytes[3] = 0;
	for (i = 0; i < length; i++)
		sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	bytes[2] = (uint8_t)(~sum >> 8);
	bytes[3] = (uint8_t)~sum;
}

/*
 * The input as a packet that is about @knock's ping: with the tag behind the quoted headers,
 * wherever the input says they end, and the right checksum.
 */
static size_t as_error(const struct knock *knock, const uint8_t *data, size_t size, uint8_t *ret)
{
	size_t header, quoted, tag, length = size < PACKET_MAX ? size : PACKET_MAX;

	memcpy(ret, data, length);
	header = length > 0 ? (ret[0] & 15U) * 4 : 0;
	if (header + 8 + 20 > length)
		return length;
	quoted = (ret[header + 8] & 15U) * 4;
	tag = header + 8 + quoted + ICMP_ECHO_SIZE;
	memcpy(ret + header + 8 + 16, knock->config.target.bytes, 4);
	if (tag + ICMP_TAG_SIZE <= length)
		memcpy(ret + tag, knock->tag, ICMP_TAG_SIZE);
	mend_checksum(ret + header, length - header);
	return length;
}

/* The input as what the peer says over UDP, sealed as the peer would. */
static size_t as_sealed(const struct knock *knock, const uint8_t *data, size_t size, uint8_t *ret)
{
	struct seal theirs = knock->path.seal;
	struct stun_attribute attribute = {0};
	struct stun_builder builder;
	struct stun_message message;

	if (!stun_parse(data, size, &message))
		return 0;
	theirs.role = theirs.role == ROLE_CONTROLLING ? ROLE_CONTROLLED : ROLE_CONTROLLING;
	seal_begin(&theirs, &builder, ret, PACKET_MAX, message.class, message.method,
		   stun_id(&message));
	while (stun_next(&message, &attribute) && attribute.type != STUN_MESSAGE_INTEGRITY &&
	       attribute.type != STUN_FINGERPRINT)
		stun_put(&builder, attribute.type, attribute.value, attribute.length);
	return seal_end(&theirs, &builder);
}

static void knock_with(const struct endpoint *whom, const uint8_t *data, size_t size)
{
	uint8_t counter = 0, bytes[PACKET_MAX];
	const struct knock_config config = {
		.session = "demo",
		.peer = *whom,
		.target = {AF_INET, {3, 3, 3, 3}},
		.port = 2222,
		.interval = SEC,
		.timeout = 5 * SEC,
		.talk = {.messages = 2, .random = {.fill = fill, .context = &counter}},
	};
	unsigned int turns = TURNS;
	struct datagram out;
	static struct knock knock;
	uint64_t now = SEC;
	size_t length;

	knock_start(&knock, &config, now);
	while (!knock_over(&knock) && turns-- > 0) {
		while (knock_send(&knock, now, &out)) {
			if (out.length > sizeof(out.bytes))
				abort();
		}
		length = as_error(&knock, data, size, bytes);
		knock_receive(&knock, KNOCK_ICMP, &peer, bytes, length, now);
		knock_receive(&knock, KNOCK_UDP, &peer, data, size, now);
		length = as_sealed(&knock, data, size, bytes);
		knock_receive(&knock, KNOCK_UDP, &peer, bytes, length, now);
		if (knock_due(&knock) != UINT64_MAX && knock_due(&knock) > now)
			now = knock_due(&knock);
	}
}

static void consider(const uint8_t *data, size_t size)
{
	const struct endpoint nobody = {0};
	struct icmp_error error;

	(void)icmp_read_error(data, size, &error);
	knock_with(&nobody, data, size);
	knock_with(&peer, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t message[RECIPE_SIZE];

	if (size > 0 && data[0] & 8)
		consider(data, size);
	else
		consider(message, recipe_write(data, size, message));
	return 0;
}
