/* SPDX-License-Identifier: MIT */
#include "conform/lots.h"

/* A peer's port is one socket's, and others are asked while busy flows are. */
enum {
	PORT_HALF = 7003,
	PORT_CLOSED = 7006,
	PORT_RESET = 7007,
	IDLE_PEER = 0,
	BUSY_PEER = 2,
	OPENED = 3
};

/* What is seen of each kind, and who asks. */
static const struct sight {
	enum aspect begin, end;
	const char *what;
} sights[LOT_KINDS] = {
	[LOT_IDLE] = {ASPECT_LIFETIME, ASPECT_LIFETIME_END, "the peer's answer"},
	[LOT_BUSY] = {ASPECT_BUSY_LIFETIME, ASPECT_BUSY_LIFETIME_END,
		      "the peer's answer, to the last of many packets,"},
	[LOT_HALF_OPEN] = {ASPECT_TRANSITORY, ASPECT_TRANSITORY_END,
			   "the peer's SYN, to one it did not answer,"},
	[LOT_CLOSED] = {ASPECT_CLOSED, ASPECT_CLOSED_END,
			"what the peer says once both have closed"},
	[LOT_RESET] = {ASPECT_RESET, ASPECT_RESET_END, "what the peer says after its reset"},
};

void lot_ages_up_to(struct lot *lot, unsigned int bound_ms)
{
	double age = bound_ms;
	size_t i;

	lot->count = LOT_MAX;
	for (i = LOT_MAX; i > 0; i--, age /= 1.05)
		lot->ages[i - 1] = (unsigned int)age;
}

void lot_ages_around(struct lot *lot, unsigned int life_ms)
{
	const unsigned int from = 16, to = 24;
	unsigned int part;

	lot->count = 0;
	for (part = from; part <= to; part++)
		lot->ages[lot->count++] = life_ms * part / 20;
}

void lot_ages_at(struct lot *lot, unsigned int least_ms, unsigned int most_ms)
{
	const unsigned int ages[LOT_BUSY_MAX] = {least_ms * 85 / 100, least_ms * 95 / 100,
						 most_ms * 102 / 100, most_ms * 115 / 100};

	for (lot->count = 0; lot->count < LOT_BUSY_MAX; lot->count++)
		lot->ages[lot->count] = ages[lot->count];
}

static struct endpoint half_peer(const struct lot *lot)
{
	return bed_peer(lot->speech.bed, 1, PORT_HALF);
}

/* A SYN that stays without an answer, and is not repeated. */
static bool half_open(struct lot *lot, size_t i)
{
	struct bed *bed = lot->speech.bed;
	struct endpoint to = half_peer(lot);
	size_t mark = bed->socket_count;

	bed_connect(bed, bed_tcp(bed, BED_INSIDE, &lot->speakers[i].local), &to);
	bed_settle(bed);
	bed_close_since(bed, mark);
	return bed_next_syn(lot->far, to.port, &lot->external[i]);
}

static bool half_answered(struct lot *lot, size_t i)
{
	struct bed *bed = lot->speech.bed;
	struct endpoint from = half_peer(lot), heard;
	size_t mark = bed->socket_count;

	bed_connect(bed, bed_tcp(bed, BED_OUTSIDE, &from), &lot->external[i]);
	bed_settle(bed);
	bed_close_since(bed, mark);
	return bed_next_syn(lot->near, lot->speakers[i].local.port, &heard);
}

static void prepare(struct lot *lot)
{
	struct bed *bed = lot->speech.bed;
	struct endpoint peer = half_peer(lot);

	if (lot->kind == LOT_CLOSED)
		lot->endings = endings_begin(bed, ENDING_CLOSED, PORT_CLOSED);
	if (lot->kind == LOT_RESET)
		lot->endings = endings_begin(bed, ENDING_RESET, PORT_RESET);
	if (lot->kind != LOT_HALF_OPEN)
		return;
	bed_deafen(bed, bed_listen(bed, BED_OUTSIDE, &peer));
	lot->near = bed_tcp_tap(bed, BED_INSIDE, &bed->hosts[0]);
	lot->far = bed_tcp_tap(bed, BED_OUTSIDE, &peer.addr);
}

