/* SPDX-License-Identifier: MIT */
#include "base/term.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool term_colour(FILE *stream)
{
	const char *unwanted = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (unwanted && unwanted[0] != '\0')
		return false;
	if (terminal && strcmp(terminal, "dumb") == 0)
		return false;
	return isatty(fileno(stream)) == 1;
}
