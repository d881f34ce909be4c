/* SPDX-License-Identifier: MIT */
/*
 * What guessing ports has to hope for: probabilities, how many probes a wanted one
 * takes, and when it is not worth a packet.
 */
#ifndef NATSIM_AGENTS_PREDICT_ODDS_H
#define NATSIM_AGENTS_PREDICT_ODDS_H

#include <stdbool.h>
#include <stdint.h>

/* The ports that NATs choose from unless more is known, 1024 to 65535 (RFC 4787 section 4.2.2). */
enum { ODDS_PORTS = 64512 };

/*
 * The birthday attack: @open of @ports are open, @probes different ones are tried; that
 * at least one meets. The same with pairs of ports for two NATs that both draw: @ports
 * is then the product of both ranges, and each side's packets are pairs it tries.
 */
double odds_birthday(uint64_t ports, uint64_t open, uint64_t probes);

/* How many probes make that at least @wanted (of 1 at most); 0 if none do: nothing is open. */
uint64_t odds_probes(uint64_t ports, uint64_t open, double wanted);

/* How many it takes on average; 0 when nothing is open. */
double odds_expected_probes(uint64_t ports, uint64_t open);

/*
 * A predicted port: the step is believed with @confidence, @busy ports are taken by others
 * on average between two of our own packets, and the next @window ports are tried.
 */
double odds_window(double confidence, double busy, unsigned int window);

/*
 * Both ports predicted, @pairs tried by each side, one aiming at each of the other's
 * next ports in turn and the other at every second (spray.c says why). Of each side
 * as above.
 */
double odds_both(double confidence_a, double busy_a, double confidence_b, double busy_b,
		 unsigned int pairs);

/* How a birthday attack is to be made. */
struct odds_plan {
	uint64_t probes;
	uint64_t duration;  /* nanoseconds that sending them takes */
	double probability; /* that they meet one */
};

/*
 * As many probes as @wanted takes, at @rate a second, but no more than @limit
 * nanoseconds or @most probes allow. Nothing (all zero) when @rate is 0.
 */
struct odds_plan odds_plan(uint64_t ports, uint64_t open, double wanted, uint64_t rate,
			   uint64_t limit, uint64_t most);

/* Below this it is given up before it is tried: one in a hundred. */
bool odds_worth(double probability);

#endif
