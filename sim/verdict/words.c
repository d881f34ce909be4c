/* SPDX-License-Identifier: MIT */
#include "verdict/words.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe/memstream.h"
#include "verdict/escape.h"

__attribute__((format(printf, 1, 2))) static char *words(const char *format, ...)
{
	char *text;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	return r < 0 ? NULL : text;
}

/* "SIGTERM", "SIGRTMIN+1": the kernel's own words for the rest. */
static const char *signal_name(int number, char buffer[24])
{
	const char *name = sigabbrev_np(number);

	if (name)
		snprintf(buffer, 24, "SIG%s", name);
	else
		snprintf(buffer, 24, "signal %d", number);
	return buffer;
}

static char *words_stopped(const struct run *run)
{
	const char *stubborn = run->stubborn ? " after ignoring SIGTERM" : "";
	char name[24];

	if (run->status < 0)
		return words("was stopped by %s%s", signal_name(-run->status, name), stubborn);
	return words("was stopped, exit status %d", run->status);
}

char *words_end(const struct run *run, bool interrupted)
{
	char name[24];

	switch (run->end) {
	case RUN_NOT_REACHED:
		return words(interrupted ? "was not reached: the run was interrupted"
					 : "was not reached: an earlier start failed");
	case RUN_NOT_STARTED:
		return words("could not be started: %s", run->problem ? run->problem : "");
	case RUN_RUNNING:
		return words("was still running when the run was interrupted");
	case RUN_EXITED:
		if (run->problem)
			return words("%s", run->problem);
		return words("exited with status %d", run->status);
	case RUN_SIGNALLED:
		return words("was killed by %s%s", signal_name(run->status, name),
			     run->problem ? " before it was ready" : "");
	case RUN_STOPPED:
		return words_stopped(run);
	case RUN_DEADLINE:
		return words("%s: killed%s", run->problem ? run->problem : "missed its deadline",
			     run->stubborn ? " (SIGTERM was not enough)" : "");
	}
	return NULL;
}

char *words_value(const json_t *value)
{
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!json_is_string(value))
		return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6) |
						 JSON_SORT_KEYS);
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	escape_quote(json_string_value(value), json_string_length(value), out);
	if (memstream_close(out) == 0)
		return text;
	free(text);
	return NULL;
}

static char *quoted(const char *before, const char *text)
{
	AUTO_FREE char *quote = NULL;
	json_t *value = json_string(text);

	quote = value ? words_value(value) : NULL;
	json_decref(value);
	return quote ? words("%s %s", before, quote) : NULL;
}

static char *words_field(const struct expectation *expectation)
{
	AUTO_FREE char *before = words("%s is", expectation->field);

	if (!before)
		return NULL;
	switch (expectation->type) {
	case EXPECT_TEXT:
		return quoted(before, expectation->text);
	case EXPECT_NUMBER:
		return words("%s %.15g", before, expectation->number);
	case EXPECT_BOOLEAN:
		return words("%s %s", before, expectation->flag ? "true" : "false");
	}
	return NULL;
}

char *words_expected(const struct expectation *expectation)
{
	switch (expectation->kind) {
	case EXPECT_EXIT:
		return words("exits with status %.0f", expectation->number);
	case EXPECT_FAILS:
		return words(expectation->flag ? "fails: ends by itself, with another status than 0"
					       : "does not fail: ends with status 0");
	case EXPECT_STDOUT:
		return quoted("stdout matches", expectation->text);
	case EXPECT_STDERR:
		return quoted("stderr matches", expectation->text);
	case EXPECT_FIELD:
		return words_field(expectation);
	}
	return NULL;
}

/* --- what agents found ---------------------------------------------------------- */

static const char *text(const json_t *result, const char *name)
{
	const char *value = json_string_value(json_object_get(result, name));

	return value ? value : "?";
}

static bool has(const json_t *result, const char *name)
{
	return json_object_get(result, name) != NULL;
}

