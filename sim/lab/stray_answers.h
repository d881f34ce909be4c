/* SPDX-License-Identifier: MIT */
/*
 * Who answers a router's stray SYNs when their silence is over (stray_answers.c). Nothing happens
 * by itself: when its descriptor is readable, or at any time, call stray_answers_attend().
 */
#ifndef NATSIM_LAB_STRAY_ANSWERS_H
#define NATSIM_LAB_STRAY_ANSWERS_H

#include <stdbool.h>

#include "base/diag.h"
#include "kern/netns.h"
#include "nft-rules/nat.h"

struct stray_answers;

/*
 * Listen to what the rules of @nat, which is `unsolicited: delayed-icmp`, tell in the router's
 * namespace @netns; with several external addresses it is a @pool. Both must outlive the result.
 *
 * Returns 0 and answers the caller frees, or -errno with the reason in @d.
 */
int stray_answers_new(struct netns *netns, const struct nat *nat, bool pool,
		      struct stray_answers **ret, struct diag *d);
void stray_answers_free(struct stray_answers *answers);
DEFINE_CLEANUP(struct stray_answers *, stray_answers_free)

/* Readable, for epoll or poll, when there is something to do. */
int stray_answers_fd(const struct stray_answers *answers);

/* Note what has come, answer what is due. Never blocks. Returns 0 or -errno. */
int stray_answers_attend(struct stray_answers *answers);

#endif
