/* SPDX-License-Identifier: MIT */
#include "agents/detect/tcp_sockets.h"

#include <errno.h>
#include <sys/epoll.h>

#include "agents/net/clock.h"
#include "agents/net/tcp.h"
#include "agents/net/wait.h"
#include "agents/stun/stream.h"
#include "base/cleanup.h"

enum { MESSAGE_MAX = 2048 };

struct line_out {
	int fd;
	bool connected;
	uint64_t deadline;
	struct stun_stream stream;
	uint8_t bytes[MESSAGE_MAX];
};

struct dialler {
	struct tcp_mapping *core;
	struct endpoint local;
	uint64_t timeout;
	int epoll;
	struct line_out lines[TCP_COUNT];
};

static void dialler_clear(struct dialler *dialler)
{
	size_t i;

	for (i = 0; i < TCP_COUNT; i++)
		fd_cleanup(&dialler->lines[i].fd);
	fd_cleanup(&dialler->epoll);
}

static void fail(struct dialler *dialler, size_t test, int error)
{
	tcp_mapping_fail(dialler->core, test, error);
	fd_cleanup(&dialler->lines[test].fd);
}

static void watch(const struct dialler *dialler, size_t test, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = test};

	(void)epoll_ctl(dialler->epoll, operation, dialler->lines[test].fd, &event);
}

/* Connect what the core wants connected. Returns 0 or -errno with the reason in @d. */
static int dial(struct dialler *dialler, struct diag *d)
{
	struct endpoint to;
	size_t test;

	while ((test = tcp_mapping_dial(dialler->core, &to)) != TCP_COUNT) {
		struct line_out *line = &dialler->lines[test];
		int r;

		line->deadline = clock_now() + dialler->timeout;
		stun_stream_init(&line->stream, line->bytes, sizeof(line->bytes));
		line->fd = tcp_open(&dialler->local, &dialler->local, d);
		if (line->fd < 0)
			return line->fd;
		dialler->core->local = dialler->local;
		r = tcp_connect(line->fd, &to);
		if (r == 0 || r == -EINPROGRESS)
			watch(dialler, test, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
		else
			fail(dialler, test, -r);
	}
	return 0;
}

static void speak(struct dialler *dialler, size_t test)
{
	struct line_out *line = &dialler->lines[test];
	uint8_t request[STUN_HEADER_SIZE];
	size_t length;
	int r = tcp_result(line->fd, NULL);

	if (r == -EINPROGRESS)
		return;
	if (r < 0) {
		fail(dialler, test, -r);
		return;
	}
	line->connected = true;
	length = tcp_mapping_connected(dialler->core, test, request, sizeof(request));
	/* Twenty bytes always fit the buffer of a new connection. */
	if (tcp_send(line->fd, request, length) != (ssize_t)length)
		fail(dialler, test, EIO);
	else
		watch(dialler, test, EPOLL_CTL_MOD, EPOLLIN);
}

static void listen_to(struct dialler *dialler, size_t test)
{
	struct line_out *line = &dialler->lines[test];
	enum stun_stream_result result;
	struct stun_message message;
	size_t room;
	void *at = stun_stream_room(&line->stream, &room);
	ssize_t n = tcp_receive(line->fd, at, room);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		fail(dialler, test, (int)-n);
		return;
	}
	stun_stream_added(&line->stream, (size_t)n);
	while ((result = stun_stream_next(&line->stream, &message)) == STREAM_MESSAGE)
		tcp_mapping_receive(dialler->core, test, &message);
	if (result == STREAM_BROKEN)
		fail(dialler, test, EBADMSG);
	else if (dialler->core->tests[test].state == TCP_ANSWERED)
		watch(dialler, test, EPOLL_CTL_DEL, 0); /* kept open: the mapping shall live */
}

static uint64_t expire(struct dialler *dialler, uint64_t now)
{
	uint64_t due = UINT64_MAX;
	size_t i;

	for (i = 0; i < TCP_COUNT; i++) {
		enum tcp_test_state state = dialler->core->tests[i].state;

		if (state != TCP_DIALLING && state != TCP_ASKED)
			continue;
		if (now >= dialler->lines[i].deadline)
			fail(dialler, i, ETIMEDOUT);
		else if (dialler->lines[i].deadline < due)
			due = dialler->lines[i].deadline;
	}
	return due;
}

static void handle(struct dialler *dialler)
{
	struct epoll_event ready[TCP_COUNT];
	int n = epoll_wait(dialler->epoll, ready, TCP_COUNT, 0);
	int i;

	for (i = 0; i < n; i++) {
		size_t test = (size_t)ready[i].data.u64;

		if (dialler->lines[test].connected)
			listen_to(dialler, test);
		else
			speak(dialler, test);
	}
}

int tcp_mapping_run(const struct endpoint *server, const struct addr *source, uint64_t timeout,
		    const struct random_source *random, const struct notes *notes, int signals,
		    struct tcp_mapping *ret, struct diag *d)
{
	struct dialler dialler CLEANUP(dialler_clear) = {
		.core = ret, .local = {.addr = *source}, .timeout = timeout, .epoll = -1};
	size_t i;
	int r;

	for (i = 0; i < TCP_COUNT; i++)
		dialler.lines[i].fd = -1;
	dialler.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (dialler.epoll < 0)
		return diag_system(d, errno, "cannot watch sockets");
	tcp_mapping_start(ret, server, &dialler.local, random, notes);
	for (;;) {
		uint64_t due;
		bool ready;

		r = dial(&dialler, d);
		if (r < 0)
			return r;
		due = expire(&dialler, clock_now());
		if (tcp_mapping_over(ret))
			return 0;
		r = wait_for(signals, &dialler.epoll, 1, due, &ready);
		if (r < 0)
			return r;
		if (r == WAIT_STOP)
			return -EINTR;
		handle(&dialler);
	}
}
