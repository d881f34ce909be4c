/* SPDX-License-Identifier: MIT */
/*
 * Hairpinning where nobody can know external ports
 *
 * A mapping that depends on its peer, with a port drawn anew for each: a host that sends to
 * another's external endpoint cannot see which one of its own it leaves by, and neither can anybody
 * outside, since the packet never gets there. The other's filter asks just for that.
 *
 * So the range is cut down until two ports are left, A and B, and two hosts speak:
 *
 *     X sends to B     and gets A, or B
 *     Y sends to A     and gets the other one
 *
 * If X got A, then Y, at B, has sent to where X is, and X to where Y is: X hears Y. If X got B, it
 * sent to itself, and each hears itself. Either way somebody is heard, or there is no
 * hairpinning. It is so too where ports are overloaded, so that both may get the same one. With
 * blocks each host has one port left, of its own, and X gets A for certain.
 */
#include "conform/hairpin.h"
#include "conform/probes.h"

enum { LEFT_MAX = 8, FILLER = 5 };

/* Ports that are still to be had. */
struct left {
	uint16_t ports[LEFT_MAX];
	size_t count;
};

struct nat cornered_nat(const struct nat *nat)
{
	const unsigned int classes = nat->ports.parity || nat->ports.contiguous ? 2 : 1;
	const unsigned int few = (nat->ports.overloading ? 2 : 4) * classes;
	struct nat small = nat_cut_down(nat, few);

	/* What would take ports, or time. */
	small.timers = nat_default().timers;
	small.forward_count = 0;
	small.dmz.family = AF_UNSPEC;
	small.port_mapping = 0;
	return small;
}

/* Sockets with even ports get even ports where parity is kept, and any where it is not. */
static struct left all_between(const struct nat *nat, unsigned int first, unsigned int last)
{
	const unsigned int step = nat->ports.parity || nat->ports.contiguous ? 2 : 1;
	struct left left = {.count = 0};

	for (; first <= last && left.count < LEFT_MAX; first += step)
		left.ports[left.count++] = (uint16_t)first;
	return left;
}

static void remove_port(struct left *left, uint16_t port)
{
	size_t i, kept = 0;

	for (i = 0; i < left->count; i++)
		if (left->ports[i] != port)
			left->ports[kept++] = left->ports[i];
	left->count = kept;
}

static struct speaker even_speaker(struct speech *speech, size_t host)
{
	return speaker_make(speech, host, bed_fresh_port(speech->bed) & 0xfffe);
}

/* @host takes ports until @least are left. */
static bool fill(struct speech *speech, size_t host, struct left *left, size_t least)
{
	struct endpoint external;
	struct speaker speaker;
	size_t before;

	while (left->count > least) {
		before = left->count;
		speaker = even_speaker(speech, host);
		if (!speaker_speak(&speaker, 2, PORT_A, &external))
			return false;
		remove_port(left, external.port);
		if (left->count == before)
			return false;
	}
	return left->count == least;
}

/* One range for all. */
static bool leave_two(struct speech *speech, uint16_t ret[2])
{
	const struct nat *nat = speech->bed->subject->nat;
	struct left left = all_between(nat, nat->ports.first, nat->ports.last);
	struct endpoint tried;

	/* The bed's own socket has a port. */
	if (speech->protocol == NAT_UDP && !nat->ports.overloading &&
	    bed_tried(speech->bed, &tried))
		remove_port(&left, tried.port);
	if (!fill(speech, FILLER, &left, 2))
		return false;
	ret[0] = left.ports[0];
	ret[1] = left.ports[1];
	return true;
}

/* A block for each host: its first socket tells which. */
static bool leave_one_each(struct speech *speech, uint16_t ret[2])
{
	const struct nat *nat = speech->bed->subject->nat;
	struct endpoint external;
	struct speaker speaker;
	struct left left;
	unsigned int base;
	size_t host;

	for (host = 0; host < 2; host++) {
		speaker = even_speaker(speech, host);
		if (!speaker_speak(&speaker, 2, PORT_A, &external))
			return false;
		base = external.port / nat->ports.block * nat->ports.block;
		left = all_between(nat, base, base + nat->ports.block - 1);
		remove_port(&left, external.port);
		if (!fill(speech, host, &left, 1))
			return false;
		ret[host] = left.ports[0];
	}
	return true;
}

/*
 * What @at heard, if anything; each hears one thing at most. TCP: a SYN is enough, as with an
 * internal source no connection comes about. UDP: the message's number tells whose it is.
 */
static bool heard(struct speaker *at, int tap, struct endpoint *ret_from, uint32_t *ret_number)
{
	struct bed *bed = at->speech->bed;

	if (at->speech->protocol == NAT_TCP)
		return bed_next_syn(tap, at->local.port, ret_from);
	return bed_receive(bed, at->fd, ret_number, sizeof(*ret_number), ret_from) ==
	       (ssize_t)sizeof(*ret_number);
}

/* X and Y speak. False for silence. */
static bool speak(struct speech *speech, const uint16_t ports[2], struct hairpin *ret)
{
	struct bed *bed = speech->bed;
	struct speaker speakers[2];
	uint32_t numbers[2], number = 0;
	struct endpoint to[2];
	int taps[2] = {-1, -1};
	size_t i, by;

	for (i = 0; i < 2; i++) {
		speakers[i] = even_speaker(speech, i);
		to[i] = (struct endpoint){bed->subject->externals[0], ports[1 - i]};
		if (speech->protocol == NAT_TCP)
			taps[i] = bed_tcp_tap(bed, BED_INSIDE, &speakers[i].local.addr);
	}
	for (i = 0; i < 2; i++)
		numbers[i] = speaker_speak_to(&speakers[i], &to[i]);
	*ret = (struct hairpin){.host = speakers[0].local, .guest = speakers[1].local};
	for (i = 0; i < 2; i++) {
		if (!heard(&speakers[i], taps[i], &ret->from, &number))
			continue;
		by = number == numbers[1];
		ret->heard = true;
		ret->host = speakers[i].local;
		ret->guest = speakers[by].local;
		ret->at = to[by];
		return true;
	}
	return false;
}

void probe_cornered(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	const struct nat_ports *ports = &bed->subject->nat->ports;
	size_t mark = bed->socket_count;
	struct speech speech = speech_begin(bed, protocol);
	char text[2][ENDPOINT_TEXT_MAX];
	uint16_t left[2] = {0};
	struct hairpin h;
	bool cornered;

	if (ports->block && ports->overloading) {
		unseen(o, ASPECT_HAIRPINNING, protocol,
		       "ports of a block that serve many peers each are never used up");
		return;
	}
	cornered = ports->block ? leave_one_each(&speech, left) : leave_two(&speech, left);
	if (!cornered)
		unseen(o, ASPECT_HAIRPINNING, protocol,
		       "its range cut down to few ports, they could not be used up");
	else if (speak(&speech, left, &h))
		hairpin_see(&speech, &h, "two ports left: ", o);
	else
		see(o, ASPECT_HAIRPINNING, protocol, HAIRPINNING_OFF,
		    "ports %u and %u left: %s and %s, which had to have them, heard nobody",
		    left[0], left[1], endpoint_format(&h.host, text[0]),
		    endpoint_format(&h.guest, text[1]));
	bed_close_since(bed, mark);
}
