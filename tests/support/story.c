/* SPDX-License-Identifier: MIT */
#include "support/story.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/addr.h"

struct story story_begin(const char *yaml)
{
	AUTO_DIAG struct diag d = {0};
	struct story story = {0};
	size_t i;

	if (topo_load_text("story.yaml", yaml, strlen(yaml), &story.topo, &d) != 0) {
		diag_print(&d, stderr, false);
		cr_assert_fail("the story's topology must load");
	}
	cr_assert_eq(timeline_new(story.topo, &story.timeline), 0);
	for (i = 0; i < story.timeline->step_count; i++)
		story.timeline->steps[i] = (struct step_view){.started = 1000000 * (i + 1),
							      .ended = 1000000 * (i + 1) + 500000};
	for (i = 0; i < story.timeline->run_count; i++) {
		story.timeline->runs[i].started = 1000000 * (story.timeline->runs[i].step + 1);
		story.timeline->runs[i].ready = story.timeline->runs[i].started + 100000;
		story.timeline->runs[i].end = RUN_STOPPED;
	}
	story.timeline->routers =
		calloc(story.topo->node_count + 1, sizeof(*story.timeline->routers));
	cr_assert_not_null(story.timeline->routers);
	for (i = 0; i < story.topo->node_count; i++)
		if (story.topo->nodes[i].has_nat)
			story.timeline->routers[story.timeline->router_count++].node = i;
	return story;
}

void story_end(struct story *story)
{
	judgement_free(story->judgement);
	timeline_free(story->timeline);
	topo_free(story->topo);
	*story = (struct story){0};
}

struct run *story_run(struct story *story, size_t step, size_t index)
{
	const struct run *run = timeline_find(story->timeline, step, index);

	cr_assert_not_null(run, "step %zu has a program %zu", step, index);
	return &story->timeline->runs[run - story->timeline->runs];
}

static void replace(char **text, size_t *length, uint64_t *total, const char *with)
{
	free(*text);
	*text = strdup(with);
	cr_assert_not_null(*text);
	*length = strlen(with);
	*total = *length;
}

void story_exited(struct run *run, int status, const char *out, const char *err)
{
	run->end = RUN_EXITED;
	run->status = status;
	run->ended = run->started + 400000;
	replace(&run->out, &run->out_length, &run->out_total, out);
	replace(&run->err, &run->err_length, &run->err_total, err);
}

void story_result(struct run *run, const char *json)
{
	char *text = strdup(json), *quote;
	struct run_event *events =
		reallocarray(run->events, run->event_count + 1, sizeof(*run->events));
	json_error_t error;

	cr_assert(text && events);
	for (quote = strchr(text, '\''); quote; quote = strchr(quote, '\''))
		*quote = '"';
	run->events = events;
	events[run->event_count] = (struct run_event){.when = run->started + 300000,
						      .json = json_loads(text, 0, &error)};
	cr_assert_not_null(events[run->event_count].json, "%s: %s", text, error.text);
	run->result = events[run->event_count++].json;
	free(text);
}

struct router_view *story_router(struct story *story, const char *router)
{
	size_t i, node = topo_find_node(story->topo, router);

	for (i = 0; i < story->timeline->router_count; i++)
		if (story->timeline->routers[i].node == node)
			return &story->timeline->routers[i];
	cr_assert_fail("%s is no router with a NAT", router);
	abort(); /* not reached */
}

static struct endpoint endpoint_of(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "\"%s\" is an endpoint", text);
	return endpoint;
}

void story_flow(struct story *story, const char *router, const char *inside, const char *outside,
		const char *remote, uint64_t packets, uint64_t reply_packets)
{
	struct router_view *view = story_router(story, router);

	view->flows = reallocarray(view->flows, view->flow_count + 1, sizeof(*view->flows));
	cr_assert_not_null(view->flows);
	view->flows[view->flow_count++] = (struct flow){
		.protocol = IPPROTO_UDP,
		.source = endpoint_of(inside),
		.destination = endpoint_of(remote),
		.reply_source = endpoint_of(remote),
		.reply_destination = endpoint_of(outside),
		.seen_reply = reply_packets > 0,
		.packets = packets,
		.reply_packets = reply_packets,
		.timeout = 300,
		.state = "",
	};
}

