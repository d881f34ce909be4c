/* SPDX-License-Identifier: MIT */
/*
 * How this works: everything is a letter (punch/letters.h), so it arrives once and in order: first
 * the own name, then lines, last a goodbye. What a letter is, says its first byte.
 *
 *     A  name  line line ... goodbye |                     Bye (talk.h)
 *     B  name  line ...              | (rest) goodbye      Bye
 *
 * Few letters wait at a time; while they are too many nothing is read, so that a pipe waits, and
 * an editor of lines keeps what is typed. Goodbye is put behind everything else: when it is
 * acknowledged, all is, and the path may end.
 *
 * Who hears a goodbye says one too. A person has nothing more to type then; from a file or a
 * pipe what is there is still sent, for as long as it keeps coming.
 */
#include "agents/chat/chat.h"

#include <stdio.h>
#include <string.h>

#define QUIET (500 * MSEC) /* so long may a pipe bring nothing once the peer has left */

enum kind { KIND_NAME = 1, KIND_LINE, KIND_GOODBYE };

static bool put(struct chat *chat, enum kind kind, const void *bytes, size_t length)
{
	uint8_t letter[LETTER_MAX];

	letter[0] = (uint8_t)kind;
	if (length > 0)
		memcpy(letter + 1, bytes, length);
	return letters_put(&chat->post.letters, letter, length + 1);
}

static bool has_room(const struct chat *chat)
{
	return chat->post.letters.count < LETTERS_MAX;
}

static void take_name(struct chat *chat, const uint8_t *bytes, size_t length)
{
	if (length == 0)
		return;
	harmless(bytes, length < CHAT_NAME_MAX ? length : CHAT_NAME_MAX, chat->peer);
	chat->config.tell(chat->config.context, CHAT_NAMED, chat->peer);
}

static void take_line(struct chat *chat, const uint8_t *bytes, size_t length)
{
	char text[HARMLESS_SIZE(CHAT_LINE_MAX)];

	chat->heard++;
	harmless(bytes, length, text);
	chat->config.tell(chat->config.context, CHAT_LINE, text);
}

static void take_goodbye(struct chat *chat)
{
	bool known = chat->left;

	chat->left = true;
	if (!known && !chat->goodbye)
		chat->config.tell(chat->config.context, CHAT_LEFT, chat->peer);
}

static void arrived(void *context, const uint8_t *bytes, size_t length)
{
	struct chat *chat = context;

	if (length == 0 || length > LETTER_MAX)
		return;
	switch (bytes[0]) {
	case KIND_NAME:
		take_name(chat, bytes + 1, length - 1);
		break;
	case KIND_LINE:
		take_line(chat, bytes + 1, length - 1);
		break;
	case KIND_GOODBYE:
		take_goodbye(chat);
		break;
	default: /* of a later version */
		break;
	}
}

void chat_init(struct chat *chat, const struct chat_config *config)
{
	*chat = (struct chat){
		.config = *config,
		.post = {.arrived = arrived, .context = chat},
		.peer = "peer",
		.quiet_at = UINT64_MAX,
		.gone_at = UINT64_MAX,
	};
}

/* What is to be said first is as good as typed. */
static void type_first(struct chat *chat)
{
	size_t room;
	void *at = lines_room(&chat->lines, &room);
	int length = snprintf(at, room, "%s\n", chat->config.say);

	lines_added(&chat->lines, (size_t)length < room ? (size_t)length : room - 1);
}

void chat_start(struct chat *chat, uint64_t now)
{
	size_t length = chat->config.name ? strlen(chat->config.name) : 0;

	chat->started = true;
	(void)put(chat, KIND_NAME, chat->config.name,
		  length < CHAT_NAME_MAX ? length : CHAT_NAME_MAX);
	if (chat->config.say)
		type_first(chat);
	(void)chat_follow(chat, false, now);
}

void *chat_room(struct chat *chat, size_t *ret_size)
{
	void *room;

	*ret_size = 0;
	if (!chat->started || chat->lines.ended)
		return NULL;
	room = lines_room(&chat->lines, ret_size);
	return *ret_size > 0 ? room : NULL;
}

void chat_typed(struct chat *chat, size_t count, uint64_t now)
{
	lines_added(&chat->lines, count);
	chat->lines.ended |= count == 0;
	if (chat->quiet_at != UINT64_MAX)
		chat->quiet_at = now + QUIET;
}

void chat_leave(struct chat *chat)
{
	chat->lines.ended = true;
	chat->hurried = true;
}

/* The peer has left: it is for us to end as well. */
static void follow_peer(struct chat *chat, uint64_t now)
{
	if (!chat->left || chat->lines.ended)
		return;
	/* Who could not be read because letters were waiting has not been quiet. */
	if (chat->quiet_at == UINT64_MAX || !has_room(chat))
		chat->quiet_at = now + QUIET;
	if (chat->config.typed || now >= chat->quiet_at)
		chat->lines.ended = true;
}

bool chat_is_hurried(const struct chat *chat)
{
	return chat->lines.ended && (chat->config.typed || chat->hurried);
}

static void follow_parting(struct chat *chat, uint64_t now)
{
	if (!chat_is_hurried(chat))
		return;
	if (chat->gone_at == UINT64_MAX || chat->answered != chat->post.letters.sent)
		chat->gone_at = now + CHAT_PARTING;
	chat->answered = chat->post.letters.sent;
}

static void send_lines(struct chat *chat)
{
	const uint8_t *line;
	size_t length;

	while (has_room(chat) && lines_next(&chat->lines, CHAT_LINE_MAX, &line, &length))
		chat->put += put(chat, KIND_LINE, line, length);
}

bool chat_follow(struct chat *chat, bool bye, uint64_t now)
{
	if (!chat->started)
		return false;
	if (bye)
		take_goodbye(chat);
	follow_peer(chat, now);
	send_lines(chat);
	/* There is room for it only when no line waits any more. */
	if (!chat->goodbye && chat->lines.ended && put(chat, KIND_GOODBYE, NULL, 0))
		chat->goodbye = true;
	follow_parting(chat, now);
	return chat_said_all(chat) || now >= chat->gone_at;
}

uint64_t chat_due(const struct chat *chat)
{
	if (chat_said_all(chat))
		return UINT64_MAX;
	return chat->lines.ended ? chat->gone_at : chat->quiet_at;
}

uint32_t chat_said(const struct chat *chat)
{
	uint32_t said = chat->post.letters.sent;

	said -= said > 0; /* the name */
	return said < chat->put ? said : chat->put;
}

bool chat_said_all(const struct chat *chat)
{
	return chat->goodbye && chat->post.letters.count == 0;
}
