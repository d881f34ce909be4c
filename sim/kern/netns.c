/* SPDX-License-Identifier: MIT */
/*
 * How a namespace is held
 *
 * Linux offers no way to create a network namespace, or to open a socket in one,
 * from outside: a thread has to be in it. So every function here is a visit: the
 * thread remembers its own namespace as a descriptor, goes, does one thing, and is
 * back before the function returns, whatever happened on the way. What it brings
 * home (descriptors) keeps working, since a socket belongs to the namespace it was
 * opened in and not to the thread that uses it.
 *
 * The price is two setns() calls per visit, a few microseconds; the gain is that no
 * caller ever has to know in which namespace it runs. Coming home needs
 * CAP_SYS_ADMIN over the namespace one came from, which a process in a fresh user
 * namespace has only once it also has a network namespace of its own.
 */
#include "kern/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The calling thread's namespace; /proc/self would be that of the process's first thread. */
#define OWN_NAMESPACE "/proc/thread-self/ns/net"

static int open_own(void)
{
	int fd = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Go into @fd. Returns the descriptor with which visit_end() comes home, or -errno. */
static int visit_begin(int fd)
{
	int home = open_own(), error;

	if (home >= 0 && setns(fd, CLONE_NEWNET) < 0) {
		error = errno;
		close(home);
		return -error;
	}
	return home;
}

static int visit_end(int home)
{
	int error = setns(home, CLONE_NEWNET) < 0 ? errno : 0;

	close(home);
	return -error;
}

/* Socket options that make refusals readable: a sentence, and not the request once more. */
static int set_readable_refusals(int fd)
{
	int on = 1;

	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

static int open_route(struct nl_sock **ret)
{
	struct nl_sock *sock = nl_socket_alloc();
	int r;

	if (!sock)
		return -ENOMEM;
	nl_socket_disable_seq_check(sock);
	/* libnl has errors of its own; of those, connecting gives only what errno says too. */
	r = nl_connect(sock, NETLINK_ROUTE) < 0 ? -(errno ? errno : EIO) : 0;
	if (r == 0)
		r = set_readable_refusals(nl_socket_get_fd(sock));
	if (r < 0) {
		nl_socket_free(sock);
		return r;
	}
	*ret = sock;
	return 0;
}

static int open_netfilter(struct mnl_socket **ret)
{
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int r;

	if (!sock)
		return -errno;
	r = mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (r == 0)
		r = set_readable_refusals(mnl_socket_get_fd(sock));
	if (r < 0) {
		mnl_socket_close(sock);
		return r;
	}
	*ret = sock;
	return 0;
}

/* Called inside a namespace that was just made: take hold of it. */
static int hold(struct netns *netns)
{
	netns->fd = open_own();
	return netns->fd < 0 ? netns->fd : open_route(&netns->route);
}

/* Words for an unshare() that was refused, with what to do about it where that is known. */
static int refused(struct diag *d, int error)
{
	diag_system(d, error, "cannot create a network namespace");
	if (error == EPERM)
		diag_help(d, "this needs root, or a user namespace in which one is root");
	else if (error == ENOSPC)
		diag_help(d,
			  "raise the limit on network namespaces: sysctl user.max_net_namespaces");
	else if (error == EINVAL)
		diag_help(d, "this kernel is built without CONFIG_NET_NS");
	return -error;
}

int netns_new(struct netns **ret, struct diag *d)
{
	CLEANUP(netns_free_cleanup) struct netns *netns = calloc(1, sizeof(*netns));
	int home, r, back;

	if (!netns)
		return -ENOMEM;
	netns->fd = -1;
	home = open_own();
	if (home < 0)
		return diag_system(d, -home, "cannot open %s", OWN_NAMESPACE);
	if (unshare(CLONE_NEWNET) < 0) {
		r = errno;
		close(home);
		return refused(d, r);
	}
	r = hold(netns);
	back = visit_end(home);
	if (back < 0)
		return diag_system(d, -back, "cannot return from a new network namespace");
	if (r < 0)
		return diag_system(d, -r, "cannot take hold of a new network namespace");
	*ret = STEAL(netns);
	return 0;
}

void netns_free(struct netns *netns)
{
	if (!netns)
		return;
	if (netns->route)
		nl_socket_free(netns->route);
	if (netns->netfilter)
		mnl_socket_close(netns->netfilter);
	if (netns->fd >= 0)
		close(netns->fd);
	free(netns);
}

int netns_netfilter(struct netns *netns, struct mnl_socket **ret, struct diag *d)
{
	int home, r, back;

	if (!netns->netfilter) {
		home = visit_begin(netns->fd);
		if (home < 0)
			return diag_system(d, -home, "cannot enter a network namespace");
		r = open_netfilter(&netns->netfilter);
		back = visit_end(home);
		if (back < 0)
			return diag_system(d, -back, "cannot return from a network namespace");
		if (r == -EPROTONOSUPPORT) {
			diag_error(d, -r, "this kernel has no NETLINK_NETFILTER sockets");
			diag_help(d, "it needs CONFIG_NETFILTER_NETLINK: try modprobe nfnetlink");
			return r;
		}
		if (r < 0)
			return diag_system(d, -r, "cannot open a netfilter socket");
	}
	*ret = netns->netfilter;
	return 0;
}

int netns_socket(const struct netns *netns, int domain, int type, int protocol)
{
	int home = visit_begin(netns->fd);
	int fd, back;

	if (home < 0)
		return home;
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		fd = -errno;
	back = visit_end(home);
	if (back < 0) {
		if (fd >= 0)
			close(fd);
		return back;
	}
	return fd;
}

static int write_whole(const char *path, const char *value)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t length = strlen(value);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, value, length);
	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -EIO;
}

int netns_sysctl(const struct netns *netns, const char *key, const char *value)
{
	char path[256];
	int home, r, back;

	if (snprintf(path, sizeof(path), "/proc/sys/%s", key) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	home = visit_begin(netns->fd);
	if (home < 0)
		return home;
	r = write_whole(path, value);
	back = visit_end(home);
	return back < 0 ? back : r;
}

static int read_number(const char *path, int *ret)
{
	AUTO_FCLOSE FILE *file = fopen(path, "re");
	char text[32], *end;
	long value;

	if (!file || !fgets(text, sizeof(text), file))
		return file ? -EIO : -errno;
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || (*end && *end != '\n') || value < INT_MIN || value > INT_MAX)
		return -EINVAL;
	*ret = (int)value;
	return 0;
}

int netns_sysctl_read(const struct netns *netns, const char *key, int *ret)
{
	char path[256];
	int home, r, back;

	if (snprintf(path, sizeof(path), "/proc/sys/%s", key) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	home = visit_begin(netns->fd);
	if (home < 0)
		return home;
	r = read_number(path, ret);
	back = visit_end(home);
	return back < 0 ? back : r;
}
