/* SPDX-License-Identifier: MIT */
/* Links: veth pairs and bridges, under indexes of the caller's choice. */
#ifndef NATSIM_KERN_LINK_H
#define NATSIM_KERN_LINK_H

#include <net/if.h>
#include <stddef.h>

#include "kern/batch.h"

/*
 * An index that the caller chooses spares asking the kernel for the one it chose,
 * and with it a round trip between creating a link and using it. 1 is the loopback
 * interface; the numbers after it may be taken by the tunnel devices that some
 * kernels put into every namespace (net.core.fb_tunnels_only_for_init_net).
 */
enum { LINK_LOOPBACK = 1, LINK_FIRST_FREE = 101 };

struct link_end {
	char name[IFNAMSIZ];
	int index;
};

/*
 * A veth pair: @near in the batch's namespace, up, and enslaved to the bridge with
 * index @master unless that is 0; @far in the namespace @far_netns, still down.
 * These and the others here return 0 or -ENOMEM; the kernel's refusal comes from batch_commit().
 */
int link_add_veth(struct batch *batch, size_t tag, const struct link_end *near, int master,
		  const struct link_end *far, int far_netns);

/* A bridge that is up and does nothing but forward: no spanning tree, no multicast snooping. */
int link_add_bridge(struct batch *batch, size_t tag, const struct link_end *bridge);

/* The link @index, which is in a bridge, neither hears nor is heard by others of it that are
 * isolated. Linux 4.18. */
int link_isolate(struct batch *batch, size_t tag, int index);

int link_set_up(struct batch *batch, size_t tag, int index);

#endif
