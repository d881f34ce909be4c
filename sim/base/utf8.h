/* SPDX-License-Identifier: MIT */
/* Text that came from somebody else. */
#ifndef NATSIM_BASE_UTF8_H
#define NATSIM_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How many bytes the UTF-8 character at @text has, of which @left are there; 0 for an invalid one
 * (RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF). A string's NUL
 * ends it as well as @left does.
 */
size_t utf8_length(const void *text, size_t left);

/* Is the valid character of @length bytes at @text a control? U+0080 to U+009F are some too: there
 * are terminals that take U+009B for ESC [. */
bool utf8_is_control(const void *text, size_t length);

#endif
