/* SPDX-License-Identifier: MIT */
/*
 * Asking a gateway for a port, by NAT-PMP or PCP, as a state machine. Fed with time and
 * datagrams; owns no socket.
 *
 *     ASKING     (NAT-PMP: the address first, then) the port; repeated until answered
 *     HELD       granted; with `keep` renewed halfway to its end, again and again
 *     OVER       `outcome` says how it ended
 *
 * portmap_release() gives the port back: DELETING, then OVER.
 */
#ifndef NATSIM_AGENTS_PORTMAP_CLIENT_H
#define NATSIM_AGENTS_PORTMAP_CLIENT_H

#include "agents/net/datagram.h"
#include "agents/net/random.h"
#include "agents/portmap/wire.h"

struct portmap_config {
	enum portmap_protocol protocol;
	struct endpoint gateway;  /* port PORTMAP_SERVER_PORT */
	struct addr client;       /* our address towards it */
	struct portmap_wish wish; /* lifetime 0: delete what there is */
	bool keep;                /* renew until portmap_release() */
	uint64_t timeout;         /* for an answer, nanoseconds */
	bool has_nonce;           /* PCP: of an earlier mapping, which nothing else can change */
	uint8_t nonce[PORTMAP_NONCE_SIZE];
	struct random_source random;
};

enum portmap_phase { PORTMAP_ASKING, PORTMAP_HELD, PORTMAP_DELETING, PORTMAP_OVER };

enum portmap_outcome {
	PORTMAP_NONE,    /* not yet */
	PORTMAP_GRANTED, /* and not kept */
	PORTMAP_DELETED,
	PORTMAP_REFUSED,    /* `reason` */
	PORTMAP_UNANSWERED, /* `reason` */
	PORTMAP_EXPIRED,    /* it could not be renewed in time */
};

struct portmap {
	struct portmap_config config;
	enum portmap_phase phase;
	enum portmap_outcome outcome;
	struct endpoint external; /* once granted */
	uint32_t lifetime;        /* seconds, as granted */
	uint32_t epoch;           /* the gateway's, with the newest answer */
	unsigned int sent, renewals;
	bool forgot; /* the gateway lost its mappings since the answer before (its epoch says so) */
	uint64_t began, expires;
	char reason[160];
	/* How asking goes on. */
	bool asking;         /* something waits for its answer */
	bool knows_address;  /* NAT-PMP */
	uint64_t asked, due; /* since when; when to send again, or to renew */
	uint64_t interval;   /* until the next repetition */
	uint64_t epoch_at;   /* when `epoch` was heard; 0: never */
};

void portmap_start(struct portmap *portmap, const struct portmap_config *config, uint64_t now);

/* The next datagram to send (from socket 0) at @now; call until false. Time passes here. */
bool portmap_send(struct portmap *portmap, uint64_t now, struct datagram *ret);
uint64_t portmap_due(const struct portmap *portmap); /* UINT64_MAX: never */

void portmap_receive(struct portmap *portmap, const struct endpoint *from, const void *bytes,
		     size_t length, uint64_t now);

/* An ICMP error came for what was sent to @to. */
void portmap_refused(struct portmap *portmap, const struct endpoint *to, uint64_t now);

/* Give it back, also one that is still being asked for; over when the gateway has confirmed, or has
 * not for the timeout. */
void portmap_release(struct portmap *portmap, uint64_t now);

#endif