static char *detect_words(const json_t *result)
{
	bool translated = json_is_true(json_object_get(result, "nat"));
	const char *reason = json_string_value(json_object_get(result, "reason"));

	if (!has(result, "type"))
		return words("%s is seen as %s (ports %s)", text(result, "local"),
			     text(result, "mapped"), text(result, "ports"));
	if (!has(result, "mapped"))
		return words("%s%s%s", text(result, "type"), reason ? ": " : "",
			     reason ? reason : "");
	return words("%s: mapping %s, filtering %s; %s%s%s%s%s", text(result, "type"),
		     text(result, "mapping"), text(result, "filtering"), text(result, "local"),
		     translated ? " is seen as " : " is not translated",
		     translated ? text(result, "mapped") : "", reason ? "; " : "",
		     reason ? reason : "");
}

static char *punch_words(const json_t *result)
{
	const char *path = text(result, "path"), *reason = text(result, "reason");
	json_int_t sent = json_integer_value(json_object_get(result, "sent"));
	json_int_t received = json_integer_value(json_object_get(result, "received"));
	json_int_t repunched = json_integer_value(json_object_get(result, "repunched"));
	char again[40] = "";

	if (!has(result, "peer"))
		return words("path %s: %s", path, reason);
	if (repunched > 0)
		snprintf(again, sizeof(again), "; punched again (%" JSON_INTEGER_FORMAT ")",
			 repunched);
	return words("path %s%s%s: %s, seen as %s, met %s (%s candidate); messages: "
		     "%" JSON_INTEGER_FORMAT " sent, %" JSON_INTEGER_FORMAT
		     " received; connected after %.3g ms%s%s%s",
		     path, has(result, "technique") ? " by " : "",
		     has(result, "technique") ? text(result, "technique") : "",
		     text(result, "local"), text(result, "public"), text(result, "peer"),
		     text(result, "candidate"), sent, received,
		     json_number_value(json_object_get(result, "connect_ms")), again,
		     has(result, "reason") ? "; " : "", has(result, "reason") ? reason : "");
}

static char *connect_words(const json_t *result)
{
	json_int_t sent = json_integer_value(json_object_get(result, "sent"));
	json_int_t received = json_integer_value(json_object_get(result, "received"));
	json_int_t packets = json_integer_value(json_object_get(result, "packets"));
	bool relayed = has(result, "relay"), reason = has(result, "reason");

	if (!has(result, "technique"))
		return words("path %s: %s", text(result, "path"), text(result, "reason"));
	return words(
		"path %s by %s over %s: %s, seen as %s, %s %s; messages: "
		"%" JSON_INTEGER_FORMAT " sent, %" JSON_INTEGER_FORMAT
		" received; connected after %.3g ms and %" JSON_INTEGER_FORMAT " packets; %s%s%s",
		text(result, "path"), text(result, "technique"), text(result, "transport"),
		text(result, "local"), text(result, "public"), relayed ? "relayed by" : "met",
		text(result, relayed ? "relay" : "peer"), sent, received,
		json_number_value(json_object_get(result, "connect_ms")), packets,
		text(result, "tried"), reason ? "; " : "", reason ? text(result, "reason") : "");
}

/* Any other object: its fields as they are, without the event's name. */
static char *plain_words(const json_t *object)
{
	AUTO_FREE char *line = NULL;
	const char *key, *comma = "";
	bool lost = false;
	json_t *value;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	json_object_foreach((json_t *)object, key, value)
	{
		AUTO_FREE char *shown = NULL;

		if (strcmp(key, "event") == 0)
			continue;
		shown = words_value(value);
		lost = lost || !shown;
		fprintf(out, "%s%s %s", comma, key, shown ? shown : "");
		comma = ", ";
	}
	return memstream_close(out) == 0 && !lost ? STEAL(line) : NULL;
}

static const struct {
	const char *agent;
	char *(*words)(const json_t *result);
} speakers[] = {
	{"detect", detect_words},
	{"punch", punch_words},
	{"tcp-punch", punch_words},
	{"connect", connect_words},
};

int words_result(const struct topo *topo, const struct run *run, char **ret)
{
	const struct agent *agent = topo->steps[run->step].programs[run->index].agent;
	char *(*speak)(const json_t *object) = plain_words;
	const json_t *object = run->result;
	size_t i;

	if (!object && run->event_count)
		object = run->events[0].json;
	*ret = NULL;
	if (!agent || !object)
		return 0;
	for (i = 0; run->result && i < sizeof(speakers) / sizeof(speakers[0]); i++)
		if (strcmp(speakers[i].agent, agent->name) == 0)
			speak = speakers[i].words;
	*ret = speak(object);
	return *ret ? 0 : -ENOMEM;
}
