/* SPDX-License-Identifier: MIT */
/*
 * How a program comes to be inside a node
 *
 * A fork of the supervisor enters the node's network namespace, takes on the node's
 * view of the file system, gives itself what a program may expect (a session of its
 * own, default signals, no stray descriptors) and executes. Between fork and exec it
 * can still fail, and the caller must learn why: a pipe that exec closes carries the
 * reason. End of file on it means the program runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/internal.h"

#define EXECUTE "execute"

enum { FILES_USUAL = 1024 }; /* the kernel's own soft limit, INR_OPEN_CUR */

/* What the child says instead of executing. The words are in both processes' image. */
struct failure {
	int error;
	const char *what;
};

struct spawning {
	const struct lab *lab;
	size_t node;
	char *const *argv;
	const char *path;              /* its PATH, NULL for ours */
	int input;                     /* its stdin, -1 for none */
	int out[2], err[2], failed[2]; /* pipes: we read, the child writes */
};

static void pipe_close(int fds[2])
{
	size_t i;

	for (i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void spawning_close(struct spawning *s)
{
	pipe_close(s->out);
	pipe_close(s->err);
	pipe_close(s->failed);
}

static int default_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;
	int number;

	for (number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL); /* KILL, STOP and libc's own refuse */
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

static int redirect(const struct spawning *s)
{
	int in = s->input >= 0 ? s->input : open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(s->out[1], STDOUT_FILENO) < 0 ||
	    dup2(s->err[1], STDERR_FILENO) < 0)
		return -errno;
	/* Whoever started natsim may have left more open. Older than 5.11: then they stay. */
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	return 0;
}

/*
 * A topology's commands find the agents by name, and before others of that name: what a file
 * means must not depend on the machine (Debian's ppp has a chat too). Returns NULL without agents.
 */
static char *path_with_agents(void)
{
	AUTO_DIAG struct diag ignored = {0};
	AUTO_FREE char *agent = NULL;
	const char *path = getenv("PATH");
	char *ret;

	if (lab_agent_path("rendezvous", &agent, &ignored) < 0)
		return NULL;
	*strrchr(agent, '/') = '\0';
	if (asprintf(&ret, "%s%s%s", agent, path ? ":" : "", path ? path : "") < 0)
		return NULL;
	return ret;
}

static int set_habits(const struct spawning *s)
{
	const struct rlimit no_core = {0};
	struct rlimit files;

	umask(022);
	setrlimit(RLIMIT_CORE, &no_core);
	/* The supervisor raised it for itself; programs that use select() must not see that. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FILES_USUAL) {
		files.rlim_cur = FILES_USUAL;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (s->path && setenv("PATH", s->path, 1) < 0)
		return -errno;
	return setenv("NATSIM_NODE", s->lab->topo->nodes[s->node].name, 1) < 0 ? -errno : 0;
}

/* Everything between fork and exec. Returns only on failure. */
static struct failure become(const struct spawning *s)
{
	const struct space *space = &s->lab->spaces[plan_space_of(s->lab->plan, s->node)];
	struct failure failure = {0};

	failure.what = "cannot give it a session";
	if (setsid() < 0)
		failure.error = errno;
	if (!failure.error) {
		failure.what = "cannot enter its network namespace";
		if (setns(space->netns->fd, CLONE_NEWNET) < 0)
			failure.error = errno;
	}
	if (!failure.error)
		failure.error = -view_enter(s->lab, s->node, &failure.what);
	if (!failure.error) {
		failure.what = "cannot give it its standard streams";
		failure.error = -redirect(s);
	}
	if (!failure.error) {
		failure.what = "cannot prepare it";
		failure.error = -set_habits(s);
	}
	if (!failure.error)
		failure.error = -default_signals();
	if (!failure.error) {
		failure.what = EXECUTE;
		execvp(s->argv[0], s->argv);
		failure.error = errno;
	}
	return failure;
}

static void child(const struct spawning *s)
{
	struct failure failure = become(s);
	ssize_t n = write(s->failed[1], &failure, sizeof(failure));

	_exit(n == sizeof(failure) ? 127 : 126);
}

/* The words for a program that cannot be executed. */
static int explain(const struct failure *failure, const char *program, const char *node,
		   struct diag *d)
{
	bool path = strchr(program, '/') != NULL;

	if (strcmp(failure->what, EXECUTE) != 0)
		return diag_system(d, failure->error, "cannot start \"%s\" on %s: %s", program,
				   node, failure->what);
	if (failure->error == ENOENT && !path)
		return diag_error(d, ENOENT, "cannot start \"%s\" on %s: no such command in PATH",
				  program, node);
	if (failure->error == ENOENT)
		return diag_error(d, ENOENT,
				  "cannot start \"%s\" on %s: there is no such file, or its "
				  "interpreter is missing",
				  program, node);
	if (failure->error == EACCES && !path) /* also when a folder of PATH may not be entered */
		return diag_error(d, EACCES,
				  "cannot start \"%s\" on %s: no command in PATH that may be "
				  "executed",
				  program, node);
	if (failure->error == EACCES)
		return diag_error(d, EACCES, "cannot start \"%s\" on %s: it is not executable",
				  program, node);
	return diag_system(d, failure->error, "cannot start \"%s\" on %s", program, node);
}

/* Wait until the child has executed. Returns 0, or -errno with the reason in @d. */
static int confirm(const struct spawning *s, pid_t pid, struct diag *d)
{
	struct failure failure = {0};
	ssize_t n;

	do
		n = read(s->failed[0], &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(failure))
		return diag_error(d, EIO, "cannot start \"%s\": the reason was lost", s->argv[0]);
	return explain(&failure, s->argv[0], s->lab->topo->nodes[s->node].name, d);
}

static int prepare(struct spawning *s, struct program_run *run)
{
	run->child = (struct child){.node = s->node};
	run->end = (struct source){SOURCE_END, run, -1};
	run->out = (struct source){SOURCE_OUT, run, -1};
	run->err = (struct source){SOURCE_ERR, run, -1};
	run->line = malloc(LAB_LINE_MAX + 1);
	if (!run->line)
		return -ENOMEM;
	if (pipe2(s->out, O_CLOEXEC) < 0 || pipe2(s->err, O_CLOEXEC) < 0 ||
	    pipe2(s->failed, O_CLOEXEC) < 0)
		return -errno;
	/* Our ends only: a program may rely on its own ends to block. */
	if (fcntl(s->out[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(s->err[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

/* Hand the reading ends over to @run and watch them. */
static int watch(struct lab *lab, struct spawning *s, struct program_run *run, pid_t pid)
{
	int r;

	run->child.pid = pid;
	run->end.fd = pidfd_open(pid, 0);
	if (run->end.fd < 0)
		return -errno;
	run->out.fd = STEAL_FD(s->out[0]);
	run->err.fd = STEAL_FD(s->err[0]);
	r = events_watch(lab, &run->end);
	if (r == 0)
		r = events_watch(lab, &run->out);
	if (r == 0)
		r = events_watch(lab, &run->err);
	return r;
}

static int start(struct lab *lab, struct spawning *s, struct program_run *run, struct diag *d)
{
	pid_t pid;
	int r;

	run->child.started = lab_clock();
	pid = fork();
	if (pid == 0)
		child(s);
	if (pid < 0)
		return diag_system(d, errno, "cannot start \"%s\"", s->argv[0]);
	close(STEAL_FD(s->failed[1]));
	r = confirm(s, pid, d);
	if (r < 0)
		return r;
	r = watch(lab, s, run, pid);
	if (r < 0) {
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return diag_system(d, -r, "cannot watch \"%s\"", s->argv[0]);
	}
	return 0;
}

int spawn(struct lab *lab, size_t node, char *const argv[], int input, void *tag,
	  struct child **ret, struct diag *d)
{
	AUTO_FREE char *path = path_with_agents();
	CLEANUP(spawning_close)
	struct spawning s = {
		.lab = lab,
		.node = node,
		.argv = argv,
		.path = path,
		.input = input,
		.out = {-1, -1},
		.err = {-1, -1},
		.failed = {-1, -1},
	};
	CLEANUP(run_free_cleanup) struct program_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	r = prepare(&s, run);
	if (r < 0)
		return diag_system(d, -r, "cannot start \"%s\"", argv[0]);
	r = start(lab, &s, run, d);
	if (r < 0)
		return r;
	run->child.tag = tag;
	run->next = lab->runs;
	lab->runs = run;
	*ret = &STEAL(run)->child;
	return 0;
}

int lab_spawn(struct lab *lab, size_t node, char *const argv[], void *tag, struct child **ret,
	      struct diag *d)
{
	return spawn(lab, node, argv, -1, tag, ret, d);
}
