/* SPDX-License-Identifier: MIT */
/*
 * Conform's honesty about flows: a router that treats the last packets of a busy flow otherwise
 * than its first, or lets a connection's end shorten another's life, is caught, and so is
 * hairpinning that only chance shows.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "conform/busy.h"
#include "conform/hold.h"
#include "conform/probes.h"
#include "support/lie.h"
#include "support/own_rules.h"

/* Beside a NAT that changes nothing but the source, a rule for some of the packets. */
struct meddling {
	const char *rule, *evidence; /* NULL: it does no harm */
};

static int meddle(void *data)
{
	const struct meddling *m = data;
	char path[] = OWN_RULES_PATH;
	struct nat nat = {.name = "own-rules", .kind = NAT_CUSTOM, .rules = path};
	struct subject subject = subject_of(&nat, 1);
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	const struct seen *seen = &o->seen[ASPECT_BUSY][NAT_UDP];
	AUTO_DIAG struct diag d = {0};
	struct busy_probe busy;
	int r;

	EXPECT(o && own_rules_write(path, "forward priority filter", m->rule) == 0, "no rules");
	r = bed_up(&subject, &bed, &d);
	unlink(path);
	diag_print(&d, stderr, false);
	EXPECT(r == 0, "no bed");
	busy_begin(bed, &busy);
	busy_end(&busy, o);
	EXPECT(seen->known && seen->value == !m->evidence, "\"%s\": %s", m->rule, seen->evidence);
	EXPECT(!m->evidence || strstr(seen->evidence, m->evidence), "\"%s\": %s", m->rule,
	       seen->evidence);
	return bed->error;
}

Test(busy, flows_whose_packets_change_are_caught, .timeout = 60)
{
	/* Every packet counts, and 4,800 of one flow come before the meddling. */
	static const struct meddling meddlings[] = {
		{"accept", NULL},
		{"udp dport 7001 numgen inc mod 5000 > 4800 ip ttl set 33", "has another TTL"},
		{"udp dport 7001 numgen inc mod 5000 > 4800 udp checksum set 0x1234", "checksum"},
		{"udp dport 7001 numgen inc mod 5000 > 4800 udp checksum 0 udp checksum set 0xbeef",
		 "has got a checksum"},
		{"udp dport 7001 numgen inc mod 5000 > 4800 udp checksum != 0 udp checksum set 0",
		 "has lost its checksum"},
		{"udp dport 7001 numgen inc mod 5000 > 4800 udp checksum 0 @th,64,8 set 0x55",
		 "has another payload"},
		{"udp sport 7001 numgen inc mod 5000 > 4800 ip ttl set 33", "has another TTL"},
		{"udp sport 7001 numgen inc mod 5000 > 4800 udp checksum 0 udp checksum set 0xbeef",
		 "to 192.168.1.1:20037 has got a checksum"},
		{"udp dport 7001 numgen inc mod 5000 > 4998 drop", "5200 of 5201"},
		{"udp sport 7001 numgen inc mod 5000 > 4998 drop", "5199 of 5200"},
	};

	for (size_t i = 0; i < sizeof(meddlings) / sizeof(meddlings[0]); i++)
		in_lab(meddle, (void *)&meddlings[i]);
}

/* Anybody may come in by a port for 0.4 s since it was last used; what of one that 300 packets
 * used? */
static const char lives[] =
	"table ip lives {\n"
	"	set many {\n"
	"		type inet_service\n"
	"		flags dynamic,timeout\n"
	"		timeout 1m\n"
	"	}\n"
	"	set open {\n"
	"		type inet_service\n"
	"		flags dynamic,timeout\n"
	"	}\n"
	"	set wide {\n"
	"		type inet_service\n"
	"		flags dynamic,timeout\n"
	"	}\n"
	"	chain in {\n"
	"		type filter hook prerouting priority raw\n"
	"		iifname \"internet\" udp dport != @open udp dport != @wide drop\n"
	"	}\n"
	"	chain out {\n"
	"		type filter hook postrouting priority 200\n"
	"		oifname != \"internet\" accept\n"
	"		update @many { udp sport limit rate over 1/minute burst 3000 packets } %s\n"
	"		meta l4proto udp update @open { udp sport timeout 400ms }\n"
	"	}\n"
	"}\n";

