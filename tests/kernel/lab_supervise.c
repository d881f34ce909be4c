/* SPDX-License-Identifier: MIT */
/* A lab lives exactly as long as natsim, and the user can end it. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/in_lab.h"

enum { KILLS = 100 };
#define WHOLE_MAX (400 * MS) /* a moment has to be less than a second */

static int body_status(void *data)
{
	return *(int *)data;
}

Test(supervise, gives_back_what_the_work_returned, .timeout = 10)
{
	AUTO_DIAG struct diag d = {0};
	int status = 42, r = lab_supervise(body_status, &status, &d);

	SKIP_UNLESS(r != -EPERM, "this machine forbids the namespaces of a lab");
	cr_assert_eq(r, 42);
}

static int body_crash(void *data)
{
	(void)data;
	/* What a crash comes down to; raise() would be ignored by a process 1. */
	signal(SIGILL, SIG_DFL);
	__builtin_trap();
}

Test(supervise, a_crash_of_the_supervisor_is_an_error_in_words, .timeout = 10)
{
	AUTO_DIAG struct diag d = {0};
	int r = lab_supervise(body_crash, NULL, &d);

	SKIP_UNLESS(r != -EPERM, "this machine forbids the namespaces of a lab");
	cr_assert_eq(r, -ECHILD, "%d", r);
	cr_assert_eq(d.count, 1);
	cr_assert(strstr(d.entries[0].message, "killed by signal"), "%s", d.entries[0].message);
}

/* The text of a whole small file; the caller frees it. */
static char *slurp(const char *path)
{
	AUTO_FCLOSE FILE *file = fopen(path, "re");
	size_t size = 0;
	char *text = NULL;

	if (!file || getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int body_own_world(void *data)
{
	AUTO_FREE char *links = slurp("/proc/self/net/dev");

	EXPECT(getpid() == 1, "pid %d", getpid());
	EXPECT(links && strstr(links, "lo:") && !strstr(links, "eth"), "links: %s", links);
	EXPECT(mount("natsim-test", "/mnt", "tmpfs", 0, NULL) == 0, "%s", strerror(errno));
	(void)data;
	return 0;
}

/* On a "host" whose mounts propagate, as systemd sets them up. */
static int on_propagating_host(void)
{
	AUTO_FREE char *before = NULL, *after = NULL;
	AUTO_DIAG struct diag d = {0};
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL) < 0)
		return 101;
	before = slurp("/proc/self/mountinfo");
	r = lab_supervise(body_own_world, NULL, &d);
	diag_print(&d, stderr, false);
	after = slurp("/proc/self/mountinfo");
	EXPECT(r == 0, "the body ended with %d", r);
	EXPECT(strcmp(before, after) == 0, "a mount of the lab is left on the host");
	return 0;
}

static int status_of(pid_t pid)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

Test(supervise, its_mounts_are_not_the_hosts, .timeout = 10)
{
	pid_t pid;
	int r;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(on_propagating_host());
	r = status_of(pid);
	SKIP_UNLESS(r != 101, "a host's mounts can only be imitated by root");
	cr_assert_eq(r, 0, "%d, see above", r);
}

/* ---- natsim is killed ---- */

/* What a run does: build, start programs (one of them a daemon), wait for events. */
static int body_run(void *data)
{
	struct built built;
	struct child *child;
	struct lab_event event;
	int ready = *(int *)data;

	if (built_up(two_homes, NULL, &built) < 0)
		return 1;
	if (spawn_shell(&built, "pc1", "setsid sleep 1000 & exec sleep 1000", &child) < 0 ||
	    spawn_shell(&built, "server", "trap '' TERM INT HUP; exec sleep 1000", &child) < 0)
		return 1;
	if (write(ready, "r", 1) != 1)
		return 1;
	for (;;)
		if (lab_next(built.lab, UINT64_MAX, &event) < 0 || event.kind == LAB_INTERRUPTED)
			return 1;
}

