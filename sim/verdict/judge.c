/* SPDX-License-Identifier: MIT */
/*
 * How an expectation is judged.
 *
 * Three outcomes, because "not held" hides two different things: what was observed
 * contradicts the expectation (broken), or nothing was observed that could tell
 * (undecided: the step was not reached, the user interrupted, the output was cut where
 * the match may have been). Undecided never counts as success.
 *
 * A program that was never executed, or that we killed for missing its deadline, has
 * not "failed" in the sense of `fails: true`: that expectation is about a program that
 * came to a negative end by itself, and a missing binary must not satisfy it.
 */
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe/memstream.h"
#include "topo/suggest.h"
#include "verdict/escape.h"
#include "verdict/verdict.h"
#include "verdict/words.h"

struct trial {
	const struct topo *topo;
	const struct timeline *timeline;
	struct verdict *verdict;
};

const char *expectation_name(const struct expectation *expectation)
{
	switch (expectation->kind) {
	case EXPECT_EXIT:
		return "exit";
	case EXPECT_FAILS:
		return "fails";
	case EXPECT_STDOUT:
		return "stdout";
	case EXPECT_STDERR:
		return "stderr";
	case EXPECT_FIELD:
		return expectation->field;
	}
	return "?";
}

/* Settle the case. Returns 0 or -ENOMEM. */
__attribute__((format(printf, 3, 4))) static int rule(struct trial *c, enum outcome outcome,
						      const char *format, ...)
{
	va_list args;
	int r;

	c->verdict->outcome = outcome;
	va_start(args, format);
	r = vasprintf(&c->verdict->observed, format, args);
	va_end(args);
	if (r >= 0)
		return 0;
	c->verdict->observed = NULL;
	return -ENOMEM;
}

static int rule_by_end(struct trial *c, enum outcome outcome)
{
	c->verdict->outcome = outcome;
	c->verdict->observed = words_end(c->verdict->run, c->timeline->interrupted);
	return c->verdict->observed ? 0 : -ENOMEM;
}

/* --- exit and fails --------------------------------------------------------------- */

static int judge_exit(struct trial *c)
{
	const struct run *run = c->verdict->run;
	bool ended = run->end == RUN_EXITED || run->end == RUN_STOPPED;

	return rule_by_end(
		c, ended && (double)run->status == c->verdict->expectation->number ? HELD : BROKEN);
}

static int judge_fails(struct trial *c)
{
	const struct run *run = c->verdict->run;
	bool wanted = c->verdict->expectation->flag, held = false;

	switch (run->end) {
	case RUN_EXITED:
		held = (run->status != 0) == wanted;
		break;
	case RUN_STOPPED: /* not by itself: no failure of its own, unless it says so */
		held = !wanted && (run->status == 0 || run->status == -SIGTERM);
		break;
	case RUN_NOT_REACHED:
	case RUN_NOT_STARTED:
	case RUN_RUNNING:
	case RUN_SIGNALLED: /* a crash is no negative answer */
	case RUN_DEADLINE:
		break;
	}
	return rule_by_end(c, held ? HELD : BROKEN);
}

/* --- stdout and stderr -------------------------------------------------------------- */

