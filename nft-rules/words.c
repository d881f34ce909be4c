/* SPDX-License-Identifier: MIT */
#include "nft-rules/words.h"

#include <string.h>

const struct nat_word nat_dependence_words[] = {
	{"endpoint-independent", ENDPOINT_INDEPENDENT},
	{"address-dependent", ADDRESS_DEPENDENT},
	{"address-and-port-dependent", ADDRESS_AND_PORT_DEPENDENT},
	{NULL, 0},
};

const struct nat_word nat_allocation_words[] = {
	{"preserving", PORTS_PRESERVING},
	{"random", PORTS_RANDOM},
	{"sequential", PORTS_SEQUENTIAL},
	{NULL, 0},
};

const struct nat_word nat_exhaustion_words[] = {
	{"drop", EXHAUSTION_DROP},
	{"icmp", EXHAUSTION_ICMP},
	{NULL, 0},
};

const struct nat_word nat_hairpinning_words[] = {
	{"off", HAIRPINNING_OFF},
	{"external-source", HAIRPINNING_EXTERNAL_SOURCE},
	{"internal-source", HAIRPINNING_INTERNAL_SOURCE},
	{NULL, 0},
};

const struct nat_word nat_unsolicited_words[] = {
	{"drop", UNSOLICITED_DROP},
	{"reject", UNSOLICITED_REJECT},
	{"accept", UNSOLICITED_ACCEPT},
	{"delayed-icmp", UNSOLICITED_DELAYED},
	{NULL, 0},
};

const struct nat_word nat_refresh_words[] = {
	{"outbound", REFRESH_OUTBOUND},
	{"inbound", REFRESH_INBOUND},
	{"both", REFRESH_BOTH},
	{NULL, 0},
};

const struct nat_word nat_pooling_words[] = {
	{"paired", POOLING_PAIRED},
	{"arbitrary", POOLING_ARBITRARY},
	{NULL, 0},
};

const struct nat_word nat_unmatched_words[] = {
	{"dropped", UNMATCHED_DROPPED},
	{"translated", UNMATCHED_TRANSLATED},
	{"leaked", UNMATCHED_LEAKED},
	{NULL, 0},
};

const struct nat_word nat_icmp_errors_words[] = {
	{"translated", false}, {"blocked", true}, {NULL, 0}};
const struct nat_word nat_rst_words[] = {{"keeps", false}, {"kills", true}, {NULL, 0}};
const struct nat_word nat_open_words[] = {{"allowed", false}, {"refused", true}, {NULL, 0}};
const struct nat_word nat_udp_words[] = {{"allowed", false}, {"blocked", true}, {NULL, 0}};

const char *nat_word(const struct nat_word *words, unsigned int value)
{
	for (; words->word; words++)
		if (words->value == value)
			return words->word;
	return "?";
}

static void write_ports(const struct nat_ports *ports, FILE *out)
{
	if (ports->first || ports->last)
		fprintf(out, ", ports %u-%u", ports->first, ports->last);
	if (ports->step != 0 && ports->step != 1)
		fprintf(out, ", step %d", ports->step);
	if (ports->overloading)
		fputs(", overloading", out);
	if (ports->contiguous)
		fputs(", contiguous pairs", out);
	else if (ports->parity)
		fputs(", parity kept", out);
	if (ports->block)
		fprintf(out, ", blocks of %u", ports->block);
	if (ports->exhaustion == EXHAUSTION_ICMP)
		fputs(", ICMP when exhausted", out);
}

/* Without trailing zeros: 0.5, 30, 7440. */
static void write_seconds(const char *what, unsigned int ms, unsigned int usual, FILE *out)
{
	if (ms != usual)
		fprintf(out, ", %s %.10g s", what, ms / 1000.0);
}

static void write_timers(const struct nat_timers *timers, FILE *out)
{
	static const char *const names[NAT_PROTOCOLS] = {"UDP timer", "TCP timer", "ICMP timer"};
	static const char *const filters[NAT_PROTOCOLS] = {"UDP filter", "TCP filter",
							   "ICMP filter"};
	const struct nat usual = nat_default();
	int i;

	for (i = 0; i < NAT_PROTOCOLS; i++) {
		write_seconds(names[i], timers->mapping[i], usual.timers.mapping[i], out);
		write_seconds(filters[i], timers->filter[i], usual.timers.filter[i], out);
	}
	write_seconds("TCP transitory", timers->tcp_transitory, usual.timers.tcp_transitory, out);
	if (timers->refresh != usual.timers.refresh)
		fprintf(out, ", refresh %s", nat_word(nat_refresh_words, timers->refresh));
}

static void write_protocols(const struct nat *nat, FILE *out)
{
	if (nat->icmp.errors_blocked)
		fputs(", ICMP errors blocked", out);
	if (nat->icmp.errors_kill)
		fputs(", ICMP errors kill", out);
	if (nat->icmp.unmatched != UNMATCHED_DROPPED)
		fprintf(out, ", unmatched ICMP errors %s",
			nat_word(nat_unmatched_words, nat->icmp.unmatched));
	if (nat->tcp.rst_kills)
		fputs(", RST kills", out);
	if (nat->tcp.strict_syn)
		fputs(", no simultaneous open", out);
	if (nat->udp_blocked)
		fputs(", UDP blocked", out);
}

void nat_write_details(const struct nat *nat, FILE *out)
{
	char text[ADDR_TEXT_MAX];

	write_ports(&nat->ports, out);
	if (nat->hairpinning != HAIRPINNING_OFF)
		fprintf(out, ", hairpinning %s", nat_word(nat_hairpinning_words, nat->hairpinning));
	if (nat->unsolicited != UNSOLICITED_DROP)
		fprintf(out, ", unsolicited %s", nat_word(nat_unsolicited_words, nat->unsolicited));
	if (nat->pooling != POOLING_PAIRED)
		fprintf(out, ", pool %s", nat_word(nat_pooling_words, nat->pooling));
	if (nat->kind == NAT_TRANSLATE) /* the others' are the kernel's */
		write_timers(&nat->timers, out);
	write_protocols(nat, out);
	if (nat->forward_count)
		fprintf(out, ", %zu forward%s", nat->forward_count,
			nat->forward_count > 1 ? "s" : "");
	if (nat->dmz.family != AF_UNSPEC)
		fprintf(out, ", DMZ %s", addr_format(&nat->dmz, text));
}
