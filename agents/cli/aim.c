/* SPDX-License-Identifier: MIT */
#include "agents/cli/aim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/net/resolve.h"

enum { STUN_PORT = 3478, PORT_MAX = 65535 }; /* RFC 8489 section 8.1 */

/* "FIRST-LAST" */
static int read_ports(const char *text, struct aim_config *ret, struct diag *d)
{
	unsigned long first, last;
	char *end;

	first = strtoul(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '-' && end[1] >= '0' && end[1] <= '9') {
		last = strtoul(end + 1, &end, 10);
		if (*end == '\0' && first >= 1 && first <= last && last <= PORT_MAX) {
			ret->low = (uint16_t)first;
			ret->high = (uint16_t)last;
			return 0;
		}
	}
	return diag_error(d, EINVAL, "--ports is FIRST-LAST, ports from 1 to %d, not \"%s\"",
			  PORT_MAX, text);
}

/* As many as time allows in half of @timeout, for they are all sent more than once. */
static uint16_t probes_in(uint64_t timeout, uint64_t rate)
{
	uint64_t probes = timeout / (2 * MSEC) * rate / 1000;

	return (uint16_t)(probes < PORT_MAX ? probes : PORT_MAX);
}

int aim_options(const struct aim_words *words, uint64_t timeout, struct aim_config *ret,
		struct diag *d)
{
	int r = 0;

	*ret = (struct aim_config){
		.predict = words->predict,
		.birthday = words->birthday,
		.window = (uint16_t)words->window,
		.sockets = (uint16_t)words->sockets,
		.probes = (uint16_t)words->probes,
		.rate = (uint16_t)words->rate,
		.hesitate = words->hesitate,
	};
	if (!words->predict && !words->birthday)
		return 0;
	if (!words->stun)
		return diag_error(d, EINVAL, "%s needs --stun, a server to measure our NAT with",
				  words->predict ? "--predict" : "--birthday");
	if (words->window == 0 || words->sockets == 0 || words->rate == 0)
		return diag_error(d, EINVAL, "--window, --sockets and --rate are at least 1");
	if (ret->probes == 0)
		ret->probes = probes_in(timeout, words->rate);
	if (words->ports)
		r = read_ports(words->ports, ret, d);
	return r < 0 ? r : resolve_endpoint(words->stun, STUN_PORT, &ret->stun, d);
}

int aim_open(struct aim_config *config, struct sockets *sockets, struct endpoint *locals,
	     struct diag *d)
{
	struct endpoint any = {.addr.family = locals[0].addr.family};
	size_t i, wanted = aim_sockets(config);
	int r;

	config->first_fresh = sockets->count;
	config->internal[0] = locals[0].port;
	for (i = 0; i < wanted; i++) {
		struct endpoint *local = &locals[sockets->count];

		r = sockets_add(sockets, &any, local, d);
		if (r < 0)
			return r;
		local->addr = locals[0].addr;
		if (i + 1 < AIM_MEASURED_FOR_BIRTHDAY)
			config->internal[i + 1] = local->port;
	}
	config->fresh_count = wanted;
	return 0;
}

static const char *kind_name(enum guess_kind kind)
{
	switch (kind) {
	case GUESS_NOTHING:
		return "none";
	case GUESS_PREDICTION:
		return "prediction";
	case GUESS_BIRTHDAY:
		return "birthday";
	case GUESS_HOPELESS:
		return "hopeless";
	}
	return "none";
}

static void put_measured(const struct aim *aim, struct line *line)
{
	const struct port_pattern *pattern = &aim->own.pattern;

	line_text(line, "mapping", behaviour_name(aim->own.mapping));
	line_text(line, "pattern", port_choice_name(pattern->next));
	if (pattern->next == PATTERN_SEQUENTIAL)
		line_signed(line, "step", pattern->step);
	if (pattern->next != PATTERN_UNKNOWN)
		line_fraction(line, "confidence", pattern->next_confidence);
}

static void put_guess(const struct aim *aim, struct line *line)
{
	line_text(line, "guess", kind_name(aim->guess.kind));
	if (aim->guess.kind != GUESS_NOTHING)
		line_fraction(line, "probability", aim->guess.probability);
}

void aim_put(const struct aim *aim, struct line *line)
{
	if (!aim->measured)
		return;
	put_measured(aim, line);
	if (!aim->decided)
		return;
	put_guess(aim, line);
	line_integer(line, "probes", aim_probes(aim));
	line_integer(line, "sockets", aim_sockets_used(aim));
}

int aim_tell_measured(const struct aim *aim, FILE *out)
{
	struct line line;

	line_begin(&line, "measured");
	put_measured(aim, &line);
	line_integer(&line, "questions", measure_sent(&aim->measure));
	return line_write(&line, out);
}

int aim_tell_guess(const struct aim *aim, FILE *out)
{
	struct line line;

	line_begin(&line, "guess");
	put_guess(aim, &line);
	if (aim->guess.kind != GUESS_NOTHING)
		line_text(&line, "reason", aim->guess.reason);
	return line_write(&line, out);
}