/* The last line that has anything on it: mostly what went wrong. */
static void last_line(const char *text, size_t length, const char **ret, size_t *ret_length)
{
	const char *start;

	while (length && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	start = length ? memrchr(text, '\n', length) : NULL;
	*ret = start ? start + 1 : text;
	*ret_length = length - (size_t)(*ret - text);
}

/* The last line of @text in quotes, shortened; NULL without memory. */
static char *quote_last_line(const char *text, size_t length)
{
	enum { SHOWN = 120 };
	char *quote = NULL;
	const char *line;
	size_t line_length, size;
	FILE *out = open_memstream(&quote, &size);

	if (!out)
		return NULL;
	last_line(text, length, &line, &line_length);
	escape_quote(line, line_length < SHOWN ? line_length : SHOWN, out);
	if (line_length > SHOWN)
		fputs("...", out);
	if (memstream_close(out) == 0)
		return quote;
	free(quote);
	return NULL;
}

static int rule_no_match(struct trial *c, const char *stream, const char *text, size_t length)
{
	AUTO_FREE char *quote = NULL;

	if (!length)
		return rule(c, BROKEN, "%s is empty", stream);
	quote = quote_last_line(text, length);
	if (!quote)
		return -ENOMEM;
	return rule(c, BROKEN, "no match; the last line of %s is %s", stream, quote);
}

static int judge_text(struct trial *c, const char *stream, const char *text, size_t length,
		      uint64_t total)
{
	regmatch_t where = {.rm_so = 0, .rm_eo = (regoff_t)length};
	regex_t regex;
	int r;

	if (!text)
		return rule_by_end(c, BROKEN);
	/* A line's beginning and end match ^ and $; a NUL is a character like any other. */
	r = regcomp(&regex, c->verdict->expectation->text, REG_EXTENDED | REG_NEWLINE);
	if (r)
		return r == REG_ESPACE ? -ENOMEM
				       : rule(c, UNDECIDED, "the expression cannot be compiled");
	r = regexec(&regex, text, 1, &where, REG_STARTEND);
	regfree(&regex);
	if (r == 0)
		return rule(c, HELD, "%s matches at byte %lld", stream, (long long)where.rm_so + 1);
	if (r == REG_ESPACE)
		return -ENOMEM;
	if (total > length)
		return rule(
			c, UNDECIDED,
			"no match in the first %zu bytes of %s, and the other %llu were not kept",
			length, stream, (unsigned long long)(total - length));
	return rule_no_match(c, stream, text, length);
}

/* --- fields of a result --------------------------------------------------------------- */

/* Follow the dots of @path into @object. */
static const json_t *field_find(const json_t *object, const char *path)
{
	char name[256];
	size_t length = strcspn(path, ".");
	const json_t *value;

	/* A field may have a dot in its own name. */
	value = json_object_get(object, path);
	if (value || !path[length] || length >= sizeof(name))
		return value;
	memcpy(name, path, length);
	name[length] = '\0';
	value = json_object_get(object, name);
	return json_is_object(value) ? field_find(value, path + length + 1) : NULL;
}

static bool field_equals(const struct expectation *expectation, const json_t *value)
{
	switch (expectation->type) {
	case EXPECT_TEXT:
		return json_is_string(value) &&
		       strcmp(json_string_value(value), expectation->text) == 0;
	case EXPECT_NUMBER:
		/* Both were decimal text: the nearest double of each is the same. */
		return json_is_number(value) && !(json_number_value(value) < expectation->number) &&
		       !(json_number_value(value) > expectation->number);
	case EXPECT_BOOLEAN:
		return json_is_boolean(value) && json_is_true(value) == expectation->flag;
	}
	return false;
}

static int judge_missing(struct trial *c)
{
	const char *field = c->verdict->expectation->field;
	struct suggestion suggestion = suggest_for(field);
	const char *key;
	json_t *value;

	json_object_foreach(c->verdict->run->result, key, value) if (strcmp(key, "event") != 0)
		suggest(&suggestion, key);
	if (suggestion.best &&
	    asprintf(&c->verdict->hint, "did you mean \"%s\"?", suggestion.best) < 0) {
		c->verdict->hint = NULL;
		return -ENOMEM;
	}
	return rule(c, BROKEN, "the result has no field \"%s\"", field);
}

static int judge_no_result(struct trial *c)
{
	const struct run *run = c->verdict->run;
	AUTO_FREE char *end = words_end(run, c->timeline->interrupted);
	AUTO_FREE char *quote = NULL;
	const char *name = c->topo->steps[run->step].programs[run->index].name;

	if (!end)
		return -ENOMEM;
	if (!run->err_length)
		return rule(c, BROKEN, "%s gave no result: it %s", name, end);
	quote = quote_last_line(run->err, run->err_length);
	if (!quote)
		return -ENOMEM;
	return rule(c, BROKEN, "%s gave no result: it %s; the last line of stderr is %s", name, end,
		    quote);
}

/* What the agent said was as expected, but the proof came out otherwise: say that instead. */
static int observe_proof(struct verdict *verdict)
{
	enum outcome proven = proof_outcome(&verdict->proof);
	const struct proof_line *line = verdict->proof.lines;
	char *observed;

	if (verdict->outcome != HELD || proven == HELD)
		return 0;
	verdict->outcome = proven;
	while (line->outcome != proven)
		line++;
	if (asprintf(&observed, "what the agent says is not proven: %s", line->text) < 0)
		return -ENOMEM;
	free(verdict->observed);
	verdict->observed = observed;
	return 0;
}

static bool is_agent(const struct trial *c, const char *name)
{
	const struct run *run = c->verdict->run;
	const struct agent *agent = c->topo->steps[run->step].programs[run->index].agent;

	return agent && strcmp(agent->name, name) == 0;
}

/* A path is a claim that wants proof, whether it is the one expected or not. */
static int judge_path(struct trial *c, const json_t *value)
{
	struct verdict *verdict = c->verdict;
	const char *path = json_string_value(value);
	int r = 0;

	if (path && strcmp(path, "direct") == 0)
		r = proof_direct(c->topo, c->timeline, verdict->run, &verdict->proof);
	else if (path && strcmp(path, "relayed") == 0)
		r = proof_relayed(c->topo, c->timeline, verdict->run, &verdict->proof);
	else if (path && strcmp(path, "none") == 0 && is_agent(c, "relay"))
		r = proof_none_relayed(c->topo, c->timeline, verdict->run, &verdict->proof);
	else if (path && strcmp(path, "none") == 0 && is_agent(c, "icmp-punch"))
		r = proof_none_icmp(c->topo, c->timeline, verdict->run, &verdict->proof);
	else if (path && strcmp(path, "none") == 0 && is_agent(c, "connect"))
		r = proof_none_every(c->topo, c->timeline, verdict->run, &verdict->proof);
	else if (path && strcmp(path, "none") == 0)
		r = proof_none(c->topo, c->timeline, verdict->run, &verdict->proof);
	return r ? r : observe_proof(verdict);
}

static int judge_field(struct trial *c)
{
	const struct expectation *expectation = c->verdict->expectation;
	AUTO_FREE char *shown = NULL;
	const json_t *value;
	int r;

	if (!c->verdict->run->result)
		return judge_no_result(c);
	value = field_find(c->verdict->run->result, expectation->field);
	if (!value)
		return judge_missing(c);
	shown = words_value(value);
	if (!shown)
		return -ENOMEM;
	r = rule(c, field_equals(expectation, value) ? HELD : BROKEN, "%s is %s",
		 expectation->field, shown);
	if (!r && strcmp(expectation->field, "path") == 0)
		r = judge_path(c, value);
	return r;
}

/* --- all ------------------------------------------------------------------------------- */

/* Nothing was observed that could tell. */
static bool untold(const struct trial *c)
{
	const struct run *run = c->verdict->run;

	return run->end == RUN_NOT_REACHED || run->end == RUN_RUNNING;
}

static int judge(struct trial *c)
{
	const struct run *run = c->verdict->run;
	const struct expectation *expectation = c->verdict->expectation;

	c->verdict->expected = words_expected(expectation);
	if (!c->verdict->expected)
		return -ENOMEM;
	if (untold(c))
		return rule_by_end(c, UNDECIDED);
	if (!c->timeline->steps[c->verdict->step].started)
		return rule(c, UNDECIDED, "the step was not reached");
	switch (expectation->kind) {
	case EXPECT_EXIT:
		return judge_exit(c);
	case EXPECT_FAILS:
		return judge_fails(c);
	case EXPECT_STDOUT:
		return judge_text(c, "stdout", run->out, run->out_length, run->out_total);
	case EXPECT_STDERR:
		return judge_text(c, "stderr", run->err, run->err_length, run->err_total);
	case EXPECT_FIELD:
		return judge_field(c);
	}
	return 0;
}

static int judge_list(const struct topo *topo, const struct timeline *timeline,
		      const struct verdict *head, const struct expectation *expectations,
		      size_t count, struct judgement *judgement)
{
	struct trial c = {.topo = topo, .timeline = timeline};
	struct verdict *verdicts;
	size_t i;
	int r = 0;

	for (i = 0; i < count && !r; i++) {
		verdicts =
			reallocarray(judgement->verdicts, judgement->count + 1, sizeof(*verdicts));
		if (!verdicts)
			return -ENOMEM;
		judgement->verdicts = verdicts;
		c.verdict = &verdicts[judgement->count++];
		*c.verdict = *head;
		c.verdict->expectation = &expectations[i];
		r = judge(&c);
		judgement->held += c.verdict->outcome == HELD;
		judgement->broken += c.verdict->outcome == BROKEN;
		judgement->undecided += c.verdict->outcome == UNDECIDED;
	}
	return r;
}

static int judge_step(const struct topo *topo, const struct timeline *timeline, size_t index,
		      struct judgement *judgement)
{
	const struct step *step = &topo->steps[index];
	struct verdict head = {.step = index};
	const struct program *program;
	int r = 0;

	for (head.program = 0; head.program < step->program_count && !r; head.program++) {
		program = &step->programs[head.program];
		head.run = timeline_find(timeline, index, head.program);
		r = judge_list(topo, timeline, &head, program->expectations,
			       program->expectation_count, judgement);
	}
	if (r || !step->expectation_count)
		return r;
	head.program = TOPO_NONE;
	head.run = timeline_find(timeline, step->target_step, step->target_program);
	return judge_list(topo, timeline, &head, step->expectations, step->expectation_count,
			  judgement);
}

/* A server that ended although nobody asked it to, or waited for it. */
static bool deserted(const struct topo *topo, const struct run *run)
{
	const struct step *step;

	if (!program_serves(&topo->steps[run->step].programs[run->index]) || run->end != RUN_EXITED)
		return false;
	for (step = topo->steps; step < topo->steps + topo->step_count; step++)
		if (step->kind == STEP_WAIT && step->target_step == run->step &&
		    step->target_program == run->index)
			return false;
	return topo->steps[run->step].kind == STEP_START;
}

/* A life that went wrong, unless a broken expectation tells of it already. */
static int complain(struct judgement *judgement, const struct topo *topo,
		    const struct timeline *timeline, const struct run *run)
{
	struct complaint *complaints;
	char *words;
	size_t i;

	if (!run->problem && run->end != RUN_SIGNALLED && !deserted(topo, run))
		return 0;
	for (i = 0; i < judgement->count; i++)
		if (judgement->verdicts[i].run == run && judgement->verdicts[i].outcome == BROKEN)
			return 0;
	words = words_end(run, timeline->interrupted);
	complaints = reallocarray(judgement->complaints, judgement->complaint_count + 1,
				  sizeof(*complaints));
	if (complaints)
		judgement->complaints = complaints;
	if (!words || !complaints) {
		free(words);
		return -ENOMEM;
	}
	complaints[judgement->complaint_count++] = (struct complaint){.run = run, .words = words};
	return 0;
}

int verdict_judge(const struct topo *topo, const struct timeline *timeline, struct judgement **ret)
{
	CLEANUP(judgement_free_cleanup) struct judgement *judgement = calloc(1, sizeof(*judgement));
	size_t i;
	int r = 0;

	if (!judgement)
		return -ENOMEM;
	judgement->interrupted = timeline->interrupted;
	for (i = 0; i < topo->step_count && !r; i++)
		r = judge_step(topo, timeline, i, judgement);
	for (i = 0; i < timeline->run_count && !r; i++)
		r = complain(judgement, topo, timeline, &timeline->runs[i]);
	if (r)
		return r;
	*ret = STEAL(judgement);
	return 0;
}

void judgement_free(struct judgement *judgement)
{
	size_t i;

	if (!judgement)
		return;
	for (i = 0; i < judgement->count; i++) {
		free(judgement->verdicts[i].expected);
		free(judgement->verdicts[i].observed);
		free(judgement->verdicts[i].hint);
		proof_clear(&judgement->verdicts[i].proof);
	}
	for (i = 0; i < judgement->complaint_count; i++)
		free(judgement->complaints[i].words);
	free(judgement->verdicts);
	free(judgement->complaints);
	free(judgement);
}

bool judgement_good(const struct judgement *judgement)
{
	return !judgement->broken && !judgement->undecided && !judgement->complaint_count &&
	       !judgement->interrupted;
}
