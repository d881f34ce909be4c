/* SPDX-License-Identifier: MIT */
/*
 * How a lab cannot outlive natsim
 *
 * Everything of a lab happens in a supervisor: a child that is process 1 of a pid
 * namespace of its own. When process 1 dies, the kernel kills every process of its
 * namespace, and with the last process and descriptor go the namespaces, links,
 * rules and mounts. So it is enough that the supervisor dies when natsim does, and for
 * that the kernel has the parent-death signal. Two gaps remain, and both are closed:
 *
 *  - natsim may die before the child has asked for the signal. Parent and child share a
 *    socket pair; after asking, the child looks whether the parent's end is still open.
 *  - a change of credentials clears the request. The child therefore asks after it
 *    has entered its namespaces, and changes none later.
 *
 * A cleanup handler in natsim would be the obvious way, and the wrong one: SIGKILL,
 * the out-of-memory killer and a crash run no handlers.
 *
 * Being process 1 has two duties, to reap orphans and to survive signals that only
 * programs should get (see events.c). And a subtlety: Ctrl-C reaches the whole
 * foreground group, natsim and the supervisor alike. The supervisor keeps SIGINT,
 * SIGTERM and SIGHUP blocked and never looks at them; natsim passes each on once, as a
 * queued real-time signal that carries the number of the original one.
 *
 * Mounts. The supervisor's mount namespace gets a fresh /proc (the old one shows
 * another pid namespace) and a tmpfs on /sys for files the nodes need, such as /etc/hosts.
 * /sys hides nothing a program could want: each node mounts its own sysfs there, so
 * that it shows the node's interfaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/internal.h"

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the supervisor says when it cannot begin; nothing at all when it can. */
struct complaint {
	int error;
	char words[124];
};

static bool sysctl_reads(const char *path, const char *expected)
{
	AUTO_FCLOSE FILE *file = fopen(path, "re");
	char text[16] = "";

	if (!file || !fgets(text, sizeof(text), file))
		return false;
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, expected) == 0;
}

