/* SPDX-License-Identifier: MIT */
/*
 * UDP, TCP and ICMP queries behind one face, since a probe of a mapping or a filter
 * is the same for all three: a speaker inside speaks to a peer outside, which sees an
 * external endpoint; a peer knocks there, and the speaker hears it or does not.
 *
 *              UDP                TCP                    ICMP
 *     speak    a datagram         a connection           an echo request
 *     knock    a datagram         a connection           an echo request
 *     port     port               port                   identifier
 */
#ifndef NATSIM_CONFORM_SPEECH_H
#define NATSIM_CONFORM_SPEECH_H

#include "conform/bed.h"

/* The two ports of every peer. */
enum { PORT_A = 7000, PORT_B = 7001 };

struct speech {
	struct bed *bed;
	enum nat_protocol protocol;
	int ears[BED_PEERS][2]; /* sockets of the peers' ports, 0 where none is open yet */
	uint16_t sequence;      /* of the last echo request */
};

struct speaker {
	struct speech *speech;
	struct endpoint local;
	int fd;       /* UDP, ICMP: its socket; TCP: the last connection */
	int listener; /* TCP, once somebody may knock; else -1 */
	int answered; /* TCP: the peer's end of the last connection; else -1 */
};

struct speech speech_begin(struct bed *bed, enum nat_protocol protocol);

/* The socket that hears what is said to that port of @peer. */
int speech_ear(struct speech *speech, size_t peer, uint16_t port);

struct speaker speaker_make(struct speech *speech, size_t host, uint16_t port);
/* Speak to port @port of @peer. Returns whether it arrived, *ret then being the source it saw. */
bool speaker_speak(struct speaker *speaker, size_t peer, uint16_t port, struct endpoint *ret);
/* The same without waiting for what becomes of it. */
void speaker_utter(struct speaker *speaker, size_t peer, uint16_t port);
/* Speak to any endpoint, with nobody asked whether it arrived. UDP: returns the message's number.
 */
uint32_t speaker_speak_to(struct speaker *speaker, const struct endpoint *to);
/*
 * @peer knocks from @port at @at. Returns whether @speaker heard it, and in *ret_from
 * (unless NULL) from whom.
 */
bool speaker_knock(struct speaker *speaker, size_t peer, uint16_t port, const struct endpoint *at,
		   struct endpoint *ret_from);
/* @other, inside too, knocks at @at: a hairpin. */
bool speaker_hairpin(struct speaker *speaker, struct speaker *other, const struct endpoint *at,
		     struct endpoint *ret_from);
/* Does the way back from the peer spoken to last still work? Knocks; TCP: on the connection. */
bool speaker_answered(struct speaker *speaker, size_t peer, uint16_t port,
		      const struct endpoint *at);
/* Be ready to hear knocks. */
void speaker_listen(struct speaker *speaker);

#endif
