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
 * lifetime; some ten for a new mapping. Busy flows win some of it back: they cross without
 * conntrack (known.c), at 0.96 of plain masquerade's rate, the first ones at 0.91
 * (tests/bench/nat_packets.c; fast.c says what costs).
 *
 * README.md tells the same for readers of the rules.
 */
#include "nft-rules/translate.h"

#include <netinet/in.h>
#include <string.h>

#include "nft-rules/beside.h"
#include "nft-rules/blocks.h"
#include "nft-rules/claims.h"
#include "nft-rules/crossing.h"
#include "nft-rules/fast.h"
#include "nft-rules/forwards.h"
#include "nft-rules/guard.h"
#include "nft-rules/hairpin.h"
#include "nft-rules/hooks.h"
#include "nft-rules/icmp.h"
#include "nft-rules/known.h"
#include "nft-rules/pool.h"
#include "nft-rules/port_mapping.h"
#include "nft-rules/ports.h"
#include "nft-rules/timers.h"
#include "nft-rules/translation.h"

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

/* @first, and behind it the @count fields of @rest. */
static struct type type_of(enum datatype first, const enum datatype *rest, size_t count)
{
	struct type type = {{first}, 1 + count};

	memcpy(&type.fields[1], rest, count * sizeof(rest[0]));
	return type;
}

static void add_sets(struct translation *t)
{
	static const enum datatype all[] = {TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT};
	/* With a pool a claim and a permission begin with the external address. */
	const enum datatype *external = t->pool ? all : all + 1;
	const size_t external_fields = t->pool ? 2 : 1;
	const struct type key = type_of(TYPE_ADDR, all + 1, translation_key_fields(t) - 1);
	const struct type endpoint = {{TYPE_ADDR, TYPE_PORT}, 2};
	const struct type spaced = {{TYPE_ADDR, TYPE_ADDR, TYPE_PORT}, 3};
	const struct type hold = type_of(TYPE_ADDR, all, translation_owner_fields(t));
	const struct type claim =
		type_of(external[0], external + 1, external_fields - 1 + (t->overloading ? 2 : 0));
	const struct type permission =
		type_of(external[0], external + 1,
			external_fields - 1 + translation_peer_fields(t->filtering));
	const char *name = t->protocol->name;

	t->claim = ir_add_set(
		t->ruleset, &claim, &hold,
		t->overloading ? "external port and peer: the inside endpoint that claimed it first"
			       : "external port: its address, and the key that claimed it first",
		"%s_claim", name);
	t->out = ir_add_set(t->ruleset, &key, t->spaced ? &spaced : &endpoint,
			    "the mappings as the inside sees them", "%s_out", name);
	t->in = ir_add_set(t->ruleset, &claim, &endpoint, "the mappings as the outside sees them",
			   "%s_in", name);
	t->permit = ir_add_set(t->ruleset, &permission, NULL,
			       "external port, and which peer may use it", "%s_permit", name);
	t->fresh = ir_add_set(t->ruleset, &permission, NULL,
			      "refreshed so lately that it need not be again", "%s_fresh", name);
}

static void translation_init(struct translation *t, struct ruleset *ruleset,
			     const struct nat_router *router, const struct set *same,
			     const struct pool *pool, const struct blocks *blocks,
			     enum nat_protocol protocol)
{
	const struct nat *nat = router->nat;

	*t = (struct translation){
		.ruleset = ruleset,
		.router = router,
		.protocol = &protocols[protocol],
		.mapping = of_protocol(nat->mapping, protocol),
		.filtering = of_protocol(nat->filtering, protocol),
		.same = same,
		.pool = router->external_count > 1 ? pool : NULL,
		.blocks = nat->ports.block ? blocks : NULL,
		.overloading = nat->ports.overloading,
		.early = claims_early(nat),
		.hairpinning = nat->hairpinning != HAIRPINNING_OFF,
		.spaced = router->external_count > 1 || hairpin_needs_room(nat),
	};
	add_sets(t);
	timers_init(t, protocol);
	known_init(t);
	beside_init(t);
	crossing_init(t);
	guard_init(t);
	forwards_init(t, protocol);
	ports_add_bind(t);
	if (t->early)
		claims_add_source(t);
	timers_add_keep(t);
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

	known_add_arrive(&t[NAT_UDP], arrive);
	fast_add_arrive(&t[NAT_UDP], arrive);
	fast_add_arrive(&t[NAT_TCP], arrive);
	b = expr_rule(ruleset, arrive, NULL);
	expr_match_iifname(&b, router->outside, true);
	expr_goto(&b, strangers);
	known_add_depart(&t[NAT_UDP], arrive);

	b = expr_rule(ruleset, strangers, "nothing else is known outside");
	pool_match_external(router, &b, FIELD_IP_DADDR, false);
	expr_drop(&b);
	guard_add_arrive(t, strangers);
}

