/* SPDX-License-Identifier: MIT */
/*
 * What a run makes sure of before it trusts itself: each distinct NAT of the topology,
 * in a bed of its own, does what it declares. A subset of the probes, a few
 * milliseconds each; `natsim conform FILE` is the whole.
 */
#ifndef NATSIM_CONFORM_SELFCHECK_H
#define NATSIM_CONFORM_SELFCHECK_H

#include "base/diag.h"
#include "nft-rules/nat.h"
#include "topo/topo.h"

struct self_check {
	char nat[NAT_NAME_MAX];
	const char *router; /* the first that has it; borrowed from the topology */
	size_t axes;        /* that are held */
	unsigned int packets;
	double ms;
	bool repeated; /* a first time, some axis was not held */
	bool none;     /* nothing is declared (somebody's own rules), so nothing is checked */
};

struct self_checks {
	bool off; /* the user did not want them */
	struct self_check *checks;
	size_t count;
};

/*
 * Check every distinct declaration of @topo; only inside lab_supervise().
 *
 * Returns 0, or -errno with the reason in @d: -EIO when a NAT does not do what it
 * declares, with what was declared, observed, and the evidence. *ret is to be freed
 * in either case.
 */
int self_check(const struct topo *topo, struct self_checks *ret, struct diag *d);
void self_checks_clear(struct self_checks *checks);

/* The router of @topo that is node @node as a subject; borrows from @topo. */
struct subject self_check_subject(const struct topo *topo, size_t node);

#endif
