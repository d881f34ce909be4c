/* SPDX-License-Identifier: MIT */
#include "conform/probes.h"
#include "conform/refresh.h"

/*
 * Where the NAT is the kernel's own, its lifetimes are conntrack's: read, not waited
 * for. A UDP flow that nobody has answered has one of its own, and the shorter counts.
 */
static const struct kernel_timer {
	enum nat_protocol protocol;
	const char *key;
	int least; /* seconds that the RFC asks for (4787 REQ-5, 5382 REQ-5, 5508 REQ-2) */
} kernel_timers[] = {
	{NAT_UDP, "net/netfilter/nf_conntrack_udp_timeout", 120},
	{NAT_UDP, "net/netfilter/nf_conntrack_udp_timeout_stream", 120},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_established", 7440},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_syn_sent", 240},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_syn_recv", 240},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_fin_wait", 240},
	{NAT_TCP, "net/netfilter/nf_conntrack_tcp_timeout_last_ack", 240},
	{NAT_ICMP, "net/netfilter/nf_conntrack_icmp_timeout", 60},
};

void read_lifetimes(struct bed *bed, struct observed *o)
{
	const struct kernel_timer *timer;
	const struct seen *seen;
	size_t i;
	int value;

	for (i = 0; i < sizeof(kernel_timers) / sizeof(kernel_timers[0]); i++) {
		timer = &kernel_timers[i];
		seen = &o->seen[ASPECT_LONG_ENOUGH][timer->protocol];
		if (netns_sysctl_read(bed->router, timer->key, &value) < 0 ||
		    (seen->known && !seen->value))
			continue;
		see(o, ASPECT_LONG_ENOUGH, timer->protocol, value >= timer->least,
		    "sysctl %s: %d s", timer->key, value);
	}
}

/* With conntrack's shortest timers: it counts whole seconds. */
void probe_kernel_refresh(struct bed *bed, struct observed *o)
{
	const struct seen *passes = &o->seen[ASPECT_PASSES][NAT_UDP];
	const struct life second = {1000, 1100};
	const struct agenda nothing = {.lots = NULL};
	size_t mark = bed->socket_count;
	struct refreshes refreshes;

	if (!passes->known || !passes->value ||
	    netns_sysctl(bed->router, "net/netfilter/nf_conntrack_udp_timeout", "1") < 0 ||
	    netns_sysctl(bed->router, "net/netfilter/nf_conntrack_udp_timeout_stream", "1") < 0)
		return;
	refreshes_begin(bed, false, &refreshes);
	refreshes_try(&refreshes, &second, &nothing, o);
	bed_close_since(bed, mark);
}
