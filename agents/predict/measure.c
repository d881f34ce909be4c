/* SPDX-License-Identifier: MIT */
/*
 * What is asked, with a server that has two addresses and two ports:
 *
 *     each further socket   A1:P1                        one mapping each, whatever the NAT
 *     the main socket       A1:P1, A1:P2, A2:P1, A2:P2   one in all, one or two, or four
 *
 * The main one comes last, because what it gets next is what is to be predicted. A
 * server that answers nothing is asked once; one without a second address or port is
 * asked at what it has.
 */
#include "agents/predict/measure.h"

#include <string.h>

#include "agents/net/clock.h"

enum { SENDS = 4 }; /* of a question, before it is given up */

static void add_question(struct measure *measure, size_t socket, const struct endpoint *to)
{
	if (measure->count < MEASURE_QUESTIONS_MAX)
		probe_make(&measure->questions[measure->count++], socket, to,
			   &measure->config.random);
}

static void ask(struct measure *measure, uint64_t now)
{
	if (measure->current < measure->count)
		probe_repeat(&measure->questions[measure->current], measure->first, measure->limit,
			     now);
	else
		measure->over = true;
}

void measure_start(struct measure *measure, const struct measure_config *config, uint64_t now)
{
	uint64_t first = 2 * config->round_trip;
	size_t i;

	*measure = (struct measure){.config = *config};
	if (measure->config.socket_count > MEASURE_SOCKETS_MAX)
		measure->config.socket_count = MEASURE_SOCKETS_MAX;
	first = first < 20 * MSEC ? 20 * MSEC : first > 500 * MSEC ? 500 * MSEC : first;
	measure->first = first;
	measure->limit = ((1U << SENDS) - 1) * first;
	for (i = 1; i < measure->config.socket_count; i++)
		add_question(measure, config->sockets[i], &config->server);
	if (measure->config.socket_count > 0)
		add_question(measure, config->sockets[0], &config->server);
	ask(measure, now);
}

/* Nobody there: more questions would only take time. */
static bool is_deaf(const struct measure *measure)
{
	size_t i;

	for (i = 0; i <= measure->current && i < measure->count; i++) {
		if (measure->questions[i].answered)
			return false;
	}
	return true;
}

static void go_on(struct measure *measure, uint64_t now)
{
	if (measure->questions[measure->current].failed && is_deaf(measure))
		measure->current = measure->count;
	else
		measure->current++;
	ask(measure, now);
}

bool measure_send(struct measure *measure, uint64_t now, struct datagram *ret)
{
	while (!measure->over) {
		struct probe *question = &measure->questions[measure->current];

		if (probe_step(question, now)) {
			probe_emit(question, now, ret);
			return true;
		}
		if (!question->failed)
			return false;
		go_on(measure, now);
	}
	return false;
}

uint64_t measure_due(const struct measure *measure)
{
	return measure->over ? UINT64_MAX : probe_due(&measure->questions[measure->current]);
}

/* What the server says of its other endpoints gives the main socket three pairs more. */
static void learn_other(struct measure *measure, const struct stun_message *message)
{
	const struct endpoint *server = &measure->config.server;
	struct endpoint other, mixed;

	if (measure->current + 1 != measure->config.socket_count ||
	    !stun_other_address(message, &other) || other.addr.family != server->addr.family)
		return;
	mixed = (struct endpoint){.addr = server->addr, .port = other.port};
	if (other.port != server->port)
		add_question(measure, measure->config.sockets[0], &mixed);
	mixed = (struct endpoint){.addr = other.addr, .port = server->port};
	if (!addr_equal(&other.addr, &server->addr)) {
		add_question(measure, measure->config.sockets[0], &mixed);
		if (other.port != server->port)
			add_question(measure, measure->config.sockets[0], &other);
	}
}

bool measure_receive(struct measure *measure, const struct endpoint *from,
		     const struct stun_message *message, uint64_t now)
{
	size_t i;

	for (i = 0; i < measure->count; i++) {
		struct probe *question = &measure->questions[i];

		if (!probe_is(question, message))
			continue;
		if (question->answered || !endpoint_equal(from, &question->to))
			return true;
		/* One that is late has its place in the order all the same. */
		if (message->class == STUN_SUCCESS && probe_answer(question, message, now)) {
			if (i != measure->current || measure->over)
				return true;
			learn_other(measure, message);
		} else {
			question->failed = true;
		}
		if (i == measure->current && !measure->over)
			go_on(measure, now);
		return true;
	}
	return false;
}

static uint16_t internal_port(const struct measure *measure, size_t socket)
{
	size_t i;

	for (i = 0; i < measure->config.socket_count; i++) {
		if (measure->config.sockets[i] == socket)
			return measure->config.internal[i];
	}
	return 0;
}

struct port_pattern measure_pattern(const struct measure *measure)
{
	struct port_sample samples[MEASURE_QUESTIONS_MAX + 1];
	size_t count = 0, i;

	if (addr_bits(&measure->config.seen.addr))
		samples[count++] = (struct port_sample){
			.internal = measure->config.internal[0],
			.external = measure->config.seen.port,
		};
	for (i = 0; i < measure->count; i++) {
		const struct probe *question = &measure->questions[i];

		if (!question->answered)
			continue;
		samples[count++] = (struct port_sample){
			.internal = internal_port(measure, question->socket),
			.external = question->mapped.port,
			/* Between the rendezvous and the first question there was the blind dial,
			 * which may have had a mapping of its own. */
			.order = (unsigned int)i + 2,
		};
	}
	return pattern_judge(samples, count);
}

/* What the main socket is towards a destination. */
struct sight_of {
	struct endpoint to, mapped;
};

static size_t list_main(const struct measure *measure, struct sight_of *ret)
{
	size_t count = 0, i;

	if (addr_bits(&measure->config.seen.addr))
		ret[count++] = (struct sight_of){.to = measure->config.rendezvous,
						 .mapped = measure->config.seen};
	for (i = 0; i < measure->count; i++) {
		const struct probe *question = &measure->questions[i];

		if (question->answered && question->socket == measure->config.sockets[0])
			ret[count++] =
				(struct sight_of){.to = question->to, .mapped = question->mapped};
	}
	return count;
}

enum behaviour measure_mapping(const struct measure *measure)
{
	struct sight_of list[MEASURE_QUESTIONS_MAX + 1];
	size_t count = list_main(measure, list), pairs = 0, i, j;
	bool one = true, one_each = true, neighbours = false;

	for (i = 0; i < count; i++) {
		for (j = 0; j < i; j++) {
			bool same = endpoint_equal(&list[i].mapped, &list[j].mapped);

			if (endpoint_equal(&list[i].to, &list[j].to))
				continue;
			pairs++;
			one &= same;
			if (!addr_equal(&list[i].to.addr, &list[j].to.addr))
				continue;
			neighbours = true;
			one_each &= same;
		}
	}
	if (pairs == 0)
		return BEHAVIOUR_UNKNOWN;
	if (one)
		return BEHAVIOUR_ENDPOINT_INDEPENDENT;
	/* Without two ports of one address nobody knows; the stricter one is the safer guess. */
	return neighbours && one_each ? BEHAVIOUR_ADDRESS_DEPENDENT
				      : BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT;
}

unsigned int measure_sent(const struct measure *measure)
{
	unsigned int sent = 0;
	size_t i;

	for (i = 0; i < measure->count; i++)
		sent += measure->questions[i].sent;
	return sent;
}
