/* SPDX-License-Identifier: MIT */
/*
 * The role "client" of nat-check as a state machine: four sockets by number, no clock. How
 * it judges, and what it cannot tell: client.c.
 */
#ifndef NATSIM_AGENTS_NAT_CHECK_CLIENT_H
#define NATSIM_AGENTS_NAT_CHECK_CLIENT_H

#include "agents/detect/classify.h"
#include "agents/detect/exam.h"
#include "agents/nat_check/wire.h"
#include "agents/net/say.h"

enum {
	CLIENT_SAME,   /* speaks to the server and to the assist */
	CLIENT_SERVER, /* to the server only */
	CLIENT_ASSIST, /* to the assist only */
	CLIENT_VOICE,  /* to the server's other port, in the end */
	CLIENT_SOCKETS
};

enum check_stage {
	STAGE_SAME,
	STAGE_APART,
	STAGE_STRANGER,
	STAGE_OTHER_PORT,
	STAGE_VOICE,
	STAGE_OVER
};

struct check_client_config {
	struct endpoint server, assist;
	const struct endpoint *local; /* of the CLIENT_SOCKETS, no wildcard */
	uint64_t timeout;             /* for an answer that must come; nanoseconds */
	struct random_source random;
	struct say say; /* what is going on, for people */
};

struct check_client {
	struct site site;
	struct endpoint assist;
	enum check_stage stage;
	uint8_t check[CHECK_SIZE];
	struct transaction to_server, to_assist; /* of the Register under way */
	uint8_t id[STUN_ID_SIZE];                /* of both */
	bool server_answered;                    /* in this stage */
	uint8_t ask_id[STUN_ID_SIZE];
	struct trial trial;
	struct probe voice;
	bool reached;                     /* by the server, ever */
	struct endpoint mapped;           /* the server saw it */
	struct endpoint mapped_by_assist; /* the assist did: of the same socket */
	bool compared;                    /* both are known */
	struct endpoint other;            /* the server's other port */
	enum nat_type type;
	uint64_t started, ended;
	unsigned int sent;
};

void check_client_start(struct check_client *client, const struct check_client_config *config,
			uint64_t now);
bool check_client_send(struct check_client *client, uint64_t now, struct datagram *ret);
uint64_t check_client_due(const struct check_client *client);
void check_client_receive(struct check_client *client, size_t socket, const struct endpoint *from,
			  const void *bytes, size_t length, uint64_t now);
bool check_client_over(const struct check_client *client);

/* The method's own word for @type: "Full-Cone NAT", "Restricted-Port NAT", ... */
const char *check_word(enum nat_type type);

#endif
