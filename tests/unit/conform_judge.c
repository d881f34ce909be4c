/* SPDX-License-Identifier: MIT */
/* Judging observations, told by hand: no kernel, no packets. */
#include <criterion/criterion.h>
#include <string.h>

#include "conform/judge.h"
#include "conform/report.h"

static struct nat named(const char *name)
{
	return nat_find(name)->nat;
}

static struct axis_result axis_of(const struct nat *nat, const struct observed *o, const char *axis,
				  const char *protocol)
{
	struct axis_result axes[AXIS_RESULTS_MAX];
	size_t i, count = judge_axes(nat, 1, o, axes);

	for (i = 0; i < count; i++)
		if (strcmp(axes[i].axis, axis) == 0 && strcmp(axes[i].protocol, protocol) == 0)
			return axes[i];
	return (struct axis_result){.axis = NULL};
}

/* What RFC 5382 REQ-4 says should follow the silence. */
static enum meeting stray_answer_of(const struct nat *nat, const struct observed *o)
{
	struct requirement_result all[REQUIREMENTS_MAX];
	size_t i, count = judge_requirements(nat, 1, o, all);

	for (i = 0; i < count; i++)
		if (all[i].rfc == 5382 && strcmp(all[i].number, "REQ-4") == 0 &&
		    strcmp(all[i].level, "SHOULD") == 0)
			return all[i].meeting;
	cr_assert_fail("RFC 5382 REQ-4 has no SHOULD");
	return REQUIREMENT_NOT_MET;
}

static struct requirement_result requirement_of(const struct nat *nat, size_t externals,
						const struct observed *o, unsigned int rfc,
						const char *number)
{
	struct requirement_result all[REQUIREMENTS_MAX];
	size_t i, count = judge_requirements(nat, externals, o, all);

	for (i = 0; i < count; i++)
		if (all[i].rfc == rfc && strcmp(all[i].number, number) == 0)
			return all[i];
	cr_assert_fail("RFC %u has no %s", rfc, number);
	return all[0];
}

Test(axes, what_was_seen_as_declared_is_held_and_as_another_is_not)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};
	struct axis_result axis;

	see(&o, ASPECT_MAPPING, NAT_UDP, ENDPOINT_INDEPENDENT, "three peers");
	see(&o, ASPECT_MAPPING, NAT_TCP, ADDRESS_DEPENDENT, "three peers");
	axis = axis_of(&nat, &o, "mapping", "udp");
	cr_expect_eq(axis.holding, AXIS_HELD);
	cr_expect_str_eq(axis.evidence, "three peers");
	axis = axis_of(&nat, &o, "mapping", "tcp");
	cr_expect_eq(axis.holding, AXIS_BROKEN);
	cr_expect_str_eq(axis.declared, "endpoint-independent");
	cr_expect_str_eq(axis.observed, "address-dependent");
}

Test(axes, what_no_probe_could_see_is_untested_with_its_reason)
{
	struct nat nat = named("symmetric");
	struct observed o = {0};
	struct axis_result axis;

	unseen(&o, ASPECT_HAIRPINNING, NAT_UDP, "nobody can know");
	axis = axis_of(&nat, &o, "hairpinning", "udp");
	cr_expect_eq(axis.holding, AXIS_UNTESTED);
	cr_expect_str_eq(axis.evidence, "nobody can know");
	cr_expect_not(axis_of(&nat, &o, "filtering", "udp").axis, "no probe spoke of it");
}

Test(axes, a_query_has_no_port_to_depend_on)
{
	struct nat nat = named("symmetric");
	struct observed o = {0};

	see(&o, ASPECT_MAPPING, NAT_ICMP, ADDRESS_DEPENDENT, "two peers");
	cr_expect_eq(axis_of(&nat, &o, "mapping", "icmp").holding, AXIS_HELD);
}

Test(axes, blocked_udp_promises_nothing_but_that_it_does_not_pass)
{
	struct nat nat = named("udp-blocked");
	struct observed o = {0};

	see(&o, ASPECT_PASSES, NAT_UDP, true, "heard");
	see(&o, ASPECT_MAPPING, NAT_UDP, ENDPOINT_INDEPENDENT, "three peers");
	cr_expect_eq(axis_of(&nat, &o, "passes", "udp").holding, AXIS_BROKEN);
	cr_expect_not(axis_of(&nat, &o, "mapping", "udp").axis);
}

Test(axes, own_rules_declare_nothing)
{
	struct nat nat = {.kind = NAT_CUSTOM};
	struct axis_result axes[AXIS_RESULTS_MAX];
	struct observed o = {0};

	see(&o, ASPECT_PASSES, NAT_UDP, false, "silence");
	cr_expect_eq(judge_axes(&nat, 1, &o, axes), 0);
}

