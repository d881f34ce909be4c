/* SPDX-License-Identifier: MIT */
/*
 * From a candidate to a mapping
 *
 * Claim the candidate endpoint; if it is ours (now, or since an earlier packet), make it the
 * mapping and leave through the mapping. Two first packets of one socket may both win a
 * port; the mapping is the one that was written first, and both leave through it.
 *
 * Is the key behind the claim our own? nftables cannot compare two registers, but it
 * can ask whether a pair is in a set that only ever holds equal pairs, and that holds
 * ours because we have just put it there.
 *
 * These are some twenty expressions, and the kernel takes more than a microsecond to install
 * one, so they are written once for each protocol, where it has several ways to find a
 * candidate. A register does not outlive its rule; the packet's mark does:
 *
 *     the own port --.
 *     any_low -------+--> mark --> place --> udp_place    claim what the mark says
 *     try -----------'              |   `--> tcp_place
 *     udp_scan, a counter ----------'
 *
 * In blocks the mark carries a place in the block on the way to `place`, and behind it the port.
 * A claimed port takes the mark with it: what leaves has none.
 */
#include "nft-rules/place.h"

#include <netinet/in.h>

#include "nft-rules/blocks.h"
#include "nft-rules/guard.h"
#include "nft-rules/pool.h"
#include "nft-rules/ports.h"

#define COMMON "place"

/* What a claim is compared by: the key, or the inside endpoint where the peer is in the claim. */
static void load_owner(const struct translation *t, struct builder *b, unsigned int reg)
{
	if (!t->overloading) {
		translation_load_key(t, b, reg);
		return;
	}
	expr_load_field(b, reg, FIELD_IP_SADDR);
	expr_load_field(b, reg + 1, t->protocol->out_port);
}

/*
 * Add the candidate to the claims, and end the rule unless it is ours. Returns the register of
 * the key, which mostly is the second half of the pair that is compared.
 */
static unsigned int claim(const struct translation *t, struct builder *b)
{
	unsigned int owner = t->overloading ? REG_SHARER : REG_OWNER;
	unsigned int own = owner + translation_owner_fields(t);
	unsigned int key = t->overloading ? REG_KEY : own, hold = key - 1;
	unsigned int candidate = translation_claim(t);

	guard_match_free(t, b);
	translation_load_key(t, b, key);
	expr_load_addr(b, hold, &t->router->externals[0]);
	translation_load_peer(t, b);
	expr_add(b, t->claim, candidate, hold, t->trial_claim_life);

	load_owner(t, b, owner);
	if (own != key)
		load_owner(t, b, own);
	expr_update(b, t->same, owner, 0, SAME_MS);
	expr_map_named(b, candidate, t->claim, owner, "$owner");
	expr_match_set(b, owner, t->same, true);
	return key;
}

static void map(const struct translation *t, struct builder *b, bool marked)
{
	unsigned int key = claim(t, b);
	/* Before the endpoint there is room, where it is not the end of a long key. */
	unsigned int zero = key == REG_KEY ? REG_HOLD : REG_EXTERNAL - 1;

	if (t->spaced || marked)
		expr_load_zero(b, zero);
	if (marked)
		expr_mark_port(b, zero);
	if (!t->pool)
		expr_load_addr(b, REG_EXTERNAL, &t->router->externals[0]);
	expr_add(b, t->out, key, t->spaced ? REG_EXTERNAL - 1 : REG_EXTERNAL, t->trial_life);
	expr_add(b, t->in, translation_claim(t), key, t->trial_life);
	if (t->early) {
		expr_accept(b);
		return;
	}
	translation_map_key(t, b, key);
	expr_snat(b, REG_EXTERNAL);
}

void place_claim(const struct translation *t, struct builder *b)
{
	map(t, b, false);
}

struct chain *place_common(struct ruleset *ruleset)
{
	return ir_find_chain(ruleset, COMMON);
}

void place_add(struct translation *t, bool for_all)
{
	struct chain *common = place_common(t->ruleset);
	struct chain *own =
		ir_add_chain(t->ruleset, NULL, "a candidate; comes back if it is another's",
			     "%s_place", t->protocol->name);
	struct builder b =
		expr_rule(t->ruleset, own, "claim the port, look who owns it; ours: map to it");

	if (t->blocks && t->pool)
		blocks_load_address(t->blocks, &b);
	else if (t->pool)
		pool_load_address(t->pool, &b);
	expr_load_mark_port(&b, REG_PORT);
	map(t, &b, true);

	t->place = own;
	if (!for_all)
		return;
	if (!common) {
		common = ir_add_chain(t->ruleset, NULL,
				      t->blocks ? "from a place in the block to the port"
						: "a candidate of any protocol",
				      COMMON);
		if (t->blocks)
			blocks_add_join(t->blocks, common);
	}
	if (t->protocol->number == IPPROTO_ICMP) /* the last: queries are what is left */
		b = expr_rule(t->ruleset, common, NULL);
	else
		b = translation_rule(t, common, NULL);
	expr_goto(&b, own);
	if (t->blocks)
		t->place = common;
}

void place_try(const struct chain *place, struct builder *b)
{
	expr_mark_port(b, REG_PORT);
	expr_jump(b, place);
}

void place_leave_to(const struct chain *place, struct builder *b)
{
	expr_mark_port(b, REG_PORT);
	expr_goto(b, place);
}
