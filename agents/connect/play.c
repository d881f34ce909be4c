/* SPDX-License-Identifier: MIT */
#include "agents/connect/play.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agents/net/clock.h"
#include "agents/net/wait.h"
#include "agents/tcp/play.h"

#define FAREWELL (500 * MSEC) /* for what is left to be given back when interrupted */

enum { FD_SOCKETS, FD_LINKS, FD_EXTRA, FDS };

static void on_receive(void *context, size_t socket, const struct endpoint *from, const void *bytes,
		       size_t length, uint64_t now)
{
	race_receive(context, socket, from, bytes, length, now);
}

static void on_refused(void *context, size_t socket, const struct udp_error *error, uint64_t now)
{
	if (error->error == ECONNREFUSED)
		race_refused(context, socket, error, now);
}

static const struct sockets_events events = {.receive = on_receive, .refused = on_refused};

static void send_all(struct race *race, struct race_hands *hands)
{
	struct datagram datagram;
	struct tcp_action action;

	while (race_send(race, clock_now(), &datagram))
		(void)sockets_send(&hands->sockets, &datagram);
	while (race_act(race, clock_now(), &action))
		tcp_play_act(&race->tcp, &hands->links, &action);
}

static void take_all(struct race *race, struct race_hands *hands, const bool ready[FDS])
{
	if (ready[FD_SOCKETS])
		sockets_drain(&hands->sockets, &events, race);
	if (ready[FD_LINKS])
		tcp_play_drain(&race->tcp, &hands->links);
	race_follow(race, clock_now());
	if (ready[FD_EXTRA])
		hands->ready(hands->context, clock_now());
}

static uint64_t next_due(const struct race *race, const struct race_hands *hands)
{
	uint64_t due = race_due(race), own = hands->due ? hands->due(hands->context) : UINT64_MAX;

	return due < own ? due : own;
}

/* The signal that was waited for; another may come. */
static bool is_seen_to(const struct race_hands *hands)
{
	struct signalfd_siginfo taken;

	return hands->stop && hands->stop(hands->context, clock_now()) &&
	       read(hands->signals, &taken, sizeof(taken)) == sizeof(taken);
}

int race_play(struct race *race, struct race_hands *hands)
{
	uint64_t end = UINT64_MAX, due;
	int fds[FDS];
	bool ready[FDS];
	int r;

	for (;;) {
		send_all(race, hands);
		r = hands->tell(hands->context);
		if (r < 0)
			return r;
		if (race_over(race) || clock_now() >= end)
			return end == UINT64_MAX ? 0 : -EINTR;
		fds[FD_SOCKETS] = hands->sockets.epoll;
		fds[FD_LINKS] = hands->links.epoll;
		fds[FD_EXTRA] = hands->extra;
		due = next_due(race, hands);
		r = wait_for(end == UINT64_MAX ? hands->signals : -1, fds, FDS,
			     due < end ? due : end, ready);
		if (r < 0)
			return r;
		if (r == WAIT_STOP && is_seen_to(hands)) {
			continue;
		} else if (r == WAIT_STOP) {
			race_stop(race, clock_now());
			end = clock_now() + FAREWELL;
		} else if (r == WAIT_READY) {
			take_all(race, hands, ready);
		}
	}
}
