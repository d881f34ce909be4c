/* SPDX-License-Identifier: MIT */
/*
 * How lives are kept
 *
 * A mapping and a permission are elements of sets with timers of their own. `keep` sets
 * them anew for packets that leave, after the translation, and, where inbound packets
 * refresh too (RFC 4787 REQ-6), `NAME_heard` does in the forward chain, behind conntrack,
 * where a packet is known to belong to a flow.
 *
 *                       fresh?            refreshed a moment ago: nothing to do
 *     every packet  --> (TCP only) open, closing: transitory life
 *                       else: mapping's life, permission's life, fresh again
 *
 * A refresh may come one `fresh` late, so elements live that much longer: 5 % of the
 * shortest declared life, at least 10 ms.
 *
 * TCP (RFC 5382 REQ-5). A connection is established once conntrack is sure of both
 * sides (ASSURED) and until one side resets it or the inside closes it; before and after,
 * the transitory life counts. A mapping can serve several connections at once, and must
 * live as long as the longest. nftables cannot ask whether a port has any other session.
 * So one established session *holds* its port; while it does, others that open or close
 * change nothing. When the holder closes, the mapping gets the transitory life, and the
 * next packet of another established session makes that one the holder. The price: if
 * such a session is silent for the whole transitory life, new flows may find the
 * mapping gone (the session itself goes on where permissions are per peer).
 */
#include "nft-rules/timers.h"

#include <netinet/in.h>

#include "nft-rules/beside.h"
#include "nft-rules/known.h"
#include "nft-rules/pool.h"
#include "nft-rules/ports.h"

/* The larger of 5 % and 10 ms. */
#define LATENESS_DIVISOR 20U
#define LATENESS_MIN_MS 10U

enum { TCP_FIN = 0x01, TCP_RST = 0x04 };
enum { REG_PEER = REG_PORT + 1 };

