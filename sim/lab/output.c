/* SPDX-License-Identifier: MIT */
#include "lab/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_MAX = 16 << 10 };

/* Append what still fits below the limit; count all of it. */
static int keep(struct lab_output *output, size_t limit, const char *bytes, size_t length)
{
	size_t kept = output->length < limit ? limit - output->length : 0;
	size_t room = 256;
	char *text;

	output->total += length;
	if (kept > length)
		kept = length;
	if (kept == 0)
		return 0;
	/* The capacity is the next power of two: it grows when a new one is crossed. */
	while (room < output->length + kept + 1)
		room *= 2;
	if (!output->text || output->length + 1 <= room / 2) {
		text = realloc(output->text, room);
		if (!text)
			return -ENOMEM;
		output->text = text;
	}
	memcpy(output->text + output->length, bytes, kept);
	output->length += kept;
	output->text[output->length] = '\0';
	return 0;
}

/* Make place at the end of the line buffer. Returns how much there is. */
static size_t line_room(struct program_run *run)
{
	if (run->line_start > 0) {
		memmove(run->line, run->line + run->line_start, run->line_end - run->line_start);
		run->line_end -= run->line_start;
		run->line_start = 0;
	}
	return LAB_LINE_MAX - run->line_end;
}

ssize_t output_read(struct lab *lab, struct source *source, size_t limit)
{
	struct program_run *run = source->run;
	bool out = source->kind == SOURCE_OUT;
	size_t room = READ_MAX;
	char bytes[READ_MAX];
	ssize_t n;
	int r;

	if (out && line_room(run) < room)
		room = line_room(run);
	if (room > limit)
		room = limit;
	n = read(source->fd, bytes, room);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	r = keep(out ? &run->child.out : &run->child.err, lab->options.output_limit, bytes,
		 (size_t)n);
	if (r < 0)
		return r;
	if (out) {
		memcpy(run->line + run->line_end, bytes, (size_t)n);
		run->line_end += (size_t)n;
	}
	return n;
}

bool output_line(struct program_run *run, bool last, const char **ret, size_t *ret_length)
{
	char *start = run->line + run->line_start;
	size_t length = run->line_end - run->line_start;
	char *newline = memchr(start, '\n', length);

	if (newline) {
		*newline = '\0';
		*ret_length = (size_t)(newline - start);
		run->line_start += *ret_length + 1;
	} else if (length == LAB_LINE_MAX || (last && length > 0)) {
		start[length] = '\0';
		*ret_length = length;
		run->line_start = run->line_end;
	} else {
		return false;
	}
	*ret = start;
	return true;
}
