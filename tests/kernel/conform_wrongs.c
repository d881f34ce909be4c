/* SPDX-License-Identifier: MIT */
/*
 * What the RFCs ask for beyond the axes: a router whose rules do it wrong is caught at
 * it, and the same router without that rule is not.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "conform/conform.h"
#include "conform/probes.h"
#include "conform/rest.h"
#include "support/in_lab.h"
#include "support/own_rules.h"

/* One wrong rule in an otherwise plain NAT, and the requirement that is not met by it. */
struct wrong {
	const char *hook; /* where the rule is */
	const char *rule;
	unsigned int rfc;
	const char *number, *level;
};

/* The scenery of all tests: one router with the usual addresses. */
static struct subject subject_of(const struct nat *nat)
{
	static struct addr external;
	struct subject subject = {.nat = nat,
				  .outside = "internet",
				  .inside = "home",
				  .externals = &external,
				  .external_count = 1};

	addr_parse("1.2.3.4", &external);
	prefix_parse("192.168.1.254/24", &subject.lan);
	return subject;
}

/* Probe the router and judge it; what is said about the requirement. */
static int ask(const struct wrong *wrong, bool right, struct requirement_result *ret)
{
	char path[] = OWN_RULES_PATH;
	struct nat nat = {.name = "own-rules", .kind = NAT_CUSTOM, .rules = path};
	struct subject subject = subject_of(&nat);
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	struct requirement_result all[REQUIREMENTS_MAX];
	AUTO_DIAG struct diag d = {0};
	size_t i, count;
	int r;

	EXPECT(o && own_rules_write(path, wrong->hook, right ? "accept" : wrong->rule) == 0,
	       "no file of rules");
	r = conform_observe(&subject, CONFORM_WHOLE, 0, o, &d);
	diag_print(&d, stderr, false);
	unlink(path);
	EXPECT(r == 0, "the bed failed");
	count = judge_requirements(&nat, 1, o, all);
	for (i = 0; i < count; i++) {
		if (all[i].rfc != wrong->rfc || strcmp(all[i].number, wrong->number) != 0 ||
		    strcmp(all[i].level, wrong->level) != 0)
			continue;
		*ret = all[i];
		return 0;
	}
	EXPECT(false, "RFC %u has no %s", wrong->rfc, wrong->number);
	return 1;
}

static int be_caught(void *data)
{
	const struct wrong *wrong = data;
	struct requirement_result result;

	if (ask(wrong, true, &result) != 0)
		return 1;
	EXPECT(result.meeting == REQUIREMENT_MET, "RFC %u %s without the wrong rule: %s (%s)",
	       result.rfc, result.number, meeting_name(result.meeting), result.evidence);
	if (ask(wrong, false, &result) != 0)
		return 1;
	EXPECT(result.meeting == REQUIREMENT_NOT_MET, "RFC %u %s with \"%s\": %s (%s)", result.rfc,
	       result.number, wrong->rule, meeting_name(result.meeting), result.evidence);
	return 0;
}

static void expect_caught(struct wrong wrong)
{
	in_lab(be_caught, &wrong);
}

#define FORWARD "forward priority filter"

Test(wrongs, a_gateway_that_edits_payload_is_caught, .timeout = 60)
{
	/* Four bytes of the text become others, and no checksum tells. */
	expect_caught((struct wrong){FORWARD,
				     "udp dport 5060 @th,192,32 set 0x41414141 udp checksum set 0",
				     4787, "REQ-10", "SHOULD"});
	/* In answers only. */
	expect_caught((struct wrong){FORWARD,
				     "udp sport 3478 @th,256,32 set 0x41414141 udp checksum set 0",
				     4787, "REQ-10", "SHOULD"});
	expect_caught((struct wrong){FORWARD, "tcp dport 5060 meta length > 120 drop", 5382,
				     "REQ-6", "SHOULD"});
}

/* RFC 5382 REQ-6 excepts it. */
static int allow_ftp(void *data)
{
	struct requirement_result result;

	if (ask(data, false, &result) != 0)
		return 1;
	EXPECT(result.meeting == REQUIREMENT_MET, "%s", result.evidence);
	EXPECT(strstr(result.evidence, "FTP's PORT does not"), "%s", result.evidence);
	return 0;
}

Test(wrongs, a_gateway_for_ftp_is_allowed, .timeout = 60)
{
	struct wrong wrong = {FORWARD, "tcp dport 21 meta length > 60 drop", 5382, "REQ-6",
			      "SHOULD"};

	in_lab(allow_ftp, &wrong);
}

Test(wrongs, a_router_that_hides_what_is_too_big_is_caught, .timeout = 60)
{
	expect_caught((struct wrong){"output priority filter",
				     "icmp type destination-unreachable drop", 4787, "REQ-13",
				     "MUST"});
	expect_caught((struct wrong){FORWARD, "meta length > 1300 drop", 4787, "REQ-13a", "MUST"});
	expect_caught(
		(struct wrong){FORWARD, "meta length > 1300 drop", 4787, "REQ-13a", "SHOULD"});
}

Test(wrongs, a_nat_without_fragments_is_caught, .timeout = 60)
{
	expect_caught((struct wrong){"prerouting priority -450", "ip frag-off & 0x1fff != 0 drop",
				     4787, "REQ-14", "MUST"});
}

