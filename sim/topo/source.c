/* SPDX-License-Identifier: MIT */
#include "topo/source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int source_init(struct source *source, const char *file, const char *text, size_t length,
		struct diag *d)
{
	size_t count = 1, i;

	*source = (struct source){
		.file = file,
		.text = text,
		.length = length,
		.diag = d,
		.first_entry = d ? d->count : 0,
	};
	for (i = 0; i < length; i++)
		count += text[i] == '\n';
	source->lines = calloc(count, sizeof(*source->lines));
	if (!source->lines)
		return -ENOMEM;
	source->line_count = 1;
	for (i = 0; i < length; i++)
		if (text[i] == '\n')
			source->lines[source->line_count++] = i + 1;
	return 0;
}

void source_clear(struct source *source)
{
	free(source->lines);
	source->lines = NULL;
}

/* The last line that begins at or before @offset, from 0. */
static size_t line_of(const struct source *source, size_t offset)
{
	size_t low = 0, high = source->line_count, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (source->lines[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Where the line's text ends, its line break left out. */
static size_t line_end(const struct source *source, size_t line)
{
	size_t end = line + 1 < source->line_count ? source->lines[line + 1] - 1 : source->length;

	if (end > source->lines[line] && source->text[end - 1] == '\r')
		end--;
	return end;
}

/* How many characters begin in the bytes from @start to @end (UTF-8: RFC 3629 section 3). */
static size_t characters(const struct source *source, size_t start, size_t end)
{
	size_t count = 0, i;

	for (i = start; i < end && i < source->length; i++)
		count += ((unsigned char)source->text[i] & 0xc0) != 0x80;
	return count;
}

struct place source_place(struct source *source, size_t offset)
{
	size_t line, from, column = 0;

	if (offset > source->length)
		offset = source->length;
	line = line_of(source, offset);
	from = source->lines[line];
	/* Counting on from the last place keeps a file that is one long line linear. */
	if (source->last.line == line && source->last.offset >= from &&
	    source->last.offset <= offset) {
		from = source->last.offset;
		column = source->last.column;
	}
	column += characters(source, from, offset);
	source->last.line = line;
	source->last.offset = offset;
	source->last.column = column;
	return (struct place){.line = (unsigned int)line + 1, .column = (unsigned int)column + 1};
}

size_t source_offset(const struct source *source, size_t line, size_t column)
{
	size_t offset, end;

	if (line == 0 || line > source->line_count)
		return source->length;
	offset = source->lines[line - 1];
	end = line_end(source, line - 1);
	for (; column > 1 && offset < end; column--)
		do
			offset++;
		while (offset < end && ((unsigned char)source->text[offset] & 0xc0) == 0x80);
	return offset;
}

/* A copy of a line that is fit for a terminal; NULL when it is too long to be of help. */
static char *line_text(const struct source *source, size_t line)
{
	size_t start = source->lines[line];
	size_t length = line_end(source, line) - start;
	char *text, *c;

	if (length > SOURCE_LINE_SHOWN_MAX)
		return NULL;
	text = strndup(source->text + start, length);
	for (c = text; c && *c; c++)
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			*c = '?';
	return text;
}

/* What an alias repeats, or a step says for each of its programs, is one mistake. */
static bool is_told(const struct source *source, const struct diag_place *at, const char *message)
{
	const struct diag *d = source->diag;
	const struct diag_entry *entry;
	size_t i;

	for (i = source->first_entry; d && i < d->count; i++) {
		entry = &d->entries[i];
		if (entry->line == at->line && entry->column == at->column && entry->message &&
		    strcmp(entry->message, message) == 0)
			return true;
	}
	return false;
}

/* Returns false when this has been told before. */
__attribute__((format(printf, 4, 0))) static bool tell(struct source *source,
						       enum diag_severity severity,
						       struct span span, const char *format,
						       va_list args)
{
	struct diag_place at = {.file = source->file};
	AUTO_FREE char *message = NULL;
	AUTO_FREE char *text = NULL;
	size_t start = span.start, line, end;
	struct place place;

	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	/* An end of file after the last line break is shown at the end of the last line. */
	if (start >= source->length)
		for (start = source->length; start > 0; start--)
			if (source->text[start - 1] != '\n' && source->text[start - 1] != '\r')
				break;
	place = source_place(source, start);
	line = place.line - 1;
	end = line_end(source, line);
	if (span.end < end)
		end = span.end;
	at.line = place.line;
	at.column = place.column;
	at.width = end > start ? (unsigned int)characters(source, start, end) : 1;
	if (message && is_told(source, &at, message))
		return false;
	text = line_text(source, line);
	diag_at(source->diag, severity, &at, text, "%s", message ? message : "(out of memory)");
	return true;
}

void mistake(struct source *source, struct span span, const char *format, ...)
{
	va_list args;

	source->told = source->mistakes < SOURCE_MISTAKES_MAX;
	if (source->told) {
		va_start(args, format);
		source->told = tell(source, DIAG_ERROR, span, format, args);
		va_end(args);
		if (!source->told)
			return;
	}
	source->mistakes++;
}

void doubt(struct source *source, struct span span, const char *format, ...)
{
	va_list args;

	source->told = !source->diag ||
		       source->diag->count - source->first_entry < (size_t)2 * SOURCE_MISTAKES_MAX;
	if (!source->told)
		return;
	va_start(args, format);
	source->told = tell(source, DIAG_WARNING, span, format, args);
	va_end(args);
}

void remedy(struct source *source, const char *format, ...)
{
	AUTO_FREE char *text = NULL;
	va_list args;

	if (!source->told)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (text)
		diag_help(source->diag, "%s", text);
}

static bool after(const struct diag_entry *a, const struct diag_entry *b)
{
	return a->line != b->line ? a->line > b->line : a->column > b->column;
}

void source_sort(struct source *source)
{
	struct diag_entry *entries, moved;
	size_t i, j;

	if (!source->diag)
		return;
	entries = source->diag->entries;
	for (i = source->first_entry; i < source->diag->count; i++) {
		moved = entries[i];
		for (j = i; j > source->first_entry && after(&entries[j - 1], &moved); j--)
			entries[j] = entries[j - 1];
		entries[j] = moved;
	}
}
