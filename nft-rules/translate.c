/* SPDX-License-Identifier: MIT */
/*
 * How a mapping is made, kept and lost
 *
 *     inside host                      this router                       outside
 *     192.168.1.1:5000 --- srcnat: bind, try --- leave: keep ---> 9.9.9.9:1000
 *                      <-- dstnat -- conntrack -- arrive: permit? <---
 *
 * What must hold, always: an external port has one holder, also while two processors
 * handle first packets at once; a mapping serves exactly the packets that share its
 * key; nothing comes in without a permission; a stranger leaves no trace.
 *
 * The obvious design writes a mapping down after conntrack has chosen a port, in a
 * chain behind the nat chain. It has a window: until the first host's port is written
 * down, a second host may be given it too, and conntrack allows that whenever their
 * peers differ. So here the first packet claims its port while it is translated, and
 * what decides is one atomic insertion into a table of the kernel ("claim").
 *
 * nat chains see the first packet of a flow only. Whatever is about every packet is in
 * two filter chains at the two ends of the router: "arrive", before conntrack, where
 * addresses are as the outside wrote them, and "leave", after the translation, where
 * they are as the outside will see them. Both think in external ports, so they need
 * not know in which direction conntrack thinks a packet goes, nor who opened the flow.
 *
 * Times. The maps alone say what lives; conntrack's entries are a cache of their
 * answers. An entry can outlive the mapping it was made from (incoming packets keep it
 * alive, until "arrive" stops them) but by no more than conntrack's timer; claims live
 * that much longer than mappings. So a flow that goes on late finds its port still its
 * own, and revives the mapping; nobody else can have got it.
 *
 * The price: one table lookup for each packet that arrives and one for each that
 * leaves; five table writes when a flow's refresh is due, every twentieth of a
 * lifetime; some ten for a new mapping. The packet rate stays within a few per cent of plain
 * masquerade's.
 *
 * README.md tells the same for readers of the rules.
 */
#include "nft-rules/translate.h"

#include <netinet/in.h>
#include <string.h>

#include "nft-rules/hooks.h"
#include "nft-rules/translation.h"

/*
 * Times, in milliseconds. An element of a map lives this much longer than declared,
 * since its refresh may come this much late (see "fresh"): the larger of 5 % and 10 ms.
 */
#define LATENESS_DIVISOR 20U
#define LATENESS_MIN_MS 10U
/*
 * What an attempt writes holds this long; the packet that made the attempt extends it
 * on its way out (see "keep"). What did not get that far is soon forgotten, the claim
 * last, so that nothing points to a port that is free again.
 */
#define TRIAL_MS 5000U
#define TRIAL_CLAIM_MS (2ULL * TRIAL_MS)
/* How long a comparison is remembered: it is used within the same rule. */
#define SAME_MS 1000U

/* Ports given away where the own one is taken or not wanted (RFC 4787 section 4.2.2 keeps below
 * 1024 apart). */
#define PORT_FIRST 1024U
#define PORT_COUNT (65536U - PORT_FIRST)

/* A new mapping tries this many ports, FANOUT ** LEVELS, and is dropped if all are claimed. */
#define FANOUT 4U
#define LEVELS 3U

static const struct protocol protocols[] = {
	[NAT_UDP] = {"udp", IPPROTO_UDP, FIELD_UDP_SPORT, FIELD_UDP_DPORT, FIELD_UDP_DPORT,
		     FIELD_UDP_SPORT},
	[NAT_TCP] = {"tcp", IPPROTO_TCP, FIELD_TCP_SPORT, FIELD_TCP_DPORT, FIELD_TCP_DPORT,
		     FIELD_TCP_SPORT},
	/* A query's identifier is the inside's port; the peer has none (and keys never ask for it).
	 */
	[NAT_ICMP] = {"icmp", IPPROTO_ICMP, FIELD_ICMP_ID, FIELD_ICMP_ID, FIELD_ICMP_ID,
		      FIELD_ICMP_ID},
};

static enum nat_dependence of_protocol(enum nat_dependence dependence, enum nat_protocol protocol)
{
	if (protocol == NAT_ICMP && dependence == ADDRESS_AND_PORT_DEPENDENT)
		return ADDRESS_DEPENDENT;
	return dependence;
}

