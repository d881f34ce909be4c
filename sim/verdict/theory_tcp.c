/* SPDX-License-Identifier: MIT */
/*
 * When does TCP hole punching work? (RFC 5128 section 3.4, RFC 5382 sections 4 and 5.)
 *
 * A's SYN opens A's NAT for B, like a datagram. If it does not get in at B's NAT, three things can
 * happen to it:
 *
 *     dropped   what it opened stays, and B's own SYN gets in through it: the usual case
 *     reset     A's NAT keeps what was opened: the same. A's NAT forgets it: B's SYN gets
 *               nowhere, but has opened B's NAT for A's next, unless that is reset and forgotten
 *               too. Then only two that are under way at once, each past its own NAT,
 *               meet: chance
 *     ICMP      after six seconds (RFC 5382 REQ-4), when all is over
 *
 * B's SYN that gets in through what A's opened crosses it: the same two endpoints, the
 * other direction. A NAT may drop it for that (against REQ-2), as long as it
 * remembers A's SYN; one that was reset it does not remember any more. B's answer to a
 * repeated SYN of A's would pass, so it is enough that one side is not so strict.
 */
#include "verdict/theory_tcp.h"

static bool forgets(const struct nat *nat)
{
	/* The kernel's own tracking ends a half-open connection at a reset. */
	return nat->kind == NAT_MASQUERADE || nat->kind == NAT_FIREWALL || nat->tcp.rst_kills;
}

static bool resets(const struct nat *nat)
{
	/* A firewall answers for itself, and drops what is for the hosts behind it. */
	return nat->kind != NAT_FIREWALL &&
	       (nat->unsolicited == UNSOLICITED_REJECT || nat->unsolicited == UNSOLICITED_ACCEPT);
}

static bool filters(const struct nat *nat)
{
	return nat->kind == NAT_FIREWALL || nat->filtering != ENDPOINT_INDEPENDENT;
}

struct theory_tcp theory_tcp(const struct topo *topo, const struct way *way)
{
	struct theory_tcp tcp = {
		.side = theory_side(topo, way),
		.resets = TOPO_NONE,
		.forgets = TOPO_NONE,
		.strict = TOPO_NONE,
	};
	size_t i;

	tcp.side.blocked = false; /* of UDP only */
	for (i = 0; i < way->count; i++) {
		size_t router = way->routers[i];
		struct nat nat = nat_promise(&topo->nodes[router].nat);

		/* The outermost that filters is where a stray SYN ends. */
		if (filters(&nat))
			tcp.resets = resets(&nat) ? router : TOPO_NONE;
		if (forgets(&nat))
			tcp.forgets = router;
		if (nat.tcp.strict_syn)
			tcp.strict = router;
	}
	return tcp;
}

enum theory_syn theory_syn(const struct theory_tcp *self, const struct theory_tcp *peer)
{
	enum theory_entry entry = theory_entry(&self->side, &peer->side);
	/* Between other endpoints than the own SYN's it crosses nothing. */
	bool crosses = self->side.mapping == ENDPOINT_INDEPENDENT &&
		       peer->side.mapping == ENDPOINT_INDEPENDENT;
	bool reset = peer->resets != TOPO_NONE;
	bool nothing_lasts = reset && self->resets != TOPO_NONE && self->forgets != TOPO_NONE &&
			     peer->forgets != TOPO_NONE;

	if (!theory_enters(entry))
		return SYN_FILTERED;
	if (entry != ENTRY_OPEN && nothing_lasts)
		return SYN_FORGOTTEN;
	if (self->strict != TOPO_NONE && crosses && !reset)
		return SYN_CROSSING;
	return SYN_ENTERS;
}

bool theory_tcp_direct(const struct theory_tcp *a, const struct theory_tcp *b)
{
	return theory_syn(a, b) == SYN_ENTERS || theory_syn(b, a) == SYN_ENTERS;
}
