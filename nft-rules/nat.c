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
 * A timer that follows becomes the declared lifetime, a transitory one that of
 * connections that open or close (RFC 5382 REQ-5; after a reset RFC 7857 section 2.2),
 * the others only shrink to the lifetime. Masquerade keeps Linux's own times where
 * they are shorter.
 */
static const struct timer {
	enum nat_protocol protocol;
	const char *key;
	unsigned int kernel_default;
	enum { FOLLOWS, TRANSITORY, SHRINKS } how;
} timers[] = {
	{NAT_UDP, "net/netfilter/nf_conntrack_udp_timeout", 30, FOLLOWS},
	{NAT_UDP, "net/netfilter/nf_conntrack_udp_timeout_stream", 120, FOLLOWS},
	{NAT_ICMP, "net/netfilter/nf_conntrack_icmp_timeout", 30, FOLLOWS},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_established", 432000, FOLLOWS},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_syn_sent", 120, TRANSITORY},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_syn_recv", 60, TRANSITORY},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_fin_wait", 120, TRANSITORY},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_close_wait", 60, TRANSITORY},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_last_ack", 30, TRANSITORY},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_close", 10, TRANSITORY},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_time_wait", 120, SHRINKS},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_max_retrans", 300, SHRINKS},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_unacknowledged", 300, SHRINKS},
};
static_assert(COUNT(timers) <= NAT_SYSCTLS_MAX, "callers give room for NAT_SYSCTLS_MAX");

/* Whole seconds, as the kernel counts them: rounded down, but never the 0 that would disable
 * tracking. */
static unsigned int timer_seconds(const struct nat *nat, const struct timer *timer)
{
	unsigned int lifetime = nat->timers.mapping[timer->protocol];
	bool shrinks = timer->how == SHRINKS;

	if (timer->how == TRANSITORY && nat->timers.tcp_transitory < lifetime)
		lifetime = nat->timers.tcp_transitory;
	/* A UDP flow that nobody has answered yet, too. */
	if (nat->kind == NAT_MASQUERADE &&
	    (timer->how == TRANSITORY ||
	     (timer->kernel_default == 30 && timer->protocol == NAT_UDP)))
		shrinks = true;
	lifetime = lifetime < SECONDS ? 1 : lifetime / SECONDS;
	if (shrinks && lifetime > timer->kernel_default)
		return timer->kernel_default;
	return lifetime;
}

size_t nat_sysctls(const struct nat *nat, struct nat_sysctl ret[NAT_SYSCTLS_MAX])
{
	size_t i, count = 0;
	unsigned int seconds;

	if (nat->kind == NAT_CUSTOM) /* nothing is declared that they would have to keep */
		return 0;
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
