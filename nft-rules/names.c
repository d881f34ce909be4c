/* SPDX-License-Identifier: MIT */
/*
 * The named NATs: combinations of axes that somebody has described.
 *
 * The first four are RFC 3489's, and differ from nat_default() in mapping and filtering
 * only. Those called after an RFC do what it asks for, and where it leaves a choice,
 * what its text prefers. Those called "like" something are what its documentation says,
 * and where it is silent what is commonly reported of it: read their source before
 * drawing conclusions about a product.
 */
#include <string.h>

#include "nft-rules/nat.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECONDS 1000U

/* RFC 4787 REQ-5 (recommended default) and REQ-6, RFC 5382 REQ-5, RFC 5508 REQ-2. */
#define RFC_TIMERS TIMERS(300, 7440, 240, 60, REFRESH_OUTBOUND)

/* What conntrack does by itself on 5.15 to 6.18: UDP stream, established connection, query. */
#define LINUX_TIMERS TIMERS(120, 432000, 120, 30, REFRESH_BOTH)

#define TIMERS(udp, tcp, transitory, icmp, refreshed_by)                          \
	{                                                                         \
		.mapping = {[NAT_UDP] = (udp)*SECONDS,                            \
			    [NAT_TCP] = (tcp)*SECONDS,                            \
			    [NAT_ICMP] = (icmp)*SECONDS},                         \
		.tcp_transitory = (transitory)*SECONDS, .refresh = (refreshed_by) \
	}

