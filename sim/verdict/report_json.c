/* SPDX-License-Identifier: MIT */
/*
 * The report for machines. README.md in this folder is its schema; a change to one is
 * a change to the other.
 */
#include <stdlib.h>
#include <string.h>

#include "verdict/escape.h"
#include "verdict/mapping.h"
#include "verdict/report.h"
#include "verdict/report_nat.h"
#include "verdict/words.h"

/* Text from outside natsim's control, or null. */
static json_t *text_or_null(const char *text)
{
	return text ? escape_json(text, strlen(text)) : json_null();
}

static json_t *owned_text(char *text)
{
	json_t *json = text ? escape_json(text, strlen(text)) : NULL;

	free(text);
	return json;
}

static json_t *milliseconds(uint64_t ns)
{
	uint64_t microseconds = ns / 1000; /* more digits would only pretend */

	return ns ? json_real((double)microseconds / 1000.0) : json_null();
}

static json_t *endpoint_json(const struct endpoint *endpoint)
{
	char text[ENDPOINT_TEXT_MAX];

	return json_string(endpoint_format(endpoint, text));
}

/* json_array_append_new() frees the value when it fails, also for NULL: -1 is all there is to see.
 */
static bool append(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) == 0;
}

/* --- the picture --------------------------------------------------------------- */

static json_t *interface_json(const struct topo *topo, const struct interface *interface)
{
	json_t *addresses = json_array();
	char text[ADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < interface->address_count; i++)
		if (!append(addresses, json_string(addr_format(&interface->addresses[i], text)))) {
			json_decref(addresses);
			return NULL;
		}
	return json_pack("{s:s, s:o}", "network", topo->networks[interface->network].name,
			 "addresses", addresses);
}

static json_t *nat_json(const struct node *node)
{
	return node->has_nat ? report_nat_json(&node->nat) : json_null();
}

static json_t *node_json(const struct topo *topo, const struct node *node)
{
	json_t *interfaces = json_array();
	size_t i;

	for (i = 0; i < node->interface_count; i++)
		if (!append(interfaces, interface_json(topo, &node->interfaces[i]))) {
			json_decref(interfaces);
			return NULL;
		}
	return json_pack("{s:s, s:o, s:o}", "name", node->name, "interfaces", interfaces, "nat",
			 nat_json(node));
}

static json_t *network_json(const struct network *network)
{
	char text[PREFIX_TEXT_MAX];

	if (network->type == NETWORK_INTERNET)
		return json_pack("{s:s, s:s}", "name", network->name, "type", "internet");
	return json_pack("{s:s, s:s, s:s, s:b}", "name", network->name, "type", "lan", "subnet",
			 prefix_format(&network->subnet, text), "isolated", network->isolated);
}

static json_t *topology_json(const struct topo *topo)
{
	json_t *networks = json_array(), *nodes = json_array();
	bool ok = true;
	size_t i;

	for (i = 0; i < topo->network_count && ok; i++)
		ok = append(networks, network_json(&topo->networks[i]));
	for (i = 0; i < topo->node_count && ok; i++)
		ok = append(nodes, node_json(topo, &topo->nodes[i]));
	if (!ok) {
		json_decref(networks);
		json_decref(nodes);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "networks", networks, "nodes", nodes);
}

/* --- verdicts --------------------------------------------------------------------- */

static json_t *proof_json(const struct proof *proof)
{
	json_t *lines = json_array();
	const struct proof_line *line;
	size_t i;

	for (i = 0; i < proof->count; i++) {
		line = &proof->lines[i];
		if (!append(lines, json_pack("{s:s, s:s, s:o}", "part", line->part, "outcome",
					     outcome_name(line->outcome), "text",
					     text_or_null(line->text)))) {
			json_decref(lines);
			return NULL;
		}
	}
	return lines;
}

static json_t *verdict_json(const struct verdict *verdict)
{
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "expectation",
			 text_or_null(expectation_name(verdict->expectation)), "outcome",
			 outcome_name(verdict->outcome), "expected",
			 text_or_null(verdict->expected), "observed",
			 text_or_null(verdict->observed), "hint", text_or_null(verdict->hint),
			 "proof", proof_json(&verdict->proof));
}

