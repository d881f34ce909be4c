/* SPDX-License-Identifier: MIT */
/*
 * How everything that happens reaches the caller one by one
 *
 * One epoll waits for signals, for each program's end (a pidfd) and for its two
 * streams. It hands out one source at a time and is level-triggered, so sources take
 * turns: a program that floods its stdout cannot keep the others from being heard.
 * From a stream one bounded read is taken; its lines are told before anything else
 * is read. Memory is bounded by the limit on what is kept and one line.
 *
 * A program's end is not the end of its streams: a grandchild may hold them open for
 * ever. So when the pidfd fires, what is in the pipes at that moment is the program's
 * last word; it is read, told, and then LAB_ENDED, whoever still holds the other end.
 *
 * A deadline that has passed is told even if there always is one more line to tell:
 * after a few more reads LAB_TIMEOUT has its turn. Not at once, since on a busy machine
 * the end that was waited for may already be there to be read.
 *
 * As process 1 we also get every orphan. Their ends interest nobody, but they must be
 * reaped; a program's own end is left for its pidfd.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lab/output.h"

enum { OVERDUE_READS_MAX = 32 };

int events_watch(struct lab *lab, struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	return epoll_ctl(lab->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

static void source_close(struct lab *lab, struct source *source)
{
	if (source->fd < 0)
		return;
	/* Closing alone would not do while a child that is being started has a copy. */
	epoll_ctl(lab->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
	source->fd = -1;
}

int events_open(struct lab *lab, struct diag *d)
{
	sigset_t wanted;
	int r;

	sigemptyset(&wanted);
	sigaddset(&wanted, LAB_SIGNAL);
	sigaddset(&wanted, SIGCHLD);
	lab->signals = (struct source){.kind = SOURCE_SIGNALS};
	lab->signals.fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	lab->epoll = epoll_create1(EPOLL_CLOEXEC);
	r = lab->signals.fd < 0 || lab->epoll < 0 ? -errno : events_watch(lab, &lab->signals);
	return r < 0 ? diag_system(d, -r, "cannot watch the lab") : 0;
}

void run_free(struct program_run *run)
{
	if (!run)
		return;
	if (run->end.fd >= 0)
		close(run->end.fd);
	if (run->out.fd >= 0)
		close(run->out.fd);
	if (run->err.fd >= 0)
		close(run->err.fd);
	free(run->child.out.text);
	free(run->child.err.text);
	free(run->line);
	free(run);
}

void events_close(struct lab *lab)
{
	struct program_run *run;

	port_claims_close(lab);
	strays_close(lab);
	while (lab->runs) {
		run = lab->runs;
		lab->runs = run->next;
		run_free(run);
	}
	if (lab->signals.fd >= 0)
		close(lab->signals.fd);
	if (lab->epoll >= 0)
		close(lab->epoll);
}

static bool is_ours(const struct lab *lab, pid_t pid)
{
	const struct program_run *run;

	for (run = lab->runs; run; run = run->next)
		if (run->child.pid == pid && !run->reaped)
			return true;
	return false;
}

/* Reap what the kernel gave us to bring up, up to the first that is a program of ours. */
static void reap_orphans(const struct lab *lab)
{
	siginfo_t info = {0};

	if (getpid() != 1)
		return;
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
	       !is_ours(lab, info.si_pid)) {
		waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
		info.si_pid = 0;
	}
}

static int bytes_in(const struct source *source)
{
	int bytes = 0;

	if (source->fd < 0 || ioctl(source->fd, FIONREAD, &bytes) < 0)
		return 0;
	return bytes;
}

static int handle_end(struct lab *lab, struct program_run *run)
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)run->end.fd, &info, WEXITED) < 0)
		return -errno;
	run->child.ended = lab_clock();
	run->child.end = info.si_code == CLD_EXITED ? CHILD_EXITED : CHILD_KILLED;
	run->child.status = info.si_status;
	run->reaped = true;
	run->out_left = bytes_in(&run->out);
	run->err_left = bytes_in(&run->err);
	source_close(lab, &run->end);
	lab->ending = run;
	reap_orphans(lab);
	return 0;
}

