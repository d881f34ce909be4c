/* SPDX-License-Identifier: MIT */
/*
 * Interfaces by number
 *
 * Rules say which interface they mean by its name. For a rule that asks for a name the kernel
 * copies and compares sixteen bytes with every packet (some 50 ns, a hundredth of the way through
 * a router), for one that asks for an index four. So where an interface is there when the rules
 * are installed they get its index, which nft shows as `iif` and `oif`. One that is not there
 * yet goes by its name.
 *
 * The socket through which the rules go was opened in the router's namespace, so it
 * knows that namespace's interfaces: any socket answers SIOCGIFINDEX.
 */
#include "nft-rules/interfaces.h"

#include <libnftnl/expr.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

/* 0: there is none of that name. @last is what was asked for before: nearly all mean the same. */
static uint32_t find_index(int fd, const char *name, struct ifreq *last)
{
	if (strncmp(last->ifr_name, name, IFNAMSIZ) == 0)
		return (uint32_t)last->ifr_ifindex;
	memcpy(last->ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, SIOCGIFINDEX, last) < 0)
		last->ifr_ifindex = 0;
	return (uint32_t)last->ifr_ifindex;
}

/* The key that loads the index where @key loads the name; @key itself: it loads something else. */
static uint32_t index_key(uint32_t key)
{
	switch (key) {
	case NFT_META_IIFNAME:
		return NFT_META_IIF;
	case NFT_META_OIFNAME:
		return NFT_META_OIF;
	default:
		return key;
	}
}

int interfaces_number(const struct ruleset *ruleset, int fd)
{
	const struct interface_match *match;
	uint32_t key, index, length = 0;
	struct ifreq last = {0};
	size_t i;

	for (i = 0; i < ruleset->interface_count; i++) {
		match = &ruleset->interfaces[i];
		key = nftnl_expr_get_u32(match->load, NFTNL_EXPR_META_KEY);
		if (index_key(key) == key) /* it was done before */
			continue;
		index = find_index(fd, nftnl_expr_get(match->compare, NFTNL_EXPR_CMP_DATA, &length),
				   &last);
		if (index == 0)
			continue;
		nftnl_expr_set_u32(match->load, NFTNL_EXPR_META_KEY, index_key(key));
		if (nftnl_expr_set(match->compare, NFTNL_EXPR_CMP_DATA, &index, sizeof(index)) < 0)
			return -1;
	}
	return 0;
}
