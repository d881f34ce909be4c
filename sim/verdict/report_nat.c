/* SPDX-License-Identifier: MIT */
/* A router's declaration, axis by axis, in the words of the topology language. */
#include "verdict/report_nat.h"
#include "nft-rules/words.h"

static const char *kind_name(enum nat_kind kind)
{
	switch (kind) {
	case NAT_TRANSLATE:
		return "translate";
	case NAT_MASQUERADE:
		return "masquerade";
	case NAT_FIREWALL:
		return "firewall";
	case NAT_CUSTOM:
		return "custom";
	}
	return "?";
}

/* Seconds; null for a filter without a lifetime of its own. */
static json_t *seconds(unsigned int ms)
{
	return ms ? json_real((double)ms / 1000) : json_null();
}

static json_t *ports_json(const struct nat_ports *ports)
{
	const int first = ports->first ? ports->first : 1024;
	const int last = ports->first ? ports->last : 65535;
	const bool sequential = ports->allocation == PORTS_SEQUENTIAL;

	return json_pack("{s:s, s:[i,i], s:o, s:b, s:b, s:b, s:o, s:s}", "allocation",
			 nat_allocation_name(ports->allocation), "range", first, last, "step",
			 sequential ? json_integer(ports->step ? ports->step : 1) : json_null(),
			 "overloading", ports->overloading, "parity",
			 ports->parity || ports->contiguous, "contiguous", ports->contiguous,
			 "block", ports->block ? json_integer(ports->block) : json_null(),
			 "exhaustion", nat_word(nat_exhaustion_words, ports->exhaustion));
}

/* What every kind has, and what only our own rules have. */
static json_t *timers_json(const struct nat *nat)
{
	const struct nat_timers *t = &nat->timers;
	json_t *timers;

	if (nat->kind != NAT_TRANSLATE)
		return json_pack("{s:o, s:o, s:o}", "udp", seconds(t->mapping[NAT_UDP]), "tcp",
				 seconds(t->mapping[NAT_TCP]), "icmp",
				 seconds(t->mapping[NAT_ICMP]));
	timers = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "udp",
			   seconds(t->mapping[NAT_UDP]), "tcp", seconds(t->mapping[NAT_TCP]),
			   "icmp", seconds(t->mapping[NAT_ICMP]), "tcp-transitory",
			   seconds(t->tcp_transitory), "udp-filter", seconds(t->filter[NAT_UDP]),
			   "tcp-filter", seconds(t->filter[NAT_TCP]), "icmp-filter",
			   seconds(t->filter[NAT_ICMP]), "refresh",
			   nat_word(nat_refresh_words, t->refresh));
	if (nat->unsolicited == UNSOLICITED_DELAYED &&
	    json_object_set_new(timers, "tcp-stray", seconds(nat_stray_silence(nat))) < 0) {
		json_decref(timers);
		return NULL;
	}
	return timers;
}

static json_t *forwards_json(const struct nat *nat)
{
	json_t *list = json_array();
	const struct nat_forward *forward;
	char text[ENDPOINT_TEXT_MAX];

	for (forward = nat->forwards; forward < nat->forwards + nat->forward_count; forward++)
		if (json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "protocol",
							  nat_protocol_name(forward->protocol),
							  "port", forward->port, "to",
							  endpoint_format(&forward->to, text))) !=
		    0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *port_mapping_json(const struct nat *nat)
{
	const struct nat_word *word;
	json_t *list = json_array();

	for (word = nat_port_mapping_words; word->word; word++)
		if ((nat->port_mapping & word->value) &&
		    json_array_append_new(list, json_string(word->word)) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *shared_axes_json(const struct nat *nat)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s}", "mapping",
			 nat_dependence_name(nat->mapping), "filtering",
			 nat_dependence_name(nat->filtering), "unsolicited",
			 nat_word(nat_unsolicited_words, nat->unsolicited), "timers",
			 timers_json(nat), "port-mapping", port_mapping_json(nat), "udp",
			 nat_word(nat_udp_words, nat->udp_blocked));
}

static json_t *own_axes_json(const struct nat *nat)
{
	const bool dmz = nat->dmz.family != AF_UNSPEC;
	char text[ADDR_TEXT_MAX];

	return json_pack("{s:o, s:s, s:s, s:{s:s, s:b, s:s}, s:{s:s, s:s}, s:o, s:o}", "ports",
			 ports_json(&nat->ports), "hairpinning",
			 nat_word(nat_hairpinning_words, nat->hairpinning), "pool",
			 nat_word(nat_pooling_words, nat->pooling), "icmp", "errors",
			 nat_word(nat_icmp_errors_words, nat->icmp.errors_blocked), "kills",
			 nat->icmp.errors_kill, "unmatched",
			 nat_word(nat_unmatched_words, nat->icmp.unmatched), "tcp", "rst",
			 nat_word(nat_rst_words, nat->tcp.rst_kills), "simultaneous-open",
			 nat_word(nat_open_words, nat->tcp.strict_syn), "forwards",
			 forwards_json(nat), "dmz",
			 dmz ? json_string(addr_format(&nat->dmz, text)) : json_null());
}

/* Null where nothing is declared. */
static json_t *axes_json(const struct nat *nat)
{
	json_t *axes, *own;

	if (nat->kind == NAT_CUSTOM)
		return json_null();
	axes = shared_axes_json(nat);
	if (!axes || nat->kind != NAT_TRANSLATE)
		return axes;
	own = own_axes_json(nat);
	if (!own || json_object_update(axes, own) != 0) {
		json_decref(axes);
		axes = NULL;
	}
	json_decref(own);
	return axes;
}

json_t *report_nat_json(const struct nat *nat)
{
	const struct nat promise = nat_promise(nat);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o}", "name", nat->name, "kind",
			 kind_name(nat->kind), "mapping", nat_dependence_name(nat->mapping),
			 "filtering", nat_dependence_name(nat->filtering), "ports",
			 nat_allocation_name(nat->ports.allocation), "udp_blocked",
			 nat->udp_blocked, "axes", axes_json(&promise));
}
