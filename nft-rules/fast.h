/* SPDX-License-Identifier: MIT */
/* The short way of nearly every packet. Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_FAST_H
#define NATSIM_NFT_RULES_FAST_H

#include "nft-rules/translation.h"

/* The first rules of `arrive` and of `leave`; none where the axes need more to be looked at. */
void fast_add_arrive(const struct translation protocols[NAT_PROTOCOLS], struct chain *arrive);
void fast_add_leave(const struct translation protocols[NAT_PROTOCOLS], struct chain *leave);

#endif
