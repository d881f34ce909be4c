/* SPDX-License-Identifier: MIT */
/* What an agent that guesses ports is told on its command line, and the sockets it takes. */
#ifndef NATSIM_AGENTS_CLI_AIM_H
#define NATSIM_AGENTS_CLI_AIM_H

#include "agents/cli/line.h"
#include "agents/net/sockets.h"
#include "agents/punch/aim.h"

/* As given; each has the default that AIM_WORDS gives it. */
struct aim_words {
	bool predict, birthday;
	const char *stun;  /* --stun HOST[:PORT] */
	const char *ports; /* --ports FIRST-LAST, or NULL */
	uint64_t window, sockets, probes, rate;
	uint64_t hesitate; /* nanoseconds */
};

#define AIM_WORDS                                             \
	{                                                     \
		.window = 1024, .sockets = 256, .rate = 1000, \
	}

/*
 * Check them and fill in all of @ret but what is about sockets. @timeout, in nanoseconds,
 * bounds how many ports can be tried. Returns 0 or -errno with the reason in @d.
 */
int aim_options(const struct aim_words *words, uint64_t timeout, struct aim_config *ret,
		struct diag *d);

/*
 * Open the fresh sockets that @config wants, after those that are open already; their
 * endpoints and that of the main one, number 0, are written to @locals, which has room
 * for all by number. Returns 0 or -errno with the reason in @d.
 */
int aim_open(struct aim_config *config, struct sockets *sockets, struct endpoint *locals,
	     struct diag *d);

/* The fields of a result that tell what was known and tried. */
void aim_put(const struct aim *aim, struct line *line);

/* The events "measured" and "guess". Returns 0 or -errno. */
int aim_tell_measured(const struct aim *aim, FILE *out);
int aim_tell_guess(const struct aim *aim, FILE *out);

#endif
