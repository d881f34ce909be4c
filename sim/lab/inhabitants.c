/* SPDX-License-Identifier: MIT */
/*
 * Who is in a lab. A process belongs to it if it is in one of its network namespaces,
 * whatever group or session it made for itself; a program's session are the
 * processes that did not make one for themselves. Both are read from /proc, which in
 * the supervisor shows its own offspring only.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/internal.h"

enum {
	ROUNDS_MAX = 64,      /* each finds whom the ones before were too early for */
	DEATH_WAIT_MS = 1000, /* longer only in uninterruptible sleep; pid 1's end ends that too */
};

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Open /proc, or nothing when it shows another pid namespace, whose numbers are not ours. */
static DIR *open_proc(void)
{
	char self[16] = "";

	if (readlink("/proc/self", self, sizeof(self) - 1) < 0 ||
	    strtol(self, NULL, 10) != getpid())
		return NULL;
	return opendir("/proc");
}

/* The next process in @dir that is not ourselves; 0 after the last. */
static pid_t next_process(DIR *dir)
{
	struct dirent *entry;
	pid_t pid;

	while (dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid != getpid())
			return pid;
	}
	return 0;
}

static bool lives_here(const struct lab *lab, pid_t pid)
{
	struct stat own, other;
	char path[64];
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if (stat(path, &other) < 0)
		return false;
	for (i = 0; i < lab->plan->space_count; i++)
		if (lab->spaces[i].netns && fstat(lab->spaces[i].netns->fd, &own) == 0 &&
		    own.st_ino == other.st_ino && own.st_dev == other.st_dev)
			return true;
	return false;
}

/* Kill @pid, wait for its death, and reap it if it is ours by now. */
static void end(pid_t pid)
{
	AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
	struct pollfd dead = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0 || pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0)
		return;
	poll(&dead, 1, DEATH_WAIT_MS);
	waitpid(pid, NULL, WNOHANG);
}

static size_t kill_once(const struct lab *lab)
{
	CLEANUP(dir_cleanup) DIR *dir = open_proc();
	size_t count = 0;
	pid_t pid;

	while ((pid = next_process(dir))) {
		if (!lives_here(lab, pid))
			continue;
		end(pid);
		count++;
	}
	return count;
}

void inhabitants_kill(struct lab *lab)
{
	struct program_run *run;
	unsigned int round;

	/* All at once first, so that nobody has time to mourn or restart another. */
	for (run = lab->runs; run; run = run->next)
		if (!run->reaped)
			kill(-run->child.pid, SIGKILL);
	for (run = lab->runs; run; run = run->next)
		if (!run->reaped)
			end(run->child.pid);
	for (round = 0; round < ROUNDS_MAX && kill_once(lab) > 0; round++)
		;
}

int lab_kill(struct lab *lab, struct child *child, int signal)
{
	CLEANUP(dir_cleanup) DIR *dir = open_proc();
	pid_t pid;

	(void)lab;
	/* The group first, and at once: members cannot see each other go. */
	if (kill(-child->pid, signal) < 0 && errno != ESRCH)
		return -errno;
	while ((pid = next_process(dir)))
		if (getsid(pid) == child->pid && getpgid(pid) != child->pid)
			kill(pid, signal);
	return 0;
}
