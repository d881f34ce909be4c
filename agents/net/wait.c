/* SPDX-License-Identifier: MIT */
#include "agents/net/wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "agents/net/clock.h"

int wait_signals(struct diag *d)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return diag_system(d, errno, "cannot block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return diag_system(d, errno, "cannot read signals from a descriptor");
	return fd;
}

int wait_for(int signals, const int *fds, size_t count, uint64_t deadline, bool *ready)
{
	struct pollfd polled[WAIT_FDS_MAX + 1];
	struct timespec left = {0};
	size_t i;
	int r;

	if (count > WAIT_FDS_MAX)
		return -EINVAL;
	for (i = 0; i < count; i++)
		polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	polled[count] = (struct pollfd){.fd = signals, .events = POLLIN};
	do {
		uint64_t now = clock_now();
		uint64_t span = deadline > now ? deadline - now : 0;

		left.tv_sec = (time_t)(span / SEC);
		left.tv_nsec = (long)(span % SEC);
		r = ppoll(polled, count + 1, deadline == WAIT_FOREVER ? NULL : &left, NULL);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (polled[count].revents != 0)
		return WAIT_STOP;
	for (i = 0; i < count; i++)
		ready[i] = polled[i].revents != 0;
	return r > 0 ? WAIT_READY : WAIT_TIMEOUT;
}
