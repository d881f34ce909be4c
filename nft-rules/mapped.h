/* SPDX-License-Identifier: MIT */
/*
 * Which ports miniupnpd has given away, as its rules say, and keeping them from others.
 *
 * Mappings of our own claim a port in a table (README.md, "The claim"). What a daemon grants is
 * no claim, so whoever watches the router puts one there for it.
 */
#ifndef NATSIM_NFT_RULES_MAPPED_H
#define NATSIM_NFT_RULES_MAPPED_H

#include <stdbool.h>
#include <stddef.h>

#include "nft-rules/ruleset.h"

struct mapped_port {
	enum nat_protocol protocol; /* NAT_UDP or NAT_TCP */
	uint16_t external;
	struct endpoint inside;
};

enum { MAPPED_MAX = 256 }; /* more are not looked at */

/* Whether notifications of NFNLGRP_NFTABLES say that they may have changed. */
bool mapped_changed(const void *messages, size_t length);

/* Read them through @socket, which lives in the router's namespace. Returns how many, or -errno. */
int mapped_list(struct mnl_socket *socket, struct mapped_port ret[MAPPED_MAX]);

/*
 * Claim a port for whom it was given to, for as long as it is; or, with @given false, let the claim
 * end as a mapping's does, for the host's own mapping may use it. A port that another host's
 * mapping has already stays its. Does nothing for a NAT without claims of this kind.
 *
 * Returns 0 or -errno (-EEXIST: it is another's).
 */
int mapped_claim(const struct nat_router *router, struct mnl_socket *socket,
		 const struct mapped_port *port, bool given);

#endif
