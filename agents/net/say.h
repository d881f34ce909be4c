/* SPDX-License-Identifier: MIT */
/* What is going on, for people: a core says it, and its main decides whether anybody hears. */
#ifndef NATSIM_AGENTS_NET_SAY_H
#define NATSIM_AGENTS_NET_SAY_H

struct say {
	void (*line)(void *context, const char *line); /* without a newline; NULL: nobody listens */
	void *context;
};

/* One line of at most some hundred bytes; longer ones are cut. */
void say(const struct say *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For -v: each line on stderr. */
extern const struct say say_stderr;

#endif
