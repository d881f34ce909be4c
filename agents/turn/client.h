/* SPDX-License-Identifier: MIT */
/*
 * A TURN client (RFC 8656) over UDP as a state machine: an allocation on a server, the peers it
 * admits, and keeping both alive. Fed with time and datagrams, owns no socket and no clock.
 *
 *     host --[NAT]--> server : relayed endpoint <--> any admitted peer
 */
#ifndef NATSIM_AGENTS_TURN_CLIENT_H
#define NATSIM_AGENTS_TURN_CLIENT_H

#include "agents/net/random.h"
#include "agents/turn/credentials.h"
#include "agents/turn/peers.h"

enum {
	TURN_MESSAGE_MAX = 2048, /* a buffer of this size holds any request */
	/* What Send takes more than its payload; a channel takes TURN_CHANNEL_HEADER. */
	TURN_SEND_OVERHEAD = 20 + 4 + 20 + 4 + 3,
};

struct turn_config {
	struct endpoint server;
	const char *user, *password; /* NULL both for a server that wants none; borrowed */
	uint32_t lifetime;           /* of the allocation, seconds asked for; 0: the server's */
	/* How long the server keeps them; 0: as RFC 8656 says, 300 s and 600 s. */
	uint64_t permission_life, channel_life;
	struct random_source random;
};

enum turn_phase {
	TURN_ALLOCATING,
	TURN_READY,   /* `relayed` and `mapped` are known */
	TURN_CLOSING, /* giving the allocation back */
	TURN_CLOSED,
	TURN_FAILED, /* `reason` says why */
};

struct turn {
	struct turn_config config;
	enum turn_phase phase;
	struct credentials credentials;
	struct endpoint relayed; /* what peers send to */
	struct endpoint mapped;  /* how the server sees us */
	struct turn_request allocation;
	bool unwanted;    /* closed while it was being asked for: to be given back, if it comes */
	uint64_t give_up; /* then it is not waited for any longer */
	uint64_t renew;   /* when to refresh it */
	uint64_t expires; /* when the server forgets it */
	struct turn_peers peers;
	unsigned int refusals;  /* that nobody listens, in a row */
	unsigned int refreshes; /* of allocation, permissions and channels, answered */
	char reason[160];
};

void turn_start(struct turn *turn, const struct turn_config *config, uint64_t now);

/*
 * Have @peer admitted: anything from its address is let in, and turn_write() can reach it. With
 * @channel a channel is bound to it too, also later for one admitted without. Only when
 * READY. False when there is no room for another peer.
 */
bool turn_admit(struct turn *turn, const struct endpoint *peer, bool channel, uint64_t now);

/* What became of turn_admit(): REFUSED for one who was never asked for. */
enum turn_admission turn_admission(const struct turn *turn, const struct endpoint *peer);

/* Write the next request to the server into TURN_MESSAGE_MAX bytes; returns its length, 0 for
 * none until turn_due(). */
size_t turn_send(struct turn *turn, uint64_t now, void *buffer);
uint64_t turn_due(const struct turn *turn);

/*
 * Wrap @payload for @peer as what is to be sent to the server: ChannelData where a channel is
 * bound, else a Send indication. Returns its length, 0 when it cannot be done: nobody of
 * the peer's address is admitted.
 */
size_t turn_write(struct turn *turn, const struct endpoint *peer, const void *payload,
		  size_t length, void *buffer, size_t capacity);

/*
 * A datagram came from @from. Returns true when it was payload: *ret then names its
 * peer, the bytes still being the datagram's. Anything that is not the server's is ignored.
 */
bool turn_receive(struct turn *turn, const struct endpoint *from, const void *datagram,
		  size_t length, uint64_t now, struct turn_payload *ret);

/* The server's host says that nobody listens there. */
void turn_refused(struct turn *turn);

/* Give the allocation back, also one that is still under way; CLOSED follows soon, even if the
 * server is silent. */
void turn_close(struct turn *turn, uint64_t now);

/* Neither has the server anything of ours, nor do we want anything of it. */
bool turn_over(const struct turn *turn);

#endif
