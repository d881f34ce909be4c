/* SPDX-License-Identifier: MIT */
/* One element of one of the table's sets, to be asked for or changed while the rules are in force.
 * Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_ELEMENT_H
#define NATSIM_NFT_RULES_ELEMENT_H

#include <libnftnl/set.h>
#include <stdint.h>

/* Bytes as the kernel keeps them: each field fills a register. Borrowed. */
struct element_bytes {
	const void *bytes;
	uint32_t length; /* 0 for none */
};

/* The set @name with that element alone; @timeout_ms 0 for none. NULL without memory, else the
 * caller frees it with nftnl_set_free(). */
struct nftnl_set *element_new(const char *name, struct element_bytes key, struct element_bytes data,
			      uint64_t timeout_ms);

#endif
