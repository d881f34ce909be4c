/* SPDX-License-Identifier: MIT */
/*
 * Hairpinning where external ports are drawn, and their range cannot be cut down
 *
 * Two hosts meet if each sends to the very port that is drawn for the other's packet, as cornered.c
 * explains. Among 64,512 ports they never will. But many NATs draw ports below 1024 for sockets
 * below 1024 (RFC 4787 REQ-3a), Linux from 600 to 1023 for those from 512 on. That is few enough to
 * send to each: six sockets that do so, twice, are 2,544 mappings. Of two sockets' mappings one
 * pair fits on average, and each socket's own fit one another too, so 24 packets should be
 * heard. That chance has none heard is one case in 10^10.
 */
#include "conform/hairpin.h"
#include "conform/probes.h"

enum {
	SOCKETS = 6,
	LOCAL = 700, /* and the following */
	LOWEST = 600,
	HIGHEST = 1023,
	ROUNDS = 2,
	BATCH = 64,
};

struct chance {
	struct speech speech;
	struct speaker speakers[SOCKETS];
	int taps[SOCKETS], out; /* TCP: hears SYNs; sends them */
};

/* Towards every ear that there is, to see where ports are drawn from. */
static bool draws_low(struct chance *c)
{
	struct endpoint external;
	size_t i, peer;

	for (i = 0; i < SOCKETS; i++)
		for (peer = 0; peer < BED_PEERS; peer++)
			if (!speaker_speak(&c->speakers[i], peer, PORT_A, &external) ||
			    external.port < LOWEST || external.port > HIGHEST)
				return false;
	return true;
}

static void send_one(struct chance *c, size_t i, const struct endpoint *to)
{
	const struct bed_segment syn = {
		.from = c->speakers[i].local, .to = *to, .flags = SEGMENT_SYN};

	if (c->speech.protocol == NAT_TCP)
		bed_send_segment(c->speech.bed, c->out, &syn);
	else
		bed_send(c->speech.bed, c->speakers[i].fd, to);
}

static bool anybody_heard(struct chance *c, struct hairpin *ret)
{
	struct bed *bed = c->speech.bed;
	uint32_t number;
	size_t i;

	for (i = 0; i < SOCKETS && !ret->heard; i++) {
		ret->host = c->speakers[i].local;
		ret->heard = c->speech.protocol == NAT_TCP
				     ? bed_next_syn(c->taps[i], ret->host.port, &ret->from)
				     : bed_receive(bed, c->speakers[i].fd, &number, sizeof(number),
						   &ret->from) >= 0;
	}
	return ret->heard;
}

static void try_all(struct chance *c, struct hairpin *ret)
{
	struct endpoint to = {.addr = c->speech.bed->subject->externals[0]};
	unsigned int round, sent = 0;
	size_t i;

	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < SOCKETS; i++)
			for (to.port = LOWEST; to.port <= HIGHEST; to.port++) {
				send_one(c, i, &to);
				if (++sent % BATCH)
					continue;
				bed_settle(c->speech.bed);
				if (anybody_heard(c, ret))
					return;
			}
	bed_settle(c->speech.bed);
	anybody_heard(c, ret);
}

void probe_chance(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	size_t mark = bed->socket_count, i;
	struct chance c = {.speech = speech_begin(bed, protocol)};
	struct hairpin h = {.heard = false};
	char text[2][ENDPOINT_TEXT_MAX];

	for (i = 0; i < SOCKETS; i++) {
		c.speakers[i] = speaker_make(&c.speech, i, (uint16_t)(LOCAL + i));
		if (protocol == NAT_TCP)
			c.taps[i] = bed_tcp_tap(bed, BED_INSIDE, &c.speakers[i].local.addr);
	}
	c.out = bed_packets(bed, BED_INSIDE);
	if (!draws_low(&c)) {
		unseen(o, ASPECT_HAIRPINNING, protocol,
		       "ports are drawn anew for each peer, from too many: that hosts do not meet "
		       "by chance proves nothing");
		bed_close_since(bed, mark);
		return;
	}
	try_all(&c, &h);
	see(o, ASPECT_HAIRPINNING, protocol, (int)hairpin_source(bed, &h),
	    "%d sockets below 1024 sent to all of %d to %d: %s%s%s%s", SOCKETS, LOWEST, HIGHEST,
	    h.heard ? endpoint_format(&h.host, text[0]) : "nobody heard anybody",
	    h.heard ? " heard " : "", h.heard ? endpoint_format(&h.from, text[1]) : "",
	    h.heard ? "" : ", where chance would have 24 meet");
	if (h.heard)
		unseen(o, ASPECT_HAIRPIN_ERRORS, protocol,
		       "hosts met by chance; whose packet was "
		       "heard is not known");
	bed_close_since(bed, mark);
}
