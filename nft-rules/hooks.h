/* SPDX-License-Identifier: MIT */
/*
 * Where the chains are hooked, in the order in which a packet meets them:
 *
 *     arrive   prerouting, before conntrack (-200) has looked at the packet
 *     dstnat   prerouting, the first packet of a flow
 *     unmapped prerouting, every packet behind dstnat: port_mapping.c
 *     input    for the router itself     |     forward   for the other side
 *     srcnat   postrouting, the first packet of a flow
 *     leave    postrouting, every packet, as the wire will see it; conntrack confirms after it
 */
#ifndef NATSIM_NFT_RULES_HOOKS_H
#define NATSIM_NFT_RULES_HOOKS_H

#include "nft-rules/ir.h"

extern const struct hook hook_arrive, hook_dstnat, hook_unmapped, hook_input, hook_forward,
	hook_srcnat, hook_leave;

#endif
