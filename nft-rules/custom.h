/* SPDX-License-Identifier: MIT */
/* A user's own file of nft rules (NAT_CUSTOM). Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_CUSTOM_H
#define NATSIM_NFT_RULES_CUSTOM_H

#include "base/diag.h"

struct mnl_socket;

/* The text of the file at @path, for the caller to free. Returns 0 or -errno with words in @d. */
int custom_read(const char *path, char **ret, struct diag *d);

/*
 * Load @path, as "nft -f" does, into the namespace that
 * @socket lives in: all of it or nothing. Returns 0, or -EINVAL with nft's own words,
 * which name file, line and column, in @d, or another -errno.
 */
int custom_apply(const char *path, struct mnl_socket *socket, struct diag *d);

#endif
