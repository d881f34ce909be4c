/* SPDX-License-Identifier: MIT */
#include "topo/suggest.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 48 }; /* longer words are no typing mistakes */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int lower(char c)
{
	return tolower((unsigned char)c);
}

/*
 * How many letters must be put in, taken out, replaced, or exchanged with their
 * neighbour (the optimal string alignment distance; three rows of its matrix).
 */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *previous = rows[1], *row = rows[2], *free_row;
	size_t i, j, cost;

	for (j = 0; j <= b_length; j++)
		previous[j] = j;
	for (i = 1; i <= a_length; i++) {
		row[0] = i;
		for (j = 1; j <= b_length; j++) {
			cost = lower(a[i - 1]) != lower(b[j - 1]);
			row[j] = least(least(previous[j], row[j - 1]) + 1, previous[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		free_row = before;
		before = previous;
		previous = row;
		row = free_row;
	}
	return previous[b_length];
}

struct suggestion suggest_for(const char *word)
{
	size_t length = strlen(word);

	/* A third of the letters may be wrong; below three letters everything is near everything.
	 */
	return (struct suggestion){.word = word, .distance = (length > 2) + length / 3 + 1};
}

void suggest(struct suggestion *suggestion, const char *offer)
{
	size_t length = strlen(suggestion->word);
	size_t offered = strlen(offer);
	size_t apart;

	if (length > WORD_MAX || offered > WORD_MAX || length < 2)
		return;
	apart = distance(suggestion->word, length, offer, offered);
	if (apart >= suggestion->distance || apart >= offered)
		return;
	suggestion->distance = apart;
	suggestion->best = offer;
}
