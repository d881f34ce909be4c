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

const struct nat_word nat_port_mapping_words[] = {{"nat-pmp", PORT_MAPPING_NAT_PMP},
						  {"pcp", PORT_MAPPING_PCP},
						  {"upnp", PORT_MAPPING_UPNP},
						  {NULL, 0}};

const char *nat_word(const struct nat_word *words, unsigned int value)
{
	for (; words->word; words++)
		if (words->value == value)
			return words->word;
	return "?";
}

/* One axis: nothing while @value is the usual one. */
static void write_word(const char *what, const struct nat_word *words, unsigned int value,
		       unsigned int usual, FILE *out)
{
	if (value != usual)
		fprintf(out, ", %s %s", what, nat_word(words, value));
}

/* Without trailing zeros: 0.5, 30, 7440. */
static void write_seconds(const char *what, unsigned int ms, unsigned int usual, FILE *out)
{
	if (ms != usual && ms == 0)
		fprintf(out, ", no %s timer", what);
	else if (ms != usual)
		fprintf(out, ", %s timer %.10g s", what, ms / 1000.0);
}

static void write_ports(const struct nat_ports *ports, const struct nat_ports *usual, FILE *out)
{
	if (ports->first != usual->first || ports->last != usual->last)
		fprintf(out, ", range %u-%u", ports->first, ports->last);
	if (ports->step != usual->step)
		fprintf(out, ", step %d", ports->step);
	if (ports->overloading != usual->overloading)
		fputs(ports->overloading ? ", overloading" : ", no overloading", out);
	if (ports->contiguous != usual->contiguous)
		fputs(ports->contiguous ? ", contiguous pairs" : ", no pairs", out);
	else if (ports->parity != usual->parity)
		fputs(ports->parity ? ", parity kept" : ", parity not kept", out);
	if (ports->block != usual->block)
		fprintf(out, ports->block ? ", blocks of %u" : ", no blocks", ports->block);
	write_word("exhaustion", nat_exhaustion_words, ports->exhaustion, usual->exhaustion, out);
}

static void write_timers(const struct nat_timers *timers, const struct nat_timers *usual, FILE *out)
{
	static const char *const names[NAT_PROTOCOLS] = {"UDP", "TCP", "ICMP"};
	static const char *const filters[NAT_PROTOCOLS] = {"UDP filter", "TCP filter",
							   "ICMP filter"};
	int i;

	for (i = 0; i < NAT_PROTOCOLS; i++) {
		write_seconds(names[i], timers->mapping[i], usual->mapping[i], out);
		write_seconds(filters[i], timers->filter[i], usual->filter[i], out);
	}
	write_seconds("TCP transitory", timers->tcp_transitory, usual->tcp_transitory, out);
	write_word("refresh", nat_refresh_words, timers->refresh, usual->refresh, out);
}

static void write_port_mapping(unsigned int protocols, FILE *out)
{
	const struct nat_word *word;
	const char *between = ", port mapping by ";

	if (!protocols)
		fputs(", no port mapping", out);
	for (word = nat_port_mapping_words; word->word; word++) {
		if (!(protocols & word->value))
			continue;
		fprintf(out, "%s%s", between, word->word);
		between = "/";
	}
}

void nat_write_details(const struct nat *nat, const struct nat *usual, FILE *out)
{
	char text[ADDR_TEXT_MAX];

	write_ports(&nat->ports, &usual->ports, out);
	write_word("hairpinning", nat_hairpinning_words, nat->hairpinning, usual->hairpinning, out);
	write_word("unsolicited", nat_unsolicited_words, nat->unsolicited, usual->unsolicited, out);
	write_word("pool", nat_pooling_words, nat->pooling, usual->pooling, out);
	write_timers(&nat->timers, &usual->timers, out);
	write_word("ICMP errors", nat_icmp_errors_words, nat->icmp.errors_blocked,
		   usual->icmp.errors_blocked, out);
	if (nat->icmp.errors_kill != usual->icmp.errors_kill)
		fputs(nat->icmp.errors_kill ? ", ICMP errors kill" : ", ICMP errors do not kill",
		      out);
	write_word("unmatched ICMP errors", nat_unmatched_words, nat->icmp.unmatched,
		   usual->icmp.unmatched, out);
	write_word("RST", nat_rst_words, nat->tcp.rst_kills, usual->tcp.rst_kills, out);
	write_word("simultaneous open", nat_open_words, nat->tcp.strict_syn, usual->tcp.strict_syn,
		   out);
	write_word("UDP", nat_udp_words, nat->udp_blocked, usual->udp_blocked, out);
	if (nat->forward_count)
		fprintf(out, ", %zu forward%s", nat->forward_count,
			nat->forward_count > 1 ? "s" : "");
	if (nat->port_mapping != usual->port_mapping)
		write_port_mapping(nat->port_mapping, out);
	if (nat->dmz.family != AF_UNSPEC)
		fprintf(out, ", DMZ %s", addr_format(&nat->dmz, text));
}