/* A process that supervises body_run(); *ret_ready becomes readable once its programs run. */
static pid_t start_run(bool nobody, int *ret_ready)
{
	AUTO_DIAG struct diag d = {0};
	int fds[2], r;
	pid_t pid;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		if (nobody && become_nobody() < 0)
			_exit(102);
		r = lab_supervise(body_run, &fds[1], &d);
		diag_print(&d, stderr, false);
		_exit(r == -EPERM ? 101 : r < 0 ? 102 : r);
	}
	close(fds[1]);
	*ret_ready = fds[0];
	return pid;
}

static uint64_t random_ns(uint64_t below)
{
	uint64_t value;

	cr_assert_eq(syscall(SYS_getrandom, &value, sizeof(value), 0), (long)sizeof(value));
	return value % below;
}

/* Kill @pid after @ns, unless it ends before; then wait until nothing of it is left. */
static void kill_after(pid_t pid, uint64_t ns)
{
	struct timespec moment = {.tv_nsec = (long)ns};
	int pidfd = pidfd_open(pid, 0);
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	cr_assert_geq(pidfd, 0);
	ppoll(&ended, 1, &moment, NULL);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	close(pidfd);
	/*
	 * We are the subreaper: what outlives @pid becomes our child, a supervisor first of
	 * all, which the kernel lets go only after every process of its namespace. So when
	 * there is no child any more, there is no process of the lab any more.
	 */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	cr_assert_eq(errno, ECHILD);
}

