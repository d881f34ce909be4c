/* SPDX-License-Identifier: MIT */
/*
 * One protocol's part of a translating NAT while its rules are written: what the
 * files about single axes (timers.c, guard.c, icmp.c, tcp.c, forwards.c) share with
 * translate.c. Private to nft-rules.
 */
#ifndef NATSIM_NFT_RULES_TRANSLATION_H
#define NATSIM_NFT_RULES_TRANSLATION_H

#include "nft-rules/expr.h"

/* The registers of a rule. Neighbours are used together, so the order matters. */
enum {
	REG_HOLD = 0,     /* what a claim says: the external address, and right behind it ... */
	REG_KEY = 1,      /* ... the key: inside address and port, peer address and port */
	REG_EXTERNAL = 5, /* the external endpoint: its address ... */
	REG_PORT = 6,     /* ... and its port, the candidate */
	REG_OWNER = 8,    /* the key that owns the candidate (7 takes the address before it), */
			  /* and right behind it the own key once more */
	REG_PERMISSION = 8,
	REG_INSIDE = 8, /* an inside endpoint to translate to */
};

struct protocol {
	const char *name;
	uint8_t number;
	enum field out_port, out_peer; /* of a packet that leaves: the inside's port, the peer's */
	enum field in_port, in_peer;   /* of one that arrives */
};

struct translation {
	struct ruleset *ruleset;
	const struct nat_router *router;
	const struct protocol *protocol;
	enum nat_dependence mapping, filtering; /* of this protocol: ICMP peers have no ports */
	uint64_t life, fresh_life, claim_life;
	const struct set *claim, *out, *in, *permit, *fresh, *same;
	struct chain *bind, *keep;
};

/* A rule of @chain for packets of this protocol (for ICMP: of the type @icmp). */
struct builder translation_rule(const struct translation *t, struct chain *chain,
				const char *comment);
struct builder translation_echo_rule(const struct translation *t, struct chain *chain, uint8_t type,
				     const char *comment);

enum { ICMP_ECHO_REPLY_TYPE = 0, ICMP_ECHO_REQUEST_TYPE = 8 };

/*
 * What the mapping of a packet that leaves, and is not translated yet, depends on.
 * Keys have two fields or four: where only the peer's address counts, 0 is its port.
 */
void translation_load_key(const struct translation *t, struct builder *b, unsigned int reg);
unsigned int translation_key_fields(const struct translation *t);

/* The permission that a packet which leaves (already translated) gives, and that one which arrives
 * needs. */
void translation_load_given(const struct translation *t, struct builder *b, unsigned int reg);
void translation_load_needed(const struct translation *t, struct builder *b, unsigned int reg);

#endif
