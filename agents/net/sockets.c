/* SPDX-License-Identifier: MIT */
#include "agents/net/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "agents/net/clock.h"
#include "base/cleanup.h"

enum { TURNS = 64, READY_MAX = 32 };

static int open_one(const struct endpoint *local, struct endpoint *ret_bound, struct diag *d)
{
	AUTO_CLOSE int fd = udp_open(local, ret_bound, d);
	int r;

	if (fd < 0)
		return fd;
	r = udp_keep_errors(fd, local->addr.family);
	if (r < 0)
		return diag_system(d, -r, "cannot ask for ICMP errors");
	return STEAL_FD(fd);
}

int sockets_adopt(struct sockets *sockets, int fd, struct diag *d)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = sockets->count};
	AUTO_CLOSE int own = fd;
	int *fds;

	if (sockets->epoll < 0)
		sockets->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (sockets->epoll < 0)
		return diag_system(d, errno, "cannot watch sockets");
	fds = reallocarray(sockets->fds, sockets->count + 1, sizeof(*fds));
	if (!fds)
		return diag_error(d, ENOMEM, "out of memory");
	sockets->fds = fds;
	if (epoll_ctl(sockets->epoll, EPOLL_CTL_ADD, own, &event) < 0)
		return diag_system(d, errno, "cannot watch a socket");
	sockets->fds[sockets->count] = STEAL_FD(own);
	return (int)sockets->count++;
}

int sockets_add(struct sockets *sockets, const struct endpoint *local, struct endpoint *ret_bound,
		struct diag *d)
{
	int fd = open_one(local, ret_bound, d);

	return fd < 0 ? fd : sockets_adopt(sockets, fd, d);
}

void sockets_clear(struct sockets *sockets)
{
	size_t i;

	for (i = 0; i < sockets->count; i++)
		fd_cleanup(&sockets->fds[i]);
	fd_cleanup(&sockets->epoll);
	free(sockets->fds);
	*sockets = (struct sockets)SOCKETS_NONE;
}

int sockets_send(const struct sockets *sockets, const struct datagram *datagram)
{
	return udp_send(sockets->fds[datagram->socket], &datagram->to, datagram->bytes,
			datagram->length);
}

static void drain_one(const struct sockets *sockets, size_t socket,
		      const struct sockets_events *events, void *context)
{
	uint8_t bytes[DATAGRAM_MAX];
	struct udp_error error;
	struct endpoint from;
	int turns = TURNS;
	ssize_t n;

	while (udp_error(sockets->fds[socket], &error) == 0) {
		if (events->refused)
			events->refused(context, socket, &error, clock_now());
	}
	while (turns-- > 0 &&
	       (n = udp_receive(sockets->fds[socket], bytes, sizeof(bytes), &from)) >= 0)
		events->receive(context, socket, &from, bytes, (size_t)n, clock_now());
}

void sockets_drain(const struct sockets *sockets, const struct sockets_events *events,
		   void *context)
{
	struct epoll_event ready[READY_MAX];
	int n = epoll_wait(sockets->epoll, ready, READY_MAX, 0);
	int i;

	for (i = 0; i < n; i++)
		drain_one(sockets, (size_t)ready[i].data.u64, events, context);
}
