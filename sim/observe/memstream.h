/* SPDX-License-Identifier: MIT */
/* Text that grows while it is printed. */
#ifndef NATSIM_OBSERVE_MEMSTREAM_H
#define NATSIM_OBSERVE_MEMSTREAM_H

#include <errno.h>
#include <stdio.h>

/*
 * Close what open_memstream() opened. Returns 0 with the text whole, or -ENOMEM: then
 * something was lost on the way, which fclose() alone does not tell.
 */
static inline int memstream_close(FILE *stream)
{
	int lost = ferror(stream);

	return fclose(stream) != 0 || lost ? -ENOMEM : 0;
}

#endif