Test(axes, a_range_holds_what_was_drawn_and_was_used_to_its_ends)
{
	struct nat nat = named("symmetric");
	struct observed o = {0};

	nat.ports.first = 40000;
	nat.ports.last = 40099;
	see(&o, ASPECT_LOWEST, NAT_UDP, 40003, "12 ports");
	see(&o, ASPECT_HIGHEST, NAT_UDP, 40090, "12 ports");
	cr_expect_eq(axis_of(&nat, &o, "ports.range", "udp").holding, AXIS_HELD);
	see(&o, ASPECT_CAPACITY, NAT_UDP, 50, "then no more");
	cr_expect_eq(axis_of(&nat, &o, "ports.range", "udp").holding, AXIS_BROKEN);
	see(&o, ASPECT_CAPACITY, NAT_UDP, 99, "then no more");
	cr_expect_eq(axis_of(&nat, &o, "ports.range", "udp").holding, AXIS_HELD);
	see(&o, ASPECT_HIGHEST, NAT_UDP, 40100, "13 ports");
	cr_expect_eq(axis_of(&nat, &o, "ports.range", "udp").holding, AXIS_BROKEN);
}

Test(axes, a_lifetime_is_held_to_a_tenth)
{
	static const struct {
		int begin, end;
		enum holding holding;
	} cases[] = {
		{390, 410, AXIS_HELD},   {420, 441, AXIS_HELD}, {441, 463, AXIS_BROKEN},
		{340, 359, AXIS_BROKEN}, {345, 361, AXIS_HELD},
	};
	struct nat nat = named("full-cone");
	size_t i;

	nat.timers.mapping[NAT_UDP] = 400;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct observed o = {0};

		see(&o, ASPECT_LIFETIME, NAT_UDP, cases[i].begin, "in");
		see(&o, ASPECT_LIFETIME_END, NAT_UDP, cases[i].end, "out");
		cr_expect_eq(axis_of(&nat, &o, "timers: mapping", "udp").holding, cases[i].holding,
			     "case %zu", i);
	}
}

Test(axes, a_lifetime_whose_end_was_not_seen_is_at_least_that)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};
	struct axis_result axis;

	see(&o, ASPECT_LIFETIME, NAT_UDP, 500, "in");
	axis = axis_of(&nat, &o, "timers: mapping", "udp");
	cr_expect_eq(axis.holding, AXIS_UNTESTED, "300 s are declared");
	cr_expect_str_eq(axis.observed, "at least 0.5 s");
	nat.timers.mapping[NAT_UDP] = 400;
	cr_expect_eq(axis_of(&nat, &o, "timers: mapping", "udp").holding, AXIS_BROKEN);
}

Test(axes, a_delayed_answer_must_not_come_at_once)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	nat.unsolicited = UNSOLICITED_DELAYED;
	see(&o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_DROP, "silence");
	cr_expect_eq(axis_of(&nat, &o, "unsolicited", "tcp").holding, AXIS_UNTESTED);
	see(&o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_REJECT, "a reset");
	cr_expect_eq(axis_of(&nat, &o, "unsolicited", "tcp").holding, AXIS_BROKEN);
}

Test(axes, a_delayed_answer_must_come_when_it_was_waited_for)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	nat.unsolicited = UNSOLICITED_DELAYED;
	see(&o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_DROP, "silence");
	see(&o, ASPECT_SILENCE, NAT_TCP, 0, "silence still");
	cr_expect_eq(axis_of(&nat, &o, "unsolicited", "tcp").holding, AXIS_BROKEN);
	see(&o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_DELAYED, "ICMP");
	see(&o, ASPECT_SILENCE, NAT_TCP, 5999, "ICMP");
	cr_expect_eq(axis_of(&nat, &o, "unsolicited", "tcp").holding, AXIS_BROKEN);
	nat.timers.stray_silence = 5000;
	cr_expect_eq(axis_of(&nat, &o, "unsolicited", "tcp").holding, AXIS_HELD);
	nat.timers.stray_silence = 0;
	see(&o, ASPECT_SILENCE, NAT_TCP, 6000, "ICMP");
	cr_expect_eq(axis_of(&nat, &o, "unsolicited", "tcp").holding, AXIS_HELD);
	nat.unsolicited = UNSOLICITED_DROP;
	cr_expect_eq(axis_of(&nat, &o, "unsolicited", "tcp").holding, AXIS_BROKEN);
}