static int handle_signal(struct lab *lab, struct lab_event *ret, bool *told)
{
	struct signalfd_siginfo info;

	if (read(lab->signals.fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGCHLD) {
		reap_orphans(lab);
		return 0;
	}
	ret->kind = LAB_INTERRUPTED;
	ret->signal = info.ssi_int;
	*told = true;
	return 0;
}

static int handle_stream(struct lab *lab, struct source *source)
{
	ssize_t n = output_read(lab, source, SIZE_MAX);

	if (n < 0)
		return (int)n;
	if (n == 0)
		source_close(lab, source);
	if (source->kind == SOURCE_OUT)
		lab->talking = source->run;
	return 0;
}

/* Handle one source. *told when @ret is an event for the caller. */
static int handle(struct lab *lab, struct source *source, struct lab_event *ret, bool *told)
{
	switch (source->kind) {
	case SOURCE_END:
		return handle_end(lab, source->run);
	case SOURCE_OUT:
	case SOURCE_ERR:
		return handle_stream(lab, source);
	case SOURCE_SIGNALS:
		return handle_signal(lab, ret, told);
	case SOURCE_STRAYS:
		return strays_attend(source);
	}
	return -EINVAL;
}

static int drain(struct lab *lab, struct source *source, int *left)
{
	ssize_t n;

	if (source->fd < 0 || *left <= 0)
		return 0;
	n = output_read(lab, source, (size_t)*left);
	if (n < 0)
		return (int)n;
	*left = n == 0 ? 0 : *left - (int)n;
	return 0;
}

/* A step towards LAB_ENDED: read on, tell the last line, or tell the end. */
static int finish(struct lab *lab, struct lab_event *ret, bool *told)
{
	struct program_run *run = lab->ending;
	int r;

	r = drain(lab, &run->err, &run->err_left);
	if (r == 0)
		r = drain(lab, &run->out, &run->out_left);
	if (r < 0)
		return r;
	if (run->out_left > 0 || run->err_left > 0) {
		lab->talking = run;
		return 0;
	}
	*told = true;
	ret->child = &run->child;
	ret->kind = LAB_LINE;
	if (output_line(run, true, &ret->line, &ret->length))
		return 0;
	source_close(lab, &run->out);
	source_close(lab, &run->err);
	lab->ending = NULL;
	ret->kind = LAB_ENDED;
	return 0;
}

static bool tell_line(struct lab *lab, struct lab_event *ret)
{
	if (!lab->talking || !output_line(lab->talking, false, &ret->line, &ret->length)) {
		lab->talking = NULL;
		return false;
	}
	ret->kind = LAB_LINE;
	ret->child = &lab->talking->child;
	return true;
}

/* Milliseconds from now until @deadline for epoll_wait(), rounded up. */
static int until(uint64_t deadline)
{
	uint64_t now = lab_clock(), ms;

	if (now >= deadline)
		return 0;
	ms = (deadline - now + 999999) / 1000000;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* One source that has something; *ret NULL at the deadline. */
static int wait_source(struct lab *lab, uint64_t deadline, struct source **ret)
{
	struct epoll_event event;
	int timeout = until(deadline);
	int n;

	*ret = NULL;
	lab->overdue = timeout == 0 ? lab->overdue + 1 : 0;
	if (lab->overdue > OVERDUE_READS_MAX) {
		lab->overdue = 0;
		return 0;
	}
	do
		n = epoll_wait(lab->epoll, &event, 1, timeout);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n > 0)
		*ret = event.data.ptr;
	return 0;
}

int lab_next(struct lab *lab, uint64_t deadline, struct lab_event *ret)
{
	struct lab_event event = {0};
	struct source *source;
	bool told = false;
	int r = 0;

	while (r == 0 && !told) {
		told = tell_line(lab, &event);
		if (told)
			break;
		if (lab->ending) {
			r = finish(lab, &event, &told);
			continue;
		}
		r = wait_source(lab, deadline, &source);
		if (r < 0)
			break;
		if (source) {
			r = handle(lab, source, &event, &told);
		} else {
			event.kind = LAB_TIMEOUT;
			told = true;
		}
	}
	if (r == 0)
		r = port_claims_catch_up(lab);
	if (r < 0)
		return r;
	event.when = lab_clock();
	*ret = event;
	return 0;
}
