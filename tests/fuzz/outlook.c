/* SPDX-License-Identifier: MIT */
/* What a peer offers about its ports, from anybody: decisions stay within bounds and end. */
#include <stdlib.h>

#include "agents/predict/guess.h"
#include "agents/punch/spray.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(void *context, void *bytes, size_t length)
{
	uint8_t *at = bytes, *counter = context;

	while (length-- > 0)
		*at++ = (*counter)++;
}

static void spray_a_little(const struct guess *guess)
{
	uint8_t counter = 0;
	struct spray_config config = {
		.to = {.addr.family = AF_INET, .port = 8888},
		.socket_count = 1,
		.low = guess->low,
		.high = guess->high,
		.port_count = guess->probes,
		.first = guess->first,
		.step = guess->step,
		.rate = guess->rate,
		.random = {.fill = fill, .context = &counter},
	};
	unsigned int turns = 100;
	uint64_t now = 0;
	struct endpoint to;
	struct spray spray;
	size_t socket;

	if (guess->probes == 0 || guess->rate == 0)
		return;
	if (guess->low > guess->high)
		abort();
	spray_start(&spray, &config, now);
	while (turns-- > 0) {
		if (!spray_send(&spray, now, &socket, &to))
			now = spray_due(&spray);
		else if (to.port != 8888 && (to.port < guess->low || to.port > guess->high))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outlook own, theirs;
	struct guess guess;
	size_t half = size / 2;

	if (!outlook_find(data, half, &own) || !outlook_find(data + half, size - half, &theirs))
		return 0;
	guess = guess_make(&own, &theirs, data[0] & 1);
	if (guess.port_count > GUESS_PORTS_MAX || !(guess.probability >= 0) ||
	    guess.probability > 1.000001)
		abort();
	spray_a_little(&guess);
	return 0;
}