static json_t *verdicts_json(const struct judgement *judgement, size_t step, size_t program)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < judgement->count; i++)
		if (judgement->verdicts[i].step == step &&
		    judgement->verdicts[i].program == program &&
		    !append(array, verdict_json(&judgement->verdicts[i]))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

/* --- steps -------------------------------------------------------------------------- */

static const char *end_name(enum run_end end)
{
	switch (end) {
	case RUN_NOT_REACHED:
		return "not-reached";
	case RUN_NOT_STARTED:
		return "not-started";
	case RUN_RUNNING:
		return "interrupted";
	case RUN_EXITED:
		return "exited";
	case RUN_SIGNALLED:
		return "signalled";
	case RUN_STOPPED:
		return "stopped";
	case RUN_DEADLINE:
		return "deadline";
	}
	return "?";
}

static json_t *events_json(const struct run *run)
{
	json_t *events = json_array();
	size_t i;

	for (i = 0; i < run->event_count; i++)
		if (!append(events,
			    json_pack("{s:o, s:O}", "at_ms", milliseconds(run->events[i].when),
				      "data", run->events[i].json))) {
			json_decref(events);
			return NULL;
		}
	return events;
}

static json_t *output_json(const char *text, size_t length, uint64_t total)
{
	return json_pack("{s:o, s:I, s:b}", "text", escape_json(text ? text : "", length), "bytes",
			 (json_int_t)total, "cut", total > length);
}

static json_t *status_json(const struct run *run)
{
	switch (run->end) {
	case RUN_EXITED:
	case RUN_SIGNALLED:
	case RUN_STOPPED:
	case RUN_DEADLINE:
		return json_integer(run->status);
	case RUN_NOT_REACHED:
	case RUN_NOT_STARTED:
	case RUN_RUNNING:
		break;
	}
	return json_null();
}

static json_t *program_json(const struct report_run *report, const struct run *run)
{
	const struct program *program = &report->topo->steps[run->step].programs[run->index];

	return json_pack(
		"{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O?, s:I, s:I, s:o, "
		"s:o, s:o}",
		"node", report->topo->nodes[program->node].name, "name", program->name, "agent",
		text_or_null(program->agent ? program->agent->name : NULL), "command",
		text_or_null(run->command), "end", end_name(run->end), "status", status_json(run),
		"outcome", owned_text(words_end(run, report->timeline->interrupted)), "problem",
		text_or_null(run->problem), "started_ms", milliseconds(run->started), "ready_ms",
		milliseconds(run->ready), "ended_ms", milliseconds(run->ended), "events",
		events_json(run), "result", run->result, "events_dropped",
		(json_int_t)run->events_dropped, "strange_lines", (json_int_t)run->strange_lines,
		"stdout", output_json(run->out, run->out_length, run->out_total), "stderr",
		output_json(run->err, run->err_length, run->err_total), "verdicts",
		verdicts_json(report->judgement, run->step, run->index));
}

static const char *step_name(enum step_kind kind)
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

static json_t *target_json(const struct topo *topo, const struct step *step)
{
	if (step->kind == STEP_START || step->kind == STEP_RUN)
		return json_null();
	return json_string(topo->steps[step->target_step].programs[step->target_program].name);
}

static json_t *step_json(const struct report_run *report, size_t index)
{
	const struct step *step = &report->topo->steps[index];
	const struct step_view *view = &report->timeline->steps[index];
	json_t *programs = json_array();
	size_t i;

	for (i = 0; i < step->program_count; i++)
		if (!append(programs,
			    program_json(report, timeline_find(report->timeline, index, i)))) {
			json_decref(programs);
			return NULL;
		}
	return json_pack("{s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "step", (json_int_t)index + 1,
			 "kind", step_name(step->kind), "line", (json_int_t)step->place.line,
			 "started_ms", milliseconds(view->started), "ended_ms",
			 milliseconds(view->ended), "target", target_json(report->topo, step),
			 "programs", programs, "verdicts",
			 verdicts_json(report->judgement, index, TOPO_NONE));
}

/* --- routers -------------------------------------------------------------------------- */

static json_t *flow_json(const struct flow *flow)
{
	struct mapping mapping = mapping_of(flow);
	char protocol[8];

	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:I, s:I, s:I, s:s}", "protocol",
			 protocol_name(mapping.protocol, protocol), "inside",
			 endpoint_json(&mapping.inside), "outside", endpoint_json(&mapping.outside),
			 "remote", endpoint_json(&mapping.remote), "opened_from_outside",
			 mapping.from_outside, "packets_out", (json_int_t)mapping.sent,
			 "packets_back", (json_int_t)mapping.received, "expires_s",
			 (json_int_t)flow->timeout, "state", flow->state ? flow->state : "");
}

