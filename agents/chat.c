/* SPDX-License-Identifier: MIT */
/* chat: a terminal (or a pipe) and a race (connect/race.c) around chat/chat.c. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agents/chat/chat.h"
#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/cli/race.h"
#include "agents/cli/race_line.h"
#include "agents/net/clock.h"
#include "agents/net/wait.h"
#include "base/term.h"

#define FOREVER (UINT64_MAX / 4)
#define FIND_WITHIN (10 * SEC) /* a path, once both are there, or once one has died */
#define KEEPALIVE (5 * SEC)

struct person {
	struct race race;
	struct race_hands hands;
	struct race_ends ends;
	struct chat chat;
	const char *session;
	bool json, ink_out, ink_err;
	bool told_waiting, told_paired, told_chosen, told_lost;
	bool released;
	uint32_t told_repunched;
	char last[HARMLESS_SIZE(CHAT_LINE_MAX)]; /* line of the peer's */
	int failed;                              /* -errno of the first line that went nowhere */
};

static void person_cleanup(struct person **person)
{
	race_hands_clear(&(*person)->hands);
}

/* ---- for people ---- */

static void __attribute__((format(printf, 2, 3)))
notice(const struct person *person, const char *format, ...)
{
	va_list arguments;

	if (person->json)
		return;
	va_start(arguments, format);
	fputs(person->ink_err ? "\033[2m* " : "* ", stderr);
	vfprintf(stderr, format, arguments);
	fputs(person->ink_err ? "\033[0m\n" : "\n", stderr);
	va_end(arguments);
}

static void show_line(struct person *person, const char *text)
{
	const char *ink = person->ink_out ? "\033[1;36m" : "", *plain = *ink ? "\033[0m" : "";

	if (printf("%s%s:%s %s\n", ink, person->chat.peer, plain, text) < 0 || fflush(stdout) != 0)
		person->failed = -EIO;
}

static void notice_way(const struct person *person, const char *what)
{
	const struct race *race = &person->race;
	const struct path *path = race_path(race, race->chosen);
	bool relayed = race->chosen == RACE_RELAY;
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint to = path->candidates.settled->to;

	if (relayed)
		to = carrier_relay(&race->relay.carrier);
	notice(person, "%s: %s %s (%s, %s)", what, relayed ? "relayed by" : "a direct path to",
	       endpoint_format(&to, text), race->chosen == RACE_TCP ? "tcp" : "udp",
	       race_technique(race));
}

/* ---- for programs ---- */

static void write_event(struct person *person, struct line *line)
{
	int r = person->json ? line_write(line, stdout) : 0;

	if (r < 0)
		person->failed = r;
}

static void tell_connected(struct person *person, const char *event, const char *what)
{
	struct line line;

	notice_way(person, what);
	line_begin(&line, event);
	race_line_way(&person->race, &line);
	write_event(person, &line);
}

static void tell_lost(struct person *person)
{
	struct line line;

	notice(person, "%s does not answer any more: looking for another path", person->chat.peer);
	line_begin(&line, "seeking");
	write_event(person, &line);
}

/* The rendezvous has answered. */
static bool is_welcome(const struct race *race)
{
	return race->punch.meeting.welcomed || race->tcp.meeting.welcomed;
}

static void tell_race(struct person *person, uint64_t now)
{
	const struct race *race = &person->race;
	const struct path *path = race_path(race, race->chosen);
	struct line line;
	char what[40];

	if (!person->told_paired && race->punch.peer.stage >= SESSION_PAIRED) {
		person->told_paired = true;
		line_begin(&line, "paired");
		race_line_paired(race, &line);
		write_event(person, &line);
	}
	if (!person->told_waiting && is_welcome(race)) {
		person->told_waiting = true;
		if (!race->met_at)
			notice(person, "waiting for the other of session \"%s\"", person->session);
	}
	if (race->phase != RACE_CHOSEN)
		return;
	if (!person->told_chosen) {
		person->told_chosen = true;
		snprintf(what, sizeof(what), "connected after %.0f ms",
			 to_ms(race->chosen_at - race->met_at));
		tell_connected(person, "connected", what);
		chat_start(&person->chat, now);
	}
	if (path->state == PATH_SEEKING && !person->told_lost) {
		person->told_lost = true;
		tell_lost(person);
	}
	if (path->repunched != person->told_repunched) {
		person->told_repunched = path->repunched;
		person->told_lost = false;
		tell_connected(person, "reconnected", "connected again");
	}
}

