/* SPDX-License-Identifier: MIT */
/*
 * The report for people: the picture, what happened step by step with each
 * expectation below the program it is about, the routers' tables, one closing line.
 * When something did not hold, the evidence of every node concerned follows.
 *
 * Nothing a program printed reaches the terminal unescaped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verdict/escape.h"
#include "verdict/page.h"
#include "verdict/pair.h"
#include "verdict/picture.h"
#include "verdict/report.h"
#include "verdict/words.h"

static const struct ink coloured = {"\033[1m",    "\033[2m",    "\033[32m",
				    "\033[1;31m", "\033[1;33m", "\033[0m"};
static const struct ink plain = {"", "", "", "", "", ""};

static const char *outcome_ink(const struct page *page, enum outcome outcome)
{
	switch (outcome) {
	case HELD:
		return page->ink->green;
	case UNDECIDED:
		return page->ink->yellow;
	case BROKEN:
		return page->ink->red;
	}
	return "";
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static void title(const struct page *page)
{
	fprintf(page->out, "%s%s%s", page->ink->bold, page->topo->name, page->ink->reset);
	if (page->topo->description) {
		fputs(": ", page->out);
		escape_print(page->topo->description, strlen(page->topo->description), " ",
			     page->out);
	}
	fprintf(page->out, "\n%s%s%s\n\n", page->ink->dim, page->topo->file, page->ink->reset);
}

/* --- verdicts ------------------------------------------------------------------ */

static void print_proof(const struct page *page, const struct proof *proof)
{
	const struct proof_line *line;
	size_t i;

	for (i = 0; i < proof->count; i++) {
		line = &proof->lines[i];
		fprintf(page->out, "         %s%s%s %s\n", outcome_ink(page, line->outcome),
			line->outcome == HELD        ? "-"
			: line->outcome == UNDECIDED ? "?"
						     : "!",
			page->ink->reset, line->text);
	}
}

/* The same pair's proof was printed in this step already, seen from the other peer. */
static bool proof_repeats(const struct page *page, const struct verdict *verdict)
{
	const struct verdict *other;
	struct pair pair;

	if (!verdict->proof.count || proof_outcome(&verdict->proof) != HELD)
		return false;
	pair = pair_of(page->topo, page->timeline, verdict->run);
	if (!pair.complete)
		return false;
	for (other = page->judgement->verdicts; other < verdict; other++)
		if (other->run == pair.b.run && other->proof.count == verdict->proof.count &&
		    proof_outcome(&other->proof) == HELD)
			return true;
	return false;
}

static void print_verdict(const struct page *page, const struct verdict *verdict)
{
	fprintf(page->out, "       %s%s%s  ", outcome_ink(page, verdict->outcome),
		outcome_name(verdict->outcome), page->ink->reset);
	fputs(verdict->expected, page->out);
	fputc('\n', page->out);
	if (verdict->outcome != HELD)
		fprintf(page->out, "         observed: %s\n", verdict->observed);
	if (verdict->hint)
		fprintf(page->out, "         help: %s\n", verdict->hint);
	if (proof_repeats(page, verdict))
		fprintf(page->out, "         - proven above, from the other end\n");
	else
		print_proof(page, &verdict->proof);
}

static void print_verdicts(const struct page *page, size_t step, size_t program)
{
	const struct verdict *verdict;
	size_t i;

	for (i = 0; i < page->judgement->count; i++) {
		verdict = &page->judgement->verdicts[i];
		if (verdict->step == step && verdict->program == program &&
		    (page->detail != REPORT_QUIET || verdict->outcome != HELD))
			print_verdict(page, verdict);
	}
}

static bool any_verdict(const struct page *page, size_t step, bool all)
{
	size_t i;

	for (i = 0; i < page->judgement->count; i++)
		if (page->judgement->verdicts[i].step == step &&
		    (all || page->judgement->verdicts[i].outcome != HELD))
			return true;
	return false;
}

/* --- steps ----------------------------------------------------------------------- */

static const char *step_verb(enum step_kind kind)
{
	switch (kind) {
	case STEP_START:
		return "start";
	case STEP_RUN:
		return "run";
	case STEP_STOP:
		return "stop";
	case STEP_WAIT:
		return "wait";
	}
	return "?";
}

