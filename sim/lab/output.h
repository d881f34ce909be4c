/* SPDX-License-Identifier: MIT */
/* What a program writes: kept up to a limit, and cut into lines. */
#ifndef NATSIM_LAB_OUTPUT_H
#define NATSIM_LAB_OUTPUT_H

#include "lab/internal.h"

/*
 * Read once from @source into what is kept of it, and for stdout also into the line
 * buffer, at most @limit bytes. Returns how many bytes, 0 at the end or when there is
 * nothing, -ENOMEM or another -errno.
 */
ssize_t output_read(struct lab *lab, struct source *source, size_t limit);

/*
 * The next line of @run's buffer, without its newline and with a NUL behind it: whole,
 * or what fits, or with @last what is left. False when there is none.
 */
bool output_line(struct program_run *run, bool last, const char **ret, size_t *ret_length);

#endif
