/* SPDX-License-Identifier: MIT */
/*
 * Guessing ports for a punch, from measuring one's own NAT to spraying packets: what
 * agents/predict/ knows and spray.h sends, in the order in which a punch needs it. Fed
 * with time and datagrams.
 *
 *     aim_start()    ask the STUN server, after the blind dial
 *     aim_ready()    what was learnt can be offered, and both may begin
 *     aim_decide()   with the peer's offer: what is guessed, if anything, and its chance
 *     aim_spray()    beside the candidates' checks
 */
#ifndef NATSIM_AGENTS_PUNCH_AIM_H
#define NATSIM_AGENTS_PUNCH_AIM_H

#include "agents/predict/guess.h"
#include "agents/predict/measure.h"
#include "agents/punch/candidates.h"
#include "agents/punch/spray.h"

enum { AIM_SOCKETS_MAX = 512, AIM_MEASURED = 4, AIM_MEASURED_FOR_BIRTHDAY = 8 };

struct aim_config {
	bool predict, birthday; /* both false: none of all this */
	struct endpoint stun;
	uint16_t window;    /* predicted ports to try */
	uint16_t sockets;   /* birthday: to open where our own ports are drawn */
	uint16_t probes;    /* birthday: ports to try where the peer's are */
	uint16_t rate;      /* packets a second; not 0 */
	uint16_t low, high; /* where our NAT's ports are, if that is known; else 0 */
	uint64_t hesitate;  /* nanoseconds between measuring and punching */

	/* Our sockets: the main one is number 0, `fresh_count` others begin at `first_fresh`. */
	size_t first_fresh, fresh_count;
	uint16_t internal[AIM_MEASURED_FOR_BIRTHDAY]; /* ports of the main one and the first others
						       */
};

struct aim {
	struct aim_config config;
	struct random_source random;
	struct measure measure;
	bool started, measured, decided, spraying;
	uint64_t measured_at;
	uint64_t round_trip; /* to the rendezvous, before anybody hesitated */
	struct outlook own;  /* meaningful when measured */
	struct guess guess;  /* meaningful when decided; GUESS_NOTHING before */
	struct spray spray;
};

/* How many fresh sockets such a configuration wants. */
size_t aim_sockets(const struct aim_config *config);

/*
 * Does nothing unless the configuration asks for something. @introduction is what the
 * rendezvous at @rendezvous told, which is @round_trip away.
 */
void aim_start(struct aim *aim, const struct aim_config *config,
	       const struct introduction *introduction, const struct endpoint *rendezvous,
	       uint64_t round_trip, const struct random_source *random, uint64_t now);

/* The next question at @now; call until false. */
bool aim_send(struct aim *aim, uint64_t now, struct datagram *ret);
uint64_t aim_due(const struct aim *aim);

/* False for what is no answer to a question. */
bool aim_receive(struct aim *aim, const struct endpoint *from, const struct stun_message *message,
		 uint64_t now);

/* Nothing is left to be done before punching; true at once where nothing is guessed. */
bool aim_ready(const struct aim *aim, uint64_t now);

/* What the peer shall know. */
void aim_offer(const struct aim *aim, struct offer *offer);

/* Decide, at @now, with the peer's offer, which has come with "go". */
void aim_decide(struct aim *aim, const struct introduction *peer, uint64_t now);

/* Put what is to be tried first before everything else. */
void aim_add_candidates(const struct aim *aim, const struct introduction *peer,
			struct candidates *candidates, uint64_t now);

/* From which socket whereto a check is to be sent at @now, besides those of the candidates. */
bool aim_spray(struct aim *aim, uint64_t now, size_t *ret_socket, struct endpoint *ret_to);
uint64_t aim_spray_due(const struct aim *aim);

/* How long after having decided it is still worth waiting; UINT64_MAX where nothing is guessed. */
uint64_t aim_patience(const struct aim *aim);

/* How many of the peer's ports were guessed, and from how many sockets of ours. */
uint64_t aim_probes(const struct aim *aim);
size_t aim_sockets_used(const struct aim *aim);

#endif