static void print_life(const struct page *page, const struct run *run, enum step_kind kind,
		       const char *end)
{
	fprintf(page->out, "  %s(", page->ink->dim);
	/* A background program that lived until it was stopped has no end worth telling here. */
	if (kind == STEP_START && run->ready && run->end == RUN_STOPPED && !run->stubborn) {
		fprintf(page->out, "ready after %.1f ms",
			(double)(run->ready - run->started) / 1e6);
	} else {
		escape_print(end, strlen(end), "\\n", page->out);
		if (run->ended)
			fprintf(page->out, " after %.3f s", seconds(run->ended - run->started));
	}
	fprintf(page->out, ")%s\n", page->ink->reset);
}

static int print_run(const struct page *page, const struct run *run, enum step_kind kind)
{
	AUTO_FREE char *end = words_end(run, page->timeline->interrupted);
	AUTO_FREE char *found = NULL;

	if (!end || words_result(page->topo, run, &found) != 0)
		return -ENOMEM;
	fputs("     ", page->out);
	page_command(page, run);
	print_life(page, run, kind, end);
	if (found && *found) {
		fputs("       ", page->out);
		escape_print(found, strlen(found), "\\n", page->out);
		fputc('\n', page->out);
	}
	if (run->strange_lines)
		fprintf(page->out, "       note: %zu lines of its stdout are not JSON objects\n",
			run->strange_lines);
	return 0;
}

static int print_target(const struct page *page, const struct step *step)
{
	const struct run *run =
		timeline_find(page->timeline, step->target_step, step->target_program);
	AUTO_FREE char *end = words_end(run, page->timeline->interrupted);

	if (!end)
		return -ENOMEM;
	fprintf(page->out, "     %s  %s(%s)%s\n",
		page->topo->steps[step->target_step].programs[step->target_program].name,
		page->ink->dim, end, page->ink->reset);
	return 0;
}

static int print_step(const struct page *page, size_t index)
{
	const struct step *step = &page->topo->steps[index];
	const struct step_view *view = &page->timeline->steps[index];
	size_t p;
	int r = 0;

	fprintf(page->out, "%s%3zu  %-5s%s", page->ink->bold, index + 1, step_verb(step->kind),
		page->ink->reset);
	if (view->started)
		fprintf(page->out, "  %sat %.3f s%s\n", page->ink->dim, seconds(view->started),
			page->ink->reset);
	else
		fprintf(page->out, "  %snot reached%s\n", page->ink->yellow, page->ink->reset);
	for (p = 0; p < step->program_count && !r; p++) {
		r = print_run(page, timeline_find(page->timeline, index, p), step->kind);
		print_verdicts(page, index, p);
	}
	if (!r && (step->kind == STEP_STOP || step->kind == STEP_WAIT))
		r = print_target(page, step);
	print_verdicts(page, index, TOPO_NONE);
	return r;
}

static int print_steps(const struct page *page)
{
	size_t i;
	int r = 0;

	for (i = 0; i < page->topo->step_count && !r; i++)
		if (page->detail != REPORT_QUIET || any_verdict(page, i, false))
			r = print_step(page, i);
	return r;
}

/* --- self-checks ------------------------------------------------------------------ */

static void print_self_checks(const struct page *page)
{
	const struct self_checks *checks = page->run->self_checks;
	const struct self_check *check;
	size_t i;

	if (!checks)
		return;
	if (checks->off)
		fprintf(page->out, "%sself-check: turned off%s\n", page->ink->dim,
			page->ink->reset);
	for (i = 0; i < checks->count; i++) {
		check = &checks->checks[i];
		if (check->none)
			fprintf(page->out, "%sself-check: none of %s, which declares nothing%s\n",
				page->ink->dim, check->router, page->ink->reset);
		else
			fprintf(page->out,
				"%sself-check: %s of %s holds what it declares%s (%zu axes, %u "
				"packets, %.0f ms)%s\n",
				page->ink->dim, check->nat, check->router,
				check->repeated ? " at the second try" : "", check->axes,
				check->packets, check->ms, page->ink->reset);
	}
	if (checks->off || checks->count)
		fputc('\n', page->out);
}

/* --- closing ---------------------------------------------------------------------------- */

