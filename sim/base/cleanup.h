/* SPDX-License-Identifier: MIT */
/*
 * Ownership that follows scope: a local marked with one of these is released
 * when it goes out of scope, and STEAL() makes a hand-over visible.
 */
#ifndef NATSIM_BASE_CLEANUP_H
#define NATSIM_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Take the value out of @variable, leaving @empty behind so that its cleanup finds nothing. */
#define STEAL_AS(variable, empty)                          \
	({                                                 \
		__typeof__(variable) stolen_ = (variable); \
		(variable) = (empty);                      \
		stolen_;                                   \
	})
#define STEAL(pointer) STEAL_AS(pointer, NULL)
#define STEAL_FD(fd) STEAL_AS(fd, -1)

/* Define NAME_cleanup(), to be used with CLEANUP(), for a destructor that takes a pointer. */
#define DEFINE_CLEANUP(type, destructor)                       \
	static inline void destructor##_cleanup(type *pointer) \
	{                                                      \
		destructor(*pointer);                          \
	}

static inline void free_cleanup(void *pointer)
{
	free(*(void **)pointer);
}

static inline void fd_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void file_cleanup(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define AUTO_FREE CLEANUP(free_cleanup)
#define AUTO_CLOSE CLEANUP(fd_cleanup)
#define AUTO_FCLOSE CLEANUP(file_cleanup)

#endif