void story_judge(struct story *story)
{
	judgement_free(story->judgement);
	story->judgement = NULL;
	cr_assert_eq(verdict_judge(story->topo, story->timeline, &story->judgement), 0);
}

const struct verdict *story_verdict(const struct story *story, size_t step, size_t index,
				    const char *name)
{
	size_t i;

	for (i = 0; i < story->judgement->count; i++) {
		const struct verdict *verdict = &story->judgement->verdicts[i];

		if (verdict->step == step && verdict->program == index &&
		    strcmp(expectation_name(verdict->expectation), name) == 0)
			return verdict;
	}
	cr_assert_fail("there is no verdict on %s of program %zu of step %zu", name, index, step);
	abort(); /* not reached */
}

const struct proof_line *story_line(const struct verdict *verdict, const char *part,
				    enum outcome least)
{
	size_t i;

	for (i = 0; i < verdict->proof.count; i++)
		if (strcmp(verdict->proof.lines[i].part, part) == 0 &&
		    verdict->proof.lines[i].outcome >= least)
			return &verdict->proof.lines[i];
	return NULL;
}

struct story story_two_homes(const char *nat1, const char *nat2, const char *path)
{
	AUTO_FREE char *yaml = NULL;

	cr_assert_gt(asprintf(&yaml,
			      "# Do they meet?\n"
			      "name: two-homes\n"
			      "networks:\n"
			      "  internet: {type: internet}\n"
			      "  home1: {subnet: 192.168.1.0/24}\n"
			      "  home2: {subnet: 192.168.2.0/24}\n"
			      "nodes:\n"
			      "  server: {interfaces: {internet: 9.9.9.9}}\n"
			      "  router1: {interfaces: {internet: 1.2.3.4, home1: 192.168.1.254}, "
			      "nat: %s}\n"
			      "  router2: {interfaces: {internet: 5.6.7.8, home2: 192.168.2.254}, "
			      "nat: %s}\n"
			      "  pc1: {interfaces: {home1: 192.168.1.1}}\n"
			      "  pc2: {interfaces: {home2: 192.168.2.1}}\n"
			      "steps:\n"
			      "  - start: {node: server, agent: rendezvous}\n"
			      "  - run:\n"
			      "      - {node: pc1, agent: punch, session: demo, port: 7777}\n"
			      "      - {node: pc2, agent: punch, session: demo, port: 8888}\n"
			      "    expect: {path: %s}\n",
			      nat1, nat2, path),
		     0);
	return story_begin(yaml);
}

void story_met(struct story *story)
{
	struct run *pc1 = story_run(story, 1, 0), *pc2 = story_run(story, 1, 1);

	story_exited(pc1, 0, "", "");
	story_exited(pc2, 0, "", "");
	story_result(pc1, "{'event': 'result', 'path': 'direct', 'local': '192.168.1.1:7777', "
			  "'public': '1.2.3.4:7777', 'peer_public': '5.6.7.8:8888', "
			  "'peer': '5.6.7.8:8888', 'candidate': 'public', 'blind': 'none', "
			  "'sent': 5, 'received': 5, 'connect_ms': 2.5}");
	story_result(pc2, "{'event': 'result', 'path': 'direct', 'local': '192.168.2.1:8888', "
			  "'public': '5.6.7.8:8888', 'peer_public': '1.2.3.4:7777', "
			  "'peer': '1.2.3.4:7777', 'candidate': 'public', 'blind': 'none', "
			  "'sent': 5, 'received': 5, 'connect_ms': 2.5}");
	story_flow(story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "9.9.9.9:1024", 2, 4);
	story_flow(story, "router1", "192.168.1.1:7777", "1.2.3.4:7777", "5.6.7.8:8888", 12, 13);
	story_flow(story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "9.9.9.9:1024", 2, 3);
	story_flow(story, "router2", "192.168.2.1:8888", "5.6.7.8:8888", "1.2.3.4:7777", 13, 12);
}