static void kill_at_random_moments(bool nobody)
{
	AUTO_FREE char *before = slurp("/proc/self/mountinfo"), *after = NULL;
	struct timespec begin, end;
	uint64_t whole, moment;
	size_t i, ready_before = 0;
	char byte;
	int ready;
	pid_t pid;

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	/* How long a run takes to be complete: the moments are to fall before and after. */
	clock_gettime(CLOCK_MONOTONIC, &begin);
	pid = start_run(nobody, &ready);
	if (read(ready, &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		SKIP_UNLESS(false, "this machine forbids the namespaces of a lab");
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	close(ready);
	kill_after(pid, 0);
	whole = (uint64_t)(end.tv_sec - begin.tv_sec) * 1000000000 + (uint64_t)end.tv_nsec -
		(uint64_t)begin.tv_nsec;
	for (i = 0; i < KILLS; i++) {
		bool complete;

		pid = start_run(nobody, &ready);
		moment = random_ns(2 * whole);
		kill_after(pid, moment);
		complete = read(ready, &byte, 1) == 1;
		ready_before += complete;
		close(ready);
		/* A machine that has become busier, or less busy, takes another time. */
		whole = complete ? whole - whole / 8 : whole + whole / 8;
		if (whole > WHOLE_MAX)
			whole = WHOLE_MAX;
	}
	cr_expect_gt(ready_before, 0, "no kill fell on a complete run: not a test");
	cr_expect_lt(ready_before, KILLS, "no kill fell on an incomplete run: not a test");
	after = slurp("/proc/self/mountinfo");
	cr_assert_str_eq(before, after, "a mount is left on the host");
	pid = start_run(nobody, &ready);
	cr_assert_eq(read(ready, &byte, 1), 1, "the next run does not work");
	close(ready);
	kill_after(pid, 0);
}

Test(killed, at_any_moment_nothing_is_left_and_the_next_run_works, .timeout = 90)
{
	kill_at_random_moments(false);
}

Test(killed, the_same_holds_for_an_ordinary_user, .timeout = 90)
{
	kill_at_random_moments(true);
}

/* ---- the user interrupts ---- */

struct interruption {
	int ready;
	bool stubborn; /* ignores it */
};

/* Returns how many interruptions arrive until 300 ms after the first: 10 plus that. */
static int body_interrupted(void *data)
{
	struct interruption *interruption = data;
	uint64_t deadline = UINT64_MAX;
	struct lab_event event;
	struct built built;
	int count = 0;

	if (built_up(one_host, NULL, &built) < 0 || write(interruption->ready, "r", 1) != 1)
		return 1;
	do {
		if (lab_next(built.lab, deadline, &event) < 0)
			return 2;
		if (event.kind != LAB_INTERRUPTED)
			continue;
		if (event.signal != SIGINT)
			return 3;
		count++;
		/* From here on it is known to have arrived. */
		if (write(interruption->ready, "i", 1) != 1)
			return 1;
		if (!interruption->stubborn)
			deadline = lab_clock() + 300 * MS;
	} while (event.kind != LAB_TIMEOUT);
	built_free(&built);
	return 10 + count;
}

/* Supervise in a process group of its own. */
static pid_t start_interruptible(bool stubborn, int *ret_ready)
{
	struct interruption interruption = {.stubborn = stubborn};
	AUTO_DIAG struct diag d = {0};
	int fds[2], r;
	pid_t pid;
	char byte;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		interruption.ready = fds[1];
		r = lab_supervise(body_interrupted, &interruption, &d);
		_exit(r == -EPERM ? 101 : r == -EINTR ? 103 : r < 0 ? 102 : r);
	}
	close(fds[1]);
	*ret_ready = fds[0];
	if (read(fds[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		SKIP_UNLESS(false, "this machine forbids the namespaces of a lab");
	}
	return pid;
}

Test(interrupted, ctrl_c_on_the_whole_group_is_told_once, .timeout = 20)
{
	int ready;
	pid_t pid = start_interruptible(false, &ready);

	cr_assert_eq(kill(-pid, SIGINT), 0); /* as a terminal does: natsim and the supervisor */
	cr_assert_eq(status_of(pid), 11);
	close(ready);
}

Test(interrupted, a_signal_to_natsim_alone_reaches_the_lab, .timeout = 20)
{
	int ready;
	pid_t pid = start_interruptible(false, &ready);

	cr_assert_eq(kill(pid, SIGINT), 0);
	cr_assert_eq(status_of(pid), 11);
	close(ready);
}

Test(interrupted, the_second_time_kills_a_lab_that_goes_on, .timeout = 20)
{
	int ready;
	pid_t pid = start_interruptible(true, &ready);
	char byte;

	cr_assert_eq(kill(-pid, SIGINT), 0);
	cr_assert_eq(read(ready, &byte, 1), 1, "the first did not arrive");
	cr_assert_eq(kill(-pid, SIGINT), 0);
	cr_assert_eq(status_of(pid), 103, "the second must end it with -EINTR");
	close(ready);
}

/* ---- machines that forbid it ---- */

/* Forbid this process what @flags of clone() ask for, as a container's seccomp profile does. */
static void forbid_clone(unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

Test(forbidden, namespaces_are_an_error_with_a_remedy, .timeout = 10)
{
	AUTO_DIAG struct diag d = {0};
	int status = 0;

	forbid_clone(CLONE_NEWPID);
	cr_assert_eq(lab_supervise(body_status, &status, &d), -EPERM);
	cr_assert_eq(d.count, 1);
	cr_assert_str_eq(d.entries[0].message,
			 "cannot create the lab's namespaces: Operation not permitted");
	cr_assert(d.entries[0].help && strstr(d.entries[0].help, "sudo"), "no remedy");
}

Test(forbidden, a_root_without_privilege_falls_back_to_a_user_namespace, .timeout = 10)
{
	struct sock_filter code[] = {
		/* EPERM for clone() with CLONE_NEWPID unless it also has CLONE_NEWUSER. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWPID, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
	int status = 7;

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	cr_assert_eq(lab_supervise(body_status, &status, NULL), 7);
}

/* In a user namespace of its own, whose limits one may lower without touching the host's. */
static int limited(void)
{
	AUTO_DIAG struct diag d = {0};
	int status = 0, fd;
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (unshare(CLONE_NEWUSER) < 0)
		return 101;
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, map, strlen(map)) < 0)
		return 101;
	close(fd);
	fd = open("/proc/sys/user/max_pid_namespaces", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return 1;
	if (lab_supervise(body_status, &status, &d) != -EPERM || d.count != 1)
		return 2;
	if (!strstr(d.entries[0].message, "No space left") || !d.entries[0].help ||
	    !strstr(d.entries[0].help, "user.max_pid_namespaces")) {
		diag_print(&d, stderr, false);
		return 3;
	}
	return 0;
}

Test(forbidden, a_limit_on_namespaces_is_named, .timeout = 10)
{
	pid_t pid = fork();
	int r;

	if (pid == 0)
		_exit(limited());
	r = status_of(pid);
	SKIP_UNLESS(r != 101, "this machine forbids user namespaces");
	cr_assert_eq(r, 0, "%d", r);
}
