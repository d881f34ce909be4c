/* SPDX-License-Identifier: MIT */
#include "nft-rules/element.h"

#include "nft-rules/ruleset.h"

struct nftnl_set *element_new(const char *name, struct element_bytes key, struct element_bytes data,
			      uint64_t timeout_ms)
{
	struct nftnl_set_elem *element = nftnl_set_elem_alloc();
	struct nftnl_set *set = nftnl_set_alloc();

	if (!set || !element) {
		if (set)
			nftnl_set_free(set);
		if (element)
			nftnl_set_elem_free(element);
		return NULL;
	}
	nftnl_set_set_str(set, NFTNL_SET_TABLE, RULESET_TABLE);
	nftnl_set_set_str(set, NFTNL_SET_NAME, name);
	nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key.bytes, key.length);
	if (data.length)
		nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, data.bytes, data.length);
	if (timeout_ms)
		nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, timeout_ms);
	nftnl_set_elem_add(set, element);
	return set;
}
