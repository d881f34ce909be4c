/* SPDX-License-Identifier: MIT */
/*
 * What nothing admits
 *
 * A stranger's packet is judged in `arrive`, before conntrack. What happens to it:
 *
 *     drop      nothing, and nobody ever knows
 *     reject    an ICMP error or a reset from here; conntrack never sees the packet
 *     accept    it goes on to the router's own stack with a mark, so that dstnat leaves it
 *               alone. It is answered there, and its flow is confirmed:
 *
 *                   stranger 9.9.9.9:1000 --> 1.2.3.4:5000   conntrack: a flow of the router
 *                   host's own packet 5000 --> 9.9.9.9:1000  has the same tuple: taken
 *
 *               conntrack would give the host another port, or, told which one to take,
 *               drop its packet. So the rules remember which tuples are "stolen", for as
 *               long as conntrack does, and move the host's flow themselves: this is
 *               what breaks hole punching whenever the peer's packet comes first.
 *
 *     delayed   a SYN hears nothing for six seconds, so that the inside's own SYN can still
 *               cross it (RFC 5382 REQ-4); then an ICMP error. Rules cannot wait: they drop
 *               it and tell of it by NFLOG; the lab listens and answers
 *               (sim/lab/stray_answers.c).
 *
 * Where a DMZ host is declared it gets, likewise marked, what is for no mapping's port.
 *
 * The marks are also what tells in the forward chain that a packet got through only
 * because conntrack remembers more than the NAT.
 */
#include "nft-rules/guard.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "nft-rules/crossing.h"
#include "nft-rules/forwards.h"
#include "nft-rules/hooks.h"
#include "nft-rules/pool.h"
#include "nft-rules/port_mapping.h"

enum { REG_STRANGER = REG_PORT }; /* its port here, its address, its port */
enum { MOVES = 4 };               /* MOVES ** 2 attempts */

static bool has_dmz(const struct nat *nat)
{
	return nat->dmz.family != AF_UNSPEC;
}

/* Can a mapping end, on purpose, before its permissions? */
static bool can_be_killed(const struct translation *t)
{
	const struct nat *nat = t->router->nat;

	return nat->icmp.errors_kill || (nat->tcp.rst_kills && t->protocol->number == IPPROTO_TCP);
}

static void load_stranger(const struct translation *t, struct builder *b)
{
	expr_load_field(b, REG_STRANGER, t->protocol->in_port);
	expr_load_field(b, REG_STRANGER + 1, FIELD_IP_SADDR);
	expr_load_field(b, REG_STRANGER + 2, t->protocol->in_peer);
}

/* Nobody who listens, or too slowly, or a full set: then it is dropped all the same. */
static const struct chain *add_stray(const struct translation *t)
{
	const uint64_t memory =
		10ULL * nat_stray_silence(t->router->nat); /* who listens may be late */
	struct chain *chain =
		ir_add_chain(t->ruleset, NULL,
			     "what nothing admits: silence; of a SYN, who answers it later is told",
			     "%s_stray", t->protocol->name);
	struct builder b = expr_rule(t->ruleset, chain, NULL);

	expr_match_tcp_flags(&b, TH_SYN | TH_ACK | TH_RST | TH_FIN, TH_SYN, true);
	expr_load_field(&b, REG_EXTERNAL, FIELD_IP_DADDR);
	load_stranger(t, &b);
	expr_update(&b, t->strays, translation_claim(t), 0, memory);
	expr_log(&b, RULESET_STRAY_GROUP);
	b = expr_rule(t->ruleset, chain, NULL);
	expr_drop(&b);
	return chain;
}

