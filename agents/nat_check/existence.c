/* SPDX-License-Identifier: MIT */
/*
 * What it cannot tell: a NAT whose external address this host also uses inside is none to it,
 * and a host with no NAT before it is seen under its own address by a server that it reaches
 * over another way than the rest of the world.
 */
#include "agents/nat_check/existence.h"

#include <string.h>

void existence_start(struct existence *existence, const struct existence_config *config,
		     uint64_t now)
{
	*existence = (struct existence){
		.config = *config,
		.notes = {.say = config->say},
	};
	probe_make(&existence->probe, 0, &config->server, &config->random);
	probe_repeat(&existence->probe, 100 * MSEC, config->timeout, now);
}

static uint64_t end_of(const struct existence *existence)
{
	return existence->probe.answered_at + existence->config.wait;
}

static void answer_knock(struct existence *existence, struct datagram *ret)
{
	struct stun_builder builder;

	existence->owes_answer = false;
	ret->socket = 0;
	ret->to = existence->stranger;
	stun_begin(&builder, ret->bytes, sizeof(ret->bytes), STUN_SUCCESS, METHOD_KNOCK,
		   existence->knock_id);
	stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, &existence->stranger);
	ret->length = stun_end(&builder);
}

bool existence_send(struct existence *existence, uint64_t now, struct datagram *ret)
{
	char text[ENDPOINT_TEXT_MAX];

	if (existence->owes_answer) {
		answer_knock(existence, ret);
		return true;
	}
	if (existence->over)
		return false;
	if (probe_step(&existence->probe, now)) {
		probe_emit(&existence->probe, now, ret);
		return true;
	}
	if (existence->probe.failed) {
		notes_reason(&existence->notes, "%s did not answer %u requests in %.1f s",
			     endpoint_format(&existence->config.server, text),
			     existence->probe.sent, to_ms(existence->config.timeout) / 1000);
		existence->over = true;
	} else if (existence->probe.answered && now >= end_of(existence)) {
		existence->over = true;
	}
	return false;
}

uint64_t existence_due(const struct existence *existence)
{
	if (existence->over)
		return UINT64_MAX;
	return existence->probe.answered ? end_of(existence) : probe_due(&existence->probe);
}

static void compare(struct existence *existence)
{
	char text[ENDPOINT_TEXT_MAX];
	size_t i;

	existence->translated = true;
	for (i = 0; i < existence->config.own_count; i++) {
		if (addr_equal(&existence->config.own[i].addr, &existence->probe.mapped.addr))
			existence->translated = false;
	}
	say(&existence->notes.say, "seen as %s, which is %s of our %zu addresses",
	    endpoint_format(&existence->probe.mapped, text), existence->translated ? "none" : "one",
	    existence->config.own_count);
}

void existence_receive(struct existence *existence, const struct endpoint *from, const void *bytes,
		       size_t length, uint64_t now)
{
	struct stun_message message;
	struct stun_attribute check;

	if (existence->over || !stun_parse(bytes, length, &message))
		return;
	if (message.class == STUN_REQUEST && message.method == METHOD_KNOCK) {
		/* Answered in at most its own size. */
		if (!stun_find(&message, ATTRIBUTE_CHECK, &check) || length < CHECK_PADDED)
			return;
		existence->strangers++;
		existence->stranger = *from;
		existence->owes_answer = true;
		memcpy(existence->knock_id, stun_id(&message), STUN_ID_SIZE);
	} else if (message.class == STUN_SUCCESS && message.method == STUN_BINDING &&
		   existence->probe.running && probe_is(&existence->probe, &message) &&
		   endpoint_equal(from, &existence->probe.to) &&
		   probe_answer(&existence->probe, &message, now)) {
		compare(existence);
	}
}