/* What is done about a busy flow, and how long its peer is then let in. */
struct life {
	const char *rule;
	int least, most;
	bool refreshed;
};

static int watch_lives(void *data)
{
	const struct life *life = data;
	char path[] = OWN_RULES_PATH;
	struct nat nat = {.name = "own-rules", .kind = NAT_CUSTOM, .rules = path};
	struct subject subject = subject_of(&nat, 1);
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	const struct seen *busy = &o->seen[ASPECT_BUSY_LIFETIME][NAT_UDP];
	const struct seen *idle_refresh = &o->seen[ASPECT_OUTBOUND][NAT_UDP];
	const struct seen *busy_refresh = &o->seen[ASPECT_BUSY_OUTBOUND][NAT_UDP];
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *text = NULL;
	int r;

	EXPECT(o && asprintf(&text, lives, life->rule) > 0, "no memory");
	EXPECT(own_rules_write_beside(path, text) == 0, "no rules");
	r = bed_up(&subject, &bed, &d);
	unlink(path);
	diag_print(&d, stderr, false);
	EXPECT(r == 0, "no bed");
	see(o, ASPECT_PASSES, NAT_UDP, true, "%s", "");
	probe_lifetimes(bed, 533, o);
	EXPECT(busy->known && busy->value >= life->least && busy->value <= life->most, "%s: %s",
	       life->rule, busy->evidence);
	EXPECT(idle_refresh->known && idle_refresh->value, "%s", idle_refresh->evidence);
	EXPECT(busy_refresh->known && busy_refresh->value == life->refreshed, "%s: %s", life->rule,
	       busy_refresh->evidence);
	return bed->error;
}

Test(busy, flows_that_live_otherwise_than_others_are_caught, .timeout = 60)
{
	static const struct life same = {"continue", 340, 440, true},
				 longer = {"update @wide { udp sport timeout 800ms }", 445, 900,
					   true},
				 never = {"accept", 0, 440, false};

	in_lab(watch_lives, (void *)&same);
	in_lab(watch_lives, (void *)&longer);
	in_lab(watch_lives, (void *)&never);
}

/* Two connections share a mapping; @established and @closed are what is believed of lives. */
struct sharing {
	struct nat nat;
	int established, closed;
	bool alive;
};

static int share(void *data)
{
	const struct sharing *sharing = data;
	struct subject subject = subject_of(&sharing->nat, 1);
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	const struct seen *seen = &o->seen[ASPECT_HELD][NAT_TCP];
	AUTO_DIAG struct diag d = {0};
	struct hold hold;

	EXPECT(o && bed_up(&subject, &bed, &d) == 0, "no bed");
	see(o, ASPECT_MAPPING, NAT_TCP, ENDPOINT_INDEPENDENT, "%s", "");
	see(o, ASPECT_FILTERING, NAT_TCP, (int)sharing->nat.filtering, "%s", "");
	see(o, ASPECT_LIFETIME, NAT_TCP, sharing->established, "%s", "");
	see(o, ASPECT_CLOSED_END, NAT_TCP, sharing->closed, "%s", "");
	hold_begin(bed, o, &o->seen[ASPECT_CLOSED_END][NAT_TCP], &hold);
	while (hold_due(&hold) != UINT64_MAX)
		hold_ask(&hold);
	hold_see(&hold, o);
	EXPECT(seen->known && seen->value == sharing->alive, "%s", seen->evidence);
	return bed->error;
}

