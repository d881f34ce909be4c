/* SPDX-License-Identifier: MIT */
/* Playing a topology's steps in its lab. */
#ifndef NATSIM_OBSERVE_PLAY_H
#define NATSIM_OBSERVE_PLAY_H

#include <stddef.h>

#include "lab/lab.h"
#include "observe/timeline.h"

struct play_options {
	/* Told before each step is played, by its index; NULL for nobody. */
	void (*progress)(void *data, size_t step);
	void *data;
};

/*
 * Play the steps of @topo in @lab, which was built from it, and write down what happens.
 *
 * Returns 0 and the timeline, also when programs failed or the user interrupted: that
 * is what the timeline tells. Returns -errno with the reason in @d only when the lab
 * itself no longer answers. No program runs any more when this returns 0.
 */
int play(struct lab *lab, const struct topo *topo, const struct play_options *options,
	 struct timeline **ret, struct diag *d);

#endif