static void on_news(void *context, enum chat_news news, const char *text)
{
	struct person *person = context;
	struct line line;

	tell_race(person, clock_now()); /* what comes over a path, comes after it */
	switch (news) {
	case CHAT_NAMED:
		line_begin(&line, "named");
		notice(person, "%s is here", text);
		break;
	case CHAT_LINE:
		line_begin(&line, "line");
		line_text(&line, "text", text);
		snprintf(person->last, sizeof(person->last), "%s", text);
		if (!person->json)
			show_line(person, text);
		break;
	case CHAT_LEFT:
		line_begin(&line, "left");
		notice(person, "%s has left", text);
		break;
	}
	line_text(&line, "from", person->chat.peer);
	write_event(person, &line);
}

/* ---- between the race and the chat ---- */

/* Nothing is acknowledged any more, and we do not want to wait; or all is. */
static void part(struct person *person, uint64_t now)
{
	if (chat_said_all(&person->chat))
		race_part(&person->race, chat_is_hurried(&person->chat) ? CHAT_PARTING : 0, now);
	else
		race_stop(&person->race, now);
}

static int follow(void *context)
{
	struct person *person = context;
	struct race *race = &person->race;
	const struct path *path = race_path(race, race->chosen);
	uint64_t now = clock_now();
	size_t room;

	tell_race(person, now);
	if (race->phase == RACE_CHOSEN &&
	    chat_follow(&person->chat, path->talk.bye_received, now) && !person->released) {
		person->released = true;
		part(person, now);
	}
	person->hands.extra = chat_room(&person->chat, &room) ? STDIN_FILENO : -1;
	return person->failed;
}

static uint64_t due(const void *context)
{
	const struct person *person = context;

	return person->released ? UINT64_MAX : chat_due(&person->chat);
}

/* Also one that cannot be read any more has ended. */
static void on_typed(void *context, uint64_t now)
{
	struct person *person = context;
	size_t room;
	void *at = chat_room(&person->chat, &room);
	ssize_t n = at ? read(STDIN_FILENO, at, room) : -1;

	if (n >= 0 || (errno != EINTR && errno != EAGAIN))
		chat_typed(&person->chat, n > 0 ? (size_t)n : 0, now);
}

/* The first signal ends as the end of typing does, if there is somebody to part from. */
static bool on_stop(void *context, uint64_t now)
{
	struct person *person = context;
	bool first = !person->chat.hurried;

	(void)now;
	chat_leave(&person->chat);
	return first && person->race.phase == RACE_CHOSEN;
}

/* ---- */

static int tell_result(struct person *person)
{
	const struct race *race = &person->race;
	const struct chat *chat = &person->chat;
	struct line line;

	if (race->phase == RACE_FAILED)
		notice(person, "no path to the other: %s", race->reason);
	else if (race->phase == RACE_LOST && race->reason[0])
		notice(person, "%s has vanished: %s", chat->peer, race->reason);
	if (chat->started && chat->put > chat_said(chat))
		notice(person, "the last %u of your lines may not have arrived",
		       chat->put - chat_said(chat));
	line_begin(&line, "result");
	race_line_result(race, &person->ends, &line);
	line_integer(&line, "said", chat_said(chat));
	line_integer(&line, "heard", chat->heard);
	if (chat->started)
		line_text(&line, "peer_name", chat->peer);
	if (chat->heard > 0)
		line_text(&line, "last", person->last);
	write_event(person, &line);
	return person->failed;
}

static int start(struct person *person, const struct race_config *config)
{
	char text[ENDPOINT_TEXT_MAX];
	struct line line;

	race_start(&person->race, config, clock_now());
	notice(person, "asking the rendezvous at %s",
	       endpoint_format(&config->meeting.rendezvous, text));
	line_begin(&line, "ready");
	line_endpoint(&line, "local", &person->ends.locals[PUNCH_MAIN]);
	write_event(person, &line);
	return person->failed;
}

