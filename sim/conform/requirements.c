/* SPDX-License-Identifier: MIT */
/*
 * The RFCs' requirements, as questions to the observations.
 *
 * Whether one is met is a matter of what was seen alone, with one exception: lifetimes.
 * That minutes pass is not waited for; the declared lifetime is held against the RFC's
 * minimum, the evidence says so, and the axis tells whether lifetimes are kept.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conform/judge.h"

#define SECONDS 1000U

struct question {
	const struct nat *nat;
	size_t external_count;
	const struct observed *o;
	struct requirement_result *answer;
};

static void say(const struct question *q, enum meeting meeting, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const struct question *q, enum meeting meeting, const char *format, ...)
{
	va_list arguments;

	q->answer->meeting = meeting;
	va_start(arguments, format);
	vsnprintf(q->answer->evidence, sizeof(q->answer->evidence), format, arguments);
	va_end(arguments);
}

static const struct seen *seen(const struct question *q, enum aspect aspect, enum nat_protocol p)
{
	return &q->o->seen[aspect][p];
}

/* Nothing to translate, nothing to ask. False when the question is answered thereby. */
static bool applies(const struct question *q, enum nat_protocol p)
{
	const struct seen *passes = seen(q, ASPECT_PASSES, p);
	const struct seen *translated = seen(q, ASPECT_TRANSLATED, p);

	if (passes->known && !passes->value) {
		say(q, REQUIREMENT_NOT_APPLICABLE, "no %s passes: %.130s", nat_protocol_name(p),
		    passes->evidence);
		return false;
	}
	if (translated->known && !translated->value) {
		say(q, REQUIREMENT_NOT_APPLICABLE, "nothing is translated");
		return false;
	}
	return true;
}

/* Met when the aspect was seen with a value among @good (a set of bits). */
static void one_of(const struct question *q, enum aspect aspect, enum nat_protocol p,
		   unsigned int good)
{
	const struct seen *s = seen(q, aspect, p);

	if (!applies(q, p))
		return;
	if (!s->known)
		say(q, REQUIREMENT_NOT_TESTED, "%s",
		    s->evidence[0] ? s->evidence : "no probe shows it");
	else
		say(q, good & (1U << s->value) ? REQUIREMENT_MET : REQUIREMENT_NOT_MET, "%s",
		    s->evidence);
}

#define BIT(value) (1U << (value))
#define YES BIT(1)
#define NO BIT(0)

static void pooling(const struct question *q, enum nat_protocol p)
{
	if (q->external_count < 2)
		say(q, REQUIREMENT_NOT_APPLICABLE, "one external address");
	else
		one_of(q, ASPECT_POOLING, p, BIT(POOLING_PAIRED));
}

static void lifetime(const struct question *q, enum nat_protocol p, unsigned int least,
		     unsigned int declared)
{
	const struct seen *s = seen(q, ASPECT_LIFETIME, p);

	if (!applies(q, p))
		return;
	if (q->nat->kind == NAT_CUSTOM)
		say(q, REQUIREMENT_NOT_TESTED, "nothing is declared; %.130s",
		    s->evidence[0] ? s->evidence : "lifetimes were not waited for");
	else if (q->nat->kind != NAT_TRANSLATE)
		one_of(q, ASPECT_LONG_ENOUGH, p, YES);
	else
		say(q, declared >= least ? REQUIREMENT_MET : REQUIREMENT_NOT_MET,
		    "declared: %.6g s; at least %.6g s is asked for%s", (double)declared / 1000,
		    (double)least / 1000,
		    s->known ? "; timers: mapping, above, tells how it is kept" : "");
}

static void udp_lifetime(const struct question *q, enum nat_protocol p)
{
	lifetime(q, p, 120 * SECONDS, q->nat->timers.mapping[p]);
}

