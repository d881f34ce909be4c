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

enum nat_kind {
	NAT_TRANSLATE,  /* mappings and filters of our own, as the axes below say */
	NAT_MASQUERADE, /* whatever the kernel's masquerade does; the axes describe it for an
			   uncontended host */
	NAT_FIREWALL,   /* stateful, no translation */
};

/* On what a mapping's reuse (RFC 4787 section 4.1) or a filter's admission (section 5) depends. */
enum nat_dependence {
	ENDPOINT_INDEPENDENT,
	ADDRESS_DEPENDENT,
	ADDRESS_AND_PORT_DEPENDENT,
};

/* How the external port of a new mapping is chosen (RFC 4787 section 4.2). */
enum nat_ports {
	PORTS_PRESERVING, /* the internal one while it is free, else a random free one */
	PORTS_RANDOM,
	PORTS_SEQUENTIAL, /* counting upward from the start of the range */
};

enum nat_protocol { NAT_UDP, NAT_TCP, NAT_ICMP, NAT_PROTOCOLS };

#define NAT_NAME_MAX 32 /* bytes, with the final NUL */

struct nat {
	char name[NAT_NAME_MAX]; /* the named NAT it is or is based on; "custom" for a map without
				    base */
	enum nat_kind kind;
	enum nat_dependence mapping;
	enum nat_dependence filtering;
	enum nat_ports ports;
	bool udp_blocked; /* UDP crosses in neither direction */
	unsigned int
		lifetime[NAT_PROTOCOLS]; /* of an idle mapping and its permissions, milliseconds */
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

/* The words of the topology language: "endpoint-independent", "preserving", "udp", ... */
const char *nat_dependence_name(enum nat_dependence dependence);
const char *nat_ports_name(enum nat_ports ports);
const char *nat_protocol_name(enum nat_protocol protocol);
bool nat_dependence_parse(const char *word, enum nat_dependence *ret);
bool nat_ports_parse(const char *word, enum nat_ports *ret);

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
