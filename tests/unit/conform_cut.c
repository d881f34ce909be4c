/* SPDX-License-Identifier: MIT */
/* A NAT whose range is cut down for a probe is still one that can be built. */
#include <criterion/criterion.h>

#include "conform/probes.h"
#include "nft-rules/check.h"

#define EACH(value, list) for (size_t value = 0; value < sizeof(list) / sizeof((list)[0]); value++)

static void expect_sound(const struct nat *nat, const struct nat *cut, const char *what)
{
	struct nat_flaw flaws[NAT_FLAWS_MAX];
	size_t count = nat_flaws(cut, flaws);

	cr_expect_eq(count, 0,
		     "%s: allocation %d, mapping %d, step %d, block %u, range %u-%u, parity %d, "
		     "contiguous %d, overloading %d: %s",
		     what, (int)nat->ports.allocation, (int)nat->mapping, nat->ports.step,
		     nat->ports.block, nat->ports.first, nat->ports.last, nat->ports.parity,
		     nat->ports.contiguous, nat->ports.overloading, count ? flaws[0].why : "");
}

/* Whatever may be declared: what contradicts itself is nobody's to cut down. */
static size_t cut_down(const struct nat *nat)
{
	struct nat_flaw flaws[NAT_FLAWS_MAX];
	struct nat cut;

	if (nat_flaws(nat, flaws) > 0)
		return 0;
	cut = cornered_nat(nat);
	expect_sound(nat, &cut, "two ports");
	cut = fillable_nat(nat);
	expect_sound(nat, &cut, "few ports");
	return 1;
}

Test(cut, a_nat_that_can_be_declared_can_be_cut_down)
{
	static const int steps[] = {0, 1, -1, 3, -5, 16, 64, -64};
	static const unsigned int blocks[] = {0, 4, 64, 1024, 16384};
	static const uint16_t ranges[][2] = {{0, 0}, {40000, 49999}, {600, 1023}, {50001, 65535}};
	struct nat nat = nat_default();
	size_t tried = 0;
	int bits, kinds;

	EACH(s, steps)
	EACH(b, blocks)
	EACH(r, ranges)
	for (bits = 0; bits < 8; bits++)
		for (kinds = 0; kinds < 9; kinds++) {
			nat.mapping = (enum nat_dependence)(kinds % 3);
			nat.ports = (struct nat_ports){
				.allocation = (enum nat_allocation)(kinds / 3),
				.step = steps[s],
				.block = blocks[b],
				.first = ranges[r][0],
				.last = ranges[r][1],
				.parity = bits & 1,
				.contiguous = bits & 2,
				.overloading = bits & 4,
			};
			tried += cut_down(&nat);
		}
	cr_expect_gt(tried, 500, "only %zu could be declared", tried);
}