static void tcp_lifetime(const struct question *q, enum nat_protocol p)
{
	const unsigned int idle = 7440 * SECONDS, transitory = 240 * SECONDS;
	const struct nat_timers *timers = &q->nat->timers;

	lifetime(q, p, idle, timers->mapping[p]);
	if (q->answer->meeting == REQUIREMENT_MET && q->nat->kind == NAT_TRANSLATE)
		say(q, timers->tcp_transitory >= transitory ? REQUIREMENT_MET : REQUIREMENT_NOT_MET,
		    "declared: %.6g s, and %.6g s while it opens or closes; at least 7440 and 240 "
		    "s "
		    "are asked for%s",
		    (double)timers->mapping[p] / 1000, (double)timers->tcp_transitory / 1000,
		    seen(q, ASPECT_TRANSITORY, p)->known ? "; timers, above, tell how they are kept"
							 : "");
}

static void icmp_lifetime(const struct question *q, enum nat_protocol p)
{
	lifetime(q, p, 60 * SECONDS, q->nat->timers.mapping[p]);
}

static void hairpin_source(const struct question *q, enum nat_protocol p)
{
	const struct seen *s = seen(q, ASPECT_HAIRPINNING, p);

	if (s->known && s->value == HAIRPINNING_OFF)
		say(q, REQUIREMENT_NOT_APPLICABLE, "there is no hairpinning");
	else
		one_of(q, ASPECT_HAIRPINNING, p, BIT(HAIRPINNING_EXTERNAL_SOURCE));
}

/* The same mapping whether the port is one's own or another's: primary = secondary behaviour. */
static void deterministic(const struct question *q, enum nat_protocol p)
{
	const struct seen *alone = seen(q, ASPECT_MAPPING, p);
	const struct seen *contended = seen(q, ASPECT_CONTENDED, p);

	if (!applies(q, p))
		return;
	if (!alone->known || !contended->known)
		say(q, REQUIREMENT_NOT_TESTED, "%.150s",
		    alone->known ? contended->evidence : alone->evidence);
	else
		say(q, alone->value == contended->value ? REQUIREMENT_MET : REQUIREMENT_NOT_MET,
		    "%.150s", contended->evidence);
}

/* In order and out of order; the first that is not met, or else the second, is the evidence. */
static void fragments(const struct question *q, enum nat_protocol p)
{
	one_of(q, ASPECT_FRAGMENTS, p, YES);
	if (q->answer->meeting == REQUIREMENT_MET)
		one_of(q, ASPECT_BACKWARDS, p, YES);
}

static void hairpinned_errors(const struct question *q, enum nat_protocol p)
{
	const struct seen *s = seen(q, ASPECT_HAIRPINNING, p);

	if (s->known && s->value == HAIRPINNING_OFF)
		say(q, REQUIREMENT_NOT_APPLICABLE, "there is no hairpinning");
	else
		one_of(q, s->known ? ASPECT_HAIRPIN_ERRORS : ASPECT_HAIRPINNING, p, YES);
}

/*
 * Silence satisfies the MUST (six seconds without an answer). Where an answer came after
 * the silence of our own rules, that may have been tried short, and the declared one counts.
 */
static void stray_syn(const struct question *q, enum nat_protocol p)
{
	const struct seen *silence = seen(q, ASPECT_SILENCE, p);
	const int six_seconds = 6 * SECONDS;
	bool ours = q->nat->kind == NAT_TRANSLATE && q->nat->unsolicited == UNSOLICITED_DELAYED;
	int waited = ours ? (int)nat_stray_silence(q->nat) : silence->value;
	unsigned int good = BIT(UNSOLICITED_DROP);

	if (waited >= six_seconds)
		good |= BIT(UNSOLICITED_DELAYED);
	one_of(q, ASPECT_UNSOLICITED, p, good);
}

