/* SPDX-License-Identifier: MIT */
#include "agents/tcp/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "agents/net/clock.h"
#include "base/cleanup.h"

enum { TURNS = 64, READY_MAX = 32, MESSAGE_MAX = 2048 };
#define LISTENER_MARK UINT64_MAX

struct link {
	int fd; /* -1: none */
	bool connecting;
	struct stun_stream stream;
	uint8_t buffer[MESSAGE_MAX];
};

int links_open(struct links *links, const struct endpoint *local, size_t count, struct diag *d)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = LISTENER_MARK};
	size_t i;
	int r;

	links->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (links->epoll < 0)
		return diag_system(d, errno, "cannot watch sockets");
	links->list = calloc(count, sizeof(*links->list));
	if (!links->list)
		return diag_error(d, ENOMEM, "out of memory");
	links->count = count;
	for (i = 0; i < count; i++)
		links->list[i].fd = -1;
	r = links->listener = tcp_listen(local, &links->local, d);
	if (r < 0)
		return r;
	if (epoll_ctl(links->epoll, EPOLL_CTL_ADD, links->listener, &event) < 0)
		return diag_system(d, errno, "cannot watch a socket");
	return 0;
}

void links_clear(struct links *links)
{
	size_t i;

	for (i = 0; i < links->count; i++)
		fd_cleanup(&links->list[i].fd);
	fd_cleanup(&links->listener);
	fd_cleanup(&links->epoll);
	free(links->list);
	*links = (struct links)LINKS_NONE;
}

/* @fd becomes the connection @number. */
static int adopt(struct links *links, size_t number, int fd, bool connecting)
{
	struct epoll_event event = {.events = connecting ? EPOLLOUT : EPOLLIN, .data.u64 = number};
	struct link *link = &links->list[number];

	if (epoll_ctl(links->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	link->fd = fd;
	link->connecting = connecting;
	stun_stream_init(&link->stream, link->buffer, sizeof(link->buffer));
	return 0;
}

int links_connect(struct links *links, size_t number, const struct endpoint *to, bool fresh)
{
	struct endpoint local = links->local;
	AUTO_CLOSE int fd = -1;
	int r;

	links_abort(links, number);
	if (fresh)
		local.port = 0;
	fd = tcp_open(&local, NULL, NULL);
	if (fd < 0)
		return fd;
	r = tcp_connect(fd, to);
	/* One that connects at once is told of like every other. */
	if (r < 0 && r != -EINPROGRESS)
		return r;
	r = adopt(links, number, fd, true);
	if (r == 0)
		(void)STEAL_FD(fd);
	return r;
}

int links_send(struct links *links, size_t number, const void *bytes, size_t length)
{
	struct link *link = &links->list[number];
	ssize_t n;

	if (link->fd < 0 || link->connecting)
		return -ENOTCONN;
	n = tcp_send(link->fd, bytes, length);
	if (n == (ssize_t)length)
		return 0;
	/* Half a message cannot be taken back. The end will be read in due course. */
	(void)shutdown(link->fd, SHUT_RDWR);
	return n < 0 ? (int)n : -EMSGSIZE;
}

void links_close(struct links *links, size_t number)
{
	fd_cleanup(&links->list[number].fd);
	links->list[number].fd = -1;
}

void links_abort(struct links *links, size_t number)
{
	if (links->list[number].fd >= 0)
		tcp_abort(STEAL_FD(links->list[number].fd));
}

int links_local(const struct links *links, size_t number, struct endpoint *ret)
{
	return links->list[number].fd < 0 ? -ENOTCONN : tcp_local(links->list[number].fd, ret);
}

/* ---- what has happened ---- */

static void accept_all(struct links *links, const struct links_events *events, void *context)
{
	int turns = TURNS;

	while (turns-- > 0) {
		struct endpoint from;
		int fd = tcp_accept(links->listener, &from);
		int number;

		if (fd == -ECONNABORTED)
			continue;
		if (fd < 0)
			return;
		number = events->accepted(context, &from, clock_now());
		if (number < 0) {
			tcp_abort(fd);
			continue;
		}
		links_abort(links, (size_t)number);
		if (adopt(links, (size_t)number, fd, false) < 0) {
			close(fd);
			events->ended(context, (size_t)number, clock_now());
		}
	}
}

static void finish_connecting(struct links *links, size_t number, const struct links_events *events,
			      void *context)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = number};
	struct link *link = &links->list[number];
	struct tcp_refusal refusal = {0};
	int r = tcp_result(link->fd, &refusal);

	if (r == -EINPROGRESS)
		return;
	if (r == 0 && epoll_ctl(links->epoll, EPOLL_CTL_MOD, link->fd, &event) < 0)
		r = -errno;
	if (r == 0) {
		link->connecting = false;
		events->connected(context, number, clock_now());
		return;
	}
	if (refusal.error == 0)
		refusal.error = -r;
	links_close(links, number);
	events->failed(context, number, &refusal, clock_now());
}

/* Hand over the whole messages; false at garbage. An event may have closed the connection. */
static bool take_messages(struct links *links, size_t number, const struct links_events *events,
			  void *context)
{
	struct link *link = &links->list[number];
	struct stun_message message;

	while (link->fd >= 0) {
		switch (stun_stream_next(&link->stream, &message)) {
		case STREAM_MORE:
			return true;
		case STREAM_BROKEN:
			return false;
		case STREAM_MESSAGE:
			events->message(context, number, &message, clock_now());
			break;
		}
	}
	return true;
}

static void read_some(struct links *links, size_t number, const struct links_events *events,
		      void *context)
{
	struct link *link = &links->list[number];
	int turns = TURNS;

	while (turns-- > 0 && link->fd >= 0) {
		size_t size;
		void *room = stun_stream_room(&link->stream, &size);
		ssize_t n = tcp_receive(link->fd, room, size);

		if (n == -EAGAIN)
			return;
		if (n > 0)
			stun_stream_added(&link->stream, (size_t)n);
		if (n <= 0 || !take_messages(links, number, events, context)) {
			links_close(links, number);
			events->ended(context, number, clock_now());
		}
	}
}

void links_drain(struct links *links, const struct links_events *events, void *context)
{
	struct epoll_event ready[READY_MAX];
	int n = epoll_wait(links->epoll, ready, READY_MAX, 0);
	int i;

	for (i = 0; i < n; i++) {
		size_t number = (size_t)ready[i].data.u64;

		/* An earlier event of this batch may have given the number to another socket, which
		 * then has nothing to tell yet. */
		if (ready[i].data.u64 == LISTENER_MARK)
			accept_all(links, events, context);
		else if (links->list[number].fd >= 0 && links->list[number].connecting)
			finish_connecting(links, number, events, context);
		else if (links->list[number].fd >= 0)
			read_some(links, number, events, context);
	}
}
