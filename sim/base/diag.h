/* SPDX-License-Identifier: MIT */
/*
 * The story of what went wrong, collected while it goes wrong.
 *
 * Library code never prints: it returns a negative errno and leaves words here;
 * a verb's main prints them once. An entry may point into a file (a topology),
 * and then prints with the line and a caret under the offending words.
 *
 *     double-nat.yaml:12:40: error: no NAT is called "port-restrictd-cone"
 *        12 |   router1: {interfaces: {...}, nat: port-restrictd-cone}
 *           |                                     ^~~~~~~~~~~~~~~~~~~
 *           = help: did you mean "port-restricted-cone"?
 *
 * Every function tolerates a NULL diag, and running out of memory loses words,
 * never the error code.
 */
#ifndef NATSIM_BASE_DIAG_H
#define NATSIM_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

/* A place in a text file. Lines and columns count from 1; line 0 means "no place". */
struct diag_place {
	const char *file; /* borrowed for the call only */
	unsigned int line;
	unsigned int column; /* in characters */
	unsigned int width;  /* how many characters the caret underlines; 0 counts as 1 */
};

struct diag_entry {
	enum diag_severity severity;
	char *file; /* NULL without a place */
	unsigned int line, column, width;
	char *source;  /* the text of that line without its newline, or NULL */
	char *message; /* one sentence without a final full stop */
	char *help;    /* what to do about it, or NULL */
};

struct diag {
	struct diag_entry *entries;
	size_t count;
	size_t errors; /* how many of the entries are DIAG_ERROR */
};

void diag_clear(struct diag *d); /* frees the entries and makes @d empty again */
#define AUTO_DIAG CLEANUP(diag_clear)

/* Add an error that has no place. Returns -@error, so that "return diag_error(d, EINVAL, ...)"
 * works. */
int diag_error(struct diag *d, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for a refusal by the system: ": " and strerror(@error) follow the words. */
int diag_system(struct diag *d, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Add an entry at @place; @source is the text of its line or NULL. */
void diag_at(struct diag *d, enum diag_severity severity, const struct diag_place *place,
	     const char *source, const char *format, ...) __attribute__((format(printf, 5, 6)));

void diag_warning(struct diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Give the newest entry its "help:" line. */
void diag_help(struct diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "@format: " in front of the newest entry's message: the outer half of the story. */
void diag_while(struct diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print all entries in the order they were added, coloured when @colour. */
void diag_print(const struct diag *d, FILE *out, bool colour);

#endif