/* Believed to live for 0.6 s; in truth so long, or no longer than a closed one. */
Test(sharing, a_mapping_that_ends_with_one_of_its_connections_is_caught, .timeout = 60)
{
	static const enum nat_allocation allocations[] = {PORTS_PRESERVING, PORTS_RANDOM};
	struct sharing sharing = {.nat = cone(), .established = 600, .closed = 400};

	sharing.nat.timers.tcp_transitory = 300;
	for (int filtering = 0; filtering < 3; filtering++) {
		sharing.nat.filtering = (enum nat_dependence)filtering;
		sharing.nat.ports.allocation = allocations[filtering % 2];
		sharing.nat.timers.mapping[NAT_TCP] = 700;
		sharing.alive = true;
		in_lab(share, &sharing);
		sharing.nat.timers.mapping[NAT_TCP] = 300;
		sharing.alive = false;
		in_lab(share, &sharing);
	}
}

/* Where hosts only meet by chance. */
struct encounter {
	struct nat nat;
	bool known;
};

static int meet_by_chance(void *data)
{
	const struct encounter *meeting = data;
	struct subject subject = subject_of(&meeting->nat, 1);
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	AUTO_DIAG struct diag d = {0};
	const struct seen *seen;
	int protocol;

	EXPECT(o && bed_up(&subject, &bed, &d) == 0, "no bed");
	for (protocol = NAT_UDP; protocol <= NAT_TCP; protocol++) {
		seen = &o->seen[ASPECT_HAIRPINNING][protocol];
		probe_chance(bed, (enum nat_protocol)protocol, o);
		EXPECT(seen->known == meeting->known, "%s", seen->evidence);
		EXPECT(!seen->known || seen->value == (int)meeting->nat.hairpinning, "%s",
		       seen->evidence);
	}
	return bed->error;
}

Test(chance, tells_hairpinning_where_ports_are_few_and_nothing_where_they_are_many, .timeout = 60)
{
	struct encounter meeting = {.nat = nat_find("cloud-nat-gateway")->nat, .known = true};
	int value;

	meeting.nat.ports.first = 600;
	meeting.nat.ports.last = 1023;
	for (value = HAIRPINNING_OFF; value <= HAIRPINNING_INTERNAL_SOURCE; value++) {
		meeting.nat.hairpinning = (enum nat_hairpinning)value;
		in_lab(meet_by_chance, &meeting);
	}
	meeting.nat.ports.first = meeting.nat.ports.last = 0;
	meeting.known = false;
	in_lab(meet_by_chance, &meeting);
}

/* Beside Linux's own NAT, which drops in silence when 424 low ports are taken. */
struct limit {
	const char *rule;
	enum nat_exhaustion value;
	int code;
};

static int run_out(void *data)
{
	const struct limit *limit = data;
	char path[] = OWN_RULES_PATH;
	struct nat nat = {.name = "own-rules", .kind = NAT_CUSTOM, .rules = path};
	struct subject subject = subject_of(&nat, 1);
	CLEANUP(bed_free_cleanup) struct bed *bed = NULL;
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	const struct seen *seen = &o->seen[ASPECT_EXHAUSTION][NAT_UDP];
	const struct seen *code = &o->seen[ASPECT_EXHAUSTION_CODE][NAT_UDP];
	AUTO_DIAG struct diag d = {0};
	int r;

	EXPECT(o && own_rules_write(path, "forward priority filter", limit->rule) == 0, "no rules");
	r = bed_up(&subject, &bed, &d);
	unlink(path);
	EXPECT(r == 0, "no bed");
	see(o, ASPECT_LOW_PORTS, NAT_UDP, true, "%s", "");
	probe_low_exhaustion(bed, o);
	EXPECT(seen->known && seen->value == (int)limit->value, "%s: %s", limit->rule,
	       seen->evidence);
	EXPECT(code->known && code->value == limit->code, "%s: %s", limit->rule, code->evidence);
	return bed->error;
}

Test(exhaustion, of_rules_that_cannot_be_cut_down_is_seen_below_1024, .timeout = 60)
{
	static const struct limit silent = {"accept", EXHAUSTION_DROP, -1},
				  told = {"meta l4proto udp ct state new ct count over 300 reject "
					  "with icmp type host-unreachable",
					  EXHAUSTION_ICMP, 1};

	in_lab(run_out, (void *)&silent);
	in_lab(run_out, (void *)&told);
}