const struct nat_named nat_names[] = {
	{
		.nat = {.name = "full-cone",
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ENDPOINT_INDEPENDENT,
			.timers = RFC_TIMERS},
		.summary = "one external endpoint per socket, and anyone may send to it",
		.source = "RFC 3489 section 5; RFC 4787 REQ-1 and REQ-8 (most transparent)",
	},
	{
		.nat = {.name = "restricted-cone",
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ADDRESS_DEPENDENT,
			.timers = RFC_TIMERS},
		.summary = "one external endpoint per socket, open to addresses it has sent to",
		.source = "RFC 3489 section 5; RFC 4787 REQ-1 and REQ-8 (more stringent)",
	},
	{
		.nat = {.name = "port-restricted-cone",
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.timers = RFC_TIMERS},
		.summary = "one external endpoint per socket, open to endpoints it has sent to",
		.source = "RFC 3489 section 5; RFC 4787 REQ-1",
	},
	{
		.nat = {.name = "symmetric",
			.mapping = ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.ports = {.allocation = PORTS_RANDOM},
			.timers = RFC_TIMERS},
		.summary = "an external endpoint with a random port for every destination",
		.source = "RFC 3489 section 5",
	},
	{
		.nat = {.name = "symmetric-random",
			.mapping = ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.ports = {.allocation = PORTS_RANDOM},
			.timers = RFC_TIMERS},
		.summary = "symmetric, by the name that says what cannot be predicted",
		.source = "RFC 3489 section 5; RFC 6056 section 3.3.1 (random ports)",
	},
	{
		.nat = {.name = "symmetric-sequential",
			.mapping = ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.ports = {.allocation = PORTS_SEQUENTIAL},
			.timers = RFC_TIMERS},
		.summary = "for every destination the next port: it can be predicted",
		.source = "RFC 5128 section 3.5 (\"N+1\")",
	},
	{
		.nat = {.name = "rfc4787",
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ADDRESS_DEPENDENT,
			.ports = {.parity = true},
			.hairpinning = HAIRPINNING_EXTERNAL_SOURCE,
			.timers = RFC_TIMERS},
		.summary = "what RFC 4787, 5382 and 5508 ask of a NAT, and its hairpinning",
		.source =
			"RFC 4787 REQ-1 to REQ-14, REQ-8 in its stringent form; RFC 5382; RFC 5508",
	},
	{
		.nat = {.name = "rfc6888-cgn",
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ENDPOINT_INDEPENDENT,
			.ports = {.allocation = PORTS_RANDOM,
				  .block = 1024,
				  .exhaustion = EXHAUSTION_ICMP},
			.hairpinning = HAIRPINNING_EXTERNAL_SOURCE,
			.timers = RFC_TIMERS},
		.summary = "a carrier's: a block of 1024 ports per subscriber, random within",
		.source = "RFC 6888 REQ-1, 2, 4, 7, 11, 13 to 15; the block's size: RFC 7422",
	},
	{
		.nat = {.name = "home-router",
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.hairpinning = HAIRPINNING_EXTERNAL_SOURCE,
			.timers = TIMERS(180, 3600, 120, 60, REFRESH_BOTH)},
		.summary = "a home gateway: port-restricted cone with hairpinning, shorter timers",
		.source = "as commonly reported; timers of the order of Hatonen et al., \"An "
			  "experimental study of home gateway characteristics\", IMC 2010",
	},
	{
		.nat = {.name = "mobile-carrier",
			.mapping = ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.ports = {.allocation = PORTS_RANDOM, .block = 4096},
			.timers = TIMERS(65, 3600, 120, 60, REFRESH_BOTH)},
		.summary = "a mobile network's carrier-grade NAT at its strictest, in port blocks",
		.source = "as commonly reported; timers and blocks of the order of Richter et al., "
			  "\"A multi-perspective analysis of carrier-grade NAT deployment\", IMC "
			  "2016",
	},
	{
		.nat = {.name = "cloud-nat-gateway",
			.mapping = ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.ports = {.allocation = PORTS_RANDOM, .overloading = true},
			.timers = TIMERS(350, 350, 350, 350, REFRESH_BOTH)},
		.summary = "a cloud's: random ports, reused for every other destination, 350 s",
		.source =
			"Amazon VPC user guide, \"NAT gateway basics\" (350 s; ports counted per "
			"destination); Azure NAT Gateway, \"SNAT\" (random, reused); filtering as "
			"commonly reported",
	},
	{
		.nat = {.name = "cisco-like",
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.timers = TIMERS(300, 86400, 60, 60, REFRESH_BOTH)},
		.summary = "IOS address overloading: ports kept where they are free",
		.source =
			"Cisco IOS command reference, \"ip nat translation\" (timers); mapping and "
			"filtering as commonly reported (Ford et al. 2005 punched 12 of 12)",
	},
	{
		.nat = {.name = "openbsd-pf-like",
			.mapping = ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.ports = {.allocation = PORTS_RANDOM, .first = 50001, .last = 65535},
			.timers = TIMERS(60, 86400, 30, 20, REFRESH_BOTH)},
		.summary = "pf's nat-to: a random port from 50001 for every state",
		.source = "OpenBSD pf.conf(5): nat-to without static-port; timers udp.multiple, "
			  "tcp.established, tcp.opening, icmp.first",
	},
	{
		.nat = {.name = "linux-masquerade",
			.kind = NAT_MASQUERADE,
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.timers = LINUX_TIMERS},
		.summary = "what Linux itself does: ports shared by hosts with different peers",
		.source = "net/netfilter/nf_nat_core.c, get_unique_tuple()",
	},
	{
		.nat = {.name = "linux-masquerade-random",
			.kind = NAT_MASQUERADE,
			.mapping = ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.ports = {.allocation = PORTS_RANDOM},
			.timers = LINUX_TIMERS},
		.summary = "\"masquerade random\": the kernel draws a port for every destination",
		.source = "net/netfilter/nf_nat_core.c, get_unique_tuple() with "
			  "NF_NAT_RANGE_PROTO_RANDOM",
	},
	{
		.nat = {.name = "firewall",
			.kind = NAT_FIREWALL,
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.timers = RFC_TIMERS},
		.summary = "no translation; only answers to what went out come in",
		.source = "RFC 3489 section 10.1 (symmetric UDP firewall)",
	},
	{
		.nat = {.name = "udp-blocked",
			.mapping = ENDPOINT_INDEPENDENT,
			.filtering = ADDRESS_AND_PORT_DEPENDENT,
			.udp_blocked = true,
			.timers = RFC_TIMERS},
		.summary = "port-restricted-cone through which no UDP passes",
		.source = "RFC 3489 section 10.1 (UDP blocked)",
	},
};

const size_t nat_names_count = COUNT(nat_names);

const struct nat_named *nat_find(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(nat_names); i++)
		if (strcmp(nat_names[i].nat.name, name) == 0)
			return &nat_names[i];
	return NULL;
}

struct nat nat_default(void)
{
	return (struct nat){
		.name = "custom",
		.kind = NAT_TRANSLATE,
		.mapping = ENDPOINT_INDEPENDENT,
		.filtering = ADDRESS_DEPENDENT,
		.timers = RFC_TIMERS,
	};
}

unsigned int nat_stray_silence(const struct nat *nat)
{
	const unsigned int least = 6000; /* RFC 5382 REQ-4 */

	return nat->timers.stray_silence ? nat->timers.stray_silence : least;
}

struct nat nat_promise(const struct nat *nat)
{
	struct nat promise = *nat;

	if (nat->kind == NAT_CUSTOM && nat->declares)
		promise.kind = nat->promised;
	return promise;
}
