/* SPDX-License-Identifier: MIT */
/* What every verb says about wrong words on its command line. */
#ifndef NATSIM_USAGE_H
#define NATSIM_USAGE_H

#include <stdbool.h>

/* Say that @what is wrong with @value, and where @verb's options are told. Returns STATUS_USAGE. */
int usage_error(const char *verb, const char *what, const char *value);

/* --format's @word. Returns STATUS_OK and whether it is JSON, or says what is wrong: STATUS_USAGE.
 */
int usage_format(const char *verb, const char *word, bool *ret_json);

#endif
