/* SPDX-License-Identifier: MIT */
#include "agents/predict/odds.h"

#include "agents/net/clock.h"

static const double worth = 0.01;

double odds_birthday(uint64_t ports, uint64_t open, uint64_t probes)
{
	double missed = 1;
	uint64_t i;

	/* Each probe that misses leaves one closed port less. */
	for (i = 0; i < probes; i++) {
		if (open + i >= ports)
			return open ? 1 : 0;
		missed *= (double)(ports - open - i) / (double)(ports - i);
	}
	return 1 - missed;
}

uint64_t odds_probes(uint64_t ports, uint64_t open, double wanted)
{
	double missed = 1;
	uint64_t i;

	if (open == 0 || ports == 0)
		return 0;
	for (i = 0; open + i < ports && 1 - missed < wanted; i++)
		missed *= (double)(ports - open - i) / (double)(ports - i);
	/* All closed ones tried: the next one is open. */
	return 1 - missed < wanted ? i + 1 : i;
}

double odds_expected_probes(uint64_t ports, uint64_t open)
{
	return open ? (double)(ports + 1) / (double)(open + 1) : 0;
}

/* That others take exactly @count ports: each further one is @busy / (1 + @busy) as likely. */
static double strangers(double busy, unsigned int count)
{
	double probability = 1 / (1 + busy);

	while (count-- > 0)
		probability *= busy / (1 + busy);
	return probability;
}

double odds_window(double confidence, double busy, unsigned int window)
{
	double missed = 1;

	/* The first port is ours unless a stranger has it, and so on. */
	while (window-- > 0)
		missed *= busy / (1 + busy);
	return confidence * (1 - missed);
}

double odds_both(double confidence_a, double busy_a, double confidence_b, double busy_b,
		 unsigned int pairs)
{
	double sum = 0;
	unsigned int a, b;

	/* The pair they meet in is the (a + 2 b)th of the one and the (a + b)th of the other. */
	for (b = 0; 2 * b < pairs; b++) {
		for (a = 0; a + 2 * b < pairs; a++)
			sum += strangers(busy_a, a) * strangers(busy_b, b);
	}
	return confidence_a * confidence_b * sum;
}

struct odds_plan odds_plan(uint64_t ports, uint64_t open, double wanted, uint64_t rate,
			   uint64_t limit, uint64_t most)
{
	struct odds_plan plan = {0};
	uint64_t room;

	if (rate == 0)
		return plan;
	room = limit / SEC * rate + limit % SEC * rate / SEC;
	plan.probes = odds_probes(ports, open, wanted);
	if (plan.probes > room)
		plan.probes = room;
	if (plan.probes > most)
		plan.probes = most;
	plan.duration = plan.probes / rate * SEC + plan.probes % rate * SEC / rate;
	plan.probability = odds_birthday(ports, open, plan.probes);
	return plan;
}

bool odds_worth(double probability)
{
	return probability >= worth;
}
