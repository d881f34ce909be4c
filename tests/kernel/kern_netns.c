/* SPDX-License-Identifier: MIT */
/* A namespace is a descriptor, and who works on it stays where he was. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <netinet/in.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kern/address.h"
#include "kern/link.h"
#include "kern/netns.h"
#include "support/in_netns.h"

static ino_t own_namespace(void)
{
	struct stat info;

	return stat("/proc/thread-self/ns/net", &info) < 0 ? 0 : info.st_ino;
}

static ino_t inode_of(int fd)
{
	struct stat info;

	return fstat(fd, &info) < 0 ? 0 : info.st_ino;
}

/* The number of open descriptors, or a negative one when one of them would survive an exec. */
static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd, count = 0;

	while (dir && (entry = readdir(dir))) {
		fd = atoi(entry->d_name);
		if (fd <= STDERR_FILENO || fd == dirfd(dir))
			continue;
		if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			count = -1000;
		count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

/* Mark what the test framework left open, so that only ours are looked at. */
static int close_foreign(void)
{
	return close_range(STDERR_FILENO + 1, ~0U, 0);
}

static int body_stays(void)
{
	CLEANUP(netns_free_cleanup) struct netns *a = NULL, *b = NULL;
	ino_t home = own_namespace();
	struct mnl_socket *socket, *again;
	int fd;

	EXPECT(close_foreign() == 0, "close_range");
	EXPECT(netns_new(&a, NULL) == 0 && netns_new(&b, NULL) == 0, "no namespaces");
	EXPECT(own_namespace() == home, "netns_new() moved its caller");
	EXPECT(inode_of(a->fd) != home && inode_of(a->fd) != inode_of(b->fd), "not new");
	fd = netns_socket(a, AF_INET, SOCK_DGRAM, 0);
	EXPECT(fd >= 0 && own_namespace() == home, "netns_socket() moved its caller");
	close(fd);
	EXPECT(netns_netfilter(a, &socket, NULL) == 0 && own_namespace() == home, "netfilter");
	EXPECT(netns_netfilter(a, &again, NULL) == 0 && again == socket, "opened twice");
	EXPECT(netns_sysctl(a, "net/ipv4/ip_forward", "1") == 0 && own_namespace() == home,
	       "netns_sysctl() moved its caller");
	/* Two namespaces, two route sockets, one netfilter socket. */
	EXPECT(descriptors() == 5, "%d descriptors, all to be close-on-exec", descriptors());
	netns_free(STEAL(a));
	netns_free(STEAL(b));
	EXPECT(descriptors() == 0, "%d descriptors are left", descriptors());
	netns_free(NULL);
	return 0;
}

Test(netns, its_visitors_come_home_and_leave_nothing_open)
{
	in_netns(body_stays);
}

static int body_inside(void)
{
	CLEANUP(netns_free_cleanup) struct netns *a = NULL, *b = NULL;
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	struct sockaddr_in name = {.sin_family = AF_INET};
	struct prefix prefix;
	size_t tag;
	int in_a, in_b;

	EXPECT(netns_new(&a, NULL) == 0 && netns_new(&b, NULL) == 0, "no namespaces");
	EXPECT(batch_new(&batch) == 0 && prefix_parse("10.9.8.7/32", &prefix), "prepare");
	EXPECT(address_add(batch, 1, LINK_LOOPBACK, &prefix) == 0 &&
		       batch_commit(batch, a, &tag, NULL) == 0,
	       "address");
	/* A namespace without a single address takes every address for a broadcast. */
	EXPECT(link_set_up(batch, 2, LINK_LOOPBACK) == 0 && batch_commit(batch, b, &tag, NULL) == 0,
	       "loopback");
	name.sin_addr.s_addr = inet_addr("10.9.8.7");
	in_a = netns_socket(a, AF_INET, SOCK_DGRAM, 0);
	in_b = netns_socket(b, AF_INET, SOCK_DGRAM, 0);
	EXPECT(in_a >= 0 && in_b >= 0, "no sockets");
	EXPECT(bind(in_a, (struct sockaddr *)&name, sizeof(name)) == 0, "a has the address");
	EXPECT(bind(in_b, (struct sockaddr *)&name, sizeof(name)) < 0 && errno == EADDRNOTAVAIL,
	       "b does not have the address");
	EXPECT(netns_socket(a, AF_INET, SOCK_DGRAM, 255) == -EPROTONOSUPPORT,
	       "a refused socket is an error");
	close(in_a);
	close(in_b);
	return 0;
}

Test(netns, a_socket_lives_in_the_namespace_it_was_asked_for)
{
	in_netns(body_inside);
}

static int body_sysctl(void)
{
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	char key[300];

	EXPECT(netns_new(&netns, NULL) == 0, "no namespace");
	EXPECT(netns_sysctl(netns, "net/ipv4/ip_forward", "1") == 0, "write");
	EXPECT(netns_sysctl(netns, "net/ipv4/no_such_key", "1") == -ENOENT, "no such key");
	EXPECT(netns_sysctl(netns, "net/ipv4/ip_forward", "words") == -EINVAL, "words");
	memset(key, 'x', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	EXPECT(netns_sysctl(netns, key, "1") == -ENAMETOOLONG, "long key");
	return 0;
}

Test(netns, a_setting_that_is_refused_says_why)
{
	in_netns(body_sysctl);
}

static int body_limit(void)
{
	AUTO_DIAG struct diag d = {0};
	struct netns *netns = NULL;
	ino_t home = own_namespace();

	EXPECT(write_own("/proc/sys/user/max_net_namespaces", "0") == 0, "limit");
	EXPECT(netns_new(&netns, &d) == -ENOSPC, "a namespace above the limit");
	EXPECT(!netns, "*ret was touched");
	EXPECT(own_namespace() == home, "moved");
	EXPECT(d.count == 1 && strstr(d.entries[0].help, "user.max_net_namespaces"),
	       "the help does not name the limit");
	return 0;
}

Test(netns, a_limit_is_told_with_its_remedy)
{
	in_netns(body_limit);
}
