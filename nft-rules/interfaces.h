/* SPDX-License-Identifier: MIT */
/* Interfaces by number instead of name: a cheaper question to each packet. Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_INTERFACES_H
#define NATSIM_NFT_RULES_INTERFACES_H

#include "nft-rules/ir.h"

/*
 * Let the rules ask for the index of each interface that is there in the namespace of the
 * socket @fd; the others they go on asking for by name. The index stays in the ruleset, whose
 * printed text stays as it is. Returns 0, or -1 without memory.
 */
int interfaces_number(const struct ruleset *ruleset, int fd);

#endif
