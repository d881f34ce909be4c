/* SPDX-License-Identifier: MIT */
/*
 * On the wire, numbers most significant byte first:
 *
 *     mapping 8 | next 8 | fixed 8 | its confidence 8 (1/255) | busy 16 (1/256) | step 16
 *     last 16 | internal 16 | turns at: low 16, high 16 | range: low 16, high 16
 *     window 16 | sockets 16 | probes 16 | rate 16
 */
#include "agents/predict/outlook.h"

#include <string.h>

enum { WIRE_SIZE = 28 };

double outlook_busy(const struct port_pattern *pattern)
{
	return pattern->mappings > 1 ? (double)pattern->strangers / (pattern->mappings - 1) : 0;
}

static uint8_t *put_u16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint16_t take_u16(const uint8_t **at)
{
	uint16_t value = (uint16_t)((*at)[0] << 8 | (*at)[1]);

	*at += 2;
	return value;
}

void outlook_put(const struct outlook *outlook, struct offer *offer)
{
	const struct port_pattern *pattern = &outlook->pattern;
	double busy = outlook->busy < 255 ? outlook->busy : 255;
	uint8_t wire[WIRE_SIZE], *at = wire;

	*at++ = (uint8_t)outlook->mapping;
	*at++ = (uint8_t)pattern->next;
	*at++ = pattern->fixed;
	*at++ = (uint8_t)(pattern->next_confidence * 255 + 0.5);
	at = put_u16(at, (unsigned int)(busy * 256));
	at = put_u16(at, (unsigned int)pattern->step);
	at = put_u16(at, pattern->last);
	at = put_u16(at, pattern->internal);
	at = put_u16(at, pattern->low);
	at = put_u16(at, pattern->high);
	at = put_u16(at, outlook->low);
	at = put_u16(at, outlook->high);
	at = put_u16(at, outlook->window);
	at = put_u16(at, outlook->sockets);
	at = put_u16(at, outlook->probes);
	at = put_u16(at, outlook->rate);
	offer_put(offer, OFFER_PATTERN, wire, (size_t)(at - wire));
}

/* What the code that predicts relies on; the peer may have written anything. */
static bool makes_sense(const struct outlook *outlook)
{
	const struct port_pattern *pattern = &outlook->pattern;

	return outlook->mapping < BEHAVIOUR_COUNT && pattern->next <= PATTERN_RANDOM &&
	       (pattern->next != PATTERN_SEQUENTIAL || pattern->step != 0) &&
	       pattern->low <= pattern->high && pattern->last != 0 && outlook->low != 0 &&
	       outlook->low <= outlook->high;
}

bool outlook_find(const uint8_t *bytes, size_t length, struct outlook *ret)
{
	struct outlook outlook = {0};
	const uint8_t *at;
	size_t size;

	if (!offer_find(bytes, length, OFFER_PATTERN, &at, &size) || size < WIRE_SIZE)
		return false;
	outlook.mapping = *at++;
	outlook.pattern.next = *at++;
	outlook.pattern.fixed = *at++ != 0;
	outlook.pattern.next_confidence = *at++ / 255.0;
	outlook.busy = take_u16(&at) / 256.0;
	outlook.pattern.step = (int16_t)take_u16(&at);
	outlook.pattern.last = take_u16(&at);
	outlook.pattern.internal = take_u16(&at);
	outlook.pattern.low = take_u16(&at);
	outlook.pattern.high = take_u16(&at);
	outlook.low = take_u16(&at);
	outlook.high = take_u16(&at);
	outlook.window = take_u16(&at);
	outlook.sockets = take_u16(&at);
	outlook.probes = take_u16(&at);
	outlook.rate = take_u16(&at);
	if (!makes_sense(&outlook))
		return false;
	/* How it chooses first ports is of no interest to others. */
	outlook.pattern.choice = outlook.pattern.next;
	outlook.pattern.confidence = outlook.pattern.next_confidence;
	*ret = outlook;
	return true;
}
