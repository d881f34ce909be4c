/* SPDX-License-Identifier: MIT */
#include "agents/detect/allocation.h"

static void conclude(struct allocation *allocation, struct site *site)
{
	allocation->over = true;
	allocation->pattern = pattern_judge(allocation->samples, allocation->count);
	if (allocation->pattern.choice == PATTERN_UNKNOWN)
		notes_reason(&site->notes, "the ports of %zu of %d sockets tell no pattern",
			     allocation->count, ALLOCATION_SOCKETS);
	say(&site->notes.say, "allocation: %s from %zu mappings",
	    port_choice_name(allocation->pattern.choice), allocation->count);
}

static void ask_next(struct allocation *allocation, struct site *site, uint64_t now)
{
	if (allocation->asked == ALLOCATION_SOCKETS) {
		conclude(allocation, site);
		return;
	}
	probe_make(&allocation->probe, allocation->first + allocation->asked++, &site->server,
		   &site->random);
	probe_repeat(&allocation->probe, rtt_timeout(&site->rtt), site->timeout, now);
}

static void allocation_start(void *exam, struct site *site, size_t first, uint64_t now)
{
	struct allocation *allocation = exam;

	*allocation = (struct allocation){.first = first};
	ask_next(allocation, site, now);
}

static bool allocation_send(void *exam, struct site *site, uint64_t now, struct datagram *ret)
{
	struct allocation *allocation = exam;

	while (!allocation->over) {
		if (probe_step(&allocation->probe, now)) {
			probe_emit(&allocation->probe, now, ret);
			return true;
		}
		if (!allocation->probe.failed)
			return false;
		conclude(allocation, site); /* the path died; what was seen was seen */
	}
	return false;
}

static uint64_t allocation_due(const void *exam)
{
	return probe_due(&((const struct allocation *)exam)->probe);
}

static void allocation_receive(void *exam, struct site *site, size_t socket,
			       const struct endpoint *from, const struct stun_message *message,
			       uint64_t now)
{
	struct allocation *allocation = exam;
	struct probe *probe = &allocation->probe;

	if (message->class != STUN_SUCCESS || socket != probe->socket || !probe->running ||
	    !probe_is(probe, message) || !endpoint_equal(from, &probe->to) ||
	    !probe_answer(probe, message, now))
		return;
	rtt_measure(&site->rtt, now - probe->first_sent, probe->sent == 1);
	allocation->samples[allocation->count++] = (struct port_sample){
		.internal = site->local[socket].port,
		.external = probe->mapped.port,
		.order = (unsigned int)allocation->asked,
	};
	ask_next(allocation, site, now);
}

static bool allocation_over(const void *exam)
{
	return ((const struct allocation *)exam)->over;
}

const struct exam_kind allocation_exam = {.name = "allocation",
					  .sockets = ALLOCATION_SOCKETS,
					  .start = allocation_start,
					  .send = allocation_send,
					  .due = allocation_due,
					  .receive = allocation_receive,
					  .over = allocation_over};
