/* SPDX-License-Identifier: MIT */
/*
 * Ports that the inside asks for: NAT-PMP (RFC 6886), PCP (RFC 6887), UPnP IGD (RFC 6970).
 *
 * miniupnpd, which a lab runs on such a router, speaks the protocols and writes what it
 * grants into three chains of the NAT's own table; the rules here send packets there.
 * Its library can only name tables of the inet family, so such a ruleset is one.
 */
#ifndef NATSIM_NFT_RULES_PORT_MAPPING_H
#define NATSIM_NFT_RULES_PORT_MAPPING_H

#include "nft-rules/translation.h"

/* The chains themselves. Without a declared protocol none of these functions does anything. */
void port_mapping_init(struct ruleset *ruleset, const struct nat_router *router);

/*
 * One packet of a protocol that nothing admits, before conntrack has seen it: ask for a port
 * mapping. Returns false, with nothing done, where there are none.
 */
bool port_mapping_ask(const struct translation *t, struct builder *b);

/* The chain behind dstnat that judges who asked in vain. */
void port_mapping_add_judgement(const struct translation protocols[NAT_PROTOCOLS]);

/* The first rules of dstnat, for packets from outside. */
void port_mapping_add_dstnat(struct ruleset *ruleset, const struct nat_router *router,
			     struct chain *chain);

/* The first rule of srcnat. */
void port_mapping_add_srcnat(struct ruleset *ruleset, const struct nat_router *router,
			     struct chain *chain);

/* Of packets that go through: what is let in by a mapping, as long as that lives. */
void port_mapping_add_forward(struct ruleset *ruleset, const struct nat_router *router,
			      struct chain *forward);

/* The protocols that are not declared, though the daemon speaks them, are not spoken. */
void port_mapping_add_input(struct ruleset *ruleset, const struct nat_router *router,
			    struct chain *input);

#endif
