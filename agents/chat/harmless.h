/* SPDX-License-Identifier: MIT */
/*
 * What somebody else wrote, made fit to be shown on a terminal: nothing in it moves the cursor,
 * changes colours, answers in the reader's name, or turns the text around.
 */
#ifndef NATSIM_AGENTS_CHAT_HARMLESS_H
#define NATSIM_AGENTS_CHAT_HARMLESS_H

#include <stddef.h>

/* Of @length bytes at most this many are made, with the NUL. */
#define HARMLESS_SIZE(length) (3 * (length) + 1)

/*
 * Write the @length bytes at @text into @ret, of HARMLESS_SIZE(@length): valid UTF-8. What was
 * none, and every control character and change of the writing's direction, becomes U+FFFD; a tab
 * becomes a space.
 */
void harmless(const void *text, size_t length, char *ret);

#endif
