/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void entry_clear(struct diag_entry *entry)
{
	free(entry->file);
	free(entry->source);
	free(entry->message);
	free(entry->help);
}

void diag_clear(struct diag *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < d->count; i++)
		entry_clear(&d->entries[i]);
	free(d->entries);
	*d = (struct diag){0};
}

/* Returns the new last entry, empty, or NULL when there is no memory for it. */
static struct diag_entry *entry_add(struct diag *d, enum diag_severity severity)
{
	struct diag_entry *entries;

	if (!d)
		return NULL;
	if (severity == DIAG_ERROR)
		d->errors++;
	entries = reallocarray(d->entries, d->count + 1, sizeof(*entries));
	if (!entries)
		return NULL;
	d->entries = entries;
	entries[d->count] = (struct diag_entry){.severity = severity};
	return &entries[d->count++];
}

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		return NULL;
	return text;
}

int diag_error(struct diag *d, int error, const char *format, ...)
{
	struct diag_entry *entry = entry_add(d, DIAG_ERROR);
	va_list args;

	if (entry) {
		va_start(args, format);
		entry->message = format_text(format, args);
		va_end(args);
	}
	return -error;
}

int diag_system(struct diag *d, int error, const char *format, ...)
{
	struct diag_entry *entry = entry_add(d, DIAG_ERROR);
	va_list args;
	char *words, *message;

	if (!entry)
		return -error;
	va_start(args, format);
	words = format_text(format, args);
	va_end(args);
	if (words && asprintf(&message, "%s: %s", words, strerror(error)) >= 0) {
		free(words);
		words = message;
	}
	entry->message = words;
	return -error;
}

void diag_at(struct diag *d, enum diag_severity severity, const struct diag_place *place,
	     const char *source, const char *format, ...)
{
	struct diag_entry *entry = entry_add(d, severity);
	va_list args;

	if (!entry)
		return;
	va_start(args, format);
	entry->message = format_text(format, args);
	va_end(args);
	entry->file = place->file ? strdup(place->file) : NULL;
	entry->line = place->line;
	entry->column = place->column;
	entry->width = place->width;
	entry->source = source ? strdup(source) : NULL;
}

void diag_warning(struct diag *d, const char *format, ...)
{
	struct diag_entry *entry = entry_add(d, DIAG_WARNING);
	va_list args;

	if (!entry)
		return;
	va_start(args, format);
	entry->message = format_text(format, args);
	va_end(args);
}

void diag_help(struct diag *d, const char *format, ...)
{
	struct diag_entry *entry;
	va_list args;

	if (!d || d->count == 0)
		return;
	entry = &d->entries[d->count - 1];
	free(entry->help);
	va_start(args, format);
	entry->help = format_text(format, args);
	va_end(args);
}

void diag_while(struct diag *d, const char *format, ...)
{
	struct diag_entry *entry;
	char *words, *message;
	va_list args;

	if (!d || d->count == 0)
		return;
	entry = &d->entries[d->count - 1];
	va_start(args, format);
	words = format_text(format, args);
	va_end(args);
	if (words && asprintf(&message, "%s: %s", words, entry->message) >= 0) {
		free(entry->message);
		entry->message = message;
	}
	free(words);
}

struct palette {
	const char *bold, *red, *magenta, *blue, *reset;
};

/* The line with tabs as single spaces, so that the caret below it stands where the column says. */
static void print_source(const struct diag_entry *entry, const struct palette *ink, FILE *out)
{
	unsigned int column, width = entry->width ? entry->width : 1;
	const char *c;

	fprintf(out, "%s%6u |%s ", ink->blue, entry->line, ink->reset);
	for (c = entry->source; *c; c++)
		fputc(*c == '\t' ? ' ' : *c, out);
	fprintf(out, "\n%s       |%s ", ink->blue, ink->reset);
	for (column = 1; column < entry->column; column++)
		fputc(' ', out);
	fprintf(out, "%s^", ink->red);
	for (column = 1; column < width; column++)
		fputc('~', out);
	fprintf(out, "%s\n", ink->reset);
}

void diag_print(const struct diag *d, FILE *out, bool colour)
{
	static const struct palette coloured = {"\033[1m", "\033[1;31m", "\033[1;35m", "\033[1;34m",
						"\033[0m"};
	static const struct palette plain = {"", "", "", "", ""};
	const struct palette *ink = colour ? &coloured : &plain;
	const struct diag_entry *entry;
	size_t i;

	for (i = 0; i < d->count; i++) {
		entry = &d->entries[i];
		if (entry->file && entry->line)
			fprintf(out, "%s%s:%u:%u:%s ", ink->bold, entry->file, entry->line,
				entry->column, ink->reset);
		else if (entry->file)
			fprintf(out, "%s%s:%s ", ink->bold, entry->file, ink->reset);
		else
			fprintf(out, "%snatsim:%s ", ink->bold, ink->reset);
		if (entry->severity == DIAG_WARNING)
			fprintf(out, "%swarning:%s ", ink->magenta, ink->reset);
		else
			fprintf(out, "%serror:%s ", ink->red, ink->reset);
		fprintf(out, "%s\n", entry->message ? entry->message : "(out of memory)");
		if (entry->source && entry->line)
			print_source(entry, ink, out);
		if (entry->help)
			fprintf(out, "%s       =%s help: %s\n", ink->blue, ink->reset, entry->help);
	}
}
