/* SPDX-License-Identifier: MIT */
/*
 * How this works: the ports of the range are passed through in an order that is a
 * permutation, offset + i * stride modulo their number with a stride that has no divisor
 * in common with it. So no port is tried twice in a round, none is left out where all are
 * to be tried, and nothing need be remembered. That the order is no perfect chance does no harm:
 * the other side's ports are what is drawn.
 *
 * All is sent again in rounds, in the same order: a packet that came before the other
 * side had opened its port, or got lost, was wasted. A round takes as long as the rate
 * asks for, and a short one no less than ROUND_MIN.
 */
#include "agents/punch/spray.h"

#include "agents/net/clock.h"

#define ROUND_MIN (200 * MSEC)
enum { BURST = 8 }; /* packets that one who was late may send at once */

static uint64_t divisor(uint64_t a, uint64_t b)
{
	while (b > 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static uint64_t ports_of(const struct spray *spray)
{
	return (uint64_t)spray->config.high - spray->config.low + 1;
}

static void go_by_steps(struct spray *spray, int64_t ports)
{
	spray->offset =
		(uint64_t)(((spray->config.first - spray->config.low) % ports + ports) % ports);
	spray->stride = (uint64_t)((spray->config.step % ports + ports) % ports);
}

void spray_start(struct spray *spray, const struct spray_config *config, uint64_t now)
{
	uint64_t ports, drawn[2];

	*spray = (struct spray){.config = *config, .due = now, .round_began = now};
	ports = ports_of(spray);
	random_fill(&config->random, drawn, sizeof(drawn));
	spray->offset = drawn[0] % ports;
	spray->stride = drawn[1] % ports;
	while (divisor(spray->stride, ports) != 1)
		spray->stride = (spray->stride + 1) % ports;
	if (config->step != 0)
		go_by_steps(spray, (int64_t)ports);
	if (config->port_count > ports)
		spray->config.port_count = (uint32_t)ports;
	spray->total = spray->config.socket_count * (1 + (uint64_t)spray->config.port_count);
}

static uint64_t interval(const struct spray *spray)
{
	return SEC / spray->config.rate;
}

static bool is_over(const struct spray *spray)
{
	return spray->config.rounds && spray->rounds == spray->config.rounds;
}

static void end_round(struct spray *spray)
{
	spray->next = 0;
	spray->rounds++;
	if (spray->due < spray->round_began + ROUND_MIN)
		spray->due = spray->round_began + ROUND_MIN;
	spray->round_began = spray->due;
}

bool spray_send(struct spray *spray, uint64_t now, size_t *ret_socket, struct endpoint *ret_to)
{
	uint64_t port = spray->next / spray->config.socket_count;

	if (is_over(spray) || now < spray->due)
		return false;
	/* What could not be sent in time is not made up for all at once. */
	if (now > spray->due + BURST * interval(spray))
		spray->due = now - BURST * interval(spray);
	*ret_socket = spray->config.first_socket + spray->next % spray->config.socket_count;
	*ret_to = spray->config.to;
	if (port > 0)
		ret_to->port =
			(uint16_t)(spray->config.low +
				   (spray->offset + (port - 1) * spray->stride) % ports_of(spray));
	spray->sent++;
	spray->next++;
	spray->due += interval(spray);
	if (spray->next == spray->total)
		end_round(spray);
	return true;
}

uint64_t spray_due(const struct spray *spray)
{
	return is_over(spray) ? UINT64_MAX : spray->due;
}

bool spray_exhausted(const struct spray *spray, uint64_t now)
{
	return is_over(spray) && now >= spray->due;
}
