/* SPDX-License-Identifier: MIT */
/*
 * Conform's honesty where it waits: lifetimes, what refreshes them, answers that come late.
 * And what is named holds all that it declares.
 */
#include "support/lie.h"

Test(lifetimes, an_answer_that_does_not_come_late_or_at_all_is_caught, .timeout = 60)
{
	static const enum nat_unsolicited others[] = {UNSOLICITED_DROP, UNSOLICITED_REJECT};
	struct lie lie = {.axis = "unsolicited", .protocol = "tcp", .lifetime_ms = 400};
	struct nat other = conform_scaled(&nat_find("port-restricted-cone")->nat, 400);
	struct nat late = other;

	late.unsolicited = UNSOLICITED_DELAYED;
	late.timers.stray_silence = 400;
	for (size_t i = 0; i < 2; i++) {
		other.unsolicited = others[i];
		lie.truth = other;
		lie.declared = late;
		expect_caught(lie);
		lie.truth = late;
		lie.declared = other;
		expect_caught(lie);
	}
}

static struct nat short_lived(unsigned int mapping, unsigned int filter)
{
	struct nat nat = cone();
	int protocol;

	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++) {
		nat.timers.mapping[protocol] = mapping;
		nat.timers.filter[protocol] = filter;
	}
	nat.timers.tcp_transitory = mapping;
	return nat;
}

/* In all protocols at once. */
Test(lifetimes, another_lifetime_is_caught, .timeout = 60)
{
	struct lie lie = {.lifetime_ms = 700};

	lie.axis = "timers: mapping";
	lie.truth = short_lived(400, 0);
	lie.declared = short_lived(600, 0);
	expect_caught(lie);
	lie.truth = short_lived(600, 0);
	lie.declared = short_lived(400, 0);
	expect_caught(lie);
	lie.axis = "timers: filter";
	lie.declared = short_lived(600, 300);
	expect_caught(lie);
	lie.axis = "timers: mapping";
	lie.truth = short_lived(600, 300);
	lie.declared = short_lived(600, 0);
	expect_caught(lie);
}

/* Of one that opens, and of one that is over, however it ended. */
Test(lifetimes, another_life_of_connections_that_are_not_established_is_caught, .timeout = 60)
{
	static const char *const axes[] = {"timers: transitory, opening",
					   "timers: transitory, closed",
					   "timers: transitory, reset"};
	struct lie lie = {.lifetime_ms = 700, .protocol = "tcp"};

	lie.truth = lie.declared = short_lived(600, 0);
	for (size_t i = 0; i < 3; i++) {
		lie.axis = axes[i];
		lie.truth.timers.tcp_transitory = i % 2 ? 500 : 300;
		lie.declared.timers.tcp_transitory = i % 2 ? 300 : 500;
		expect_caught(lie);
	}
	/* As long as an established one: closing changes nothing. */
	lie.axis = axes[1];
	lie.truth.timers.tcp_transitory = 600;
	lie.declared.timers.tcp_transitory = 300;
	expect_caught(lie);
}

Test(lifetimes, another_refresh_is_caught, .timeout = 60)
{
	static const enum nat_refresh values[] = {REFRESH_OUTBOUND, REFRESH_INBOUND, REFRESH_BOTH};
	struct lie lie = {.lifetime_ms = 400};

	EACH_PAIR(3, a, b)
	{
		lie.truth = lie.declared = short_lived(400, 0);
		lie.truth.timers.refresh = values[a];
		lie.declared.timers.refresh = values[b];
		lie.axis = (values[a] ^ values[b]) & REFRESH_INBOUND ? "timers.refresh inbound"
								     : "timers.refresh outbound";
		expect_caught(lie);
	}
}

/* Whatever is named holds what it declares, with its lifetimes tried short. */
static int hold_what_is_named(void *data)
{
	const struct nat_named *named = data;
	struct lie lie = {.truth = named->nat, .lifetime_ms = 400};
	struct nat tried = conform_scaled(&named->nat, 400);
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	struct axis_result axes[AXIS_RESULTS_MAX];
	size_t count, i;

	EXPECT(o, "no memory");
	EXPECT(observe(&lie, NULL, CONFORM_WHOLE, o) == 0, "%s: the bed failed", named->nat.name);
	count = judge_axes(&tried, 1, o, axes);
	EXPECT(count > 5, "%s: only %zu axes are judged", named->nat.name, count);
	for (i = 0; i < count; i++)
		EXPECT(axes[i].holding != AXIS_BROKEN, "%s: %s %s: declared %s, observed %s (%s)",
		       named->nat.name, axes[i].axis, axes[i].protocol, axes[i].declared,
		       axes[i].observed, axes[i].evidence);
	return 0;
}

/* What nothing claims is the DMZ host's: its packets do not make another's mapping live on. */
Test(lifetimes, a_router_with_a_dmz_holds_what_it_declares, .timeout = 60)
{
	struct nat_named named = *nat_find("home-router");

	addr_parse("192.168.1.1", &named.nat.dmz);
	expect_true(hold_what_is_named, &named);
}

/* Mostly waiting, so in two halves that can wait at one time. */
static void expect_named_to_hold(size_t from, size_t to)
{
	struct nat_named named;
	size_t i;

	for (i = from; i < to; i++) {
		named = nat_names[i];
		expect_true(hold_what_is_named, &named);
	}
}

Test(lifetimes, every_named_nat_holds_what_it_declares, .timeout = 120)
{
	expect_named_to_hold(0, nat_names_count / 2);
}

Test(lifetimes, and_so_does_the_other_half_of_them, .timeout = 120)
{
	expect_named_to_hold(nat_names_count / 2, nat_names_count);
}
