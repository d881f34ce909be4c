/* SPDX-License-Identifier: MIT */
/*
 * Test bodies that run inside a supervisor. An assertion of the test framework would
 * be lost there, so a body uses EXPECT(), which prints what does not hold and ends
 * the body with a status that in_lab() turns into a failed test.
 */
#ifndef NATSIM_TESTS_SUPPORT_IN_LAB_H
#define NATSIM_TESTS_SUPPORT_IN_LAB_H

#include <criterion/criterion.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "lab/lab.h"
#include "plan/plan.h"
#include "support/must_run.h"
#include "topo/topo.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#define MS UINT64_C(1000000)

#define EXPECT(condition, ...)                                                                \
	do {                                                                                  \
		if (condition)                                                                \
			break;                                                                \
		fprintf(stderr, "%s:%d: %s does not hold: ", __FILE__, __LINE__, #condition); \
		fprintf(stderr, __VA_ARGS__);                                                 \
		fputc('\n', stderr);                                                          \
		return 1;                                                                     \
	} while (0)

/* A lab with what it was built from. */
struct built {
	struct topo *topo;
	struct plan *plan;
	struct lab *lab;
};

static const char two_homes[] =
	"name: two-homes\n"
	"networks:\n"
	"  internet: {type: internet}\n"
	"  home1: {subnet: 192.168.1.0/24}\n"
	"  home2: {subnet: 192.168.2.0/24}\n"
	"nodes:\n"
	"  server: {interfaces: {internet: [9.9.9.9, 9.9.9.10]}}\n"
	"  router1: {interfaces: {internet: 1.2.3.4, home1: 192.168.1.254}, nat: full-cone}\n"
	"  router2: {interfaces: {internet: 5.6.7.8, home2: 192.168.2.254}, nat: full-cone}\n"
	"  pc1: {interfaces: {home1: 192.168.1.1}}\n"
	"  pc2: {interfaces: {home2: 192.168.2.1}}\n";

static const char one_host[] = "name: one-host\n"
			       "networks: {internet: {type: internet}}\n"
			       "nodes: {host: {interfaces: {internet: 9.9.9.9}}}\n";

static inline int built_plan(const char *text, struct built *ret)
{
	AUTO_DIAG struct diag d = {0};
	int r;

	*ret = (struct built){0};
	r = topo_load_text("test.yaml", text, strlen(text), &ret->topo, &d);
	if (r == 0)
		r = plan_make(ret->topo, &ret->plan);
	diag_print(&d, stderr, false);
	return r;
}

static inline int built_up(const char *text, const struct lab_options *options, struct built *ret)
{
	AUTO_DIAG struct diag d = {0};
	int r = built_plan(text, ret);

	if (r == 0)
		r = lab_up(ret->topo, ret->plan, options, &ret->lab, &d);
	diag_print(&d, stderr, false);
	return r;
}

static inline void built_free(struct built *built)
{
	lab_free(built->lab);
	plan_free(built->plan);
	topo_free(built->topo);
}
#define AUTO_BUILT CLEANUP(built_free)

/* Start `sh -c @script` on the node called @node. */
static inline int spawn_shell(struct built *built, const char *node, const char *script,
			      struct child **ret)
{
	char shell[] = "sh", option[] = "-c", text[1024];
	char *argv[] = {shell, option, text, NULL};
	AUTO_DIAG struct diag d = {0};
	int r;

	snprintf(text, sizeof(text), "%s", script);
	r = lab_spawn(built->lab, topo_find_node(built->topo, node), argv, NULL, ret, &d);
	diag_print(&d, stderr, false);
	return r;
}

/* Wait until @child has ended, ignoring everything else. Returns 0, or -ETIME after @ms. */
static inline int wait_end(struct lab *lab, const struct child *child, unsigned int ms)
{
	uint64_t deadline = lab_clock() + ms * MS;
	struct lab_event event;
	int r;

	do {
		r = lab_next(lab, deadline, &event);
		if (r < 0)
			return r;
		if (event.kind == LAB_TIMEOUT)
			return -ETIME;
	} while (event.kind != LAB_ENDED || event.child != child);
	return 0;
}

/* Wait for a line of @child. Returns 0, or -ETIME after @ms. */
static inline int wait_line(struct lab *lab, const struct child *child, const char *line,
			    unsigned int ms)
{
	uint64_t deadline = lab_clock() + ms * MS;
	struct lab_event event;
	int r;

	do {
		r = lab_next(lab, deadline, &event);
		if (r < 0)
			return r;
		if (event.kind == LAB_TIMEOUT)
			return -ETIME;
	} while (event.kind != LAB_LINE || event.child != child || strcmp(event.line, line) != 0);
	return 0;
}

struct body {
	int (*work)(void *data);
	void *data;
};

/* The supervisor ends without the leak check that a sanitizer makes at exit, so make it here. */
static inline int checked_body(void *data)
{
	const struct body *body = data;
	int r = body->work(body->data);

#ifdef __SANITIZE_ADDRESS__
	if (__lsan_do_recoverable_leak_check() != 0 && r == 0)
		r = 99;
#endif
	return r;
}

/* Run @work in a supervisor as who we are. The test fails when it does not return 0. */
static inline void in_lab(int (*work)(void *data), void *data)
{
	struct body body = {work, data};
	AUTO_DIAG struct diag d = {0};
	int r = lab_supervise(checked_body, &body, &d);

	SKIP_UNLESS(r != -EPERM, "this machine forbids the namespaces of a lab");
	diag_print(&d, stderr, false);
	cr_assert_eq(r, 0, "the body of the test ended with %d, see above", r);
}

/* From root to an ordinary user; nothing for who is one already. */
static inline int become_nobody(void)
{
	const uid_t nobody = 65534;

	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(nobody, nobody, nobody) < 0 ||
			       setresuid(nobody, nobody, nobody) < 0))
		return -errno;
	/* After a change of identity one may not write one's own /proc files (prctl(2)). */
	return prctl(PR_SET_DUMPABLE, 1) < 0 ? -errno : 0;
}

/* The same as an ordinary user, who needs a user namespace for it. */
static inline void in_lab_as_nobody(int (*work)(void *data), void *data)
{
	struct body body = {work, data};
	int status, r;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	cr_assert_geq(pid, 0, "fork");
	if (pid == 0) {
		AUTO_DIAG struct diag d = {0};

		if (become_nobody() < 0)
			_exit(100);
		r = lab_supervise(checked_body, &body, &d);
		diag_print(&d, stderr, false);
		_exit(r == -EPERM ? 101 : r < 0 ? 102 : r);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid, "waitpid");
	cr_assert(WIFEXITED(status), "the helper was killed by a signal");
	r = WEXITSTATUS(status);
	SKIP_UNLESS(r != 101, "this machine forbids user namespaces to ordinary users");
	cr_assert_eq(r, 0, "the body of the test ended with %d, see above", r);
}

#endif