static uint64_t shorter(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Only one direction refreshes, and not this one. */
static bool inbound_only(const struct translation *t)
{
	return t->router->nat->timers.refresh == REFRESH_INBOUND;
}

/* Where a mapping can end before its time, its end must be seen at once. */
static bool lazy(const struct translation *t)
{
	return !inbound_only(t) && !t->router->nat->icmp.errors_kill &&
	       !(t->router->nat->tcp.rst_kills && t->protocol->number == IPPROTO_TCP);
}

void timers_init(struct translation *t, enum nat_protocol protocol)
{
	const struct nat_timers *timers = &t->router->nat->timers;
	uint64_t life = timers->mapping[protocol];
	uint64_t filter = timers->filter[protocol] ? timers->filter[protocol] : life;
	uint64_t conntrack = life < 1000 ? 1000 : life; /* nat_sysctls() sees to it */
	uint64_t transitory = life, late;
	const struct type port = {{TYPE_PORT}, 1}, endpoint = {{TYPE_ADDR, TYPE_PORT}, 2};
	const struct type session = {{TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 3};
	const struct type endpoints = {{TYPE_ADDR, TYPE_PORT, TYPE_ADDR, TYPE_PORT}, 4};

	if (protocol == NAT_TCP)
		transitory = shorter(timers->tcp_transitory, life);
	late = shorter(shorter(transitory, filter), life) / LATENESS_DIVISOR;
	if (late < LATENESS_MIN_MS)
		late = LATENESS_MIN_MS;
	t->life = life + late;
	t->filter_life = filter + late;
	t->fresh_life = late;
	t->claim_life = life + late + conntrack + 1000;
	t->trial_life = TRIAL_MS;
	t->trial_claim_life = TRIAL_CLAIM_MS;
	if (inbound_only(t)) { /* nothing extends what the first packet writes */
		t->trial_life = transitory + late;
		t->trial_claim_life = t->claim_life;
	}
	if (transitory == life)
		return;
	t->transitory_life = transitory + late;
	t->filter_transitory_life = shorter(filter, transitory) + late;
	t->held =
		ir_add_set(t->ruleset, t->pool ? &endpoint : &port, NULL,
			   "ports that an established session holds", "%s_held", t->protocol->name);
	t->holder = ir_add_set(t->ruleset, t->pool ? &endpoints : &session, NULL,
			       "and the sessions that do", "%s_holder", t->protocol->name);
}

/* Queries have none. */
static void load_peer_port(const struct translation *t, struct builder *b, unsigned int reg,
			   enum field port)
{
	if (t->protocol->number == IPPROTO_ICMP)
		expr_load_zero(b, reg);
	else
		expr_load_field(b, reg, port);
}

/* The peer: whole, or as much of it as a claim or a permission has. */
static void load_peer(const struct translation *t, struct builder *b, enum field addr,
		      enum field port, bool whole)
{
	whole = whole || t->overloading;
	if (whole || t->filtering != ENDPOINT_INDEPENDENT)
		expr_load_field(b, REG_PEER, addr);
	if (whole || t->filtering == ADDRESS_AND_PORT_DEPENDENT)
		load_peer_port(t, b, REG_PEER + 1, port);
}

/*
 * What a session is found by, where its mapping does not matter: the external port and the peer.
 * Of a packet that arrives the external port is only known by its mapping.
 */
static void load_name(const struct translation *t, struct builder *b, enum direction direction,
		      bool whole)
{
	if (direction == OUTBOUND) {
		if (t->pool)
			expr_load_field(b, REG_EXTERNAL, FIELD_IP_SADDR);
		expr_load_field(b, REG_PORT, t->protocol->out_port);
		load_peer(t, b, FIELD_IP_DADDR, t->protocol->out_peer, whole);
		return;
	}
	translation_load_key_in(t, b, REG_KEY);
	if (t->spaced)
		translation_load_external(t, b, t->protocol->in_peer);
	else
		expr_map_named(b, REG_KEY, t->out, REG_PORT, "$port");
	load_peer(t, b, FIELD_IP_SADDR, t->protocol->in_peer, whole);
}

static void load_session(const struct translation *t, struct builder *b, enum direction direction,
			 bool whole)
{
	if (direction == OUTBOUND) {
		if (!t->pool) /* otherwise it is a part of the name */
			expr_load_field(b, REG_EXTERNAL, FIELD_IP_SADDR);
		load_name(t, b, OUTBOUND, whole);
		expr_map_named(b, translation_claim(t), t->claim, REG_KEY, "$key");
		if (t->overloading) { /* the claim's owner is the inside endpoint alone */
			expr_load_field(b, REG_KEY + 2, FIELD_IP_DADDR);
			load_peer_port(t, b, REG_KEY + 3, t->protocol->out_peer);
		}
		expr_load_field(b, REG_HOLD, FIELD_IP_SADDR);
		return;
	}
	translation_load_key_in(t, b, REG_KEY);
	translation_load_external(t, b, t->protocol->in_peer);
	load_peer(t, b, FIELD_IP_SADDR, t->protocol->in_peer, whole);
	expr_load_addr(b, REG_HOLD, &t->router->externals[0]);
}

void timers_load_session(const struct translation *t, struct builder *b, enum direction direction)
{
	load_session(t, b, direction, true);
}

/* What refreshes the permission, and with it the mapping and the port they stand on. */
static void extend(const struct translation *t, struct builder *b, uint64_t life,
		   uint64_t filter_life)
{
	unsigned int external = translation_claim(t);

	expr_update(b, t->claim, external, REG_HOLD, t->claim_life);
	expr_update(b, t->in, external, REG_KEY, life);
	expr_update(b, t->permit, external, 0, filter_life);
	expr_update(b, t->out, REG_KEY, translation_out_data(t, b), life);
	beside_remember(t, b);
}

/* What outbound packets do where they do not refresh: what is there stays as it is. */
static void keep_as_is(const struct translation *t, struct builder *b, uint64_t life,
		       uint64_t filter_life)
{
	unsigned int external = translation_claim(t);

	expr_update(b, t->claim, external, REG_HOLD, t->claim_life);
	expr_add(b, t->in, external, REG_KEY, life);
	expr_add(b, t->permit, external, 0, filter_life);
	expr_add(b, t->out, REG_KEY, translation_out_data(t, b), life);
	beside_remember(t, b);
}

/* The end of a rule that extends: the pairing lives on, too. */
static void accept_paired(const struct translation *t, struct builder *b)
{
	pool_keep(t, b);
	expr_accept(b);
}

static void drop_unheld(const struct translation *t, struct chain *chain)
{
	struct builder b =
		expr_rule(t->ruleset, chain, "a port that nobody holds, or a table that is full");

	expr_drop(&b);
}

void timers_end_mapping(const struct translation *t, struct builder *b)
{
	expr_delete(b, t->permit, translation_claim(t), 0);
	expr_delete(b, t->fresh, translation_claim(t), 0);
	expr_delete(b, t->in, translation_claim(t), REG_KEY);
	expr_delete(b, t->out, REG_KEY, translation_out_data(t, b));
	if (!t->held)
		return;
	expr_delete(b, t->holder, translation_claim(t), 0);
	expr_delete(b, t->held, translation_claim(t), 0);
}

/* A packet that opens a connection: TCP, not yet established. */
static struct chain *add_opening(const struct translation *t)
{
	struct chain *chain = ir_add_chain(t->ruleset, NULL, "a connection that is being opened",
					   "%s_opening", t->protocol->name);
	bool own_permission = t->filtering == ADDRESS_AND_PORT_DEPENDENT && !inbound_only(t);
	struct builder b;

	b = expr_rule(t->ruleset, chain, "another one holds the port: only the permission is new");
	load_name(t, &b, OUTBOUND, false);
	expr_match_set(&b, translation_claim(t), t->held, true);
	if (own_permission)
		expr_update(&b, t->permit, translation_claim(t), 0, t->filter_transitory_life);
	else
		expr_add(&b, t->permit, translation_claim(t), 0, t->filter_transitory_life);
	expr_accept(&b);

	b = expr_rule(t->ruleset, chain, "claim, mapping and permission for a transitory life");
	load_session(t, &b, OUTBOUND, false);
	(inbound_only(t) ? keep_as_is : extend)(t, &b, t->transitory_life,
						t->filter_transitory_life);
	accept_paired(t, &b);
	drop_unheld(t, chain);
	return chain;
}

/* A packet of a connection that is being closed, in either direction. */
static struct chain *add_closing(const struct translation *t, enum direction direction)
{
	struct chain *chain;
	struct builder b;

	chain = ir_add_chain(t->ruleset, NULL, "a connection that is being closed", "%s_%s",
			     t->protocol->name, direction == OUTBOUND ? "closing" : "reset");
	b = expr_rule(t->ruleset, chain, NULL);
	expr_set_ct_mark(&b, CT_MARK_CLOSING);

	b = expr_rule(t->ruleset, chain, "it held the port: no longer");
	load_name(t, &b, direction, true);
	expr_match_set(&b, translation_claim(t), t->holder, true);
	expr_delete(&b, t->holder, translation_claim(t), 0);
	expr_delete(&b, t->held, translation_claim(t), 0);

	b = expr_rule(t->ruleset, chain, "another one holds the port: the mapping lives on");
	load_name(t, &b, direction, false);
	expr_match_set(&b, translation_claim(t), t->held, true);
	if (t->filtering == ADDRESS_AND_PORT_DEPENDENT)
		expr_update(&b, t->permit, translation_claim(t), 0, t->filter_transitory_life);
	expr_delete(&b, t->fresh, translation_claim(t), 0);
	expr_accept(&b);

	b = expr_rule(t->ruleset, chain, "claim, mapping and permission for a transitory life");
	load_session(t, &b, direction, false);
	expr_delete(&b, t->fresh, translation_claim(t), 0);
	extend(t, &b, t->transitory_life, t->filter_transitory_life);
	expr_accept(&b);
	if (direction == OUTBOUND)
		drop_unheld(t, chain);
	return chain;
}

/* What TCP knows beside: is the connection being opened or closed, and does it hold its port? */
static void add_states(const struct translation *t)
{
	struct chain *opening = add_opening(t), *closing = add_closing(t, OUTBOUND);
	struct builder b;

	b = expr_rule(t->ruleset, t->keep, NULL);
	expr_match_tcp_flags(&b, TCP_FIN | TCP_RST, 0, false);
	expr_goto(&b, closing);
	if (lazy(t)) {
		b = expr_rule(t->ruleset, t->keep, "done a moment ago");
		translation_load_given(t, &b, 0);
		expr_match_set(&b, 0, t->fresh, true);
		expr_accept(&b);
	}
	b = expr_rule(t->ruleset, t->keep, NULL);
	expr_match_ct_mark(&b, CT_MARK_CLOSING, true);
	expr_goto(&b, closing);
	b = expr_rule(t->ruleset, t->keep, NULL);
	expr_match_ct_assured(&b, false);
	expr_goto(&b, opening);

	b = expr_rule(t->ruleset, t->keep, "established, and the first: it holds the port");
	if (inbound_only(t)) {
		load_session(t, &b, OUTBOUND, true);
	} else { /* the last rule extends */
		load_name(t, &b, OUTBOUND, true);
		expr_match_key(&b, translation_claim(t), t->claim, REG_HOLD);
	}
	expr_match_set(&b, translation_claim(t), t->held, false);
	expr_update(&b, t->held, translation_claim(t), 0, t->life);
	expr_update(&b, t->holder, translation_claim(t), 0, t->life);
	if (inbound_only(t))
		extend(t, &b, t->life, t->filter_life);
	b = expr_rule(t->ruleset, t->keep, NULL);
	load_name(t, &b, OUTBOUND, true);
	expr_match_set(&b, translation_claim(t), t->holder, true);
	expr_update(&b, t->held, translation_claim(t), 0, t->life);
	expr_update(&b, t->holder, translation_claim(t), 0, t->life);
}

void timers_add_keep(struct translation *t)
{
	struct builder b;

	t->keep = ir_add_chain(t->ruleset, NULL, "keep alive what a packet uses", "%s_keep",
			       t->protocol->name);
	if (t->transitory_life) {
		add_states(t);
	} else if (lazy(t)) {
		b = expr_rule(t->ruleset, t->keep, "done a moment ago");
		translation_load_given(t, &b, 0);
		expr_match_set(&b, 0, t->fresh, true);
		expr_accept(&b);
	}
	b = expr_rule(t->ruleset, t->keep, "claim, mapping and permission live on");
	load_session(t, &b, OUTBOUND, false);
	(inbound_only(t) ? keep_as_is : extend)(t, &b, t->life, t->filter_life);
	if (lazy(t))
		expr_update(&b, t->fresh, translation_claim(t), 0, t->fresh_life);
	pool_keep(t, &b);
	if (t->known)
		expr_goto(&b, known_add_learn(t));
	else
		expr_accept(&b);
	drop_unheld(t, t->keep);
}

bool timers_need_forward(const struct nat *nat)
{
	return nat->timers.refresh != REFRESH_OUTBOUND;
}

/* A packet from outside that conntrack has found a flow for refreshes what it came in by. */
static void add_heard(const struct translation *t, struct chain *forward)
{
	struct chain *chain = ir_add_chain(t->ruleset, NULL, "what comes in keeps alive, too",
					   "%s_heard", t->protocol->name);
	struct builder b;

	if (t->transitory_life) {
		b = expr_rule(t->ruleset, chain, NULL);
		expr_match_ct_mark(&b, CT_MARK_CLOSING, true);
		expr_return(&b);
		b = expr_rule(t->ruleset, chain, NULL);
		expr_match_ct_assured(&b, false);
		expr_return(&b);
	}
	b = expr_rule(t->ruleset, chain, "not done a moment ago: claim, mapping and permission");
	load_session(t, &b, INBOUND, false);
	expr_match_set(&b, translation_claim(t), t->fresh, false);
	extend(t, &b, t->life, t->filter_life);
	expr_update(&b, t->fresh, translation_claim(t), 0, t->fresh_life);

	b = translation_rule(t, forward, NULL);
	expr_match_iifname(&b, t->router->outside, true);
	expr_jump(&b, chain);
}

void timers_add_reset(const struct translation *t, struct chain *chain)
{
	bool kills = t->router->nat->tcp.rst_kills;
	struct builder b;

	if (!kills && !t->transitory_life)
		return;
	b = translation_rule(t, chain,
			     kills ? "a reset ends the mapping"
				   : "a reset leaves a transitory life (RFC 7857 section 2.2)");
	expr_match_tcp_flags(&b, TCP_RST, TCP_RST, true);
	expr_match_iifname(&b, t->router->outside, true);
	if (!kills) {
		expr_jump(&b, add_closing(t, INBOUND));
		return;
	}
	expr_set_ct_mark(&b, CT_MARK_CLOSING);
	timers_load_session(t, &b, INBOUND);
	timers_end_mapping(t, &b);
}

void timers_add_forward(const struct translation *t, struct chain *forward)
{
	if (t->router->nat->timers.refresh & REFRESH_INBOUND)
		add_heard(t, forward);
}