static void translate_in(const struct translation *t, struct builder *b)
{
	translation_load_claimed(t, b);
	expr_map(b, translation_claim(t), t->in, REG_INSIDE);
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

	if (t[NAT_UDP].hairpinning)
		hairpin_add_destination(ruleset, router, t, chain);
	b = expr_rule(ruleset, chain, NULL);
	expr_match_iifname(&b, router->outside, false);
	expr_accept(&b);
	guard_add_dstnat(t, chain);

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

	port_mapping_add_srcnat(ruleset, router, chain);
	hairpin_add_source(ruleset, router, t, chain);
	b = translation_rule(&t[NAT_UDP], chain, NULL);
	expr_goto(&b, t[NAT_UDP].source);
	b = translation_rule(&t[NAT_TCP], chain, NULL);
	expr_goto(&b, t[NAT_TCP].source);
	b = translation_echo_rule(&t[NAT_ICMP], chain, ICMP_ECHO_REQUEST_TYPE, NULL);
	expr_goto(&b, t[NAT_ICMP].source);

	b = expr_rule(ruleset, chain, "other protocols: as Linux does it");
	expr_masquerade(&b);
}

/* Every packet that leaves, as the wire will see it. */
static void add_leave(struct ruleset *ruleset, const struct nat_router *router,
		      const struct translation t[NAT_PROTOCOLS])
{
	struct chain *chain =
		ir_add_chain(ruleset, NULL, "to the outside, translated", "to_outside");
	struct chain *leave =
		ir_add_chain(ruleset, &hook_leave, "every packet that leaves", "leave");
	struct builder b;

	b = expr_rule(ruleset, leave, NULL);
	expr_match_oifname(&b, router->outside, true);
	expr_goto(&b, chain);
	timers_add_reset(&t[NAT_TCP], leave);
	known_add_heard(&t[NAT_UDP], leave);

	/* A known flow's packet has its private source yet: it fails the others at once. */
	fast_add_leave(&t[NAT_TCP], chain);
	known_add_leave(&t[NAT_UDP], chain);
	icmp_add_leave(ruleset, router, chain);
	b = expr_rule(ruleset, chain, "nothing private leaves");
	pool_match_external(router, &b, FIELD_IP_SADDR, false);
	expr_drop(&b);
	guard_add_leave(ruleset, router, chain);
	crossing_add_leave(&t[NAT_TCP], chain);

	b = translation_rule(&t[NAT_UDP], chain, NULL);
	expr_goto(&b, t[NAT_UDP].keep);
	b = translation_rule(&t[NAT_TCP], chain, NULL);
	expr_goto(&b, t[NAT_TCP].keep);
	b = translation_echo_rule(&t[NAT_ICMP], chain, ICMP_ECHO_REQUEST_TYPE, NULL);
	expr_goto(&b, t[NAT_ICMP].keep);
	b = translation_echo_rule(&t[NAT_ICMP], chain, ICMP_ECHO_REPLY_TYPE, NULL);
	expr_goto(&b, t[NAT_ICMP].keep);
}

/* Packets that go through, to the inside or from it. */
static void add_forward(struct ruleset *ruleset, const struct nat_router *router,
			const struct translation t[NAT_PROTOCOLS], struct chain *forward)
{
	const struct nat *nat = router->nat;
	int protocol;

	if (nat->unsolicited == UNSOLICITED_ACCEPT || nat->dmz.family != AF_UNSPEC)
		guard_add_forward(ruleset, router, forward);
	port_mapping_add_forward(ruleset, router, forward);
	crossing_add_forward(&t[NAT_TCP], forward);
	icmp_add_forward(t, forward);
	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++)
		timers_add_forward(&t[protocol], forward);
}

void translate_build(struct ruleset *ruleset, const struct nat_router *router,
		     struct chain *forward)
{
	const struct type endpoint_pair = {{TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 4};
	const struct type key_pair = {{TYPE_KEY, TYPE_KEY}, 2};
	const struct type *pair =
		router->nat->mapping == ENDPOINT_INDEPENDENT || router->nat->ports.overloading
			? &endpoint_pair
			: &key_pair;
	struct translation t[NAT_PROTOCOLS];
	const struct set *same;
	struct pool pool;
	struct blocks blocks;
	int protocol;

	same = ir_add_set(ruleset, pair, NULL, "pairs of equal keys, to compare keys with", "same");
	if (router->external_count > 1)
		pool_init(&pool, ruleset, router);
	if (router->nat->ports.block)
		blocks_init(&blocks, ruleset, router, router->external_count > 1 ? &pool : NULL);
	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++)
		translation_init(&t[protocol], ruleset, router, same, &pool, &blocks,
				 (enum nat_protocol)protocol);
	add_arrive(ruleset, router, t);
	beside_add(&t[NAT_UDP]);
	add_dstnat(ruleset, router, t);
	port_mapping_add_judgement(t);
	add_srcnat(ruleset, router, t);
	add_leave(ruleset, router, t);
	if (forward)
		add_forward(ruleset, router, t, forward);
	if (claims_early(router->nat))
		claims_add(ruleset, router, t);
}

bool translate_needs_forward(const struct nat *nat)
{
	return timers_need_forward(nat) || nat->tcp.strict_syn || icmp_needs_forward(nat) ||
	       nat->unsolicited == UNSOLICITED_ACCEPT || nat->dmz.family != AF_UNSPEC ||
	       nat->port_mapping;
}
