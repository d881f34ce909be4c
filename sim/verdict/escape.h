/* SPDX-License-Identifier: MIT */
/*
 * Text from programs, made harmless: what a program under test prints must neither
 * steer the terminal that shows the report nor break the JSON document.
 */
#ifndef NATSIM_VERDICT_ESCAPE_H
#define NATSIM_VERDICT_ESCAPE_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Print @length bytes: valid UTF-8 as it is; control characters (C0, DEL, C1) and
 * invalid bytes as \xNN, a tab as it is, a newline as @newline.
 */
void escape_print(const char *text, size_t length, const char *newline, FILE *out);

/* The same in double quotes, with \" \\ \n \t \r for those. */
void escape_quote(const char *text, size_t length, FILE *out);

/* A JSON string of any bytes: invalid ones become U+FFFD. NULL without memory. */
json_t *escape_json(const char *text, size_t length);

#endif