/* Unless it is the NAT's policy not to answer (REQ-4a), which only a declaration can say. */
static void stray_answer(const struct question *q, enum nat_protocol p)
{
	const struct seen *s = seen(q, ASPECT_UNSOLICITED, p);
	bool silent = s->known && s->value == UNSOLICITED_DROP;

	if (silent && q->nat->kind != NAT_CUSTOM && q->nat->unsolicited == UNSOLICITED_DROP)
		say(q, REQUIREMENT_NOT_APPLICABLE, "its policy is not to answer (REQ-4a)");
	else if (silent && !seen(q, ASPECT_SILENCE, p)->known)
		say(q, REQUIREMENT_NOT_TESTED, "the silence was not waited for");
	else
		one_of(q, ASPECT_UNSOLICITED, p, BIT(UNSOLICITED_DELAYED));
}

static void query_passes(const struct question *q, enum nat_protocol p)
{
	const struct seen *s = seen(q, ASPECT_PASSES, p);

	if (!s->known)
		say(q, REQUIREMENT_NOT_TESTED, "no probe shows it");
	else
		say(q, s->value ? REQUIREMENT_MET : REQUIREMENT_NOT_MET, "%s", s->evidence);
}

/* Whether who asks for one mapping too many hears destination unreachable with @code. */
static void told_with(const struct question *q, enum nat_protocol p, int code)
{
	const struct seen *s = seen(q, ASPECT_EXHAUSTION_CODE, p);

	if (applies(q, p))
		say(q,
		    !s->known          ? REQUIREMENT_NOT_TESTED
		    : s->value == code ? REQUIREMENT_MET
				       : REQUIREMENT_NOT_MET,
		    "%s", s->evidence[0] ? s->evidence : "no probe shows it");
}

static void exhausted_told(const struct question *q, enum nat_protocol p)
{
	told_with(q, p, 1);
}

static void exhausted_prohibited(const struct question *q, enum nat_protocol p)
{
	told_with(q, p, 13);
}

/*
 * Two minutes are not waited for: a port that is given away at once does not rest, and
 * one that is not may rest for long enough or not.
 */
static void resting(const struct question *q, enum nat_protocol p)
{
	const struct seen *filtering = seen(q, ASPECT_FILTERING, p);
	const struct seen *rest = seen(q, ASPECT_REST, p);

	if (filtering->known && filtering->value != ENDPOINT_INDEPENDENT) {
		say(q, REQUIREMENT_NOT_APPLICABLE, "filtering depends on the peer (exception c)");
		return;
	}
	one_of(q, ASPECT_REST, p, YES);
	if (q->answer->meeting == REQUIREMENT_MET)
		say(q, REQUIREMENT_NOT_TESTED, "2 minutes are not waited for; %.120s",
		    rest->evidence);
}

static void limit(const struct question *q, enum nat_protocol p)
{
	if (!applies(q, p))
		return;
	if (q->nat->kind == NAT_TRANSLATE && q->nat->ports.block)
		say(q, REQUIREMENT_MET, "declared: a subscriber gets %u ports at a time",
		    q->nat->ports.block);
	else if (q->nat->kind == NAT_TRANSLATE || q->nat->kind == NAT_MASQUERADE)
		say(q, REQUIREMENT_NOT_MET, "nothing limits a subscriber's ports");
	else
		say(q, REQUIREMENT_NOT_TESTED,
		    "these are somebody's own rules, and a limit may be anywhere below 64,512");
}

/* What natsim does not probe, with the reason. */
static void not_conflicting(const struct question *q, enum nat_protocol p)
{
	(void)p;
	say(q, REQUIREMENT_NOT_APPLICABLE, "addresses are declared, none is got by DHCP");
}

/* UPnP would do for the MUST, and is not tried. */
static void control(const struct question *q, enum nat_protocol p)
{
	one_of(q, ASPECT_CONTROL, p, BIT(CONTROL_NAT_PMP) | BIT(CONTROL_PCP));
	if (q->answer->meeting == REQUIREMENT_NOT_MET && (q->nat->port_mapping & PORT_MAPPING_UPNP))
		say(q, REQUIREMENT_NOT_TESTED, "declared: UPnP, which is not tried");
}

