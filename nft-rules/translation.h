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
	REG_SHARER = 10,  /* with overloading, where the candidate goes on to 8 */
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
	struct chain *bind, *source, *keep;  /* srcnat goes to source, which mostly is bind */
	const struct blocks *blocks;         /* NULL: ports are drawn from the whole range */
	struct chain *place;                 /* claims a candidate; NULL: the one rule does */
	const struct set *pair, *pair_claim; /* NULL: neighbours do not stay neighbours */
	struct chain *give_pair;
	const struct pool *pool; /* NULL: one external address, which tables need not name */
	bool overloading;        /* claims are of an external endpoint towards one peer */
	bool early; /* mappings are made in filter chains, before srcnat: see claims.c */
	bool hairpinning;
	bool spaced; /* `out` has room before the endpoint, so that it can be a part of keys */

	/* timers.c: lives of an attempt, a permission, and (0: no such) what opens or closes. */
	uint64_t trial_life, trial_claim_life;
	uint64_t filter_life, transitory_life, filter_transitory_life;
	const struct set *held, *holder;    /* TCP: an established session holds a port */
	const struct set *own;              /* beside.c; NULL where nobody can be beside */
	const struct set *known, *known_in; /* known.c; NULL: all packets go through conntrack */
	uint64_t known_life, heard_life;
	/* guard.c and forwards.c; NULL where nothing needs them. */
	const struct set *stolen;    /* ports with a stranger's flow in conntrack */
	const struct chain *stray;   /* where a SYN goes that nothing admits, or NULL */
	const struct set *strays;    /* those that no own SYN has crossed (crossing.c) */
	const struct set *syns;      /* own ones that have just left, where none may cross them */
	const struct set *forwarded; /* ports that are given away by declaration */
	const struct set *forwards, *forwarded_out; /* to whom, and what they leave by */
};

/* Marks on packets between `arrive` and the next hooks, and on flows. */
enum {
	MARK_STRANGER = 1,       /* for the router's own stack */
	MARK_DMZ = 2,            /* for the DMZ host */
	MARK_UNMAPPED = 3,       /* for a port mapping, if there is one: port_mapping.c */
	MARK_KNOWN = 0x4b4e0000, /* the upper half of one that carries a port: known.c */
	CT_MARK_UNMAPPED = 1, /* a flow that uses no mapping: the stack's, the DMZ's, a forward's */
	CT_MARK_CLOSING = 2,  /* FIN or RST was seen */
	CT_MARK_PORT_MAPPED = 4, /* a flow that a port mapping let in */
};

/*
 * What a claim, and the mapping behind it, is found by: the external port; with a pool,
 * the external address before it; with overloading, the peer's endpoint behind it.
 * Loaded for a packet as the outside sees it, from register translation_claim() on,
 * which for a candidate is (a part of) the external endpoint in REG_EXTERNAL.
 */
unsigned int translation_claim(const struct translation *t);
void translation_load_claim(const struct translation *t, struct builder *b);   /* it leaves */
void translation_load_claimed(const struct translation *t, struct builder *b); /* it arrives */
void translation_load_peer(const struct translation *t, struct builder *b);    /* the last part */
unsigned int translation_owner_fields(const struct translation *t);

/* What the inside endpoint's mapping is: the external endpoint goes to REG_EXTERNAL. */
void translation_map_out(const struct translation *t, struct builder *b);
void translation_map_key(const struct translation *t, struct builder *b,
			 unsigned int key); /* which is not in REG_KEY */
unsigned int translation_out_data(const struct translation *t,
				  struct builder *b); /* the register to write it from */

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
/* The same of one that has arrived and is translated; and its external endpoint again, by the key.
 */
void translation_load_key_in(const struct translation *t, struct builder *b, unsigned int reg);
/* The last register of a long key is spoilt on the way, and loaded again from @peer, its port. */
void translation_load_external(const struct translation *t, struct builder *b, enum field peer);
unsigned int translation_key_fields(const struct translation *t);
/* How much of the peer a key or permission has in it: nothing, its address, its port too. */
unsigned int translation_peer_fields(enum nat_dependence dependence);

/* The permission that a packet which leaves (already translated) gives, and that one which arrives
 * needs. */
void translation_load_given(const struct translation *t, struct builder *b, unsigned int reg);
void translation_load_needed(const struct translation *t, struct builder *b, unsigned int reg);

#endif
