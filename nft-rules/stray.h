/* SPDX-License-Identifier: MIT */
/* What a router's rules know of stray SYNs (guard.c), for who answers them later. */
#ifndef NATSIM_NFT_RULES_STRAY_H
#define NATSIM_NFT_RULES_STRAY_H

#include <stdbool.h>

#include "base/addr.h"
#include "nft-rules/nat.h"

struct mnl_socket;

/*
 * What the rules of @nat, with several external addresses if @pool, say: whether the SYN from @from
 * to the external endpoint @at is one to answer: it came, and no own SYN has crossed it since.
 * @socket lives in the router's namespace. Returns 1, 0 or -errno.
 */
int stray_waits(const struct nat *nat, bool pool, struct mnl_socket *socket,
		const struct endpoint *from, const struct endpoint *at);

#endif
