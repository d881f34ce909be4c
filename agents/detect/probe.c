/* SPDX-License-Identifier: MIT */
#include "agents/detect/probe.h"

const char *probe_name(enum detect_probe which)
{
	static const char *const names[PROBE_COUNT] = {
		[PROBE_PRIMARY] = "test I (the server)",
		[PROBE_ADDRESS] = "mapping test II (other address, same port)",
		[PROBE_BOTH] = "mapping test III (other address, other port)",
		[PROBE_PORT] = "voice check (same address, other port)",
		[PROBE_CHANGE_BOTH] = "filtering test II (answer from other address and port)",
		[PROBE_CONTROL_BOTH] = "control of filtering test II",
		[PROBE_CHANGE_PORT] = "filtering test III (answer from other port)",
		[PROBE_CONTROL_PORT] = "control of filtering test III",
	};

	return names[which];
}

enum detect_socket probe_socket(enum detect_probe which)
{
	switch (which) {
	case PROBE_CHANGE_BOTH:
	case PROBE_CONTROL_BOTH:
		return SOCKET_CHANGE_BOTH;
	case PROBE_CHANGE_PORT:
	case PROBE_CONTROL_PORT:
		return SOCKET_CHANGE_PORT;
	case PROBE_PRIMARY:
	case PROBE_ADDRESS:
	case PROBE_BOTH:
	case PROBE_PORT:
	case PROBE_COUNT:
		break;
	}
	return SOCKET_MAPPING;
}

void probe_make(struct probe *probe, const struct endpoint *to, const struct random_source *random)
{
	*probe = (struct probe){.to = *to};
	transaction_new_id(random, probe->id);
}

void probe_emit(struct probe *probe, enum detect_probe which, uint64_t now,
		struct detect_packet *ret)
{
	struct stun_builder builder;

	if (probe->sent++ == 0)
		probe->first_sent = now;
	ret->by = probe_socket(which);
	ret->to = probe->to;
	stun_begin(&builder, ret->bytes, sizeof(ret->bytes), STUN_REQUEST, STUN_BINDING, probe->id);
	if (which == PROBE_CHANGE_BOTH)
		stun_put_u32(&builder, STUN_CHANGE_REQUEST, STUN_CHANGE_IP | STUN_CHANGE_PORT);
	else if (which == PROBE_CHANGE_PORT)
		stun_put_u32(&builder, STUN_CHANGE_REQUEST, STUN_CHANGE_PORT);
	ret->length = stun_end(&builder);
}