static json_t *router_json(const struct topo *topo, const struct router_view *view)
{
	json_t *mappings = json_array();
	size_t i;

	for (i = 0; i < view->flow_count; i++)
		if (!append(mappings, flow_json(&view->flows[i]))) {
			json_decref(mappings);
			return NULL;
		}
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "node", topo->nodes[view->node].name, "nat",
			 nat_json(&topo->nodes[view->node]), "problem", text_or_null(view->problem),
			 "mappings", mappings, "rules", text_or_null(view->rules));
}

/* --- the whole --------------------------------------------------------------------------- */

static json_t *complaints_json(const struct report_run *report)
{
	const struct judgement *judgement = report->judgement;
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < judgement->complaint_count; i++)
		if (!append(array,
			    json_pack("{s:I, s:s, s:o}", "step",
				      (json_int_t)judgement->complaints[i].run->step + 1, "program",
				      report->topo->steps[judgement->complaints[i].run->step]
					      .programs[judgement->complaints[i].run->index]
					      .name,
				      "text", text_or_null(judgement->complaints[i].words)))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *trouble_json(const struct diag *trouble)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; trouble && i < trouble->count; i++)
		if (!append(array, json_pack("{s:o, s:o}", "message",
					     text_or_null(trouble->entries[i].message), "help",
					     text_or_null(trouble->entries[i].help)))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *played_json(const struct report_run *report)
{
	const struct timeline *timeline = report->timeline;
	const struct judgement *judgement = report->judgement;
	json_t *steps = json_array(), *routers = json_array();
	bool ok = true;
	size_t i;

	for (i = 0; i < timeline->step_count && ok; i++)
		ok = append(steps, step_json(report, i));
	for (i = 0; i < timeline->router_count && ok; i++)
		ok = append(routers, router_json(report->topo, &timeline->routers[i]));
	if (!ok) {
		json_decref(steps);
		json_decref(routers);
		return NULL;
	}
	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "ok",
			 judgement_good(judgement), "interrupted", judgement->interrupted, "held",
			 (json_int_t)judgement->held, "broken", (json_int_t)judgement->broken,
			 "undecided", (json_int_t)judgement->undecided, "built_ms",
			 milliseconds(timeline->built_ns), "finished_ms",
			 milliseconds(timeline->finished_ns), "complaints", complaints_json(report),
			 "steps", steps, "routers", routers);
}

/* null: turned off, or the run does not speak of it. */
static json_t *self_checks_json(const struct self_checks *checks)
{
	const struct self_check *check;
	json_t *array;

	if (!checks || checks->off)
		return json_null();
	array = json_array();
	for (check = checks->checks; check < checks->checks + checks->count; check++)
		if (!append(array, json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:f}", "router",
					     check->router, "nat", check->nat, "checked",
					     !check->none, "repeated", check->repeated, "axes_held",
					     (json_int_t)check->axes, "packets",
					     (json_int_t)check->packets, "ms", check->ms))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *report_json(const struct report_run *report)
{
	json_t *run = json_pack(
		"{s:o, s:s, s:o, s:o, s:o, s:o}", "file", text_or_null(report->topo->file), "name",
		report->topo->name, "description", text_or_null(report->topo->description),
		"topology", topology_json(report->topo), "errors", trouble_json(report->trouble),
		"self_checks", self_checks_json(report->self_checks));
	json_t *played;

	if (!run)
		return NULL;
	played = report->judgement ? played_json(report) : json_pack("{s:b}", "ok", 0);
	if (!played || json_object_update(run, played) != 0) {
		json_decref(played);
		json_decref(run);
		return NULL;
	}
	json_decref(played);
	return run;
}

json_t *report_json_document(const struct report_versions *versions, json_t *runs)
{
	json_t *run;
	json_int_t held = 0, broken = 0, undecided = 0;
	bool ok = true;
	size_t i;

	json_array_foreach(runs, i, run)
	{
		held += json_integer_value(json_object_get(run, "held"));
		broken += json_integer_value(json_object_get(run, "broken"));
		undecided += json_integer_value(json_object_get(run, "undecided"));
		ok = ok && json_is_true(json_object_get(run, "ok"));
	}
	return json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}, s:b, s:I, s:I, s:I, s:O}",
			 "versions", "natsim", versions->natsim, "kernel", versions->kernel,
			 "libnl", versions->libnl, "libmnl", versions->libmnl, "libnftnl",
			 versions->libnftnl, "libnetfilter_conntrack",
			 versions->libnetfilter_conntrack, "libfyaml", versions->libfyaml,
			 "jansson", versions->jansson, "ok", ok, "held", held, "broken", broken,
			 "undecided", undecided, "runs", runs);
}