static bool be_born(struct lot *lot, size_t i)
{
	struct speaker *speaker = &lot->speakers[i];

	switch (lot->kind) {
	case LOT_IDLE:
		return speaker_speak(speaker, IDLE_PEER, PORT_A, &lot->external[i]);
	case LOT_BUSY: /* the last of its packets, and of its peer's, if that gets in */
		if (!speaker_speak(speaker, BUSY_PEER, PORT_A, &lot->external[i]))
			return false;
		speaker_knock(speaker, BUSY_PEER, PORT_A, &lot->external[i], NULL);
		return true;
	case LOT_HALF_OPEN:
		return half_open(lot, i);
	case LOT_CLOSED:
	case LOT_RESET:
		return ended_make(&lot->endings, &speaker->local, &lot->ended[i]);
	case LOT_KINDS:
		break;
	}
	return false;
}

void lot_warm(struct bed *bed, struct lot *lot)
{
	size_t i;

	lot->speech = speech_begin(bed, NAT_UDP);
	for (i = 0; i < lot->count; i++) {
		lot->speakers[i] = speaker_make(&lot->speech, 0, bed_fresh_port(bed));
		busy_burst(&lot->speakers[i], BUSY_PEER, PORT_A, BUSY_PACKETS, &lot->busy[i]);
	}
}

/* A machine that stands still may let a socket's mapping end while it is being opened. */
static bool open_one(struct lot *lot, size_t i)
{
	struct speaker *speaker = &lot->speakers[i];
	bool born = false;
	int tries;

	for (tries = 0; tries < OPENED && !born; tries++) {
		if (lot->kind == LOT_BUSY)
			busy_burst(speaker, BUSY_PEER, PORT_A, BUSY_AGAIN, &lot->busy[i]);
		else
			*speaker = speaker_make(&lot->speech, 0, bed_fresh_port(lot->speech.bed));
		lot->born[i][0] = bed_clock_ms();
		born = be_born(lot, i);
		lot->born[i][1] = bed_clock_ms();
	}
	return born;
}

void lot_open(struct bed *bed, enum nat_protocol protocol, enum lot_kind kind,
	      const struct observed *o, struct lot *lot)
{
	const struct seen *passes = &o->seen[ASPECT_PASSES][protocol];
	size_t i;

	if (kind != LOT_BUSY)
		lot->speech = speech_begin(bed, protocol);
	lot->kind = kind;
	lot->open = passes->known && passes->value;
	if (lot->open)
		prepare(lot);
	for (i = 0; i < lot->count && lot->open; i++)
		lot->open = open_one(lot, i);
}

uint64_t lot_due(const struct lot *lot)
{
	size_t i = lot->asked;

	return lot->open && i < lot->count ? lot->born[i][1] + lot->ages[i] : UINT64_MAX;
}

static bool answered(struct lot *lot, size_t i)
{
	switch (lot->kind) {
	case LOT_IDLE:
		return speaker_answered(&lot->speakers[i], IDLE_PEER, PORT_A, &lot->external[i]);
	case LOT_BUSY:
		return speaker_answered(&lot->speakers[i], BUSY_PEER, PORT_A, &lot->external[i]);
	case LOT_HALF_OPEN:
		return half_answered(lot, i);
	case LOT_CLOSED:
	case LOT_RESET:
		return ended_answers(&lot->endings, &lot->ended[i]);
	case LOT_KINDS:
		break;
	}
	return false;
}

/*
 * Who is late asks only the oldest of those whose time has come: the others would tell no more, and
 * the next ones would be late, too.
 */
void lot_ask(struct lot *lot)
{
	uint64_t before;
	size_t i;

	bed_wait_until(lot_due(lot));
	before = bed_clock_ms();
	do
		i = lot->asked++;
	while (lot_due(lot) <= before);
	if (answered(lot, i))
		lot->last_alive = (int)(before - lot->born[i][1]);
	else if (lot->first_dead == 0)
		lot->first_dead = (int)(bed_clock_ms() - lot->born[i][0]);
}

void lot_see(const struct lot *lot, struct observed *o)
{
	const struct sight *sight = &sights[lot->kind];
	enum nat_protocol protocol = lot->speech.protocol;

	if (!lot->open) {
		unseen(o, sight->begin, protocol, "not every socket got out");
		return;
	}
	if (lot->kind == LOT_HALF_OPEN && lot->last_alive == 0) {
		unseen(o, sight->begin, protocol, "%s never gets in", sight->what);
		return;
	}
	if (lot->first_dead == 0) {
		see(o, sight->begin, protocol, lot->last_alive, "after %d ms %s still gets in",
		    lot->last_alive, sight->what);
		return;
	}
	see(o, sight->begin, protocol, lot->last_alive,
	    "%s gets in after %d ms, and not after %d ms", sight->what, lot->last_alive,
	    lot->first_dead);
	see(o, sight->end, protocol, lot->first_dead, "%s", "");
}
