/* SPDX-License-Identifier: MIT */
/*
 * Who is left in a lab: any process in one of its network namespaces, whatever session
 * it made for itself. Found through /proc, which in the supervisor shows nothing but
 * the supervisor's own offspring.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/internal.h"

enum {
	ROUNDS_MAX = 64,      /* each finds what the ones before were too early for */
	DEATH_WAIT_MS = 1000, /* a process in uninterruptible sleep may take longer; the kernel */
};                            /* then ends it with the supervisor */

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool lives_here(const struct lab *lab, const char *pid)
{
	struct stat own, other;
	char path[64];
	size_t i;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
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
	CLEANUP(dir_cleanup) DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !lives_here(lab, entry->d_name))
			continue;
		end((pid_t)strtol(entry->d_name, NULL, 10));
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
			lab_kill(lab, &run->child, SIGKILL);
	for (round = 0; round < ROUNDS_MAX && kill_once(lab) > 0; round++)
		;
	for (run = lab->runs; run; run = run->next)
		if (!run->reaped)
			waitpid(run->child.pid, NULL, WNOHANG);
}
