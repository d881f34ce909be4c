/* SPDX-License-Identifier: MIT */
/* What an agent that tries every way is told on its command line, and the sockets it takes. */
#ifndef NATSIM_AGENTS_CLI_RACE_H
#define NATSIM_AGENTS_CLI_RACE_H

#include "agents/cli/aim.h"
#include "agents/cli/options.h"
#include "agents/connect/play.h"

/* As given. */
struct race_words {
	const char *rendezvous, *session;
	const char *turn, *user, *password;
	const char *port_mapping; /* "pcp" or "nat-pmp" */
	const char *gateway;
	uint64_t port;
	bool no_tcp, no_relay;
	struct aim_words aim;
};

#define RACE_WORDS               \
	{                        \
		.aim = AIM_WORDS \
	}

/* The options that fill @words, for an agent's own list: RACE_OPTIONS(words). */
#define RACE_OPTIONS(words)                                                                          \
	{0,                                                                                          \
	 "rendezvous",                                                                               \
	 "HOST[:PORT]",                                                                              \
	 "who introduces the peers (port 1024)",                                                     \
	 CLI_TEXT,                                                                                   \
	 &(words).rendezvous,                                                                        \
	 0,                                                                                          \
	 true},                                                                                      \
		{0,        "session",        "NAME", "what both peers call their meeting",           \
		 CLI_TEXT, &(words).session, 0,      true},                                          \
		{0, "port", "PORT", "local UDP port", CLI_NUMBER, &(words).port, UINT16_MAX, false}, \
		{0,                                                                                  \
		 "stun",                                                                             \
		 "HOST[:PORT]",                                                                      \
		 "whom to measure our NAT with (port 3478)",                                         \
		 CLI_TEXT,                                                                           \
		 &(words).aim.stun,                                                                  \
		 0,                                                                                  \
		 false},                                                                             \
		{0,        "birthday",                                                               \
		 NULL,     "try many ports where they are drawn",                                    \
		 CLI_FLAG, &(words).aim.birthday,                                                    \
		 0,        false},                                                                   \
		{0,                                                                                  \
		 "ports",                                                                            \
		 "FIRST-LAST",                                                                       \
		 "where our NAT's ports are known to be (1024-65535)",                               \
		 CLI_TEXT,                                                                           \
		 &(words).aim.ports,                                                                 \
		 0,                                                                                  \
		 false},                                                                             \
		{0,                                                                                  \
		 "turn",                                                                             \
		 "HOST[:PORT]",                                                                      \
		 "TURN server (port 3478); else the rendezvous relays",                              \
		 CLI_TEXT,                                                                           \
		 &(words).turn,                                                                      \
		 0,                                                                                  \
		 false},                                                                             \
		{0, "user", "NAME", "of the TURN server", CLI_TEXT, &(words).user, 0, false},        \
		{0,        "password",        "TEXT", "of the TURN server",                          \
		 CLI_TEXT, &(words).password, 0,      false},                                        \
		{0,        "port-mapping",                                                           \
		 "WORD",   "ask the router for a port: pcp or nat-pmp",                              \
		 CLI_TEXT, &(words).port_mapping,                                                    \
		 0,        false},                                                                   \
		{0,        "gateway",        "ADDR", "which router (the default route's)",           \
		 CLI_TEXT, &(words).gateway, 0,      false},                                         \
		{0, "no-tcp", NULL, "no direct path over TCP", CLI_FLAG, &(words).no_tcp, 0, false}, \
	{                                                                                            \
		0, "no-relay", NULL, "no relay", CLI_FLAG, &(words).no_relay, 0, false               \
	}

/* Everything that is open, with its addresses. */
struct race_ends {
	struct endpoint locals[RACE_SOCKETS + AIM_SOCKETS_MAX]; /* of UDP sockets, by number */
	struct endpoint tcp;
};

/*
 * Check the words, open all sockets into @hands and fill in @config but for what is said and how
 * long. Returns 0 or -errno with the reason in @d; @hands is to be cleared in any case.
 */
int race_open(const struct race_words *words, uint64_t timeout, struct race_config *config,
	      struct race_hands *hands, struct race_ends *ends, struct diag *d);

void race_hands_clear(struct race_hands *hands);

#endif