/* Once more what did not hold: after the evidence, the reader has lost sight of it. */
static void print_misses(const struct page *page)
{
	const struct verdict *verdict;
	size_t i;

	for (i = 0; i < page->judgement->count; i++) {
		verdict = &page->judgement->verdicts[i];
		if (verdict->outcome == HELD)
			continue;
		fprintf(page->out, "%s%s%s  step %zu, ", outcome_ink(page, verdict->outcome),
			outcome_name(verdict->outcome), page->ink->reset, verdict->step + 1);
		page_command(page, verdict->run);
		fprintf(page->out, ": %s\n", verdict->expected);
	}
}

static void print_complaints(const struct page *page)
{
	const struct complaint *complaint;
	size_t i;

	for (i = 0; i < page->judgement->complaint_count; i++) {
		complaint = &page->judgement->complaints[i];
		fprintf(page->out, "%swrong%s  step %zu, ", page->ink->red, page->ink->reset,
			complaint->run->step + 1);
		page_command(page, complaint->run);
		fputc(' ', page->out);
		escape_print(complaint->words, strlen(complaint->words), "\\n", page->out);
		fputc('\n', page->out);
	}
}

static void print_counts(const struct page *page)
{
	const struct judgement *judgement = page->judgement;
	const struct ink *ink = page->ink;

	fprintf(page->out, "%s%s%zu held, %zu broken, %zu undecided%s",
		judgement_good(judgement) ? ink->green : ink->red,
		judgement->interrupted ? "interrupted: " : "", judgement->held, judgement->broken,
		judgement->undecided, ink->reset);
	if (judgement->complaint_count)
		fprintf(page->out, ", %zu went wrong", judgement->complaint_count);
	fprintf(page->out, " in %.2f s %s(lab built in %.1f ms)%s\n",
		seconds(page->timeline->built_ns + page->timeline->finished_ns), ink->dim,
		(double)page->timeline->built_ns / 1e6, ink->reset);
}

static struct page page_make(const struct report_run *run, const struct report_style *style,
			     FILE *out)
{
	return (struct page){.run = run,
			     .topo = run->topo,
			     .timeline = run->timeline,
			     .judgement = run->judgement,
			     .ink = style->colour ? &coloured : &plain,
			     .detail = style->detail,
			     .out = out};
}

static int print_body(const struct page *page)
{
	bool good = judgement_good(page->judgement);
	int r;

	if (page->detail != REPORT_QUIET) {
		title(page);
		r = picture_print(page->topo, "  ", page->out);
		if (r)
			return r;
		fputc('\n', page->out);
		print_self_checks(page);
	}
	r = print_steps(page);
	if (r)
		return r;
	if (page->detail != REPORT_QUIET) {
		fputc('\n', page->out);
		page_routers(page);
	}
	if ((!good && page->detail != REPORT_QUIET) || page->detail == REPORT_VERBOSE)
		r = page_evidence(page);
	return r;
}

int report_text(const struct report_run *run, const struct report_style *style, FILE *out)
{
	struct page page = page_make(run, style, out);
	int r;

	if (!run->judgement) {
		if (page.detail != REPORT_QUIET)
			title(&page);
		fprintf(out, "%snot run%s\n", page.ink->red, page.ink->reset);
		return 0;
	}
	r = print_body(&page);
	if (r)
		return r;
	if (page.detail != REPORT_QUIET)
		print_misses(&page);
	print_complaints(&page);
	if (page.detail == REPORT_QUIET)
		fprintf(out, "%s: ", page.topo->name);
	print_counts(&page);
	return 0;
}

void report_text_sum(const struct report_run *runs, size_t count, const struct report_style *style,
		     FILE *out)
{
	const struct report_run *run;
	const struct ink *ink = style->colour ? &coloured : &plain;
	size_t good = 0, width = 0, length;
	bool ok;

	for (run = runs; run < runs + count; run++) {
		length = strlen(run->topo->file);
		width = length > width ? length : width;
	}
	fputc('\n', out);
	for (run = runs; run < runs + count; run++) {
		ok = run->judgement && judgement_good(run->judgement);
		good += ok;
		fprintf(out, "%s%-6s%s  %-*s", ok ? ink->green : ink->red, ok ? "ok" : "not ok",
			ink->reset, (int)width, run->topo->file);
		if (run->judgement)
			fprintf(out, "  %3zu held, %zu broken, %zu undecided", run->judgement->held,
				run->judgement->broken, run->judgement->undecided);
		else
			fputs("  not run", out);
		fputc('\n', out);
	}
	fprintf(out, "%zu of %zu ok\n", good, count);
}
