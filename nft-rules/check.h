/* SPDX-License-Identifier: MIT */
/*
 * Declarations that contradict themselves.
 *
 * A NAT is either what was declared or an error: never silently another NAT. What is
 * wrong is told as data, so that a reader of files can point at the axis and the
 * builder of rules can simply refuse.
 */
#ifndef NATSIM_NFT_RULES_CHECK_H
#define NATSIM_NFT_RULES_CHECK_H

#include <stddef.h>

#include "base/diag.h"
#include "nft-rules/nat.h"

struct nat_flaw {
	const char *axis;  /* where to point: "ports.contiguous"; static */
	const char *other; /* where else, if that one was not written; or NULL */
	char why[160];     /* a sentence */
};

#define NAT_FLAWS_MAX 16

/* Returns how many contradictions there are, and tells them in the order of the axes. */
size_t nat_flaws(const struct nat *nat, struct nat_flaw ret[NAT_FLAWS_MAX]);

/* Returns 0, or -EINVAL with every contradiction in @d. */
int nat_check(const struct nat *nat, struct diag *d);

#endif