/* What to do about a machine that refused namespaces with @error. */
static void add_remedy(struct diag *d, int error)
{
	if (error == ENOSPC)
		diag_help(
			d,
			"a limit on namespaces is reached: raise sysctl user.max_user_namespaces, "
			"user.max_pid_namespaces, user.max_mnt_namespaces and "
			"user.max_net_namespaces");
	else if (error == EINVAL || error == ENOSYS)
		diag_help(d, "this kernel lacks CONFIG_USER_NS, CONFIG_PID_NS or CONFIG_NET_NS");
	else if (error == EUSERS)
		diag_help(d, "user namespaces are nested too deeply here");
	else if (sysctl_reads("/proc/sys/kernel/unprivileged_userns_clone", "0"))
		diag_help(d, "run it with sudo, or allow user namespaces: "
			     "sysctl kernel.unprivileged_userns_clone=1");
	else if (sysctl_reads("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		diag_help(d, "run it with sudo, or allow user namespaces: "
			     "sysctl kernel.apparmor_restrict_unprivileged_userns=0");
	else if (sysctl_reads("/proc/sys/user/max_user_namespaces", "0"))
		diag_help(d, "run it with sudo, or allow user namespaces: "
			     "sysctl user.max_user_namespaces=10000");
	else
		diag_help(d, "run it with sudo; in a container, start that with --privileged "
			     "(a seccomp or AppArmor profile may forbid namespaces)");
}

/* A machine that forbids what a supervisor needs is -EPERM to the caller, whatever it said. */
static int forbidden(struct diag *d, int error, const char *words)
{
	bool foreign = error == ENOMEM || error == EAGAIN;

	diag_system(d, error, "%s", words);
	if (foreign)
		return -error;
	add_remedy(d, error);
	return -EPERM;
}

static int write_text(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* Become root of the new user namespace: one user and one group is all we may map. */
static int map_identity(uid_t uid, gid_t gid)
{
	char line[64];
	int r;

	snprintf(line, sizeof(line), "0 %u 1\n", uid);
	r = write_text("/proc/self/uid_map", line);
	if (r < 0)
		return r;
	/* Without this the group map is refused (user_namespaces(7)). */
	r = write_text("/proc/self/setgroups", "deny");
	if (r < 0 && r != -ENOENT)
		return r;
	snprintf(line, sizeof(line), "0 %u 1\n", gid);
	return write_text("/proc/self/gid_map", line);
}

static int complain(int channel, int error, const char *words)
{
	struct complaint complaint = {.error = error};

	snprintf(complaint.words, sizeof(complaint.words), "%s", words);
	/* Nobody is left to tell when this fails too. */
	return send(channel, &complaint, sizeof(complaint), MSG_NOSIGNAL) < 0 ? -errno : -error;
}

/* Never outlive the parent, which holds the other end of @channel. */
static int follow_parent(int channel)
{
	struct pollfd parent = {.fd = channel, .events = POLLIN};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (poll(&parent, 1, 0) < 0)
		return -errno;
	return parent.revents & (POLLHUP | POLLERR) ? -EPIPE : 0;
}

static int set_up_mounts(int channel)
{
	/* What the host mounts later still appears here; nothing from here appears there. */
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return complain(channel, errno, "cannot make mounts private");
	/*
	 * A container may cover parts of /proc, and then forbids a fresh one. The old one
	 * serves too, only that programs see process numbers which are not theirs.
	 */
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 &&
	    errno != EPERM)
		return complain(channel, errno, "cannot mount /proc");
	if (mount("natsim", LAB_FILES, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=16m") < 0)
		return complain(channel, errno, "cannot mount a tmpfs on " LAB_FILES);
	return 0;
}

/* A namespace costs us two descriptors, and the usual soft limit is 1024 of them. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit); /* refused: a large lab then fails with EMFILE */
}

struct supervision {
	int (*work)(void *data);
	void *data;
	int channel[2]; /* parent, child */
	bool new_user;
	uid_t uid;
	gid_t gid;
};

/* The child's life. Returns its exit status. */
static int supervisor(struct supervision *s)
{
	int channel = s->channel[1];
	int r;

	close(s->channel[0]);
	if (s->new_user) {
		r = map_identity(s->uid, s->gid);
		if (r < 0) {
			complain(channel, -r, "cannot become root of a new user namespace");
			return 1;
		}
	}
	r = follow_parent(channel);
	if (r == -EPIPE)
		return 1;
	if (r < 0) {
		complain(channel, -r, "cannot bind the lab's life to natsim's");
		return 1;
	}
	if (set_up_mounts(channel) < 0)
		return 1;
	raise_descriptor_limit();
	/* The parent reads this as "all is well". */
	shutdown(channel, SHUT_WR);
	r = s->work(s->data);
	fflush(NULL);
	return r;
}

/* clone() as fork() would call it. Returns like fork(), or -errno. */
static pid_t fork_into(unsigned long namespaces)
{
	long pid = syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);

	return pid < 0 ? -errno : (pid_t)pid;
}

static pid_t start(struct supervision *s, struct diag *d)
{
	const unsigned long own = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS;
	pid_t pid = -EPERM;

	s->uid = geteuid();
	s->gid = getegid();
	fflush(NULL); /* else what is buffered is printed twice */
	if (s->uid == 0)
		pid = fork_into(own);
	if (pid == -EPERM) { /* not root, or a root without the privilege */
		s->new_user = true;
		pid = fork_into(own | CLONE_NEWUSER);
	}
	if (pid == 0)
		_exit(supervisor(s));
	if (pid < 0)
		return forbidden(d, -pid, "cannot create the lab's namespaces");
	return pid;
}

/* The signals of passed_on[] that the user has not asked to be ignored (nohup). */
static void interruptions(sigset_t *ret)
{
	struct sigaction action;
	size_t i;

	sigemptyset(ret);
	for (i = 0; i < COUNT(passed_on); i++)
		if (sigaction(passed_on[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(ret, passed_on[i]);
}

/* Pass one signal on; the second time, stop being polite. */
static void pass_on(int signals, pid_t pid, bool *again)
{
	union sigval value;
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return;
	value.sival_int = (int)info.ssi_signo;
	if (*again || sigqueue(pid, LAB_SIGNAL, value) < 0)
		kill(pid, SIGKILL);
	*again = true;
}

/* Wait for the supervisor's end. Returns its exit status or -errno. */
static int watch(pid_t pid, int signals, struct diag *d)
{
	AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
	struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	bool again = false;
	int status;

	while (pidfd >= 0 && !(fds[0].revents & POLLIN)) {
		if (poll(fds, COUNT(fds), -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents & POLLIN)
			pass_on(signals, pid, &again);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return diag_system(d, errno, "cannot wait for the lab's supervisor");
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (again)
		return diag_error(d, EINTR, "interrupted twice: the lab was killed");
	return diag_error(d, ECHILD, "the lab's supervisor was killed by signal %d (%s)",
			  WTERMSIG(status), strsignal(WTERMSIG(status)));
}

/* Hear whether the supervisor could begin. */
static int hear(int channel, struct diag *d)
{
	struct complaint complaint;
	ssize_t n;

	do
		n = recv(channel, &complaint, sizeof(complaint), MSG_WAITALL);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(complaint))
		return 0;
	complaint.words[sizeof(complaint.words) - 1] = '\0';
	return forbidden(d, complaint.error, complaint.words);
}

static int supervise(struct supervision *s, const sigset_t *stop, struct diag *d)
{
	AUTO_CLOSE int signals = signalfd(-1, stop, SFD_CLOEXEC | SFD_NONBLOCK);
	AUTO_CLOSE int channel = -1;
	int heard, status;
	pid_t pid;

	if (signals < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->channel) < 0)
		return diag_system(d, errno, "cannot prepare the lab's supervisor");
	channel = s->channel[0]; /* held until the end: it is what the child sees us live by */
	pid = start(s, d);
	close(s->channel[1]);
	if (pid < 0)
		return pid;
	heard = hear(channel, d);
	status = watch(pid, signals, heard < 0 ? NULL : d);
	return heard < 0 ? heard : status;
}

int lab_supervise(int (*work)(void *data), void *data, struct diag *d)
{
	struct supervision s = {.work = work, .data = data};
	sigset_t stop, blocked, before;
	int r;

	interruptions(&stop);
	/* Blocked before the child exists, so that it never lives a moment without. */
	blocked = stop;
	sigaddset(&blocked, LAB_SIGNAL);
	sigaddset(&blocked, SIGCHLD);
	r = -pthread_sigmask(SIG_BLOCK, &blocked, &before);
	if (r < 0)
		return diag_system(d, -r, "cannot block signals");
	r = supervise(&s, &stop, d);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}
