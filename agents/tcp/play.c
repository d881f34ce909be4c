/* SPDX-License-Identifier: MIT */
#include "agents/tcp/play.h"

#include <errno.h>

#include "agents/net/clock.h"
#include "agents/net/wait.h"

static void on_connected(void *context, size_t link, uint64_t now)
{
	tcp_punch_connected(context, link, now);
}

static void on_failed(void *context, size_t link, const struct tcp_refusal *refusal, uint64_t now)
{
	tcp_punch_failed(context, link, refusal, now);
}

static int on_accepted(void *context, const struct endpoint *from, uint64_t now)
{
	return tcp_punch_accepted(context, from, now);
}

static void on_message(void *context, size_t link, const struct stun_message *message, uint64_t now)
{
	tcp_punch_receive(context, link, message, now);
}

static void on_ended(void *context, size_t link, uint64_t now)
{
	tcp_punch_ended(context, link, now);
}

static const struct links_events events = {
	.connected = on_connected,
	.failed = on_failed,
	.accepted = on_accepted,
	.message = on_message,
	.ended = on_ended,
};

void tcp_play_act(struct tcp_punch *punch, struct links *links, const struct tcp_action *action)
{
	struct tcp_refusal refusal = {0};
	int r;

	switch (action->kind) {
	case TCP_ACTION_CONNECT:
		r = links_connect(links, action->connection, &action->to, action->fresh_port);
		refusal.error = -r;
		if (r < 0)
			tcp_punch_failed(punch, action->connection, &refusal, clock_now());
		break;
	case TCP_ACTION_SEND:
		(void)links_send(links, action->connection, action->bytes, action->length);
		break;
	case TCP_ACTION_CLOSE:
		links_close(links, action->connection);
		break;
	case TCP_ACTION_ABORT:
		links_abort(links, action->connection);
		break;
	}
}

void tcp_play_drain(struct tcp_punch *punch, struct links *links)
{
	links_drain(links, &events, punch);
}

int tcp_play(struct tcp_punch *punch, struct links *links, int signals, int (*tell)(void *context),
	     void *context)
{
	struct tcp_action action;
	bool ready;
	int r;

	for (;;) {
		while (tcp_punch_act(punch, clock_now(), &action))
			tcp_play_act(punch, links, &action);
		r = tell(context);
		if (r < 0 || tcp_punch_over(punch))
			return r;
		r = wait_for(signals, &links->epoll, 1, tcp_punch_due(punch), &ready);
		if (r == WAIT_STOP) {
			if (tcp_punch_leave(punch, &action))
				tcp_play_act(punch, links, &action);
			return -EINTR;
		}
		if (r < 0)
			return r;
		if (r == WAIT_READY)
			tcp_play_drain(punch, links);
	}
}
