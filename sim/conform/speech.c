/* SPDX-License-Identifier: MIT */
#include "conform/speech.h"

#include <netinet/ip_icmp.h>
#include <sys/socket.h>

struct speech speech_begin(struct bed *bed, enum nat_protocol protocol)
{
	return (struct speech){.bed = bed, .protocol = protocol};
}

int speech_ear(struct speech *speech, size_t peer, uint16_t port)
{
	int *ear = &speech->ears[peer][port == PORT_B];
	struct endpoint local = bed_peer(speech->bed, peer, port);

	if (*ear > 0)
		return *ear;
	switch (speech->protocol) {
	case NAT_UDP:
		*ear = bed_udp(speech->bed, BED_OUTSIDE, &local);
		break;
	case NAT_TCP:
		*ear = bed_listen(speech->bed, BED_OUTSIDE, &local);
		break;
	case NAT_ICMP:
	case NAT_PROTOCOLS:
		*ear = bed_icmp(speech->bed, BED_OUTSIDE, &local.addr);
		break;
	}
	return *ear;
}

struct speaker speaker_make(struct speech *speech, size_t host, uint16_t port)
{
	struct speaker speaker = {.speech = speech,
				  .local = bed_host(speech->bed, host, port),
				  .fd = -1,
				  .listener = -1,
				  .answered = -1};

	if (speech->protocol == NAT_UDP)
		speaker.fd = bed_udp(speech->bed, BED_INSIDE, &speaker.local);
	else if (speech->protocol == NAT_ICMP)
		speaker.fd = bed_icmp(speech->bed, BED_INSIDE, &speaker.local.addr);
	return speaker;
}

/* Find an echo request with @sequence, the id wherever it has been translated to. */
static bool find_echo(int fd, uint16_t sequence, struct endpoint *ret)
{
	struct bed_icmp message;

	while (bed_next_icmp(fd, &message)) {
		if (message.type != ICMP_ECHO || message.sequence != sequence)
			continue;
		if (ret)
			*ret = (struct endpoint){.addr = message.from, .port = message.id};
		return true;
	}
	return false;
}

static uint32_t tell(struct speaker *speaker, const struct endpoint *to)
{
	struct speech *speech = speaker->speech;

	switch (speech->protocol) {
	case NAT_UDP:
		return bed_send(speech->bed, speaker->fd, to);
	case NAT_TCP:
		speaker->fd = bed_tcp(speech->bed, BED_INSIDE, &speaker->local);
		bed_connect(speech->bed, speaker->fd, to);
		return 0;
	case NAT_ICMP:
	case NAT_PROTOCOLS:
		bed_send_echo(speech->bed, speaker->fd, &to->addr, ICMP_ECHO, speaker->local.port,
			      ++speech->sequence);
		return speech->sequence;
	}
	return 0;
}

static bool hear(struct speech *speech, int fd, uint32_t number, struct endpoint *ret)
{
	switch (speech->protocol) {
	case NAT_UDP:
		return bed_heard(speech->bed, fd, number, ret);
	case NAT_TCP:
		return bed_accept(speech->bed, fd, ret) >= 0;
	case NAT_ICMP:
	case NAT_PROTOCOLS:
		return find_echo(fd, (uint16_t)number, ret);
	}
	return false;
}

bool speaker_speak(struct speaker *speaker, size_t peer, uint16_t port, struct endpoint *ret)
{
	struct speech *speech = speaker->speech;
	struct endpoint to = bed_peer(speech->bed, peer, port);
	int at = speech_ear(speech, peer, port);
	uint32_t number = tell(speaker, &to);
	bool heard;

	bed_settle(speech->bed);
	if (speech->protocol == NAT_TCP) {
		speaker->answered = bed_accept(speech->bed, at, ret);
		heard = speaker->answered >= 0;
	} else {
		heard = hear(speech, at, number, ret);
	}
	if (heard)
		speech->bed->drawn[ret->port] = true;
	return heard;
}

bool speaker_answered(struct speaker *speaker, size_t peer, uint16_t port,
		      const struct endpoint *at)
{
	char byte = '.';

	if (speaker->speech->protocol != NAT_TCP)
		return speaker_knock(speaker, peer, port, at, NULL);
	if (speaker->answered < 0 ||
	    send(speaker->answered, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		return false;
	bed_settle(speaker->speech->bed);
	return recv(speaker->fd, &byte, 1, MSG_DONTWAIT) == 1;
}

void speaker_utter(struct speaker *speaker, size_t peer, uint16_t port)
{
	struct endpoint to = bed_peer(speaker->speech->bed, peer, port);

	speech_ear(speaker->speech, peer, port);
	tell(speaker, &to);
}

uint32_t speaker_speak_to(struct speaker *speaker, const struct endpoint *to)
{
	uint32_t number = tell(speaker, to);

	bed_settle(speaker->speech->bed);
	return number;
}

void speaker_listen(struct speaker *speaker)
{
	if (speaker->speech->protocol == NAT_TCP && speaker->listener < 0)
		speaker->listener = bed_listen(speaker->speech->bed, BED_INSIDE, &speaker->local);
}

static bool heard_inside(struct speaker *speaker, uint32_t number, struct endpoint *ret_from)
{
	struct speech *speech = speaker->speech;

	bed_settle(speech->bed);
	return hear(speech, speech->protocol == NAT_TCP ? speaker->listener : speaker->fd, number,
		    ret_from);
}

bool speaker_knock(struct speaker *speaker, size_t peer, uint16_t port, const struct endpoint *at,
		   struct endpoint *ret_from)
{
	struct speech *speech = speaker->speech;
	struct endpoint from = bed_peer(speech->bed, peer, port);
	uint32_t number = 0;
	int fd;

	speaker_listen(speaker);
	switch (speech->protocol) {
	case NAT_UDP:
		number = bed_send(speech->bed, speech_ear(speech, peer, port), at);
		break;
	case NAT_TCP:
		fd = bed_tcp(speech->bed, BED_OUTSIDE, &from);
		bed_connect(speech->bed, fd, at);
		break;
	case NAT_ICMP:
	case NAT_PROTOCOLS:
		number = ++speech->sequence;
		bed_send_echo(speech->bed, speech_ear(speech, peer, port), &at->addr, ICMP_ECHO,
			      at->port, (uint16_t)number);
		break;
	}
	return heard_inside(speaker, number, ret_from);
}

bool speaker_hairpin(struct speaker *speaker, struct speaker *other, const struct endpoint *at,
		     struct endpoint *ret_from)
{
	uint32_t number;

	speaker_listen(speaker);
	number = tell(other, at);
	return heard_inside(speaker, number, ret_from);
}