Test(wrongs, a_nat_that_cannot_read_what_an_error_quotes_is_caught, .timeout = 60)
{
	expect_caught((struct wrong){FORWARD,
				     "icmp type destination-unreachable @th,64,8 0x46 drop", 5508,
				     "REQ-3b", "MUST"});
	/* Before it is translated, and its checksum with it. */
	expect_caught((struct wrong){"prerouting priority raw",
				     "icmp type destination-unreachable @th,272,16 0xdead drop",
				     5508, "REQ-3c", "SHOULD"});
	expect_caught((struct wrong){FORWARD, "icmp type destination-unreachable @th,40,8 > 0 drop",
				     5508, "REQ-3d", "MUST"});
}

/*
 * Conntrack does not look at checksums when it is told not to. NAT looks all the same, so this
 * is a firewall.
 */
static int let_bad_checksums_pass(void *data)
{
	const struct nat *nat = data;
	struct subject subject = subject_of(nat);
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	const struct seen *seen = &o->seen[ASPECT_BAD_CHECKSUM][NAT_UDP];
	AUTO_DIAG struct diag d = {0};

	EXPECT(o && bed_up(&subject, &bed, &d) == 0, "no bed");
	probe_errors(bed, NAT_UDP, o);
	EXPECT(seen->known && !seen->value, "with checksums looked at: %s", seen->evidence);
	EXPECT(netns_sysctl(bed->router, "net/netfilter/nf_conntrack_checksum", "0") == 0,
	       "the sysctl");
	probe_errors(bed, NAT_UDP, o);
	EXPECT(seen->known && seen->value, "without: %s", seen->evidence);
	return bed->error;
}

Test(wrongs, an_error_with_a_wrong_checksum_that_passes_is_caught, .timeout = 60)
{
	struct nat nat = nat_find("firewall")->nat;

	in_lab(let_bad_checksums_pass, &nat);
}

/* Hairpinned errors, and the code of ICMP on exhaustion, as seen of rules of ours. */
struct sight {
	struct nat nat;
	enum aspect aspect;
	int value;
};

static int see_it(void *data)
{
	const struct sight *sight = data;
	struct subject subject = subject_of(&sight->nat);
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	const struct seen *seen = &o->seen[sight->aspect][NAT_UDP];
	AUTO_DIAG struct diag d = {0};

	EXPECT(o && conform_observe(&subject, CONFORM_WHOLE, 0, o, &d) == 0, "no bed");
	EXPECT(seen->known && seen->value == sight->value, "%s: %d, not %d (%s)", sight->nat.name,
	       seen->value, sight->value, seen->evidence);
	return 0;
}

static void expect_seen(const struct nat *nat, enum aspect aspect, int value)
{
	struct sight sight = {*nat, aspect, value};

	in_lab(see_it, &sight);
}

Test(wrongs, errors_about_hairpinned_flows_are_seen_to_pass_or_not, .timeout = 60)
{
	struct nat nat = nat_find("rfc4787")->nat;

	expect_seen(&nat, ASPECT_HAIRPIN_ERRORS, true);
	nat.icmp.errors_blocked = true;
	expect_seen(&nat, ASPECT_HAIRPIN_ERRORS, false);
}

Test(wrongs, what_a_host_hears_when_no_port_is_left_is_seen_with_its_code, .timeout = 60)
{
	struct nat nat = nat_find("rfc4787")->nat;

	nat.ports.exhaustion = EXHAUSTION_ICMP;
	expect_seen(&nat, ASPECT_EXHAUSTION_CODE, 1);
	nat.ports.exhaustion = EXHAUSTION_DROP;
	expect_seen(&nat, ASPECT_EXHAUSTION_CODE, -1);
	expect_seen(&nat, ASPECT_EXHAUSTION, EXHAUSTION_DROP);
}

Test(wrongs, by_which_protocol_a_mapping_is_granted_is_seen, .timeout = 60)
{
	struct nat nat = nat_find("rfc4787")->nat;

	expect_seen(&nat, ASPECT_CONTROL, CONTROL_NONE);
	nat.port_mapping = PORT_MAPPING_NAT_PMP;
	expect_seen(&nat, ASPECT_CONTROL, CONTROL_NAT_PMP);
	nat.port_mapping = PORT_MAPPING_NAT_PMP | PORT_MAPPING_PCP;
	expect_seen(&nat, ASPECT_CONTROL, CONTROL_PCP);
}

/* The kernel's own NAT gives a port away as soon as its flow has ended, here after a second. */
static int give_ports_away(void *data)
{
	const struct nat *nat = data;
	struct subject subject = subject_of(nat);
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	const struct seen *seen = &o->seen[ASPECT_REST][NAT_UDP];
	AUTO_DIAG struct diag d = {0};
	struct rest rest;

	EXPECT(o && bed_up(&subject, &bed, &d) == 0, "no bed");
	EXPECT(netns_sysctl(bed->router, "net/netfilter/nf_conntrack_udp_timeout", "1") == 0,
	       "the sysctl");
	see(o, ASPECT_ALLOCATION, NAT_UDP, PORTS_PRESERVING, "%s", "");
	see(o, ASPECT_LIFETIME_END, NAT_UDP, 1000, "%s", "");
	rest_begin(bed, o, &rest);
	rest_end(&rest, o);
	EXPECT(seen->known && !seen->value, "its ports: %s", seen->evidence);
	return bed->error;
}

Test(wrongs, a_port_that_is_given_away_at_once_is_caught, .timeout = 60)
{
	struct nat nat = nat_find("linux-masquerade")->nat;

	in_lab(give_ports_away, &nat);
}
