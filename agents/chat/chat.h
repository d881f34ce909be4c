/* SPDX-License-Identifier: MIT */
/*
 * Two people who type lines to each other, over a path that is there (punch/path.h): what is
 * said, in which order, and how they part. Fed with time and bytes; owns no descriptor and no
 * clock.
 */
#ifndef NATSIM_AGENTS_CHAT_CHAT_H
#define NATSIM_AGENTS_CHAT_CHAT_H

#include "agents/chat/harmless.h"
#include "agents/chat/lines.h"
#include "agents/net/clock.h"
#include "agents/punch/path.h"

enum {
	CHAT_NAME_MAX = 32,             /* bytes of a name */
	CHAT_LINE_MAX = LETTER_MAX - 1, /* bytes of a line; longer ones are sent in pieces */
};

/* So long does who is leaving wait, while nothing is heard of the other. */
#define CHAT_PARTING (1500 * MSEC)

enum chat_news {
	CHAT_NAMED, /* the peer says who it is */
	CHAT_LINE,  /* a line of the peer's */
	CHAT_LEFT,  /* the peer says goodbye */
};

struct chat_config {
	const char *name; /* our own, NULL for none */
	const char *say;  /* lines to be said before anything typed, NULL for none */
	bool typed; /* by a person: who has left is not waited for, as the rest of a file is */
	/* What the peer does. @text is harmless to a terminal: a name or a line. */
	void (*tell)(void *context, enum chat_news news, const char *text);
	void *context;
};

struct chat {
	struct chat_config config;
	struct path_post post; /* to be carried by the path, once there is one */
	struct lines lines;
	char peer[HARMLESS_SIZE(CHAT_NAME_MAX)]; /* its name; "peer" until it has said it */
	bool started;
	bool goodbye; /* ours is on its way, after everything else */
	bool left;    /* the peer has said goodbye */
	bool hurried; /* to leave */
	uint64_t quiet_at, gone_at;
	uint32_t answered; /* letters of ours, when last looked */
	uint32_t put;      /* lines of ours that became letters */
	uint32_t heard;    /* lines of the peer's */
};

void chat_init(struct chat *chat, const struct chat_config *config);

/* The path carries chat->post: begin. */
void chat_start(struct chat *chat, uint64_t now);

/* What was typed: room for it, NULL while there is none (or nothing is wanted), and how much came.
 * 0 bytes are the end of it. */
void *chat_room(struct chat *chat, size_t *ret_size);
void chat_typed(struct chat *chat, size_t count, uint64_t now);

/* Nothing more is to be typed; what was is still delivered, if that goes on. */
void chat_leave(struct chat *chat);

/*
 * Let go on what can: after everything that came or was typed, and when chat_due() says. @bye:
 * the peer wants to end the path. Returns true once the path may end, as far as we are concerned.
 */
bool chat_follow(struct chat *chat, bool bye, uint64_t now);
uint64_t chat_due(const struct chat *chat);

/* Somebody waits for us to leave: for a file to be delivered nobody does. */
bool chat_is_hurried(const struct chat *chat);

/* How many of our lines the other has, as far as it has said. */
uint32_t chat_said(const struct chat *chat);

/* Has it all of them, and our goodbye? */
bool chat_said_all(const struct chat *chat);

#endif
