/* SPDX-License-Identifier: MIT */
/* Busy UDP flows pass conntrack by, and nobody can tell: mappings, other peers, lifetimes. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "nft-rules/ruleset.h"
#include "support/busy_flow.h"

#define STRANGER "9.9.9.10:1000"

enum { LIFE_MS = 400, LATE_MS = LIFE_MS / 20 + 60 };

/* With what makes their rules differ: hairpinning, blocks, overloading, refresh by what comes in.
 */
static struct nat kinds[8];
static const char *const names[] = {"full-cone", "port-restricted-cone",
				    "symmetric", "symmetric-random",
				    "rfc4787",   "rfc6888-cgn"};

ParameterizedTestParameters(known, a_busy_flow_passes_conntrack_by_and_nothing_changes)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		kinds[i] = bed_nat(names[i]);
	kinds[i] = bed_nat("full-cone");
	kinds[i].timers.refresh = REFRESH_BOTH;
	kinds[++i] = bed_nat("symmetric");
	kinds[i].ports.overloading = true;
	return cr_make_param_array(struct nat, kinds, i + 1);
}

ParameterizedTest(const struct nat *nat, known, a_busy_flow_passes_conntrack_by_and_nothing_changes)
{
	AUTO_NATBED struct natbed bed = natbed_open(nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	AUTO_CLOSE int stranger = bed_udp(&bed, BED_OUTSIDE, STRANGER);
	struct endpoint to = bed_endpoint(PEER), other = bed_endpoint(STRANGER);
	struct endpoint external = busy_make(&bed, host, peer), seen;

	/* What is known of this flow says nothing of another one. */
	cr_assert_eq(bed_passes(&bed, stranger, &external, host),
		     nat->filtering == ENDPOINT_INDEPENDENT);
	seen = bed_pass(host, &other, stranger);
	if (nat->mapping == ENDPOINT_INDEPENDENT)
		busy_same(&seen, &external, "another flow leaves by");
	seen = bed_pass(host, &to, peer);
	busy_same(&seen, &external, "then it leaves by");
	seen = bed_pass(peer, &external, host);
	busy_same(&seen, &to, "then it comes from");
}

Test(known, a_flow_that_the_outside_opened_is_known_too)
{
	const struct nat nat = bed_nat("full-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	AUTO_CLOSE int stranger = bed_udp(&bed, BED_OUTSIDE, STRANGER);
	struct endpoint to = bed_endpoint(STRANGER), external = bed_pass(host, &to, stranger), back;

	bed_pass(peer, &external, host);
	back = busy_make(&bed, host, peer);
	busy_same(&back, &external, "it answers by");
}

static struct nat short_lived(const char *name)
{
	struct nat nat = bed_nat(name);

	nat.timers.mapping[NAT_UDP] = LIFE_MS;
	return nat;
}

static void check_life(const char *name)
{
	const struct nat nat = short_lived(name);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	struct endpoint external = busy_make(&bed, host, peer), to = bed_endpoint(PEER);
	uint64_t before = bed_now(), after;

	bed_pass(host, &to, peer);
	after = bed_now();
	bed_check_end(name, bed_when_closed(&bed, peer, &external, host), before, after, LIFE_MS,
		      LATE_MS);
}

Test(known, a_busy_mapping_ends_as_declared)
{
	check_life("full-cone");
}

Test(known, a_busy_permission_ends_as_declared)
{
	check_life("port-restricted-cone");
}

Test(known, a_busy_flow_keeps_its_mapping)
{
	const struct nat nat = short_lived("full-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	AUTO_CLOSE int stranger = bed_udp(&bed, BED_OUTSIDE, STRANGER);
	struct endpoint external = busy_make(&bed, host, peer), to = bed_endpoint(PEER), seen;
	uint64_t end = bed_now() + 5 * LIFE_MS / 2;

	do {
		seen = bed_pass(host, &to, peer);
		busy_same(&seen, &external, "it leaves by");
		cr_assert(bed_passes(&bed, stranger, &external, host), "the mapping ended");
	} while (bed_now() < end);
}

Test(known, what_comes_in_keeps_a_busy_mapping_where_it_refreshes)
{
	struct nat nat = short_lived("full-cone");
	struct endpoint external;
	uint64_t end;

	nat.timers.refresh = REFRESH_BOTH;
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	AUTO_CLOSE int stranger = bed_udp(&bed, BED_OUTSIDE, STRANGER);

	external = busy_make(&bed, host, peer);
	for (end = bed_now() + 5 * LIFE_MS / 2; bed_now() < end;)
		bed_pass(peer, &external, host);
	cr_assert(bed_passes(&bed, stranger, &external, host), "the mapping ended");
}

/* One packet out, and then only its peer speaks, until conntrack sees no more of it. */
static struct endpoint make_heard(struct natbed *bed, int host, int peer)
{
	const struct endpoint to = bed_endpoint(PEER);
	struct endpoint external = bed_pass(host, &to, peer);
	uint64_t before;
	int heard = 0, i;

	do {
		cr_assert(heard < BUSY_PATIENCE * RULESET_COUNTED, "the flow is never known");
		before = busy_counted(bed).back;
		for (i = 0; i < 10; i++)
			busy_pass(peer, &external, host, &to);
		heard += 10 * BUSY_MANY;
	} while (busy_counted(bed).back == before + 10 * BUSY_MANY);
	cr_assert(heard >= RULESET_COUNTED, "known after %d packets", heard);
	return external;
}

Test(known, a_flow_that_only_comes_in_is_known_too)
{
	const struct nat nat = bed_nat("port-restricted-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	AUTO_CLOSE int stranger = bed_udp(&bed, BED_OUTSIDE, STRANGER);
	struct endpoint external = make_heard(&bed, host, peer);

	cr_assert(!bed_passes(&bed, stranger, &external, host), "a stranger gets in");
}

Test(known, who_never_stops_speaking_does_not_keep_the_permission)
{
	struct nat nat = short_lived("port-restricted-cone");
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	AUTO_CLOSE int host = bed_udp(&bed, BED_INSIDE, HOST);
	AUTO_CLOSE int peer = bed_udp(&bed, BED_OUTSIDE, PEER);
	struct endpoint to = bed_endpoint(PEER);
	uint64_t before = bed_now(), after, probe;
	struct endpoint external = bed_pass(host, &to, peer);
	struct bed_end end = {0};
	bool heard;
	int i;

	after = bed_now();
	do {
		probe = bed_now();
		cr_assert(probe < after + BED_DEADLINE_MS, "it does not end");
		for (i = 0; i < BUSY_MANY; i++)
			bed_send(peer, &external, "flood");
		natbed_settle(&bed);
		for (heard = false; bed_arrived(host, "flood");)
			heard = true;
		if (heard)
			end.open = probe;
	} while (heard);
	end.closed = bed_now();
	bed_check_end("the permission", end, before, after, LIFE_MS, LATE_MS);
}