/* Met by an aspect with a value among a set; or a question of its own. */
#define SEEN(aspect, good) NULL, aspect, good
#define ASKED(question) question, ASPECTS, 0
/* Asked of UDP, or where none passes of TCP. */
#define WHICHEVER NAT_PROTOCOLS

static const struct requirement {
	unsigned int rfc;
	const char *number, *level;
	enum nat_protocol protocol;
	const char *text;
	void (*ask)(const struct question *q, enum nat_protocol protocol);
	enum aspect aspect;
	unsigned int good;
} requirements[] = {
	{4787, "REQ-1", "MUST", NAT_UDP, "mapping does not depend on the peer",
	 SEEN(ASPECT_MAPPING, BIT(ENDPOINT_INDEPENDENT))},
	{4787, "REQ-2", "SHOULD", NAT_UDP, "a host keeps to one address of a pool", ASKED(pooling)},
	{4787, "REQ-3", "MUST", NAT_UDP, "no two hosts share an external port",
	 SEEN(ASPECT_OVERLOADING, NO)},
	{4787, "REQ-3a", "SHOULD", NAT_UDP, "ports below 1024 stay below 1024",
	 SEEN(ASPECT_LOW_PORTS, YES)},
	{4787, "REQ-4", "SHOULD", NAT_UDP, "even ports stay even, odd ones odd",
	 SEEN(ASPECT_PARITY, YES)},
	{4787, "REQ-5", "MUST", NAT_UDP, "a mapping lives at least 2 minutes", ASKED(udp_lifetime)},
	{4787, "REQ-6", "MUST", NAT_UDP, "outbound packets keep it alive",
	 SEEN(ASPECT_OUTBOUND, YES)},
	{4787, "REQ-7", "MUST", NAT_UDP, "copes with one subnet on both sides",
	 ASKED(not_conflicting)},
	{4787, "REQ-8", "SHOULD", NAT_UDP, "filtering does not depend on the peer's port",
	 SEEN(ASPECT_FILTERING, BIT(ENDPOINT_INDEPENDENT) | BIT(ADDRESS_DEPENDENT))},
	{4787, "REQ-9", "MUST", NAT_UDP, "hosts inside meet by external endpoints",
	 SEEN(ASPECT_HAIRPINNING,
	      BIT(HAIRPINNING_EXTERNAL_SOURCE) | BIT(HAIRPINNING_INTERNAL_SOURCE))},
	{4787, "REQ-9a", "MUST", NAT_UDP, "and then see each other's external endpoint",
	 ASKED(hairpin_source)},
	{4787, "REQ-10", "SHOULD", NAT_UDP, "no gateway edits payload", SEEN(ASPECT_PAYLOAD, YES)},
	{4787, "REQ-11", "MUST", NAT_UDP, "behaviour does not change with collisions",
	 ASKED(deterministic)},
	{4787, "REQ-12", "MUST", NAT_UDP, "no ICMP ends a mapping", SEEN(ASPECT_ERRORS_KILL, NO)},
	{4787, "REQ-12a", "SHOULD", NAT_UDP, "ICMP errors from anybody on the way pass",
	 SEEN(ASPECT_STRANGE_ERRORS, YES)},
	{4787, "REQ-12b", "SHOULD", NAT_UDP, "unreachable errors are translated",
	 SEEN(ASPECT_ERRORS, YES)},
	{4787, "REQ-13", "MUST", NAT_UDP, "what is too big and whole is told so",
	 SEEN(ASPECT_TOO_BIG, YES)},
	{4787, "REQ-13a", "MUST", NAT_UDP, "what is too big else leaves in fragments",
	 SEEN(ASPECT_CUT, BIT(CUT_IN_DISORDER) | BIT(CUT_IN_ORDER))},
	{4787, "REQ-13a", "SHOULD", NAT_UDP, "and they leave in order",
	 SEEN(ASPECT_CUT, BIT(CUT_IN_ORDER))},
	{4787, "REQ-14", "MUST", NAT_UDP, "fragments from outside arrive, in any order",
	 ASKED(fragments)},
	{5382, "REQ-1", "MUST", NAT_TCP, "mapping does not depend on the peer",
	 SEEN(ASPECT_MAPPING, BIT(ENDPOINT_INDEPENDENT))},
	{5382, "REQ-2", "MUST", NAT_TCP, "simultaneous open works", SEEN(ASPECT_SIMULTANEOUS, YES)},
	{5382, "REQ-3", "SHOULD", NAT_TCP, "filtering does not depend on the peer's port",
	 SEEN(ASPECT_FILTERING, BIT(ENDPOINT_INDEPENDENT) | BIT(ADDRESS_DEPENDENT))},
	{5382, "REQ-4", "MUST", NAT_TCP, "a stray SYN hears nothing for 6 seconds",
	 ASKED(stray_syn)},
	{5382, "REQ-4", "SHOULD", NAT_TCP, "and then ICMP port unreachable", ASKED(stray_answer)},
	{5382, "REQ-5", "MUST", NAT_TCP, "idle connections live 2 h 4 min, others 4 min",
	 ASKED(tcp_lifetime)},
	{5382, "REQ-6", "SHOULD", NAT_TCP, "no gateway but FTP's edits payload",
	 SEEN(ASPECT_PAYLOAD, YES)},
	{5382, "REQ-7", "MUST", NAT_TCP, "no two hosts share an external port",
	 SEEN(ASPECT_OVERLOADING, NO)},
	{5382, "REQ-8", "MUST", NAT_TCP, "hosts inside meet by external endpoints",
	 SEEN(ASPECT_HAIRPINNING,
	      BIT(HAIRPINNING_EXTERNAL_SOURCE) | BIT(HAIRPINNING_INTERNAL_SOURCE))},
	{5382, "REQ-8a", "MUST", NAT_TCP, "and then see each other's external endpoint",
	 ASKED(hairpin_source)},
	{5382, "REQ-9", "SHOULD", NAT_TCP, "unreachable errors are translated",
	 SEEN(ASPECT_ERRORS, YES)},
	{5382, "REQ-10", "MUST", NAT_TCP, "no ICMP ends a connection",
	 SEEN(ASPECT_ERRORS_KILL, NO)},
	{5508, "REQ-1", "MUST", NAT_ICMP, "queries pass, and their answers", ASKED(query_passes)},
	{5508, "REQ-1a", "SHOULD", NAT_ICMP, "their mapping does not depend on the peer",
	 SEEN(ASPECT_MAPPING, BIT(ENDPOINT_INDEPENDENT))},
	{5508, "REQ-2", "MUST", NAT_ICMP, "a query's mapping lives at least 1 minute",
	 ASKED(icmp_lifetime)},
	{5508, "REQ-3", "SHOULD", WHICHEVER, "errors with a wrong checksum are dropped",
	 SEEN(ASPECT_BAD_CHECKSUM, NO)},
	{5508, "REQ-3a", "SHOULD", WHICHEVER, "and those that quote a wrong IP checksum",
	 SEEN(ASPECT_BAD_INNER_IP, NO)},
	{5508, "REQ-3b", "MUST", WHICHEVER, "IP options in the quoted packet do not matter",
	 SEEN(ASPECT_INNER_OPTIONS, YES)},
	{5508, "REQ-3c", "SHOULD", WHICHEVER, "its transport checksum is not looked at",
	 SEEN(ASPECT_INNER_TRANSPORT, YES)},
	{5508, "REQ-3d", "MUST", WHICHEVER, "nor are ICMP extensions",
	 SEEN(ASPECT_EXTENSIONS, YES)},
	{5508, "REQ-4", "MUST", WHICHEVER, "errors from outside are translated inside and out",
	 SEEN(ASPECT_ERRORS, YES)},
	{5508, "REQ-5", "SHOULD", WHICHEVER, "errors from inside about no flow are dropped",
	 SEEN(ASPECT_UNMATCHED, BIT(UNMATCHED_DROPPED))},
	{5508, "REQ-6", "MUST", WHICHEVER, "an error does not end the session",
	 SEEN(ASPECT_ERRORS_KILL, NO)},
	{5508, "REQ-7", "MUST", WHICHEVER, "errors about hairpinned flows pass",
	 ASKED(hairpinned_errors)},
	{5508, "REQ-8", "SHOULD", NAT_UDP, "without resources: administratively prohibited",
	 ASKED(exhausted_prohibited)},
	{6888, "REQ-2", "MUST", NAT_UDP, "a host keeps to one address of a pool", ASKED(pooling)},
	{6888, "REQ-4", "MUST", WHICHEVER, "a subscriber's ports are limited", ASKED(limit)},
	{6888, "REQ-7", "SHOULD", NAT_UDP, "filtering does not depend on the peer",
	 SEEN(ASPECT_FILTERING, BIT(ENDPOINT_INDEPENDENT))},
	{6888, "REQ-8", "SHOULD", NAT_UDP, "a port rests for 2 minutes before its next use",
	 ASKED(resting)},
	{6888, "REQ-9", "MUST", NAT_UDP, "mappings can be asked for", ASKED(control)},
	{6888, "REQ-9", "SHOULD", NAT_UDP, "by PCP", SEEN(ASPECT_CONTROL, BIT(CONTROL_PCP))},
	{6888, "REQ-11a", "MUST", NAT_UDP, "on exhaustion the packet is dropped",
	 SEEN(ASPECT_EXHAUSTION, BIT(EXHAUSTION_DROP) | BIT(EXHAUSTION_ICMP))},
	{6888, "REQ-11b", "SHOULD", NAT_UDP, "on exhaustion the sender hears it",
	 ASKED(exhausted_told)},
	{6888, "REQ-11d", "MUST", NAT_UDP, "on exhaustion no mapping is dropped",
	 SEEN(ASPECT_SURVIVAL, YES)},
};
_Static_assert(sizeof(requirements) / sizeof(requirements[0]) <= REQUIREMENTS_MAX,
	       "callers give room for REQUIREMENTS_MAX");

