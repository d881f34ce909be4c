/* SPDX-License-Identifier: MIT */
#include "usage.h"

#include <stdio.h>
#include <string.h>

#include "cmd.h"

int usage_error(const char *verb, const char *what, const char *value)
{
	fprintf(stderr, "natsim: error: %s \"%s\"; \"natsim %s --help\" lists all options\n", what,
		value, verb);
	return STATUS_USAGE;
}

int usage_format(const char *verb, const char *word, bool *ret_json)
{
	if (strcmp(word, "text") != 0 && strcmp(word, "json") != 0)
		return usage_error(verb, "--format is text or json, not", word);
	*ret_json = strcmp(word, "json") == 0;
	return STATUS_OK;
}
