/* SPDX-License-Identifier: MIT */
/*
 * The built natsim as a child: start it, speak to it by signals, look at its exit
 * status and at what it printed. Every function asserts that the machinery works.
 */
#ifndef NATSIM_TESTS_SUPPORT_NATSIM_H
#define NATSIM_TESTS_SUPPORT_NATSIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { NATSIM_DEADLINE_MS = 90000, NATSIM_NOBODY = 65534, NATSIM_WORDS_MAX = 300 };

struct natsim {
	const char *binary; /* NULL: the one in the build tree */
	uid_t uid;          /* 0: as we are */
	pid_t pid;
	int pidfd, out_fd, err_fd;
	int status;      /* exit status, or 128 + signal */
	char *out, *err; /* all it printed, NUL-terminated */
	size_t out_length, err_length;
};

/* Start "natsim WORDS...": a NULL-terminated list. */
void natsim_start(struct natsim *natsim, const char *const words[]);

/* Read until its end. A test fails when that does not come in time. */
void natsim_finish(struct natsim *natsim);

/* Both. The words follow, and the last is NULL. */
void natsim_run(struct natsim *natsim, ...) __attribute__((sentinel));
void natsim_clear(struct natsim *natsim);

/* stdout as JSON; owned by the caller. */
json_t *natsim_json(const struct natsim *natsim);

/* Follow a path such as "runs.0.steps.3.kind"; NULL when there is no such thing. */
const json_t *json_at(const json_t *json, const char *path);

/* A directory of its own that everybody may enter. */
struct scratch {
	char path[64];
};

struct scratch scratch_new(void);
void scratch_free(struct scratch *scratch);

/* Write a file in it; returns its path, to be freed. */
char *scratch_write(const struct scratch *scratch, const char *name, const char *text);

/* A named pipe in it, and waiting until somebody in a lab has written to it. */
char *scratch_fifo(const struct scratch *scratch, const char *name);
void fifo_wait(const char *path);

/* How many processes on this machine have @word among their arguments. */
size_t processes_with(const char *word);

/* Wait until there is none; fails when that takes too long. */
void await_no_process_with(const char *word);

#endif
