/* SPDX-License-Identifier: MIT */
/* Attempts to get a port: the draws, and how they are repeated. Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_ATTEMPTS_H
#define NATSIM_NFT_RULES_ATTEMPTS_H

#include "nft-rules/translation.h"

/* The ports a rule may draw: of one parity, or any. */
enum parity { ANY, EVEN, ODD };
struct range {
	uint16_t first, last;
	enum parity parity;
};

/* One way to find a port. */
struct attempt {
	const char *name; /* of its chains */
	struct range range;
	enum draw draw;
	unsigned int levels; /* 4 ** levels attempts */
	bool pair;           /* of ports: the even one is drawn */
	bool low;            /* not for ports below 1024, which stay below */
	bool every_address;  /* of a pool, one after the other, instead of one at random */
	bool for_all;        /* one draw serves all protocols, which all have t->place */
};

/* Add a rule to @from that makes 4 ** @attempt->levels attempts; the chains for it as needed. */
void attempts_add(const struct translation *t, struct chain *from, const struct attempt *attempt,
		  const char *comment);

/* So many levels that @count attempts are made. */
unsigned int attempts_levels(unsigned int count);

#endif