/* How much of the peer a key or permission has in it: nothing, its address, its port too. */
static unsigned int peer_fields(enum nat_dependence dependence)
{
	switch (dependence) {
	case ENDPOINT_INDEPENDENT:
		return 0;
	case ADDRESS_DEPENDENT:
		return 1;
	case ADDRESS_AND_PORT_DEPENDENT:
		return 2;
	}
	return 0;
}

static void load_peer(struct builder *b, unsigned int reg, enum nat_dependence dependence,
		      enum field addr, enum field port)
{
	if (peer_fields(dependence) > 0)
		expr_load_field(b, reg, addr);
	if (peer_fields(dependence) > 1)
		expr_load_field(b, reg + 1, port);
}

void translation_load_key(const struct translation *t, struct builder *b, unsigned int reg)
{
	expr_load_field(b, reg, FIELD_IP_SADDR);
	expr_load_field(b, reg + 1, t->protocol->out_port);
	load_peer(b, reg + 2, t->mapping, FIELD_IP_DADDR, t->protocol->out_peer);
	if (t->mapping == ADDRESS_DEPENDENT)
		expr_load_zero(b, reg + 3);
}

unsigned int translation_key_fields(const struct translation *t)
{
	return t->mapping == ENDPOINT_INDEPENDENT ? 2 : 4;
}

void translation_load_given(const struct translation *t, struct builder *b, unsigned int reg)
{
	expr_load_field(b, reg, t->protocol->out_port);
	load_peer(b, reg + 1, t->filtering, FIELD_IP_DADDR, t->protocol->out_peer);
}

void translation_load_needed(const struct translation *t, struct builder *b, unsigned int reg)
{
	expr_load_field(b, reg, t->protocol->in_port);
	load_peer(b, reg + 1, t->filtering, FIELD_IP_SADDR, t->protocol->in_peer);
}

