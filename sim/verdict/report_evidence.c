/* SPDX-License-Identifier: MIT */
/* The second half of the text report: what the routers remember, and the evidence. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verdict/escape.h"
#include "verdict/mapping.h"
#include "verdict/page.h"
#include "verdict/pair.h"
#include "verdict/picture.h"
#include "verdict/way.h"

enum { FLOWS_SHOWN = 100, LINES_SHOWN = 500 };

void page_command(const struct page *page, const struct run *run)
{
	const struct program *program = &page->topo->steps[run->step].programs[run->index];

	fprintf(page->out, "%s: ", page->topo->nodes[program->node].name);
	if (run->command)
		escape_print(run->command, strlen(run->command), "\\n", page->out);
	else
		fputs(program->agent ? program->agent->name : program->argv[0], page->out);
}

/* --- routers ------------------------------------------------------------------------ */

static void print_flows(const struct page *page, const struct router_view *view, const char *indent)
{
	size_t shown = view->flow_count, i;
	char text[MAPPING_TEXT_MAX], protocol[8];
	struct mapping mapping;
	int width = 0, length;

	if (page->detail != REPORT_VERBOSE && shown > FLOWS_SHOWN)
		shown = FLOWS_SHOWN;
	for (i = 0; i < shown; i++) {
		mapping = mapping_of(&view->flows[i]);
		length = (int)strlen(mapping_format(&mapping, text));
		width = length > width ? length : width;
	}
	for (i = 0; i < shown; i++) {
		mapping = mapping_of(&view->flows[i]);
		fprintf(page->out, "%s%-5s %-*s  %s%llu out, %llu back%s%s%s\n", indent,
			protocol_name(mapping.protocol, protocol), width,
			mapping_format(&mapping, text), page->ink->dim,
			(unsigned long long)mapping.sent, (unsigned long long)mapping.received,
			mapping.from_outside ? ", opened from outside" : "",
			view->flows[i].state[0] ? ", " : "", view->flows[i].state);
		fputs(page->ink->reset, page->out);
	}
	if (shown < view->flow_count)
		fprintf(page->out, "%s... and %zu more (--verbose shows all)\n", indent,
			view->flow_count - shown);
}

static void print_lines(const struct page *page, const char *indent, const char *text,
			size_t length)
{
	const char *end = text + length, *newline;
	size_t lines = 0;

	while (text < end) {
		if (page->detail != REPORT_VERBOSE && ++lines > LINES_SHOWN) {
			fprintf(page->out, "%s... (--verbose shows all)\n", indent);
			return;
		}
		newline = memchr(text, '\n', (size_t)(end - text));
		length = (size_t)((newline ? newline : end) - text);
		fputs(indent, page->out);
		escape_print(text, length, "", page->out);
		fputc('\n', page->out);
		text += length + 1;
	}
}

static void print_router(const struct page *page, const struct router_view *view)
{
	const struct node *node = &page->topo->nodes[view->node];

	fprintf(page->out, "%s%s%s  %s", page->ink->bold, node->name, page->ink->reset,
		page->ink->dim);
	nat_words(&node->nat, page->out);
	fprintf(page->out, "%s\n", page->ink->reset);
	if (view->problem)
		fprintf(page->out, "     %s\n", view->problem);
	else if (!view->flow_count)
		fprintf(page->out, "     no mappings\n");
	print_flows(page, view, "     ");
}

void page_routers(const struct page *page)
{
	size_t i;

	for (i = 0; i < page->timeline->router_count; i++)
		print_router(page, &page->timeline->routers[i]);
	if (page->timeline->router_count)
		fputc('\n', page->out);
}

/* --- evidence ------------------------------------------------------------------------- */

static void print_output(const struct page *page, const char *stream, const char *text,
			 size_t length, uint64_t total)
{
	if (!length)
		return;
	fprintf(page->out, "     %s%s%s", page->ink->bold, stream, page->ink->reset);
	if (total > length)
		fprintf(page->out, " (the first %zu of %llu bytes)", length,
			(unsigned long long)total);
	fputc('\n', page->out);
	print_lines(page, "       ", text, length);
}

static void print_program_evidence(const struct page *page, const struct run *run)
{
	if (!run->out_length && !run->err_length)
		return;
	fputs("   ", page->out);
	page_command(page, run);
	fputc('\n', page->out);
	print_output(page, "stdout", run->out, run->out_length, run->out_total);
	print_output(page, "stderr", run->err, run->err_length, run->err_total);
}

/* The node itself and every NAT between it and the internet. */
static int concern_node(const struct page *page, size_t node, bool *concerned)
{
	struct way way;
	struct addr nowhere = {0};
	size_t i;
	int r = way_outward(page->topo, node, &nowhere, &way);

	if (r)
		return r;
	concerned[node] = true;
	for (i = 0; i < way.count; i++)
		concerned[way.routers[i]] = true;
	free(way.routers);
	return 0;
}

static int concern_run(const struct page *page, const struct run *run, bool *concerned)
{
	const struct step *step = &page->topo->steps[run->step];
	struct pair pair = pair_of(page->topo, page->timeline, run);
	size_t p;
	int r = 0;

	for (p = 0; p < step->program_count && !r; p++)
		r = concern_node(page, step->programs[p].node, concerned);
	if (!r && pair.complete)
		r = concern_node(page, pair.b.node, concerned);
	return r;
}

static int concern_all(const struct page *page, bool *concerned)
{
	const struct judgement *judgement = page->judgement;
	size_t i;
	int r = 0;

	for (i = 0; i < judgement->count && !r; i++)
		if (judgement->verdicts[i].outcome != HELD)
			r = concern_run(page, judgement->verdicts[i].run, concerned);
	for (i = 0; i < judgement->complaint_count && !r; i++)
		r = concern_run(page, judgement->complaints[i].run, concerned);
	for (i = 0; i < page->topo->node_count && page->detail == REPORT_VERBOSE; i++)
		concerned[i] = true;
	/* Servers speak for everybody: what they say is evidence for each. */
	for (i = 0; i < page->timeline->run_count && !r; i++)
		if (page->topo->steps[page->timeline->runs[i].step].kind == STEP_START)
			concerned[page->topo->steps[page->timeline->runs[i].step]
					  .programs[page->timeline->runs[i].index]
					  .node] = true;
	return r;
}

/* Its table stands above, with every router's. */
static void print_router_evidence(const struct page *page, const struct router_view *view)
{
	fprintf(page->out, "   %s\n     %srules%s\n", page->topo->nodes[view->node].name,
		page->ink->bold, page->ink->reset);
	print_lines(page, "       ", view->rules, strlen(view->rules));
}

int page_evidence(const struct page *page)
{
	AUTO_FREE bool *concerned = calloc(page->topo->node_count + 1, sizeof(*concerned));
	const struct run *run;
	const struct router_view *view;
	size_t i;
	int r;

	if (!concerned)
		return -ENOMEM;
	r = concern_all(page, concerned);
	if (r)
		return r;
	fprintf(page->out, "%sEvidence%s\n", page->ink->bold, page->ink->reset);
	for (run = page->timeline->runs; run < page->timeline->runs + page->timeline->run_count;
	     run++)
		if (concerned[page->topo->steps[run->step].programs[run->index].node])
			print_program_evidence(page, run);
	for (i = 0; i < page->timeline->router_count; i++) {
		view = &page->timeline->routers[i];
		if (concerned[view->node] && view->rules)
			print_router_evidence(page, view);
	}
	fputc('\n', page->out);
	return 0;
}
