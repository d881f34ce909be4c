/* SPDX-License-Identifier: MIT */
#include "agents/detect/probe.h"

#include <string.h>

enum { SOFTWARE_MAX = 760 }; /* a multiple of 4 within RFC 8489 section 14.14's 763 bytes */

void probe_make(struct probe *probe, size_t socket, const struct endpoint *to,
		const struct random_source *random)
{
	*probe = (struct probe){.socket = socket, .to = *to};
	transaction_new_id(random, probe->id);
}

void probe_repeat(struct probe *probe, uint64_t first, uint64_t limit, uint64_t now)
{
	const struct transaction_timing timing = {
		.first = first, .longest = 400 * MSEC, .limit = limit ? limit : 1};

	probe->running = true;
	transaction_start(&probe->transaction, &timing, now);
}

bool probe_step(struct probe *probe, uint64_t now)
{
	if (!probe->running)
		return false;
	switch (transaction_step(&probe->transaction, now)) {
	case TRANSACTION_WAIT:
		return false;
	case TRANSACTION_SEND:
		return true;
	case TRANSACTION_FAIL:
		probe->running = false;
		probe->failed = true;
		return false;
	}
	return false;
}

uint64_t probe_due(const struct probe *probe)
{
	return probe->running ? probe->transaction.due : UINT64_MAX;
}

/* SOFTWARE is what a server ignores, of any length and any number. */
static void put_ballast(struct stun_builder *builder, size_t length)
{
	while (length > 0) {
		size_t part = length < SOFTWARE_MAX ? length : SOFTWARE_MAX;

		stun_put_zeros(builder, STUN_SOFTWARE, part);
		length -= part;
	}
}

void probe_emit(struct probe *probe, uint64_t now, struct datagram *ret)
{
	const struct probe_extras *extras = &probe->extras;
	struct stun_builder builder;

	if (probe->sent++ == 0)
		probe->first_sent = now;
	probe->last_sent = now;
	ret->socket = probe->socket;
	ret->to = probe->to;
	stun_begin(&builder, ret->bytes, sizeof(ret->bytes), STUN_REQUEST, STUN_BINDING, probe->id);
	if (extras->change)
		stun_put_u32(&builder, STUN_CHANGE_REQUEST, extras->change);
	if (extras->response_port) /* 16 bits of port and 16 of padding: RFC 5780 section 7.5 */
		stun_put_u32(&builder, STUN_RESPONSE_PORT, (uint32_t)extras->response_port << 16);
	if (extras->padding)
		stun_put_zeros(&builder, STUN_PADDING, extras->padding);
	put_ballast(&builder, extras->ballast);
	ret->length = stun_end(&builder);
}

bool probe_is(const struct probe *probe, const struct stun_message *message)
{
	return probe->sent > 0 && memcmp(probe->id, stun_id(message), STUN_ID_SIZE) == 0;
}

bool probe_answer(struct probe *probe, const struct stun_message *message, uint64_t now)
{
	if (!stun_mapped_address(message, &probe->mapped))
		return false;
	probe->running = false;
	probe->answered = true;
	probe->answered_at = now;
	return true;
}

unsigned int probe_error(const struct stun_message *message)
{
	struct stun_attribute attribute;
	struct stun_error_code error = {0};

	if (stun_find(message, STUN_ERROR_CODE, &attribute))
		(void)stun_read_error(&attribute, &error);
	return error.code;
}
