/* SPDX-License-Identifier: MIT */
#include "conform/agenda.h"

enum { CHAT_MS = 10, CHAT_PEER = 0 };

static uint64_t chat_due(const struct chat *chat)
{
	return chat->speaker ? chat->next : UINT64_MAX;
}

static void chat_on(struct chat *chat)
{
	bed_wait_until(chat->next);
	if (chat->inbound)
		speaker_knock(chat->speaker, CHAT_PEER, PORT_A, &chat->at, NULL);
	else
		speaker_speak(chat->speaker, CHAT_PEER, PORT_A, &chat->at);
	chat->next = bed_clock_ms() + CHAT_MS;
}

/* Do what comes first; false when nothing is due until @moment. */
static bool do_next(const struct agenda *agenda, uint64_t moment)
{
	struct lot *lot = NULL;
	struct chat *chat = NULL;
	uint64_t first = moment;
	size_t i;

	for (i = 0; i < agenda->lot_count; i++)
		if (lot_due(&agenda->lots[i]) < first) {
			lot = &agenda->lots[i];
			first = lot_due(lot);
		}
	for (i = 0; i < agenda->chat_count; i++)
		if (chat_due(&agenda->chats[i]) < first) {
			chat = &agenda->chats[i];
			first = chat_due(chat);
		}
	if (agenda->hold && hold_due(agenda->hold) < first)
		hold_ask(agenda->hold);
	else if (chat)
		chat_on(chat);
	else if (lot)
		lot_ask(lot);
	else
		return false;
	return true;
}

void agenda_until(const struct agenda *agenda, uint64_t moment)
{
	while (do_next(agenda, moment))
		if (agenda->stray)
			stray_look(agenda->stray);
	if (moment != UINT64_MAX)
		bed_wait_until(moment);
}
