/* SPDX-License-Identifier: MIT */
/*
 * What a router's NAT does, as declared: plain data, independent of nftables.
 *
 * Words are RFC 4787's. The RFC 3489 names (full-cone ...) are entries of the
 * table of named NATs; a topology names one, or one as the base of a map of axes.
 */
#ifndef NATSIM_NFT_RULES_NAT_H
#define NATSIM_NFT_RULES_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum nat_kind {
	NAT_TRANSLATE,  /* mappings and filters of our own, as the axes below say */
	NAT_MASQUERADE, /* whatever the kernel's masquerade does; the axes describe it for an
			   uncontended host */
	NAT_FIREWALL,   /* stateful, no translation */
	NAT_CUSTOM,     /* the user's own nft rules; the axes are what they promise, or nothing */
};

/* On what a mapping's reuse (RFC 4787 section 4.1) or a filter's admission (section 5) depends. */
enum nat_dependence {
	ENDPOINT_INDEPENDENT,
	ADDRESS_DEPENDENT,
	ADDRESS_AND_PORT_DEPENDENT,
};

enum nat_protocol { NAT_UDP, NAT_TCP, NAT_ICMP, NAT_PROTOCOLS };

/* How the external port of a new mapping is chosen (RFC 4787 section 4.2). */
enum nat_allocation {
	PORTS_PRESERVING, /* the internal one while it is free, else a random free one */
	PORTS_RANDOM,
	PORTS_SEQUENTIAL, /* `step` beyond the one before, wrapping at the range's ends */
};

/* What a host hears when no port is left for its new mapping. Existing ones always survive. */
enum nat_exhaustion {
	EXHAUSTION_DROP,
	EXHAUSTION_ICMP, /* destination unreachable, host (RFC 6888 REQ-11 b) */
};

struct nat_ports {
	enum nat_allocation allocation;
	uint16_t first, last; /* the range; 0 and 0 for the default, 1024 to 65535 */
	int step;             /* PORTS_SEQUENTIAL; not 0; 1 by default */
	bool overloading;     /* one port for several inside endpoints whose peers differ */
	bool parity;          /* even stays even (RFC 4787 REQ-4) */
	bool contiguous; /* x and x + 1 get neighbours, for even x (RTP and RTCP); implies parity */
	unsigned int block; /* ports a subscriber gets at a time (RFC 6888, RFC 7422); a power of
			       two; 0 for no blocks */
	enum nat_exhaustion exhaustion;
};

/* What happens to a packet from the inside to an external endpoint (RFC 4787 section 6). */
enum nat_hairpinning {
	HAIRPINNING_OFF, /* dropped */
	HAIRPINNING_EXTERNAL_SOURCE,
	HAIRPINNING_INTERNAL_SOURCE,
};

/* What the outside hears that sends what nothing admits. */
enum nat_unsolicited {
	UNSOLICITED_DROP,
	UNSOLICITED_REJECT,  /* ICMP port unreachable; a reset for TCP */
	UNSOLICITED_ACCEPT,  /* the router's own stack answers, and conntrack keeps the entry */
	UNSOLICITED_DELAYED, /* a SYN that no own SYN crosses hears ICMP 6 s later (RFC 5382
				REQ-4) */
};

enum nat_refresh { REFRESH_OUTBOUND = 1, REFRESH_INBOUND = 2, REFRESH_BOTH = 3 };

/* Lifetimes in milliseconds. */
struct nat_timers {
	unsigned int mapping[NAT_PROTOCOLS]; /* of an idle mapping; for TCP while a connection is
						established */
	unsigned int tcp_transitory;         /* partially open or closing (RFC 5382 REQ-5) */
	unsigned int filter[NAT_PROTOCOLS];  /* of an idle permission; 0: as long as the mapping */
	unsigned int stray_silence;          /* of UNSOLICITED_DELAYED; 0: the RFC's six seconds */
	enum nat_refresh refresh; /* which direction keeps a mapping alive (RFC 4787 REQ-6) */
};

#define NAT_POOL_MAX 16

enum nat_pooling {
	POOLING_PAIRED,    /* one inside host, one external address (RFC 4787 REQ-2) */
	POOLING_ARBITRARY, /* any address for any mapping */
};

/* An ICMP error from inside that belongs to no flow (RFC 5508 REQ-5). */
enum nat_unmatched {
	UNMATCHED_DROPPED,
	UNMATCHED_TRANSLATED, /* its source becomes the external address, statelessly */
	UNMATCHED_LEAKED,     /* it leaves as it is, with the private source */
};

