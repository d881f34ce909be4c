/* SPDX-License-Identifier: MIT */
/*
 * How this works
 *
 * Two stories compete for what was seen, and the one that makes it likelier is believed,
 * in the measure in which it is likelier (Bayes, both equally likely at first):
 *
 *   random      Every port is as likely as any other of those the NAT seems to use, so a
 *            distance from one port to the next has the probability 1/span.
 *   sequential  Every port is a step d beyond the one before, d alike throughout. Where other
 *            hosts open mappings between our probes, the distance is a multiple m * d, and
 *            each such stranger halves the probability. Small steps are likelier than
 *            large ones: 1/2 |d| (|d| + 1), which sums to 1 over all d.
 *
 * So three distances of +1 are enough to believe in steps of +1, three of +1000 too
 * (who would draw that?), while three different small distances in one direction are
 * not: they would take many strangers.
 *
 * A lost probe may have opened a mapping or not. It is not held against a step that it
 * did, nor that it did not.
 *
 * A sequence turns round at the end of its range. At the end of the range that all NATs
 * have it is expected; anywhere else it is as unlikely as a coincidence (TURN), and then
 * tells the range.
 */
#include "agents/predict/pattern.h"

#include <string.h>

/* RFC 4787 section 4.2.2: well-known ports are left alone. */
enum { RANGE_LOW = 1024, RANGE_HIGH = 65535, RANGE_SIZE = RANGE_HIGH - RANGE_LOW + 1 };

enum { STEP_MAX = 4096, SPAN_MIN = 64, STRANGERS_MAX = 64 };

#define STRANGER 0.5
#define TURN 1e-3 /* that the end of an unknown range falls between two probes */

/* Mappings in the order in which they were made. */
struct row {
	struct port_sample list[PATTERN_SAMPLES_MAX];
	size_t count;
};

/* Keep the first sample of each mapping, in order. */
static void row_make(const struct port_sample *samples, size_t count, struct row *ret)
{
	size_t i, j, at;

	ret->count = 0;
	for (i = 0; i < count && ret->count < PATTERN_SAMPLES_MAX; i++) {
		at = ret->count;
		while (at > 0 && ret->list[at - 1].order > samples[i].order)
			at--;
		memmove(&ret->list[at + 1], &ret->list[at], (ret->count - at) * sizeof(*ret->list));
		ret->list[at] = samples[i];
		ret->count++;
	}
	for (i = 0; i < ret->count; i++) {
		for (j = 0; j < i; j++) {
			if (ret->list[j].internal != ret->list[i].internal ||
			    ret->list[j].external != ret->list[i].external)
				continue;
			ret->count--;
			memmove(&ret->list[i], &ret->list[i + 1],
				(ret->count - i) * sizeof(*ret->list));
			i--;
			break;
		}
	}
}

static bool is_kept(const struct port_sample *sample)
{
	return sample->internal == sample->external;
}

/*
 * A port that was kept says nothing about how the others are chosen, and where one
 * socket asks several destinations only its first mapping can keep it.
 */
static void row_drop_kept(struct row *row)
{
	size_t i, kept = 0;

	for (i = 0; i < row->count; i++) {
		if (is_kept(&row->list[i]))
			kept++;
		else
			row->list[i - kept] = row->list[i];
	}
	row->count -= kept;
}

/*
 * Did most sockets' first mappings keep their ports? One that could not says little: somebody had
 * the port (RFC 4787 section 4.2.1). Of one socket that had other ports too, it is no rule.
 */
static bool mostly_kept(const struct row *row)
{
	size_t i, j, sockets = 0, kept = 0;
	bool others = false;

	for (i = 0; i < row->count; i++) {
		bool first = true;

		for (j = 0; j < i; j++)
			first &= row->list[j].internal != row->list[i].internal;
		sockets += first;
		kept += first && is_kept(&row->list[i]);
		others |= !is_kept(&row->list[i]);
	}
	return 2 * kept > sockets && (!others || sockets > 1);
}

/* How one step explains a whole row. */
struct steps {
	double likelihood;
	unsigned int strangers;
	bool turned;
	uint16_t low, high; /* where it turned */
};

/* The multiple of @step that leads from one port to the next, 0 when none does. */
static int multiple(int from, int to, int step)
{
	int distance = to - from;

	if (distance % step == 0 && distance / step > 0)
		return distance / step;
	/* Round the ends of the common range. */
	distance += step > 0 ? RANGE_SIZE : -RANGE_SIZE;
	return distance % step == 0 && distance / step > 0 ? distance / step : 0;
}

static struct steps explain(const struct row *row, int step)
{
	int size = step < 0 ? -step : step;
	struct steps steps = {.likelihood = 0.5 / ((double)size * (size + 1))};
	size_t i;

	for (i = 1; i < row->count; i++) {
		const struct port_sample *from = &row->list[i - 1], *to = &row->list[i];
		int times = multiple(from->external, to->external, step);
		int lost = (int)(to->order - from->order) - 1;
		bool back = (to->external > from->external) != (step > 0);
		int strangers = times - 1 > lost ? times - 1 - lost : 0;

		if (times > 0 && strangers <= STRANGERS_MAX) {
			for (steps.likelihood *= 1 - STRANGER; strangers > 0; strangers--) {
				steps.likelihood *= STRANGER;
				steps.strangers++;
			}
			continue;
		}
		if (!back || steps.turned || from->external == to->external) {
			steps.likelihood = 0;
			return steps;
		}
		/* The end of a range of its own, and landing anywhere. */
		steps.likelihood *= TURN / SPAN_MIN;
		steps.turned = true;
		steps.low = step > 0 ? to->external : from->external;
		steps.high = step > 0 ? from->external : to->external;
	}
	return steps;
}

