/* SPDX-License-Identifier: MIT */
/*
 * A topology file's text, and the mistakes found in it.
 *
 * Readers go on after a mistake so that all of a file are told at once; what
 * counts in the end is source.mistakes. Spans are byte offsets, as the parser gives
 * them; people get lines and columns in characters.
 */
#ifndef NATSIM_TOPO_SOURCE_H
#define NATSIM_TOPO_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "topo/topo.h"

enum {
	SOURCE_MISTAKES_MAX = 100,   /* nobody reads more, and hostile files have millions */
	SOURCE_LINE_SHOWN_MAX = 400, /* bytes; a longer line is not quoted under its mistake */
};

struct span {
	size_t start, end; /* bytes of the text; the end is not part of it */
};

struct source {
	const char *file; /* borrowed, as are the text and the diag */
	const char *text;
	size_t length;
	size_t *lines; /* where each line begins */
	size_t line_count;
	struct diag *diag;
	size_t first_entry; /* what was in the diag before is not ours */
	size_t mistakes;
	bool told; /* whether the newest mistake made it into the diag: then help may follow */
	struct {   /* the last place that was asked for: the next is usually close behind it */
		size_t line, offset, column;
	} last;
};

/* Returns 0 or -ENOMEM. */
int source_init(struct source *source, const char *file, const char *text, size_t length,
		struct diag *d);
void source_clear(struct source *source);

struct place source_place(struct source *source, size_t offset);

/* The offset of a place that somebody else counted, at most the end of the text. */
size_t source_offset(const struct source *source, size_t line, size_t column);

/* A mistake or a doubt about @span, and what to do about the newest of either. */
void mistake(struct source *source, struct span span, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void doubt(struct source *source, struct span span, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void remedy(struct source *source, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Mistakes are found layer by layer; put them into the order of the file. */
void source_sort(struct source *source);

#endif