/* Our own silence may have been tried short; that of somebody's rules was as short as it was. */
Test(requirements, an_answer_after_a_silence_is_good_when_the_silence_is_six_seconds)
{
	struct nat ours = named("full-cone"), own = {.kind = NAT_CUSTOM};
	struct observed o = {0};

	ours.unsolicited = UNSOLICITED_DELAYED;
	see(&o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_DELAYED, "ICMP");
	see(&o, ASPECT_SILENCE, NAT_TCP, 700, "ICMP");
	cr_expect_eq(requirement_of(&ours, 1, &o, 5382, "REQ-4").meeting, REQUIREMENT_MET);
	cr_expect_eq(requirement_of(&own, 1, &o, 5382, "REQ-4").meeting, REQUIREMENT_NOT_MET);
	ours.timers.stray_silence = 700;
	cr_expect_eq(requirement_of(&ours, 1, &o, 5382, "REQ-4").meeting, REQUIREMENT_NOT_MET);
	see(&o, ASPECT_SILENCE, NAT_TCP, 6000, "ICMP");
	cr_expect_eq(requirement_of(&own, 1, &o, 5382, "REQ-4").meeting, REQUIREMENT_MET);
}

/* It should be answered then, unless silence is what was declared (REQ-4a). */
Test(requirements, a_stray_syn_without_an_answer_is_a_policy_or_a_lack)
{
	struct nat silent = named("full-cone"), late = silent;
	struct observed o = {0};

	late.unsolicited = UNSOLICITED_DELAYED;
	see(&o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_DROP, "silence");
	cr_expect_eq(stray_answer_of(&silent, &o), REQUIREMENT_NOT_APPLICABLE);
	cr_expect_eq(stray_answer_of(&late, &o), REQUIREMENT_NOT_TESTED);
	see(&o, ASPECT_SILENCE, NAT_TCP, 0, "silence still");
	cr_expect_eq(stray_answer_of(&late, &o), REQUIREMENT_NOT_MET);
	see(&o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_REJECT, "a reset");
	cr_expect_eq(stray_answer_of(&silent, &o), REQUIREMENT_NOT_MET);
	see(&o, ASPECT_UNSOLICITED, NAT_TCP, UNSOLICITED_DELAYED, "ICMP");
	cr_expect_eq(stray_answer_of(&late, &o), REQUIREMENT_MET);
}

Test(requirements, are_met_or_not_by_what_was_seen)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-1").meeting, REQUIREMENT_NOT_TESTED);
	see(&o, ASPECT_MAPPING, NAT_UDP, ENDPOINT_INDEPENDENT, "three peers");
	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-1").meeting, REQUIREMENT_MET);
	see(&o, ASPECT_CONTENDED, NAT_UDP, ADDRESS_DEPENDENT, "a rival");
	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-11").meeting, REQUIREMENT_NOT_MET);
	see(&o, ASPECT_HAIRPINNING, NAT_UDP, HAIRPINNING_INTERNAL_SOURCE, "met");
	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-9").meeting, REQUIREMENT_MET);
	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-9a").meeting, REQUIREMENT_NOT_MET);
	see(&o, ASPECT_HAIRPINNING, NAT_UDP, HAIRPINNING_OFF, "silence");
	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-9a").meeting,
		     REQUIREMENT_NOT_APPLICABLE);
}

Test(requirements, do_not_apply_where_nothing_is_translated)
{
	struct nat nat = named("firewall");
	struct observed o = {0};

	see(&o, ASPECT_PASSES, NAT_UDP, true, "heard");
	see(&o, ASPECT_TRANSLATED, NAT_UDP, false, "as it was");
	see(&o, ASPECT_MAPPING, NAT_UDP, ENDPOINT_INDEPENDENT, "three peers");
	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-1").meeting,
		     REQUIREMENT_NOT_APPLICABLE);
}

Test(requirements, of_a_protocol_that_does_not_pass_do_not_apply_and_errors_are_asked_of_another)
{
	struct nat nat = named("udp-blocked");
	struct observed o = {0};

	see(&o, ASPECT_PASSES, NAT_UDP, false, "nobody heard it");
	see(&o, ASPECT_PASSES, NAT_TCP, true, "all heard it");
	see(&o, ASPECT_TRANSLATED, NAT_TCP, true, "as another");
	see(&o, ASPECT_ERRORS, NAT_TCP, false, "an error of TCP");
	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-1").meeting,
		     REQUIREMENT_NOT_APPLICABLE);
	cr_expect_eq(requirement_of(&nat, 1, &o, 5508, "REQ-4").meeting, REQUIREMENT_NOT_MET);
	see(&o, ASPECT_PASSES, NAT_UDP, true, "all heard it");
	cr_expect_eq(requirement_of(&nat, 1, &o, 5508, "REQ-4").meeting, REQUIREMENT_NOT_TESTED);
}