int main(int argc, char *argv[])
{
	static struct person person; /* large, and not to be moved */
	struct person *clear CLEANUP(person_cleanup) = &person;
	struct race_config config = {
		.timeout = FIND_WITHIN,
		.patience = 300 * SEC,
		.meeting = {.random = random_system},
		.talk = {.hold = FOREVER, .keepalive = KEEPALIVE},
		.post = &person.chat.post,
	};
	struct chat_config chat = {.tell = on_news, .context = clear};
	struct race_words words = RACE_WORDS;
	uint64_t messages = 1;
	bool verbose = false;
	const struct cli_option options[] = {
		RACE_OPTIONS(words),
		{0, "name", "NAME", "what the other is to call you", CLI_TEXT, &chat.name, 0,
		 false},
		{0, "say", "TEXT", "a line to be said before all others", CLI_TEXT, &chat.say, 0,
		 false},
		{0, "messages", "N", "numbered messages besides, to show that the path is used (1)",
		 CLI_NUMBER, &messages, 1000000, false},
		{0, "keepalive", "SECONDS", "send something at least so often (5)", CLI_SECONDS,
		 &config.talk.keepalive, 3600, false},
		{0, "patience", "SECONDS", "look for another path after so long a silence (5)",
		 CLI_SECONDS, &config.talk.patience, 3600, false},
		{0, "timeout", "SECONDS", "how long to wait for the other (300)", CLI_SECONDS,
		 &config.patience, 86400, false},
		{0, "json", NULL, "events for programs instead of text for people", CLI_FLAG,
		 &person.json, 0, false},
		{'v', "verbose", NULL, "tell each step on stderr", CLI_FLAG, &verbose, 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "chat",
		.summary = "Type lines to the other peer of a session, over the best path there "
			   "is.\n"
			   "The end of input (Ctrl-D) or Ctrl-C leaves, after everything has "
			   "arrived.\n"
			   "Two people, each at home behind a router, and a host that both reach:\n"
			   "    server$ rendezvous\n"
			   "    ann$ chat --rendezvous server.example --session tea --name ann\n"
			   "    bob$ chat --rendezvous server.example --session tea --name bob",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	person.hands =
		(struct race_hands){.sockets = SOCKETS_NONE, .links = LINKS_NONE, .extra = -1};
	if (r == CLI_DONE)
		return 0;
	if (r >= 0 && chat.name && (!*chat.name || strlen(chat.name) > CHAT_NAME_MAX))
		r = diag_error(&diag, EINVAL, "--name takes 1 to %d bytes", CHAT_NAME_MAX);
	if (r >= 0 && chat.say && strlen(chat.say) > CHAT_LINE_MAX)
		r = diag_error(&diag, EINVAL, "--say takes up to %d bytes", CHAT_LINE_MAX);
	if (r >= 0)
		r = signals = wait_signals(&diag);
	if (r >= 0)
		r = race_open(&words, config.timeout, &config, &person.hands, &person.ends, &diag);
	if (r < 0)
		return cli_misuse(&cli, &diag, stderr);
	config.talk.messages = messages > 0 ? (uint32_t)messages : 1; /* the first tells the way */
	if (verbose)
		config.say = say_stderr;
	person.session = words.session;
	person.ink_out = !person.json && term_colour(stdout);
	person.ink_err = !person.json && term_colour(stderr);
	person.hands.signals = signals;
	person.hands.ready = on_typed;
	person.hands.stop = on_stop;
	person.hands.due = due;
	person.hands.tell = follow;
	person.hands.context = clear;
	chat.typed = isatty(STDIN_FILENO) == 1;
	chat_init(&person.chat, &chat);
	r = start(&person, &config);
	if (r == 0)
		r = race_play(&person.race, &person.hands);
	if (r == 0 || r == -EINTR)
		r = tell_result(&person);
	return r == 0 && person.race.phase == RACE_DONE && chat_said_all(&person.chat) ? 0 : 1;
}