static enum nat_protocol protocol_of(const struct requirement *r, const struct observed *o)
{
	const struct seen *udp = &o->seen[ASPECT_PASSES][NAT_UDP];

	if (r->protocol != WHICHEVER)
		return r->protocol;
	return udp->known && !udp->value ? NAT_TCP : NAT_UDP;
}

size_t judge_requirements(const struct nat *nat, size_t external_count, const struct observed *o,
			  struct requirement_result ret[REQUIREMENTS_MAX])
{
	const size_t count = sizeof(requirements) / sizeof(requirements[0]);
	struct question q = {.nat = nat, .external_count = external_count, .o = o};
	const struct requirement *r;
	enum nat_protocol protocol;
	size_t i;

	for (i = 0; i < count; i++) {
		r = &requirements[i];
		protocol = protocol_of(r, o);
		ret[i] = (struct requirement_result){
			.rfc = r->rfc, .number = r->number, .level = r->level, .text = r->text};
		q.answer = &ret[i];
		if (r->ask)
			r->ask(&q, protocol);
		else
			one_of(&q, r->aspect, protocol, r->good);
	}
	return count;
}

const char *meeting_name(enum meeting meeting)
{
	switch (meeting) {
	case REQUIREMENT_MET:
		return "met";
	case REQUIREMENT_NOT_MET:
		return "not met";
	case REQUIREMENT_NOT_APPLICABLE:
		return "not applicable";
	case REQUIREMENT_NOT_TESTED:
		return "not tested";
	}
	return "?";
}
