/* SPDX-License-Identifier: MIT */
#include "verdict/pair.h"

#include <string.h>

static const struct program *program_of(const struct topo *topo, const struct run *run)
{
	return &topo->steps[run->step].programs[run->index];
}

/* What the file says of an option; "" when nothing. */
static const char *option_of(const struct program *program, const char *name)
{
	size_t i;

	for (i = 0; i < program->option_count; i++)
		if (strcmp(program->options[i].name, name) == 0 && program->options[i].value)
			return program->options[i].value;
	return "";
}

static bool same_session(const struct program *a, const struct program *b)
{
	const char *session = option_of(a, "session");

	return a->agent && a->agent == b->agent && session[0] &&
	       strcmp(session, option_of(b, "session")) == 0;
}

static const struct run *partner(const struct topo *topo, const struct timeline *timeline,
				 const struct run *run)
{
	const struct run *other, *near = NULL, *far = NULL;
	size_t near_count = 0, far_count = 0;

	for (other = timeline->runs; other < timeline->runs + timeline->run_count; other++) {
		if (other == run || !same_session(program_of(topo, run), program_of(topo, other)))
			continue;
		far = other;
		far_count++;
		if (other->step != run->step)
			continue;
		near = other;
		near_count++;
	}
	/* Three in one session: nobody can say who met whom. */
	if (near_count)
		return near_count == 1 ? near : NULL;
	return far_count == 1 ? far : NULL;
}

static const char *text_field(const struct run *run, const char *name)
{
	const char *text = json_string_value(json_object_get(run->result, name));

	return text ? text : "";
}

static struct endpoint endpoint_field(const struct run *run, const char *name)
{
	struct endpoint endpoint = {0};

	endpoint_parse(text_field(run, name), &endpoint);
	return endpoint;
}

static uint64_t count_field(const struct run *run, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(run->result, name));

	return value > 0 ? (uint64_t)value : 0;
}

/* Where a path never died, all of it went over the last one. */
static uint64_t last_count(const struct run *run, const char *name, const char *all)
{
	return count_field(run, json_object_get(run->result, name) ? name : all);
}

static struct peer peer_of(const struct topo *topo, const struct run *run)
{
	const struct program *program = program_of(topo, run);
	size_t node = program->node;

	return (struct peer){
		.run = run,
		.node = node,
		.name = topo->nodes[node].name,
		.path = text_field(run, "path"),
		.blind = text_field(run, "blind"),
		.reason = text_field(run, "reason"),
		.local = endpoint_field(run, "local"),
		.seen = endpoint_field(run, "public"),
		.told = endpoint_field(run, "peer_public"),
		.met = endpoint_field(run, "peer"),
		.sent = count_field(run, "sent"),
		.received = count_field(run, "received"),
		.last_sent = last_count(run, "last_sent", "sent"),
		.last_received = last_count(run, "last_received", "received"),
		.protocol = strcmp(text_field(run, "transport"), "tcp") == 0 ? IPPROTO_TCP
									     : IPPROTO_UDP,
		.silent = strcmp(option_of(program, "technique"), "reversal") == 0,
	};
}

struct pair pair_of(const struct topo *topo, const struct timeline *timeline, const struct run *run)
{
	struct pair pair = {.a = peer_of(topo, run)};
	const struct run *other = partner(topo, timeline, run);

	if (other) {
		pair.b = peer_of(topo, other);
		pair.complete = true;
	}
	return pair;
}

const char *pair_text(const struct peer *peer, const char *field)
{
	return text_field(peer->run, field);
}

struct endpoint pair_endpoint(const struct peer *peer, const char *field)
{
	return endpoint_field(peer->run, field);
}

const char *pair_option(const struct topo *topo, const struct peer *peer, const char *name)
{
	return option_of(program_of(topo, peer->run), name);
}

bool pair_flag(const struct topo *topo, const struct peer *peer, const char *name)
{
	const struct program *program = program_of(topo, peer->run);
	size_t i;

	for (i = 0; i < program->option_count; i++)
		if (strcmp(program->options[i].name, name) == 0)
			return true;
	return false;
}

void pair_tables(const struct timeline *timeline, const struct pair *pair,
		 const struct router_view **ret, size_t *ret_count)
{
	uint64_t end = pair->a.run->ended;
	size_t i;

	if (pair->complete && pair->b.run->ended > end)
		end = pair->b.run->ended;
	for (i = 0; i < timeline->snapshot_count; i++) {
		if (timeline->snapshots[i].when < end)
			continue;
		*ret = timeline->snapshots[i].routers;
		*ret_count = timeline->snapshots[i].router_count;
		return;
	}
	*ret = timeline->routers;
	*ret_count = timeline->router_count;
}

void pair_tables_before(const struct timeline *timeline, const struct pair *pair,
			const struct router_view **ret, size_t *ret_count)
{
	uint64_t begin = pair->a.run->started;
	size_t i;

	if (pair->complete && pair->b.run->started < begin)
		begin = pair->b.run->started;
	*ret = NULL;
	*ret_count = 0;
	for (i = 0; i < timeline->snapshot_count && timeline->snapshots[i].when <= begin; i++) {
		*ret = timeline->snapshots[i].routers;
		*ret_count = timeline->snapshots[i].router_count;
	}
}
