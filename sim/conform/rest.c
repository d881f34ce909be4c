/* SPDX-License-Identifier: MIT */
/*
 * Does a port rest once its mapping has ended (RFC 6888 REQ-8)?
 *
 * Where ports are kept, another host asks for the same one. Where they are drawn from few,
 * enough sockets are opened before and after that chance alone has them meet: none of
 * 150 ports out of 2,048 coming back in 150 draws is one case in 50,000.
 */
#include "conform/rest.h"

#include <stdio.h>

enum { REST_PEER = 1, KEPT_SOCKETS = 4, DRAWN_SPREAD = 2048 };

static size_t sockets_needed(const struct observed *o, const char **ret_reason)
{
	const struct seen *allocation = &o->seen[ASPECT_ALLOCATION][NAT_UDP];
	const struct seen *low = &o->seen[ASPECT_LOWEST][NAT_UDP];
	const struct seen *high = &o->seen[ASPECT_HIGHEST][NAT_UDP];

	if (!o->seen[ASPECT_LIFETIME_END][NAT_UDP].known)
		*ret_reason = "no lifetime was seen to end";
	else if (!allocation->known)
		*ret_reason = "how ports are chosen is not known";
	else if (allocation->value == PORTS_PRESERVING)
		return KEPT_SOCKETS;
	else if (allocation->value == PORTS_SEQUENTIAL)
		*ret_reason = "ports go on in sequence";
	else if (!low->known || high->value - low->value > DRAWN_SPREAD)
		*ret_reason = "ports are drawn from so many that chance does not bring one back";
	else
		return REST_SOCKETS_MAX;
	return 0;
}

void rest_begin(struct bed *bed, struct observed *o, struct rest *ret)
{
	const char *reason = "";
	size_t i, count = sockets_needed(o, &reason);
	struct endpoint external;
	struct speaker speaker;

	*ret = (struct rest){.speech = speech_begin(bed, NAT_UDP),
			     .preserving = count == KEPT_SOCKETS};
	if (count == 0)
		unseen(o, ASPECT_REST, NAT_UDP, "%s", reason);
	for (i = 0; i < count; i++) {
		speaker = speaker_make(&ret->speech, 0, bed_fresh_port(bed));
		if (!speaker_speak(&speaker, REST_PEER, PORT_A, &external))
			continue;
		ret->local[ret->count] = speaker.local.port;
		ret->external[ret->count++] = external.port;
	}
	ret->opened = bed_clock_ms();
	if (count && ret->count == 0)
		unseen(o, ASPECT_REST, NAT_UDP, "nothing gets out");
}

static bool given_before(const struct rest *rest, uint16_t port)
{
	size_t i;

	for (i = 0; i < rest->count; i++)
		if (rest->external[i] == port)
			return true;
	return false;
}

void rest_end(struct rest *rest, struct observed *o)
{
	struct bed *bed = rest->speech.bed;
	uint64_t life = (uint64_t)o->seen[ASPECT_LIFETIME_END][NAT_UDP].value * 11 / 10, rested;
	struct endpoint external;
	struct speaker speaker;
	size_t i, again = 0;

	if (rest->count == 0)
		return;
	bed_wait_until(rest->opened + life);
	for (i = 0; i < rest->count; i++) {
		/* Another host has the ports of the first one; the same one has other ports. */
		speaker = rest->preserving ? speaker_make(&rest->speech, 1, rest->local[i])
					   : speaker_make(&rest->speech, 0, bed_fresh_port(bed));
		again += speaker_speak(&speaker, REST_PEER, PORT_A, &external) &&
			 given_before(rest, external.port);
	}
	rested = bed_clock_ms() - rest->opened - life;
	see(o, ASPECT_REST, NAT_UDP, again == 0,
	    "%llu ms after %zu mappings ended, %zu of their ports had been given away again",
	    (unsigned long long)rested, rest->count, again);
}
