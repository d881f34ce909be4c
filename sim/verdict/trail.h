/* SPDX-License-Identifier: MIT */
/* Following a peer's payload outward, NAT by NAT, through the kernels' tables. */
#ifndef NATSIM_VERDICT_TRAIL_H
#define NATSIM_VERDICT_TRAIL_H

#include "verdict/pair.h"
#include "verdict/proof.h"
#include "verdict/way.h"

struct trail {
	const struct topo *topo;
	const struct router_view *views;
	size_t view_count;
	struct proof *proof; /* gets a line "flow" for each router on the way */
};

/*
 * Does every router of @way track packets between @self's endpoint and @remote, both ways and as
 * many as @self counted messages? Sets *ret_known when the tables told to the end; then
 * *ret is what the endpoint is to the outside. Returns 0 or -ENOMEM.
 */
int trail_follow(const struct trail *trail, const struct peer *self, const struct endpoint *remote,
		 const struct way *way, struct endpoint *ret, bool *ret_known);

#endif
