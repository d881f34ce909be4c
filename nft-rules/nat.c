/* SPDX-License-Identifier: MIT */
#include "nft-rules/nat.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECONDS 1000U

static const char *const dependence_names[] = {
	[ENDPOINT_INDEPENDENT] = "endpoint-independent",
	[ADDRESS_DEPENDENT] = "address-dependent",
	[ADDRESS_AND_PORT_DEPENDENT] = "address-and-port-dependent",
};
static_assert(COUNT(dependence_names) == ADDRESS_AND_PORT_DEPENDENT + 1, "a word is missing");

static const char *const allocation_names[] = {
	[PORTS_PRESERVING] = "preserving",
	[PORTS_RANDOM] = "random",
	[PORTS_SEQUENTIAL] = "sequential",
};
static_assert(COUNT(allocation_names) == PORTS_SEQUENTIAL + 1, "a word is missing");

static const char *const protocol_names[] = {
	[NAT_UDP] = "udp",
	[NAT_TCP] = "tcp",
	[NAT_ICMP] = "icmp",
};
static_assert(COUNT(protocol_names) == NAT_PROTOCOLS, "a word is missing");

const char *nat_dependence_name(enum nat_dependence dependence)
{
	return dependence_names[dependence];
}

const char *nat_allocation_name(enum nat_allocation allocation)
{
	return allocation_names[allocation];
}

const char *nat_protocol_name(enum nat_protocol protocol)
{
	return protocol_names[protocol];
}

static bool word_find(const char *const *words, size_t count, const char *word, size_t *ret)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (strcmp(words[i], word) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool nat_dependence_parse(const char *word, enum nat_dependence *ret)
{
	size_t i;

	if (!word_find(dependence_names, COUNT(dependence_names), word, &i))
		return false;
	*ret = (enum nat_dependence)i;
	return true;
}

bool nat_allocation_parse(const char *word, enum nat_allocation *ret)
{
	size_t i;

	if (!word_find(allocation_names, COUNT(allocation_names), word, &i))
		return false;
	*ret = (enum nat_allocation)i;
	return true;
}

/*
 * conntrack's timers and the kernel's defaults in seconds (udp_timeouts, tcp_timeouts
 * and nf_ct_icmp_timeout in net/netfilter/nf_conntrack_proto_*.c; a new namespace
 * starts with these, whatever the first one was set to).
 *
 * A timer that `follows` becomes the declared lifetime, the others only shrink to it:
 * RFC 5382 allows a half-open or closing connection less time than an idle one.
 */
static const struct timer {
	enum nat_protocol protocol;
	const char *key;
	unsigned int kernel_default;
	bool follows;
} timers[] = {
	{NAT_UDP, "net/netfilter/nf_conntrack_udp_timeout", 30, true},
	{NAT_UDP, "net/netfilter/nf_conntrack_udp_timeout_stream", 120, true},
	{NAT_ICMP, "net/netfilter/nf_conntrack_icmp_timeout", 30, true},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_established", 432000, true},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_syn_sent", 120, false},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_syn_recv", 60, false},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_fin_wait", 120, false},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_close_wait", 60, false},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_last_ack", 30, false},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_time_wait", 120, false},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_max_retrans", 300, false},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_unacknowledged", 300, false},
};
static_assert(COUNT(timers) <= NAT_SYSCTLS_MAX, "callers give room for NAT_SYSCTLS_MAX");

/* Whole seconds, as the kernel counts them: rounded down, but never the 0 that would disable
 * tracking. */
static unsigned int timer_seconds(const struct nat *nat, const struct timer *timer)
{
	unsigned int lifetime = nat->timers.mapping[timer->protocol] / SECONDS;
	bool follows = timer->follows;

	/* Masquerade keeps Linux's shorter time for a UDP flow that nobody has answered yet. */
	if (nat->kind == NAT_MASQUERADE && timer->kernel_default == 30 &&
	    timer->protocol == NAT_UDP)
		follows = false;
	if (lifetime == 0)
		lifetime = 1;
	if (!follows && lifetime > timer->kernel_default)
		return timer->kernel_default;
	return lifetime;
}

size_t nat_sysctls(const struct nat *nat, struct nat_sysctl ret[NAT_SYSCTLS_MAX])
{
	size_t i, count = 0;
	unsigned int seconds;

	for (i = 0; i < COUNT(timers); i++) {
		seconds = timer_seconds(nat, &timers[i]);
		if (seconds == timers[i].kernel_default)
			continue;
		ret[count].key = timers[i].key;
		snprintf(ret[count].value, sizeof(ret[count].value), "%u", seconds);
		count++;
	}
	return count;
}
