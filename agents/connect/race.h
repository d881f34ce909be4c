/* SPDX-License-Identifier: MIT */
/*
 * What a good application does to reach its peer: every way at once, and the best one that
 * works. Fed with time, datagrams and what becomes of connections; owns no socket and no clock.
 */
#ifndef NATSIM_AGENTS_CONNECT_RACE_H
#define NATSIM_AGENTS_CONNECT_RACE_H

#include "agents/net/say.h"
#include "agents/net/udp.h"
#include "agents/portmap/client.h"
#include "agents/punch/punch.h"
#include "agents/relay/relay.h"
#include "agents/tcp/punch.h"

/* From the best to the last resort. */
enum race_way { RACE_UDP, RACE_TCP, RACE_RELAY };
#define RACE_WAYS 3

/* Sockets by number: those of punch.h come first, its fresh ones after these. */
enum race_socket { RACE_SOCKET_RELAY = PUNCH_SOCKETS, RACE_SOCKET_PORTMAP, RACE_SOCKETS };

/* What both call the meeting must leave room for what is put behind it. */
enum { RACE_SESSION_MAX = SESSION_NAME_MAX - 8 };

struct race_config {
	struct meeting_config meeting;    /* for UDP */
	struct meeting_config tcp, relay; /* where only the private endpoints are looked at */
	bool with[RACE_WAYS];             /* UDP always */
	bool with_turn, channels;
	struct turn_config turn;
	struct aim_config aim;
	bool with_portmap;
	struct portmap_config portmap; /* for the main socket's port */
	struct talk_config talk;       /* what is said once the way is chosen */
	struct path_post *post;        /* carried by that way too; or NULL */
	uint64_t timeout;              /* nanoseconds, from start to a chosen way */
	uint64_t patience; /* the same, to meet the peer: `timeout` begins then; 0: at once */
	struct say say;    /* what is going on, for people */
};

enum race_phase {
	RACE_ASKING,  /* the router for a port, if that is wanted */
	RACE_RUNNING, /* all ways */
	RACE_CHOSEN,  /* one is talked over */
	RACE_DONE,
	RACE_FAILED, /* path "none", see `reason` */
	RACE_LOST,   /* path "lost", see `reason` */
};

/* Not to be moved once started: it points into itself. */
struct race {
	struct race_config config;
	enum race_phase phase;
	uint64_t started, ended;
	uint64_t deadline; /* for a way to be chosen */
	uint64_t met_at;   /* the peer; 0: not yet */
	uint64_t chosen_at;
	enum race_way chosen;
	bool began[RACE_WAYS];
	bool dropped[RACE_WAYS]; /* because another way was chosen, or for the end of all */
	uint64_t began_at[RACE_WAYS];
	uint64_t gone_at[RACE_WAYS]; /* since when packets go to the peer; 0: not yet */
	uint64_t looked;             /* when was last looked which way is the best */
	bool alone;                  /* the TCP session was named without having met over UDP */
	char names[RACE_WAYS][SESSION_NAME_MAX + 1];
	struct portmap portmap;
	struct punch punch;
	struct tcp_punch tcp;
	struct relay relay;
	unsigned int packets; /* sent until a way was chosen */
	char reason[300];
};

void race_start(struct race *race, const struct race_config *config, uint64_t now);

/* The next datagram to send at @now; call until false. Then race_act() until false. */
bool race_send(struct race *race, uint64_t now, struct datagram *ret);
bool race_act(struct race *race, uint64_t now, struct tcp_action *ret);
uint64_t race_due(const struct race *race);
bool race_over(const struct race *race);

void race_receive(struct race *race, size_t socket, const struct endpoint *from, const void *bytes,
		  size_t length, uint64_t now);
void race_refused(struct race *race, size_t socket, const struct udp_error *error, uint64_t now);

/* Of connections: call tcp/punch.h's functions with &race->tcp, then this. */
void race_follow(struct race *race, uint64_t now);

/* Everything is said over the way chosen that was to be: path_part() it. */
void race_part(struct race *race, uint64_t patience, uint64_t now);

/* It is to end now; what is left to be said is sent with race_send() and race_act(). */
void race_stop(struct race *race, uint64_t now);

/* What became of each way so far, in one word: "won", "unused" (it worked, but was not needed),
 * "failed", "dropped" (nobody waited for it), or NULL for one that was not tried; and why. */
const char *race_outcome(const struct race *race, enum race_way way, const char **ret_reason);
const char *race_way_name(enum race_way way);

/* The path of @way, NULL before it has one. */
const struct path *race_path(const struct race *race, enum race_way way);

#endif