struct nat_icmp {
	bool errors_blocked; /* errors about flows do not pass (either way) */
	bool errors_kill;    /* an error from outside ends the mapping (against RFC 4787 REQ-12) */
	enum nat_unmatched unmatched;
};

struct nat_tcp {
	bool rst_kills;  /* a reset from outside ends the mapping (against RFC 7857 section 2.2) */
	bool strict_syn; /* an inbound SYN on an own half-open connection is dropped: no
			    simultaneous open (against RFC 5382 REQ-2) */
};

#define NAT_FORWARDS_MAX 32

struct nat_forward {                /* a static mapping, open to anyone */
	enum nat_protocol protocol; /* NAT_UDP or NAT_TCP */
	uint16_t port;              /* external */
	struct endpoint to;         /* inside */
};

/* Protocols by which the inside can ask for a forward of its own: bits. */
enum nat_port_mapping {
	PORT_MAPPING_NAT_PMP = 1, /* RFC 6886 */
	PORT_MAPPING_PCP = 2,     /* RFC 6887 */
	PORT_MAPPING_UPNP = 4,    /* UPnP IGD; RFC 6970 */
};

#define NAT_NAME_MAX 32 /* bytes, with the final NUL */

struct nat {
	char name[NAT_NAME_MAX]; /* the named NAT it is or is based on; "custom" for a map without
				    base */
	enum nat_kind kind;
	const char *rules;      /* NAT_CUSTOM: path of the file of rules; borrowed */
	bool declares;          /* NAT_CUSTOM: the axes say what these rules promise to be, ... */
	enum nat_kind promised; /* ... as a NAT of this kind */
	enum nat_dependence mapping;
	enum nat_dependence filtering;
	struct nat_ports ports;
	enum nat_hairpinning hairpinning;
	enum nat_unsolicited unsolicited;
	struct nat_timers timers;
	enum nat_pooling pooling; /* where the router has several external addresses */
	struct nat_icmp icmp;
	struct nat_tcp tcp;
	bool udp_blocked; /* UDP crosses in neither direction */
	struct nat_forward forwards[NAT_FORWARDS_MAX];
	size_t forward_count;
	unsigned int port_mapping; /* enum nat_port_mapping, 0 for none */
	struct addr dmz;           /* who gets what nothing else claims; AF_UNSPEC for nobody */
};

struct nat_named {
	struct nat nat;
	const char *summary; /* one line for lists and help */
	const char *source;  /* according to whom: an RFC section, a kernel version */
};

/* The table of named NATs, in the order in which they should be listed. */
extern const struct nat_named nat_names[];
extern const size_t nat_names_count;

const struct nat_named *nat_find(const char *name); /* NULL when there is none */

/* A map of axes without a base starts here: EIM, ADF, preserving (RFC 4787's recommendation), RFC
 * lifetimes. */
struct nat nat_default(void);

/* How long a stray SYN hears nothing where it is answered late, in milliseconds. */
unsigned int nat_stray_silence(const struct nat *nat);

/*
 * What @nat declares: itself, or where the rules are the user's own and declare
 * something, the NAT that they promise to be. Its kind stays NAT_CUSTOM when they declare nothing.
 */
struct nat nat_promise(const struct nat *nat);

/* The words of the topology language: "endpoint-independent", "preserving", "udp", ... */
const char *nat_dependence_name(enum nat_dependence dependence);
const char *nat_allocation_name(enum nat_allocation allocation);
const char *nat_protocol_name(enum nat_protocol protocol);
bool nat_dependence_parse(const char *word, enum nat_dependence *ret);
bool nat_allocation_parse(const char *word, enum nat_allocation *ret);

/* One setting of the router's namespace, as netns_sysctl() takes it. */
struct nat_sysctl {
	const char *key; /* under /proc/sys, with slashes; static */
	char value[12];
};

#define NAT_SYSCTLS_MAX 16

/*
 * The settings that keep conntrack's own timers in step with the declared
 * lifetimes: a flow is forgotten no later than the mapping it uses, and for the
 * kinds without mappings of our own they are the lifetime. Pure.
 *
 * Writes only what differs from the kernel's defaults and returns how many.
 * They must be set before the first packet; their order does not matter. Missing
 * keys (a kernel without conntrack) are errors: the rules would not work either.
 */
size_t nat_sysctls(const struct nat *nat, struct nat_sysctl ret[NAT_SYSCTLS_MAX]);

#endif
