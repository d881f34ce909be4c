/* SPDX-License-Identifier: MIT */
#include "conform/report.h"

#include <string.h>

void conformance_judge(struct conformance *c)
{
	c->axis_count = judge_axes(&c->tried, c->external_count, &c->observed, c->axes);
	c->requirement_count =
		judge_requirements(&c->declared, c->external_count, &c->observed, c->requirements);
}

size_t conformance_axes(const struct conformance *c, enum holding holding)
{
	size_t i, count = 0;

	for (i = 0; i < c->axis_count; i++)
		count += c->axes[i].holding == holding;
	return count;
}

static size_t requirements_of(const struct conformance *c, enum meeting meeting)
{
	size_t i, count = 0;

	for (i = 0; i < c->requirement_count; i++)
		count += c->requirements[i].meeting == meeting;
	return count;
}

bool conformance_good(const struct conformance *c)
{
	return conformance_axes(c, AXIS_BROKEN) == 0;
}

/* --- text ------------------------------------------------------------------------- */

static const struct ink {
	const char *bold, *dim, *green, *red, *yellow, *reset;
} coloured = {"\033[1m", "\033[2m", "\033[32m", "\033[1;31m", "\033[1;33m", "\033[0m"},
  plain = {"", "", "", "", "", ""};

static void title(const struct conformance *c, const struct ink *ink, FILE *out)
{
	const struct nat_named *named = nat_find(c->declared.name);

	fprintf(out, "%s", ink->bold);
	if (c->file)
		fprintf(out, "%s:%s", c->file, c->router);
	if (c->file && c->declared.name[0])
		fputs(", ", out);
	fprintf(out, "%s%s\n", c->declared.name, ink->reset);
	if (named)
		fprintf(out, "%s (%s)\n", named->summary, named->source);
	fputc('\n', out);
}

static void axis_line(const struct axis_result *axis, const struct ink *ink, FILE *out)
{
	const char *colour = axis->holding == AXIS_HELD     ? ink->green
			     : axis->holding == AXIS_BROKEN ? ink->red
							    : ink->yellow;
	const char *observed =
		axis->holding == AXIS_UNTESTED && !axis->observed[0] ? "-" : axis->observed;

	fprintf(out, "  %s%-10s%s  %-4s  %-29s  %-26s  %-26s\n", colour,
		holding_name(axis->holding), ink->reset, axis->protocol, axis->axis, axis->declared,
		observed);
	fprintf(out, "                    %s%s%s\n", ink->dim, axis->evidence, ink->reset);
}

static void axes_text(const struct conformance *c, const struct ink *ink, FILE *out)
{
	size_t i;

	if (c->axis_count == 0) {
		fputs("  Nothing is declared: these are somebody's own rules.\n", out);
		return;
	}
	fprintf(out, "  %s%-10s  %-4s  %-29s  %-26s  %-26s%s\n", ink->bold, "", "", "axis",
		"declared", "observed", ink->reset);
	for (i = 0; i < c->axis_count; i++)
		axis_line(&c->axes[i], ink, out);
}

static void requirements_text(const struct conformance *c, const struct ink *ink, FILE *out)
{
	const struct requirement_result *r;
	const char *colour;
	unsigned int rfc = 0;
	size_t i;

	for (i = 0; i < c->requirement_count; i++) {
		r = &c->requirements[i];
		if (r->rfc != rfc)
			fprintf(out, "\n  %sRFC %u%s\n", ink->bold, r->rfc, ink->reset);
		rfc = r->rfc;
		colour = r->meeting == REQUIREMENT_MET       ? ink->green
			 : r->meeting == REQUIREMENT_NOT_MET ? ink->red
							     : ink->dim;
		fprintf(out, "  %s%-14s%s  %-7s  %-6s  %s\n", colour, meeting_name(r->meeting),
			ink->reset, r->number, r->level, r->text);
		fprintf(out, "                  %s%s%s\n", ink->dim, r->evidence, ink->reset);
	}
}

void conformance_text(const struct conformance *c, bool colour, FILE *out)
{
	const struct ink *ink = colour ? &coloured : &plain;

	title(c, ink, out);
	axes_text(c, ink, out);
	requirements_text(c, ink, out);
	fprintf(out, "\n%s%zu axes held, %zu not held, %zu not tested%s; ",
		conformance_good(c) ? ink->green : ink->red, conformance_axes(c, AXIS_HELD),
		conformance_axes(c, AXIS_BROKEN), conformance_axes(c, AXIS_UNTESTED), ink->reset);
	fprintf(out, "requirements: %zu met, %zu not met, %zu not applicable, %zu not tested\n",
		requirements_of(c, REQUIREMENT_MET), requirements_of(c, REQUIREMENT_NOT_MET),
		requirements_of(c, REQUIREMENT_NOT_APPLICABLE),
		requirements_of(c, REQUIREMENT_NOT_TESTED));
	fprintf(out, "%s%u packets in %.2f s", ink->dim, c->observed.packets,
		c->observed.ms / 1000);
	if (c->lifetime_ms)
		fprintf(out, "; lifetimes beyond %.3g s were tried as that",
			(double)c->lifetime_ms / 1000);
	else
		fprintf(out, "; lifetimes were not waited for");
	fprintf(out, "%s\n", ink->reset);
}

/* --- JSON -------------------------------------------------------------------------- */

static json_t *axes_json(const struct conformance *c)
{
	json_t *array = json_array();
	const struct axis_result *axis;

	for (axis = c->axes; axis < c->axes + c->axis_count; axis++)
		if (json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "axis",
							   axis->axis, "protocol", axis->protocol,
							   "outcome", holding_name(axis->holding),
							   "declared", axis->declared, "observed",
							   axis->observed, "evidence",
							   axis->evidence)) != 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *requirements_json(const struct conformance *c)
{
	json_t *array = json_array();
	const struct requirement_result *r;

	for (r = c->requirements; r < c->requirements + c->requirement_count; r++)
		if (json_array_append_new(array, json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "rfc",
							   (int)r->rfc, "requirement", r->number,
							   "level", r->level, "text", r->text,
							   "outcome", meeting_name(r->meeting),
							   "evidence", r->evidence)) != 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *conformance_json(const struct conformance *c)
{
	return json_pack("{s:s?, s:s?, s:s, s:b, s:i, s:i, s:i, s:i, s:f, s:i, s:o, s:o}", "file",
			 c->file, "router", c->router, "nat", c->declared.name, "ok",
			 conformance_good(c), "held", (int)conformance_axes(c, AXIS_HELD),
			 "not_held", (int)conformance_axes(c, AXIS_BROKEN), "not_tested",
			 (int)conformance_axes(c, AXIS_UNTESTED), "packets",
			 (int)c->observed.packets, "ms", c->observed.ms, "lifetimes_tried_ms",
			 (int)c->lifetime_ms, "axes", axes_json(c), "requirements",
			 requirements_json(c));
}