static void add_sets(struct translation *t)
{
	const struct type port = {{TYPE_PORT}, 1};
	const struct type endpoint = {{TYPE_ADDR, TYPE_PORT}, 2};
	const struct type endpoints = {{TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 4};
	const struct type *key = t->mapping == ENDPOINT_INDEPENDENT ? &endpoint : &endpoints;
	struct type permission = {{TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 1 + peer_fields(t->filtering)};
	const char *name = t->protocol->name;
	struct type hold;

	hold.fields[0] = TYPE_ADDR;
	memcpy(&hold.fields[1], key->fields, key->count * sizeof(key->fields[0]));
	hold.count = 1 + key->count;
	t->claim = ir_add_set(t->ruleset, &port, &hold,
			      "external port: its address, and the key that claimed it first",
			      "%s_claim", name);
	t->out = ir_add_set(t->ruleset, key, &endpoint, "the mappings as the inside sees them",
			    "%s_out", name);
	t->in = ir_add_set(t->ruleset, &port, &endpoint, "the mappings as the outside sees them",
			   "%s_in", name);
	t->permit = ir_add_set(t->ruleset, &permission, NULL,
			       "external port, and which peer may use it", "%s_permit", name);
	t->fresh = ir_add_set(t->ruleset, &permission, NULL,
			      "refreshed so lately that it need not be again", "%s_fresh", name);
}

/*
 * One attempt: claim the candidate in REG_PORT; if it is ours (now, or since an
 * earlier packet), make it the mapping and leave through the mapping. Two first
 * packets of one socket may both win a port; the mapping is the one that was
 * written first, and both leave through it.
 *
 * Is the key behind the claim our own? nftables cannot compare two registers, but it
 * can ask whether a pair is in a set that only ever holds equal pairs, and that holds
 * ours because we have just put it there.
 */
static void finish_attempt(const struct translation *t, struct builder *b)
{
	unsigned int own = REG_OWNER + translation_key_fields(t);

	expr_load_addr(b, REG_HOLD, &t->router->externals[0]);
	expr_add(b, t->claim, REG_PORT, REG_HOLD, TRIAL_CLAIM_MS);

	translation_load_key(t, b, REG_OWNER);
	translation_load_key(t, b, own);
	expr_update(b, t->same, REG_OWNER, 0, SAME_MS);
	expr_map_named(b, REG_PORT, t->claim, REG_OWNER, "$owner");
	expr_match_set(b, REG_OWNER, t->same, true);

	expr_load_addr(b, REG_EXTERNAL, &t->router->externals[0]);
	expr_add(b, t->out, REG_KEY, REG_EXTERNAL, TRIAL_MS);
	expr_add(b, t->in, REG_PORT, REG_KEY, TRIAL_MS);
	expr_map(b, REG_KEY, t->out, REG_EXTERNAL);
	expr_snat(b, REG_EXTERNAL);
}

static struct chain *add_attempts(const struct translation *t)
{
	static const char *const comments[LEVELS] = {
		"one attempt; comes back if the port is another's", "four attempts",
		"sixteen attempts"};
	struct chain *chain, *inner;
	struct builder b;
	unsigned int level, i;

	chain = ir_add_chain(t->ruleset, NULL, comments[0], "%s_try", t->protocol->name);
	b = expr_rule(t->ruleset, chain,
		      "draw a port, claim it, look who owns it; ours: map to it");
	translation_load_key(t, &b, REG_KEY);
	expr_draw_port(&b, REG_PORT,
		       t->router->nat->ports.allocation == PORTS_SEQUENTIAL ? DRAW_NEXT
									    : DRAW_RANDOM,
		       PORT_FIRST, PORT_COUNT);
	finish_attempt(t, &b);
	for (level = 1; level < LEVELS; level++) {
		inner = chain;
		chain = ir_add_chain(t->ruleset, NULL, comments[level], "%s_try_%u",
				     t->protocol->name, level == 1 ? FANOUT : FANOUT * FANOUT);
		for (i = 0; i < FANOUT; i++) {
			b = expr_rule(t->ruleset, chain, NULL);
			expr_jump(&b, inner);
		}
	}
	return chain;
}

/* The first packet of a flow that leaves: give it its external endpoint. */
static void add_bind(struct translation *t)
{
	struct chain *attempts = add_attempts(t);
	struct builder b;
	unsigned int i;

	t->bind = ir_add_chain(t->ruleset, NULL, "the external endpoint of a new flow", "%s_bind",
			       t->protocol->name);
	b = expr_rule(t->ruleset, t->bind, "there is a mapping: leave through it");
	translation_load_key(t, &b, REG_KEY);
	expr_map(&b, REG_KEY, t->out, REG_EXTERNAL);
	expr_snat(&b, REG_EXTERNAL);

	if (t->router->nat->ports.allocation == PORTS_PRESERVING) {
		b = expr_rule(t->ruleset, t->bind,
			      "claim the own port, look who owns it; ours: map to it");
		translation_load_key(t, &b, REG_KEY);
		expr_load_field(&b, REG_PORT, t->protocol->out_port);
		finish_attempt(t, &b);
	}
	for (i = 0; i < FANOUT; i++) {
		b = expr_rule(t->ruleset, t->bind, i ? NULL : "try other ports");
		expr_jump(&b, attempts);
	}
	b = expr_rule(t->ruleset, t->bind, "no port is free: existing mappings come first");
	expr_drop(&b);
}

/* Every packet that leaves, in either of conntrack's directions, keeps what it uses alive. */
static void add_keep(struct translation *t)
{
	struct builder b;

	t->keep = ir_add_chain(t->ruleset, NULL, "keep alive what a packet uses", "%s_keep",
			       t->protocol->name);
	b = expr_rule(t->ruleset, t->keep, "done a moment ago");
	translation_load_given(t, &b, 0);
	expr_match_set(&b, 0, t->fresh, true);
	expr_accept(&b);

	b = expr_rule(t->ruleset, t->keep, "claim, mapping and permission live on");
	expr_load_field(&b, REG_EXTERNAL, FIELD_IP_SADDR);
	expr_load_field(&b, REG_PORT, t->protocol->out_port);
	expr_map_named(&b, REG_PORT, t->claim, REG_KEY, "$key");
	expr_load_field(&b, REG_HOLD, FIELD_IP_SADDR);
	expr_update(&b, t->claim, REG_PORT, REG_HOLD, t->claim_life);
	expr_update(&b, t->out, REG_KEY, REG_EXTERNAL, t->life);
	expr_update(&b, t->in, REG_PORT, REG_KEY, t->life);
	translation_load_given(t, &b, REG_PERMISSION);
	expr_update(&b, t->permit, REG_PERMISSION, 0, t->life);
	expr_update(&b, t->fresh, REG_PERMISSION, 0, t->fresh_life);
	expr_accept(&b);

	b = expr_rule(t->ruleset, t->keep, "a port that nobody holds, or a table that is full");
	expr_drop(&b);
}

static void translation_init(struct translation *t, struct ruleset *ruleset,
			     const struct nat_router *router, const struct set *same,
			     enum nat_protocol protocol)
{
	const struct nat *nat = router->nat;
	uint64_t lifetime = nat->timers.mapping[protocol];
	uint64_t late = lifetime / LATENESS_DIVISOR;
	uint64_t conntrack = lifetime < 1000 ? 1000 : lifetime; /* nat_sysctls() sees to it */

	if (late < LATENESS_MIN_MS)
		late = LATENESS_MIN_MS;
	*t = (struct translation){
		.ruleset = ruleset,
		.router = router,
		.protocol = &protocols[protocol],
		.mapping = of_protocol(nat->mapping, protocol),
		.filtering = of_protocol(nat->filtering, protocol),
		.life = lifetime + late,
		.fresh_life = late,
		.claim_life = lifetime + late + conntrack + 1000,
		.same = same,
	};
	add_sets(t);
	add_bind(t);
	add_keep(t);
}

/* Rules of a base chain that hand a protocol's packets to its chain. */
struct builder translation_rule(const struct translation *t, struct chain *chain,
				const char *comment)
{
	struct builder b = expr_rule(t->ruleset, chain, comment);

	expr_match_l4proto(&b, t->protocol->number);
	return b;
}

struct builder translation_echo_rule(const struct translation *t, struct chain *chain, uint8_t type,
				     const char *comment)
{
	struct builder b = translation_rule(t, chain, comment);

	expr_match_icmp_type(&b, type);
	return b;
}

static void refuse_strangers(const struct translation *t, struct builder *b)
{
	translation_load_needed(t, b, REG_PERMISSION);
	expr_match_set(b, REG_PERMISSION, t->permit, false);
	expr_drop(b);
}

/* Every packet that arrives, before conntrack hears of it. */
static void add_arrive(struct ruleset *ruleset, const struct nat_router *router,
		       const struct translation t[NAT_PROTOCOLS])
{
	struct chain *strangers = ir_add_chain(
		ruleset, NULL, "from outside: only what a permission lets in", "from_outside");
	struct chain *arrive = ir_add_chain(ruleset, &hook_arrive,
					    "every packet, before conntrack sees it", "arrive");
	struct builder b;

	b = expr_rule(ruleset, arrive, NULL);
	expr_match_iifname(&b, router->outside, true);
	expr_goto(&b, strangers);

	b = expr_rule(ruleset, arrive,
		      "no hairpinning: the inside does not reach it by its outside");
	expr_match_addr(&b, FIELD_IP_DADDR, &router->externals[0], true);
	expr_match_iifname(&b, "lo", false);
	expr_drop(&b);

	b = expr_rule(ruleset, strangers, "nothing else is known outside");
	expr_match_addr(&b, FIELD_IP_DADDR, &router->externals[0], false);
	expr_drop(&b);

	b = translation_rule(&t[NAT_UDP], strangers, NULL);
	refuse_strangers(&t[NAT_UDP], &b);
	b = translation_rule(&t[NAT_TCP], strangers, NULL);
	refuse_strangers(&t[NAT_TCP], &b);
	b = translation_echo_rule(&t[NAT_ICMP], strangers, ICMP_ECHO_REPLY_TYPE, NULL);
	refuse_strangers(&t[NAT_ICMP], &b);
	b = translation_echo_rule(&t[NAT_ICMP], strangers, ICMP_ECHO_REQUEST_TYPE, NULL);
	refuse_strangers(&t[NAT_ICMP], &b);
}

static void translate_in(const struct translation *t, struct builder *b)
{
	expr_load_field(b, REG_PORT, t->protocol->in_port);
	expr_map(b, REG_PORT, t->in, REG_INSIDE);
	expr_dnat(b, REG_INSIDE);
}

/* The first packet of a flow that the outside opens. */
static void add_dstnat(struct ruleset *ruleset, const struct nat_router *router,
		       const struct translation t[NAT_PROTOCOLS])
{
	struct chain *chain =
		ir_add_chain(ruleset, &hook_dstnat,
			     "a flow the outside opens goes to the port's holder", "dstnat");
	struct builder b;

	b = expr_rule(ruleset, chain, NULL);
	expr_match_iifname(&b, router->outside, false);
	expr_accept(&b);

	b = translation_rule(&t[NAT_UDP], chain, NULL);
	translate_in(&t[NAT_UDP], &b);
	b = translation_rule(&t[NAT_TCP], chain, NULL);
	translate_in(&t[NAT_TCP], &b);
	b = translation_echo_rule(&t[NAT_ICMP], chain, ICMP_ECHO_REQUEST_TYPE, NULL);
	translate_in(&t[NAT_ICMP], &b);
}

/* The first packet of a flow that the inside, or the router itself, opens. */
static void add_srcnat(struct ruleset *ruleset, const struct nat_router *router,
		       const struct translation t[NAT_PROTOCOLS])
{
	struct chain *chain = ir_add_chain(ruleset, &hook_srcnat,
					   "a flow the inside, or the router, opens", "srcnat");
	struct builder b;

	b = expr_rule(ruleset, chain, NULL);
	expr_match_oifname(&b, router->outside, false);
	expr_accept(&b);

	b = translation_rule(&t[NAT_UDP], chain, NULL);
	expr_goto(&b, t[NAT_UDP].bind);
	b = translation_rule(&t[NAT_TCP], chain, NULL);
	expr_goto(&b, t[NAT_TCP].bind);
	b = translation_echo_rule(&t[NAT_ICMP], chain, ICMP_ECHO_REQUEST_TYPE, NULL);
	expr_goto(&b, t[NAT_ICMP].bind);

	b = expr_rule(ruleset, chain, "other protocols: as Linux does it");
	expr_masquerade(&b);
}

/* Every packet that leaves, as the wire will see it. */
static void add_leave(struct ruleset *ruleset, const struct nat_router *router,
		      const struct translation t[NAT_PROTOCOLS])
{
	struct chain *chain =
		ir_add_chain(ruleset, &hook_leave, "every packet that leaves, translated", "leave");
	struct builder b;

	b = expr_rule(ruleset, chain, NULL);
	expr_match_oifname(&b, router->outside, false);
	expr_accept(&b);

	b = expr_rule(ruleset, chain, "nothing private leaves");
	expr_match_addr(&b, FIELD_IP_SADDR, &router->externals[0], false);
	expr_drop(&b);

	b = translation_rule(&t[NAT_UDP], chain, NULL);
	expr_goto(&b, t[NAT_UDP].keep);
	b = translation_rule(&t[NAT_TCP], chain, NULL);
	expr_goto(&b, t[NAT_TCP].keep);
	b = translation_echo_rule(&t[NAT_ICMP], chain, ICMP_ECHO_REQUEST_TYPE, NULL);
	expr_goto(&b, t[NAT_ICMP].keep);
	b = translation_echo_rule(&t[NAT_ICMP], chain, ICMP_ECHO_REPLY_TYPE, NULL);
	expr_goto(&b, t[NAT_ICMP].keep);
}

void translate_build(struct ruleset *ruleset, const struct nat_router *router)
{
	const struct type endpoint_pair = {{TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 4};
	const struct type key_pair = {{TYPE_KEY, TYPE_KEY}, 2};
	const struct type *pair =
		router->nat->mapping == ENDPOINT_INDEPENDENT ? &endpoint_pair : &key_pair;
	struct translation t[NAT_PROTOCOLS];
	const struct set *same;
	int protocol;

	same = ir_add_set(ruleset, pair, NULL, "pairs of equal keys, to compare keys with", "same");
	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++)
		translation_init(&t[protocol], ruleset, router, same, (enum nat_protocol)protocol);
	add_arrive(ruleset, router, t);
	add_dstnat(ruleset, router, t);
	add_srcnat(ruleset, router, t);
	add_leave(ruleset, router, t);
}
