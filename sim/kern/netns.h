/* SPDX-License-Identifier: MIT */
/*
 * A network namespace as a descriptor: it has no name and no file, and it is gone
 * when the last descriptor and process in it are gone.
 */
#ifndef NATSIM_KERN_NETNS_H
#define NATSIM_KERN_NETNS_H

#include "base/diag.h"

struct mnl_socket;
struct nl_sock;

struct netns {
	int fd;                       /* of the namespace itself */
	struct nl_sock *route;        /* NETLINK_ROUTE socket that lives in it */
	struct mnl_socket *netfilter; /* NETLINK_NETFILTER socket that lives in it, NULL until
					 netns_netfilter() */
};

/*
 * Create a namespace with its route socket; the caller's own namespace is the same
 * afterwards. Returns 0, or -errno with the reason in @d and *ret untouched.
 */
int netns_new(struct netns **ret, struct diag *d);
void netns_free(struct netns *netns);
DEFINE_CLEANUP(struct netns *, netns_free)

/* Its NETLINK_NETFILTER socket, opened at the first call and owned by @netns. */
int netns_netfilter(struct netns *netns, struct mnl_socket **ret, struct diag *d);

/* A socket that lives in @netns (close-on-exec), the caller staying where it is. Descriptor or
 * -errno. */
int netns_socket(const struct netns *netns, int domain, int type, int protocol);

/* Write @value to /proc/sys/@key as seen in @netns. Returns 0 or -errno (-ENOENT: this kernel has
 * no such key). */
int netns_sysctl(const struct netns *netns, const char *key, const char *value);

/* Read a whole number from /proc/sys/@key as seen in @netns. Returns 0 or -errno. */
int netns_sysctl_read(const struct netns *netns, const char *key, int *ret);

#endif
