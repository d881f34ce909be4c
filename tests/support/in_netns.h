/* SPDX-License-Identifier: MIT */
/*
 * Test bodies that run in a child of their own, in a network namespace (and, when
 * not root, a user namespace) of its own. The test process itself has a second
 * thread and cannot enter a user namespace. EXPECT() ends a body with a failure.
 */
#ifndef NATSIM_TESTS_SUPPORT_IN_NETNS_H
#define NATSIM_TESTS_SUPPORT_IN_NETNS_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/must_run.h"

#ifndef EXPECT
#define EXPECT(condition, ...)                                                                \
	do {                                                                                  \
		if (condition)                                                                \
			break;                                                                \
		fprintf(stderr, "%s:%d: %s does not hold: ", __FILE__, __LINE__, #condition); \
		fprintf(stderr, __VA_ARGS__);                                                 \
		fputc('\n', stderr);                                                          \
		return 1;                                                                     \
	} while (0)
#endif

enum { IN_NETNS_FORBIDDEN = 101 };

static inline int write_own(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;

	if (fd >= 0)
		close(fd);
	return r;
}

/* Always a user namespace, also for root: what the body then does cannot reach the host. */
static inline int enter_namespaces(void)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || write_own("/proc/self/uid_map", map) < 0)
		return -1;
	return 0;
}

static inline void in_netns(int (*body)(void))
{
	int status, r;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	cr_assert_geq(pid, 0, "fork");
	if (pid == 0)
		_exit(enter_namespaces() < 0 ? IN_NETNS_FORBIDDEN : body());
	cr_assert_eq(waitpid(pid, &status, 0), pid, "waitpid");
	cr_assert(WIFEXITED(status), "the body was killed by signal %d", WTERMSIG(status));
	r = WEXITSTATUS(status);
	SKIP_UNLESS(r != IN_NETNS_FORBIDDEN, "this machine forbids user namespaces");
	cr_assert_eq(r, 0, "the body of the test ended with %d, see above", r);
}

#endif