Test(requirements, a_pool_is_asked_about_only_where_there_is_one)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	see(&o, ASPECT_POOLING, NAT_UDP, POOLING_ARBITRARY, "two addresses");
	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-2").meeting,
		     REQUIREMENT_NOT_APPLICABLE);
	cr_expect_eq(requirement_of(&nat, 2, &o, 4787, "REQ-2").meeting, REQUIREMENT_NOT_MET);
}

Test(requirements, a_lifetime_of_minutes_is_the_declared_one)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-5").meeting, REQUIREMENT_MET);
	nat.timers.mapping[NAT_UDP] = 119999;
	cr_expect_eq(requirement_of(&nat, 1, &o, 4787, "REQ-5").meeting, REQUIREMENT_NOT_MET);
	nat = named("full-cone");
	cr_expect_eq(requirement_of(&nat, 1, &o, 5382, "REQ-5").meeting, REQUIREMENT_MET);
	nat.timers.tcp_transitory = 100;
	cr_expect_eq(requirement_of(&nat, 1, &o, 5382, "REQ-5").meeting, REQUIREMENT_NOT_MET);
}

Test(report, is_good_unless_a_declared_axis_is_broken)
{
	static struct conformance c;

	c.declared = c.tried = named("full-cone");
	c.external_count = 1;
	see(&c.observed, ASPECT_HAIRPINNING, NAT_UDP, HAIRPINNING_OFF, "silence");
	conformance_judge(&c);
	cr_expect(conformance_good(&c), "that RFC 4787 wants hairpinning is not its declaration");
	see(&c.observed, ASPECT_FILTERING, NAT_UDP, ADDRESS_DEPENDENT, "refused");
	conformance_judge(&c);
	cr_expect_not(conformance_good(&c));
	cr_expect_eq(conformance_axes(&c, AXIS_BROKEN), 1);
}

static enum meeting meeting_of(const struct nat *nat, const struct observed *o, unsigned int rfc,
			       const char *number)
{
	return requirement_of(nat, 1, o, rfc, number).meeting;
}

Test(requirements, fragments_are_accepted_in_any_order_or_not_at_all)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	see(&o, ASPECT_FRAGMENTS, NAT_UDP, true, "in order");
	see(&o, ASPECT_BACKWARDS, NAT_UDP, false, "the second one first");
	cr_expect_eq(meeting_of(&nat, &o, 4787, "REQ-14"), REQUIREMENT_NOT_MET);
	cr_expect_str_eq(requirement_of(&nat, 1, &o, 4787, "REQ-14").evidence,
			 "the second one first");
	see(&o, ASPECT_BACKWARDS, NAT_UDP, true, "the second one first");
	cr_expect_eq(meeting_of(&nat, &o, 4787, "REQ-14"), REQUIREMENT_MET);
	see(&o, ASPECT_FRAGMENTS, NAT_UDP, false, "in order");
	cr_expect_eq(meeting_of(&nat, &o, 4787, "REQ-14"), REQUIREMENT_NOT_MET);
}

/* The two RFCs ask for different codes, so nobody can meet both. */
Test(requirements, the_code_on_exhaustion_is_the_one_the_rfc_asks_for)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	cr_expect_eq(meeting_of(&nat, &o, 6888, "REQ-11b"), REQUIREMENT_NOT_TESTED);
	see(&o, ASPECT_EXHAUSTION_CODE, NAT_UDP, 1, "host unreachable");
	cr_expect_eq(meeting_of(&nat, &o, 6888, "REQ-11b"), REQUIREMENT_MET);
	cr_expect_eq(meeting_of(&nat, &o, 5508, "REQ-8"), REQUIREMENT_NOT_MET);
	see(&o, ASPECT_EXHAUSTION_CODE, NAT_UDP, 13, "prohibited");
	cr_expect_eq(meeting_of(&nat, &o, 6888, "REQ-11b"), REQUIREMENT_NOT_MET);
	cr_expect_eq(meeting_of(&nat, &o, 5508, "REQ-8"), REQUIREMENT_MET);
	see(&o, ASPECT_EXHAUSTION_CODE, NAT_UDP, -1, "nothing");
	cr_expect_eq(meeting_of(&nat, &o, 6888, "REQ-11b"), REQUIREMENT_NOT_MET);
	cr_expect_eq(meeting_of(&nat, &o, 5508, "REQ-8"), REQUIREMENT_NOT_MET);
}

