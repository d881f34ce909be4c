/* SPDX-License-Identifier: MIT */
/*
 * Self-conformance: does a NAT do what it declares?
 *
 *     struct subject --bed, probes--> struct observed --judge--> axes, requirements
 *
 * Only the first arrow touches the kernel.
 */
#ifndef NATSIM_CONFORM_CONFORM_H
#define NATSIM_CONFORM_CONFORM_H

#include "conform/bed.h"
#include "conform/judge.h"
#include "conform/observed.h"

/* Lifetimes are tried at this length unless the user wants another. */
#define CONFORM_LIFETIME_MS 400U

enum thoroughness {
	CONFORM_CHEAP, /* what a run checks about itself: milliseconds */
	CONFORM_WHOLE,
};

/*
 * Probe @subject in beds of its own, only inside lab_supervise(). @lifetime_ms: how
 * long lifetimes are waited for at most (a little longer, to see them end); 0 for not at all.
 * They are tried with conform_scaled(), and all else with the lifetimes that are declared.
 *
 * Returns 0, or -errno with the reason in @d.
 */
int conform_observe(const struct subject *subject, enum thoroughness thoroughness,
		    unsigned int lifetime_ms, struct observed *ret, struct diag *d);

/* @nat with every lifetime longer than @lifetime_ms cut down to that; 0 leaves them. */
struct nat conform_scaled(const struct nat *nat, unsigned int lifetime_ms);

#endif
