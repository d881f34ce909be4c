/* SPDX-License-Identifier: MIT */
/*
 * How long a peer is let in once its connection is over
 *
 * The sockets are gone by then, and a new connection between the same endpoints says nothing
 * of the mapping: conntrack remembers the old one's end, and refuses it. What conntrack
 * does let pass is a segment of the old connection, an acknowledgement without payload. So that
 * is what the peer says, with the numbers which the last segment from inside named, and whether it
 * gets in is up to the mapping and the filter.
 */
#include "conform/endings.h"

#include <sys/socket.h>

enum { PEER = 1 };

struct endings endings_begin(struct bed *bed, enum ending how, uint16_t port)
{
	struct endings e = {.bed = bed, .how = how};

	e.peer = bed_peer(bed, PEER, port);
	e.listener = bed_listen(bed, BED_OUTSIDE, &e.peer);
	e.near = bed_tcp_tap(bed, BED_INSIDE, &bed->hosts[0]);
	e.far = bed_tcp_tap(bed, BED_OUTSIDE, &e.peer.addr);
	e.out = bed_packets(bed, BED_OUTSIDE);
	return e;
}

static void end(const struct endings *e, int own, int other)
{
	if (e->how == ENDING_CLOSED) {
		shutdown(own, SHUT_WR);
		bed_settle(e->bed);
		shutdown(other, SHUT_WR);
	} else {
		/* The newest socket: closed abruptly, it resets. */
		bed_close_since(e->bed, e->bed->socket_count - 1);
	}
	bed_settle(e->bed);
}

bool ended_make(const struct endings *e, const struct endpoint *local, struct ended *ret)
{
	size_t mark = e->bed->socket_count;
	int own = bed_tcp(e->bed, BED_INSIDE, local), other;
	struct bed_segment last;
	bool seen = false;

	*ret = (struct ended){.local = *local};
	bed_connect(e->bed, own, &e->peer);
	bed_settle(e->bed);
	other = bed_accept(e->bed, e->listener, &ret->external);
	if (other >= 0)
		end(e, own, other);
	bed_close_since(e->bed, mark);
	while (bed_next_segment(e->far, e->peer.port, &last)) {
		if (!endpoint_equal(&last.from, &ret->external))
			continue;
		seen = true;
		ret->word = (struct bed_segment){.from = e->peer,
						 .to = ret->external,
						 .sequence = last.acknowledged,
						 .acknowledged = last.sequence,
						 .flags = SEGMENT_ACK};
	}
	return seen && other >= 0;
}

bool ended_answers(const struct endings *e, const struct ended *ended)
{
	struct bed_segment heard;

	while (bed_next_segment(e->near, ended->local.port, &heard))
		; /* from before */
	bed_send_segment(e->bed, e->out, &ended->word);
	bed_settle(e->bed);
	while (bed_next_segment(e->near, ended->local.port, &heard))
		if (heard.flags == SEGMENT_ACK)
			return true;
	return false;
}