Test(requirements, a_port_that_rests_a_while_may_not_rest_long_enough)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	see(&o, ASPECT_FILTERING, NAT_UDP, ENDPOINT_INDEPENDENT, "anybody");
	see(&o, ASPECT_REST, NAT_UDP, false, "given away");
	cr_expect_eq(meeting_of(&nat, &o, 6888, "REQ-8"), REQUIREMENT_NOT_MET);
	see(&o, ASPECT_REST, NAT_UDP, true, "not yet");
	cr_expect_eq(meeting_of(&nat, &o, 6888, "REQ-8"), REQUIREMENT_NOT_TESTED);
	see(&o, ASPECT_FILTERING, NAT_UDP, ADDRESS_DEPENDENT, "known ones");
	cr_expect_eq(meeting_of(&nat, &o, 6888, "REQ-8"), REQUIREMENT_NOT_APPLICABLE);
}

Test(requirements, a_mapping_may_be_granted_by_any_protocol_and_best_by_pcp)
{
	struct nat nat = named("full-cone");
	struct requirement_result all[REQUIREMENTS_MAX];
	struct observed o = {0};
	size_t i, count;

	see(&o, ASPECT_CONTROL, NAT_UDP, CONTROL_NAT_PMP, "NAT-PMP");
	count = judge_requirements(&nat, 1, &o, all);
	for (i = 0; i < count; i++)
		if (all[i].rfc == 6888 && strcmp(all[i].number, "REQ-9") == 0)
			cr_expect_eq(all[i].meeting, strcmp(all[i].level, "MUST") == 0
							     ? REQUIREMENT_MET
							     : REQUIREMENT_NOT_MET);
	see(&o, ASPECT_CONTROL, NAT_UDP, CONTROL_NONE, "nobody");
	cr_expect_eq(meeting_of(&nat, &o, 6888, "REQ-9"), REQUIREMENT_NOT_MET);
	nat.port_mapping = PORT_MAPPING_UPNP;
	cr_expect_eq(meeting_of(&nat, &o, 6888, "REQ-9"), REQUIREMENT_NOT_TESTED);
}

Test(axes, a_half_open_connection_lives_as_long_as_declared_and_admitted)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	nat.timers.tcp_transitory = 300;
	see(&o, ASPECT_TRANSITORY, NAT_TCP, 290, "a SYN");
	see(&o, ASPECT_TRANSITORY_END, NAT_TCP, 310, "%s", "");
	cr_expect_eq(axis_of(&nat, &o, "timers: transitory, opening", "tcp").holding, AXIS_HELD);
	nat.timers.tcp_transitory = 400;
	cr_expect_eq(axis_of(&nat, &o, "timers: transitory, opening", "tcp").holding, AXIS_BROKEN);
	nat.timers.filter[NAT_TCP] = 300;
	cr_expect_eq(axis_of(&nat, &o, "timers: transitory, opening", "tcp").holding, AXIS_HELD);
	nat.timers.filter[NAT_TCP] = 0;
	nat.timers.mapping[NAT_TCP] = 300;
	nat.timers.tcp_transitory = 900;
	cr_expect_eq(axis_of(&nat, &o, "timers: transitory, opening", "tcp").holding, AXIS_HELD,
		     "being established shortens nothing");
}

/* A mapping that the peer's reset ends has no life after it. */
Test(axes, a_closed_connection_lives_as_long_as_a_half_open_one)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	nat.timers.tcp_transitory = 300;
	see(&o, ASPECT_CLOSED, NAT_TCP, 0, "nothing");
	see(&o, ASPECT_CLOSED_END, NAT_TCP, 20, "%s", "");
	see(&o, ASPECT_RESET, NAT_TCP, 500, "still");
	cr_expect_eq(axis_of(&nat, &o, "timers: transitory, closed", "tcp").holding, AXIS_BROKEN);
	cr_expect_eq(axis_of(&nat, &o, "timers: transitory, reset", "tcp").holding, AXIS_BROKEN);
	nat.tcp.rst_kills = true;
	cr_expect_not(axis_of(&nat, &o, "timers: transitory, reset", "tcp").axis);
}

Test(axes, connections_share_a_life_where_they_share_a_mapping)
{
	struct nat nat = named("full-cone");
	struct observed o = {0};

	see(&o, ASPECT_HELD, NAT_TCP, false, "gone");
	cr_expect_eq(axis_of(&nat, &o, "timers: longest connection", "tcp").holding, AXIS_BROKEN);
	nat.mapping = ADDRESS_DEPENDENT;
	cr_expect_not(axis_of(&nat, &o, "timers: longest connection", "tcp").axis);
}