/* As if drawn from the span that was seen. */
static double explain_drawn(const struct row *row)
{
	uint16_t low = row->list[0].external, high = low;
	double likelihood = 1;
	int span;
	size_t i;

	for (i = 1; i < row->count; i++) {
		if (row->list[i].external < low)
			low = row->list[i].external;
		if (row->list[i].external > high)
			high = row->list[i].external;
	}
	span = high - low + 1 > SPAN_MIN ? high - low + 1 : SPAN_MIN;
	for (i = 1; i < row->count; i++)
		likelihood /= span;
	return likelihood;
}

static void judge_steps(const struct row *row, struct port_pattern *ret)
{
	double drawn = explain_drawn(row), stepped = 0, best = 0;
	int step;

	for (step = -STEP_MAX; step <= STEP_MAX; step++) {
		struct steps steps;

		if (step == 0)
			continue;
		steps = explain(row, step);
		stepped += steps.likelihood;
		if (steps.likelihood <= best)
			continue;
		best = steps.likelihood;
		ret->step = step;
		ret->strangers = steps.strangers;
		ret->low = steps.turned ? steps.low : RANGE_LOW;
		ret->high = steps.turned ? steps.high : RANGE_HIGH;
	}
	if (best > drawn) {
		ret->next = PATTERN_SEQUENTIAL;
		/* In this very step: another would predict other ports. */
		ret->next_confidence = best / (stepped + drawn);
	} else {
		ret->next = PATTERN_RANDOM;
		ret->next_confidence = drawn / (stepped + drawn);
		ret->step = 0;
		ret->strangers = 0;
		ret->low = RANGE_LOW;
		ret->high = RANGE_HIGH;
	}
}

/* One external port for all samples of a socket, and more than one sample of it. */
static bool is_fixed(const struct port_sample *samples, size_t count)
{
	bool repeated = false;
	size_t i, j;

	for (i = 0; i < count; i++) {
		for (j = 0; j < i; j++) {
			if (samples[i].internal != samples[j].internal)
				continue;
			if (samples[i].external != samples[j].external)
				return false;
			repeated = true;
		}
	}
	return repeated;
}

struct port_pattern pattern_judge(const struct port_sample *samples, size_t count)
{
	struct port_pattern pattern = {
		.choice = PATTERN_UNKNOWN, .low = RANGE_LOW, .high = RANGE_HIGH};
	size_t i, newest = 0;
	struct row row;
	bool kept;

	if (count > PATTERN_SAMPLES_MAX)
		count = PATTERN_SAMPLES_MAX;
	if (count == 0)
		return pattern;
	for (i = 1; i < count; i++) {
		if (samples[i].order > samples[newest].order)
			newest = i;
	}
	row_make(samples, count, &row);
	pattern.mappings = (unsigned int)row.count;
	pattern.fixed = is_fixed(samples, count);
	pattern.internal = samples[newest].internal;
	pattern.last = row.list[row.count - 1].external;
	kept = mostly_kept(&row);
	row_drop_kept(&row);
	if (row.count >= 2)
		judge_steps(&row, &pattern);
	if (row.count > 0)
		pattern.last = row.list[row.count - 1].external;
	pattern.choice = kept ? PATTERN_PRESERVING : pattern.next;
	pattern.confidence = kept ? 1 - 1.0 / RANGE_SIZE : pattern.next_confidence;
	if (kept && row.count == 0) {
		pattern.next = pattern.choice;
		pattern.next_confidence = pattern.confidence;
	}
	return pattern;
}

/* One step on, turning round where the sequence was seen to, or where no port is left. */
static int next_port(const struct port_pattern *pattern, int port)
{
	int step = pattern->step, size;

	/* What is known of the range is where it was left and where it was entered again. */
	size = pattern->high - pattern->low + (step < 0 ? -step : step);
	if (pattern->low == RANGE_LOW && pattern->high == RANGE_HIGH)
		size = RANGE_SIZE;
	port += step;
	if (step > 0 ? port > pattern->high : port < pattern->low)
		port += step > 0 ? -size : size;
	return port;
}

size_t pattern_predict(const struct port_pattern *pattern, unsigned int others, uint16_t *ports,
		       size_t count)
{
	int port = pattern->last;
	size_t i;

	if (count == 0)
		return 0;
	if (pattern->fixed || pattern->next == PATTERN_PRESERVING) {
		ports[0] = pattern->fixed ? pattern->last : pattern->internal;
		return 1;
	}
	if (pattern->next != PATTERN_SEQUENTIAL)
		return 0;
	for (; others > 0; others--)
		port = next_port(pattern, port);
	for (i = 0; i < count; i++) {
		port = next_port(pattern, port);
		if (port < 1 || port > RANGE_HIGH)
			break;
		ports[i] = (uint16_t)port;
	}
	return i;
}

const char *port_choice_name(enum port_choice choice)
{
	switch (choice) {
	case PATTERN_UNKNOWN:
		return "unknown";
	case PATTERN_PRESERVING:
		return "preserving";
	case PATTERN_SEQUENTIAL:
		return "sequential";
	case PATTERN_RANDOM:
		return "random";
	}
	return "unknown";
}