void guard_init(struct translation *t)
{
	const struct type of_one = {{TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 3};
	const struct type of_pool = {{TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 4};
	const struct type *stranger = t->pool ? &of_pool : &of_one;
	const struct nat *nat = t->router->nat;

	if (t->protocol->number == IPPROTO_ICMP)
		return;
	/* A reset ends conntrack's entry at once, so a TCP tuple is stolen only for the DMZ. */
	if (has_dmz(nat) ||
	    (nat->unsolicited == UNSOLICITED_ACCEPT && t->protocol->number == IPPROTO_UDP))
		t->stolen = ir_add_set(t->ruleset, stranger, NULL,
				       "external endpoints that conntrack has a stranger's flow to",
				       "%s_stolen", t->protocol->name);
	if (t->strays)
		t->stray = add_stray(t);
}

/* conntrack counts in whole seconds (nat_sysctls()). */
static uint64_t conntrack_life(const struct translation *t)
{
	const struct nat_timers *timers = &t->router->nat->timers;
	uint64_t life = timers->mapping[t->protocol->number == IPPROTO_TCP ? NAT_TCP : NAT_UDP];

	return life < 1000 ? 1000 : life;
}

static void let_pass(const struct translation *t, struct builder *b, uint32_t mark)
{
	if (t->stolen) {
		expr_load_field(b, REG_EXTERNAL, FIELD_IP_DADDR);
		load_stranger(t, b);
		expr_update(b, t->stolen, translation_claim(t), 0, conntrack_life(t));
	}
	expr_set_mark(b, mark);
	expr_accept(b);
}

void guard_answer_stranger(const struct translation *t, struct builder *b)
{
	switch (t->router->nat->unsolicited) {
	case UNSOLICITED_DROP:
		expr_drop(b);
		return;
	case UNSOLICITED_DELAYED:
		if (t->stray)
			expr_goto(b, t->stray);
		else
			expr_drop(b);
		return;
	case UNSOLICITED_REJECT:
		if (t->protocol->number == IPPROTO_TCP)
			expr_reject_tcp(b);
		else
			expr_reject(b);
		return;
	case UNSOLICITED_ACCEPT:
		let_pass(t, b, MARK_STRANGER);
		return;
	}
}

/* One packet that no permission admits: the end of a rule. */
static void answer_unpermitted(const struct translation *t, struct builder *b)
{
	if (!port_mapping_ask(t, b))
		guard_answer_stranger(t, b);
}

/* What is for a port that no mapping has is the DMZ host's. */
static struct chain *add_unclaimed(const struct translation *t)
{
	struct chain *chain = ir_add_chain(t->ruleset, NULL, "what no permission lets in",
					   "%s_unclaimed", t->protocol->name);
	struct builder b;

	b = expr_rule(t->ruleset, chain, "the port is a mapping's");
	translation_load_claimed(t, &b);
	expr_match_key(&b, translation_claim(t), t->in, REG_INSIDE);
	expr_drop(&b);
	b = expr_rule(t->ruleset, chain, "nobody's: the DMZ host's");
	let_pass(t, &b, MARK_DMZ);
	return chain;
}

/* Packets of one protocol (and ICMP type): admitted, or somebody else's, or a stranger's. */
static void add_admission(const struct translation *t, struct chain *chain, uint8_t icmp_type)
{
	const struct nat *nat = t->router->nat;
	bool answers = t->protocol->number == IPPROTO_ICMP && icmp_type == ICMP_ECHO_REPLY_TYPE;
	struct chain *unclaimed = NULL;
	struct builder b;
	bool echo = t->protocol->number == IPPROTO_ICMP;

	if (!answers && has_dmz(nat))
		unclaimed = add_unclaimed(t);
	b = echo ? translation_echo_rule(t, chain, icmp_type, NULL)
		 : translation_rule(t, chain, NULL);
	translation_load_needed(t, &b, REG_PERMISSION);
	expr_match_set(&b, REG_PERMISSION, t->permit, false);
	if (answers)
		expr_drop(&b);
	else if (unclaimed)
		expr_goto(&b, unclaimed);
	else
		answer_unpermitted(t, &b);
	crossing_add_arrive(t, chain);
	if (!can_be_killed(t))
		return;

	b = echo ? translation_echo_rule(t, chain, icmp_type, "a permission, and a mapping yet")
		 : translation_rule(t, chain, "a permission, and a mapping yet");
	translation_load_claimed(t, &b);
	expr_match_key(&b, translation_claim(t), t->in, REG_INSIDE);
	expr_accept(&b);
	b = echo ? translation_echo_rule(t, chain, icmp_type, "a permission outlived its mapping")
		 : translation_rule(t, chain, "a permission outlived its mapping");
	if (answers || has_dmz(nat))
		expr_drop(&b);
	else
		answer_unpermitted(t, &b);
}

void guard_add_arrive(const struct translation protocols[NAT_PROTOCOLS], struct chain *chain)
{
	const struct translation *t = &protocols[NAT_UDP];
	struct builder b;

	forwards_add_arrive(&protocols[NAT_UDP], chain);
	add_admission(&protocols[NAT_UDP], chain, 0);
	forwards_add_arrive(&protocols[NAT_TCP], chain);
	add_admission(&protocols[NAT_TCP], chain, 0);
	add_admission(&protocols[NAT_ICMP], chain, ICMP_ECHO_REPLY_TYPE);
	add_admission(&protocols[NAT_ICMP], chain, ICMP_ECHO_REQUEST_TYPE);
	if (!has_dmz(t->router->nat))
		return;
	b = translation_rule(&protocols[NAT_UDP], chain, NULL);
	expr_accept(&b);
	b = translation_rule(&protocols[NAT_TCP], chain, NULL);
	expr_accept(&b);
	b = translation_rule(&protocols[NAT_ICMP], chain, NULL);
	expr_accept(&b);
	b = expr_rule(t->ruleset, chain, "other protocols: the DMZ host's");
	expr_set_mark(&b, MARK_DMZ);
}

void guard_add_dstnat(const struct translation protocols[NAT_PROTOCOLS], struct chain *chain)
{
	const struct nat_router *router = protocols[NAT_UDP].router;
	struct builder b;

	port_mapping_add_dstnat(protocols[NAT_UDP].ruleset, router, chain);
	if (router->nat->unsolicited == UNSOLICITED_ACCEPT) {
		b = expr_rule(protocols[NAT_UDP].ruleset, chain, "strangers: for the router");
		expr_match_mark(&b, MARK_STRANGER, true);
		expr_accept(&b);
	}
	if (has_dmz(router->nat)) {
		b = expr_rule(protocols[NAT_UDP].ruleset, chain, "what nothing else claims");
		expr_match_mark(&b, MARK_DMZ, true);
		expr_set_ct_mark(&b, CT_MARK_UNMAPPED);
		expr_load_addr(&b, REG_INSIDE, &router->nat->dmz);
		expr_dnat_addr(&b, REG_INSIDE);
	}
	forwards_add_dstnat(&protocols[NAT_UDP], chain);
	forwards_add_dstnat(&protocols[NAT_TCP], chain);
}

/* What the inside sends to the router's outside is not for the router, whatever it is. */
static void refuse_hairpins(struct ruleset *ruleset, const struct nat_router *router,
			    struct chain *input)
{
	struct builder b = expr_rule(ruleset, input,
				     "no hairpinning: the inside does not reach it by its outside");

	pool_match_external(router, &b, FIELD_IP_DADDR, true);
	expr_match_iifname(&b, router->outside, false);
	expr_match_iifname(&b, "lo", false);
	expr_drop(&b);
}

/*
 * The guard of the router itself. A stranger's packet that gets here would be
 * answered (by an ICMP error or a reset) and, worse, confirmed: its conntrack entry
 * would then own the very tuple that the inside host is about to use, and the host's
 * own packet would be given another port. Dropping it here leaves no trace.
 */
void guard_add_input(struct ruleset *ruleset, const struct nat_router *router)
{
	const struct nat *nat = router->nat;
	struct chain *chain = ir_add_chain(ruleset, &hook_input, "for the router itself", "input");
	struct builder b;

	if (nat->kind == NAT_TRANSLATE && nat->hairpinning == HAIRPINNING_OFF)
		refuse_hairpins(ruleset, router, chain);
	port_mapping_add_input(ruleset, router, chain);
	b = expr_rule(ruleset, chain, "answers to what the router itself sent");
	expr_match_iifname(&b, router->outside, true);
	expr_match_ct_state(&b,
			    NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	expr_accept(&b);

	if (nat->unsolicited == UNSOLICITED_ACCEPT) {
		b = expr_rule(ruleset, chain, "strangers: the router's own stack answers them");
		expr_match_iifname(&b, router->outside, true);
		if (nat->kind == NAT_TRANSLATE)
			expr_match_mark(&b, MARK_STRANGER, true);
		expr_set_ct_mark(&b, CT_MARK_UNMAPPED);
		expr_accept(&b);
	}
	if (nat->unsolicited == UNSOLICITED_REJECT) {
		b = expr_rule(ruleset, chain, "strangers: an answer, but no entry in conntrack");
		expr_match_iifname(&b, router->outside, true);
		expr_match_l4proto(&b, IPPROTO_TCP);
		expr_reject_tcp(&b);
		b = expr_rule(ruleset, chain, NULL);
		expr_match_iifname(&b, router->outside, true);
		expr_reject(&b);
		return;
	}
	b = expr_rule(ruleset, chain, "strangers: no answer, and no entry in conntrack");
	expr_match_iifname(&b, router->outside, true);
	expr_drop(&b);
}

void guard_add_forward(struct ruleset *ruleset, const struct nat_router *router,
		       struct chain *forward)
{
	struct builder b;

	b = expr_rule(ruleset, forward, "conntrack knows it, but nothing admits it any more");
	expr_match_iifname(&b, router->outside, true);
	expr_match_mark(&b, 0, false);
	expr_match_ct_mark(&b, CT_MARK_UNMAPPED, false);
	expr_drop(&b);
}

void guard_add_leave(struct ruleset *ruleset, const struct nat_router *router, struct chain *leave)
{
	const struct nat *nat = router->nat;
	struct builder b;

	if (nat->unsolicited == UNSOLICITED_ACCEPT || has_dmz(nat) || nat->forward_count ||
	    (nat->unsolicited == UNSOLICITED_REJECT && nat->port_mapping)) {
		b = expr_rule(ruleset, leave, "flows that use no mapping");
		expr_match_ct_mark(&b, CT_MARK_UNMAPPED, true);
		expr_accept(&b);
	}
	if (nat->port_mapping) {
		b = expr_rule(ruleset, leave, "flows that a port mapping let in");
		expr_match_ct_mark(&b, CT_MARK_PORT_MAPPED, true);
		expr_accept(&b);
	}
	if (nat->unsolicited == UNSOLICITED_REJECT) {
		b = expr_rule(ruleset, leave, "the router's own resets to strangers");
		expr_match_l4proto(&b, IPPROTO_TCP);
		expr_match_ct_state(&b, NF_CT_STATE_INVALID_BIT);
		expr_accept(&b);
	}
}

/* Of the external endpoint in REG_EXTERNAL and the packet's peer. */
static void match_stolen(const struct translation *t, struct builder *b, bool stolen)
{
	expr_load_field(b, REG_PORT + 1, FIELD_IP_DADDR);
	expr_load_field(b, REG_PORT + 2, t->protocol->out_peer);
	expr_match_set(b, translation_claim(t), t->stolen, stolen);
}

void guard_match_free(const struct translation *t, struct builder *b)
{
	if (t->forwarded)
		expr_match_set(b, REG_PORT, t->forwarded, false);
	if (t->stolen)
		match_stolen(t, b, false);
}

/*
 * A port for this one flow, of the mapping's address: it is claimed like any, but the mapping
 * stays where it is.
 */
static void add_move(const struct translation *t, struct chain *chain)
{
	const struct draw_port any = {.draw = DRAW_RANDOM, .modulus = 65536 - 1024, .offset = 1024};
	unsigned int claim = translation_claim(t);
	unsigned int owner = REG_OWNER + (t->overloading ? 2 : 0);
	struct builder b = expr_rule(t->ruleset, chain, "draw a port, claim it, leave through it");

	translation_load_key(t, &b, REG_KEY);
	if (t->pool)
		translation_load_external(t, &b, t->protocol->out_peer);
	else
		expr_load_addr(&b, REG_EXTERNAL, &t->router->externals[0]);
	expr_draw_port(&b, REG_PORT, &any);
	guard_match_free(t, &b);
	expr_load_addr(&b, REG_HOLD, &t->router->externals[0]);
	translation_load_peer(t, &b);
	expr_add(&b, t->claim, claim, REG_HOLD, t->trial_claim_life);
	translation_load_key(t, &b, owner);
	translation_load_key(t, &b, owner + translation_owner_fields(t));
	expr_update(&b, t->same, owner, 0, 1000);
	expr_map_named(&b, claim, t->claim, owner, "$owner");
	expr_match_set(&b, owner, t->same, true);
	expr_add(&b, t->in, claim, REG_KEY, t->trial_life);
	expr_snat(&b, REG_EXTERNAL);
}

struct chain *guard_add_moved(const struct translation *t)
{
	struct chain *one, *four, *chain;
	struct builder b;
	int i;

	if (!t->stolen)
		return NULL;
	one = ir_add_chain(t->ruleset, NULL, "one attempt to move a flow", "%s_move",
			   t->protocol->name);
	add_move(t, one);
	four = ir_add_chain(t->ruleset, NULL, "four attempts", "%s_move_4", t->protocol->name);
	chain = ir_add_chain(t->ruleset, NULL, "conntrack has a flow in the mapping's place",
			     "%s_moved", t->protocol->name);
	for (i = 0; i < MOVES; i++) {
		b = expr_rule(t->ruleset, four, NULL);
		expr_jump(&b, one);
		b = expr_rule(t->ruleset, chain, NULL);
		expr_jump(&b, four);
	}
	b = expr_rule(t->ruleset, chain, NULL);
	expr_drop(&b);
	return chain;
}

void guard_add_moved_rule(const struct translation *t, struct chain *source)
{
	struct chain *moved = guard_add_moved(t);
	struct builder b;

	if (!moved)
		return;
	b = expr_rule(t->ruleset, source,
		      "the mapping's port, but a stranger's flow has its place");
	translation_load_key(t, &b, REG_KEY);
	translation_load_external(t, &b, t->protocol->out_peer);
	match_stolen(t, &b, true);
	expr_goto(&b, moved);
}
