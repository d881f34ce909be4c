/* SPDX-License-Identifier: MIT */
/*
 * How a direct path is proven.
 *
 * An agent's word is a claim; the kernel's tables are the witness. Let A and B be the
 * peers, a and b the endpoints they bound, and follow each outward through its NATs:
 *
 *     a --[router1]--> a' . . . . . . . . . . . . b' <--[router2]-- b
 *
 *   source  router1's table says what a becomes towards the endpoint that A met: a'. If
 *           that is what B says it met, and likewise b' for A, then each spoke with
 *           the other's very socket: an external endpoint belongs to one mapping.
 *   flow    the same table counts packets between exactly these endpoints. Fewer than
 *           the payload, in either direction, and the payload went another way.
 *   relay   had somebody else carried A's payload to B, then A's socket would have
 *           exchanged at least as many packets with third parties, and so would B's.
 *           Counted where a NAT counts; where neither end has one, the source address
 *           is the peer's own and there is nobody in between.
 *   blind   what the peer sent from a fresh socket before either had punched got in
 *           exactly where the declared filtering admits strangers. Without this, a NAT
 *           that lets everything in would pass as one that was punched.
 *
 * Stacked NATs need nothing new: the outside of one is the inside of the next.
 */
#include "verdict/proof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verdict/mapping.h"
#include "verdict/pair.h"
#include "verdict/theory.h"
#include "verdict/trail.h"
#include "verdict/way.h"

const char *outcome_name(enum outcome outcome)
{
	switch (outcome) {
	case HELD:
		return "held";
	case UNDECIDED:
		return "undecided";
	case BROKEN:
		return "broken";
	}
	return "?";
}

int proof_add(struct proof *proof, enum outcome outcome, const char *part, const char *format, ...)
{
	struct proof_line *lines;
	char *text;
	va_list args;
	int r;

	lines = reallocarray(proof->lines, proof->count + 1, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	proof->lines = lines;
	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	if (r < 0)
		return -ENOMEM;
	lines[proof->count++] = (struct proof_line){.outcome = outcome, .part = part, .text = text};
	return 0;
}

void proof_clear(struct proof *proof)
{
	size_t i;

	for (i = 0; i < proof->count; i++)
		free(proof->lines[i].text);
	free(proof->lines);
	*proof = (struct proof){0};
}

enum outcome proof_outcome(const struct proof *proof)
{
	enum outcome outcome = HELD;
	size_t i;

	for (i = 0; i < proof->count; i++)
		if (proof->lines[i].outcome > outcome)
			outcome = proof->lines[i].outcome;
	return outcome;
}

/* What the parts share. */
struct scene {
	const struct topo *topo;
	const struct timeline *timeline;
	const struct router_view *views;
	size_t view_count;
	struct pair pair;
	struct proof *proof;
};

static const char *router_name(const struct scene *scene, size_t node)
{
	return scene->topo->nodes[node].name;
}

/* --- report ------------------------------------------------------------------ */

/*
 * A path that died and was found again is proven as it was last: of the one before, the NATs
 * have forgotten everything.
 */
static int report_last(const struct scene *scene, bool *ret)
{
	const struct peer *a = &scene->pair.a, *b = &scene->pair.b;

	if (a->last_received == a->received && b->last_received == b->received)
		return 0;
	*ret = a->last_received && b->last_received;
	return proof_add(scene->proof, *ret ? HELD : UNDECIDED, "again",
			 "the path had died and was found again: %" PRIu64 " and %" PRIu64
			 " of these messages went over it since, and only they can be proven",
			 b->last_received, a->last_received);
}

/* Both say "direct", name each other, and counted what the other sent; *ret tells. */
static int prove_report(const struct scene *scene, bool *ret)
{
	const struct peer *a = &scene->pair.a, *b = &scene->pair.b;
	int r;

	*ret = false;
	if (!scene->pair.complete)
		return proof_add(scene->proof, UNDECIDED, "report",
				 "no single other program takes part in %s's session", a->name);
	if (!b->run->result)
		return proof_add(scene->proof, BROKEN, "report",
				 "%s reports a direct path, but %s gave no result", a->name,
				 b->name);
	if (strcmp(a->path, "direct") != 0 || strcmp(b->path, "direct") != 0)
		return proof_add(scene->proof, BROKEN, "report",
				 "%s reports path \"%s\", but %s reports \"%s\"", a->name, a->path,
				 b->name, b->path);
	if (!addr_bits(&a->met.addr) || !addr_bits(&b->met.addr) || !addr_bits(&a->local.addr) ||
	    !addr_bits(&b->local.addr))
		return proof_add(scene->proof, BROKEN, "report",
				 "a result does not name its \"local\" and \"peer\" endpoints");
	if (a->sent != b->received || b->sent != a->received || !a->received || !b->received)
		return proof_add(scene->proof, BROKEN, "report",
				 "the payload counts do not match: %s sent %" PRIu64
				 " and received %" PRIu64 " messages, %s sent %" PRIu64
				 " and received %" PRIu64,
				 a->name, a->sent, a->received, b->name, b->sent, b->received);
	*ret = true;
	r = proof_add(scene->proof, HELD, "report",
		      "both peers report a direct path; %" PRIu64
		      " messages reached %s from %s, and %" PRIu64 " came back",
		      b->received, b->name, a->name, a->received);
	return r ? r : report_last(scene, ret);
}

/* --- source (and flow, on the way) --------------------------------------------- */

static int add_source(const struct scene *scene, const struct peer *self, const struct peer *other,
		      const struct way *way, const struct endpoint *outermost)
{
	char met[ENDPOINT_TEXT_MAX], local[ENDPOINT_TEXT_MAX], outer[ENDPOINT_TEXT_MAX];
	bool translated = !endpoint_equal(&self->local, outermost);

	endpoint_format(&other->met, met);
	endpoint_format(&self->local, local);
	endpoint_format(outermost, outer);
	if (!endpoint_equal(outermost, &other->met))
		return proof_add(scene->proof, BROKEN, "source",
				 "%s met %s, but %s's %s is %s to the outside%s%s", other->name,
				 met, self->name, local, outer, way->count ? " according to " : "",
				 way->count ? router_name(scene, way->routers[way->count - 1])
					    : "");
	if (!translated)
		return proof_add(scene->proof, HELD, "source", "%s met %s, %s's own endpoint%s",
				 other->name, met, self->name,
				 way->count ? ", which no router translates" : "");
	return proof_add(scene->proof, HELD, "source",
			 "%s met %s, what the kernel of %s makes of %s's %s", other->name, met,
			 router_name(scene, way->routers[way->count - 1]), self->name, local);
}

static int prove_side(const struct scene *scene, const struct peer *self, const struct peer *other)
{
	const struct trail trail = {scene->topo, scene->views, scene->view_count, scene->proof};
	struct endpoint outermost;
	struct way way = {0};
	bool known;
	int r = way_outward(scene->topo, self->node, &self->met.addr, &way);

	if (!r)
		r = trail_follow(&trail, self, &self->met, &way, &outermost, &known);
	if (!r && known)
		r = add_source(scene, self, other, &way, &outermost);
	free(way.routers);
	return r;
}

/* --- relay ---------------------------------------------------------------------- */

/* Packets that a peer's socket exchanged with anybody but the other peer. */
struct others {
	bool counted; /* a NAT on its way counts */
	uint64_t sent, received;
};

static int count_others(const struct scene *scene, const struct peer *self, struct others *ret)
{
	const struct router_view *view;
	struct mapping mapping;
	struct way way;
	size_t i;
	int r = way_outward(scene->topo, self->node, &self->met.addr, &way);

	*ret = (struct others){0};
	if (r)
		return r;
	/* The nearest one sees the socket's own endpoint. */
	view = way.count ? router_view_of(scene->views, scene->view_count, way.routers[0]) : NULL;
	free(way.routers);
	if (!view || view->problem)
		return 0;
	ret->counted = true;
	for (i = 0; i < view->flow_count; i++) {
		mapping = mapping_of(&view->flows[i]);
		if (mapping.protocol != self->protocol ||
		    !endpoint_equal(&mapping.inside, &self->local) ||
		    endpoint_equal(&mapping.remote, &self->met))
			continue;
		ret->received += mapping.received;
		/* Who never answers relays nothing: the peer's other candidates, mostly. */
		if (mapping.received)
			ret->sent += mapping.sent;
	}
	return 0;
}

/* Could third parties have carried @messages from one to the other, as far as anybody counted? */
static bool carriable(const struct others *from, const struct others *to, uint8_t protocol,
		      uint64_t messages)
{
	uint64_t counted = mapping_counted(protocol, messages);

	return (!from->counted || from->sent >= counted) &&
	       (!to->counted || to->received >= counted);
}

static int prove_relay(const struct scene *scene)
{
	const struct peer *a = &scene->pair.a, *b = &scene->pair.b;
	struct others of_a, of_b;
	const char *first;
	char text[2][160] = {"", ""};
	int r = count_others(scene, a, &of_a);

	if (!r)
		r = count_others(scene, b, &of_b);
	if (r)
		return r;
	if (!of_a.counted && !of_b.counted)
		return proof_add(scene->proof, HELD, "relay",
				 "nobody stands between: no NAT is on the way, and each address "
				 "met is the peer's own");
	if (of_a.counted)
		snprintf(text[0], sizeof(text[0]), "%s's socket exchanged %" PRIu64 " + %" PRIu64,
			 a->name, of_a.sent, of_a.received);
	if (of_b.counted)
		snprintf(text[1], sizeof(text[1]), "%s's socket exchanged %" PRIu64 " + %" PRIu64,
			 b->name, of_b.sent, of_b.received);
	first = of_a.counted && of_b.counted ? ", " : "";
	if (carriable(&of_a, &of_b, a->protocol, b->last_received) ||
	    carriable(&of_b, &of_a, b->protocol, a->last_received))
		return proof_add(
			scene->proof, UNDECIDED, "relay",
			"others could have carried the payload: with them, %s%s%s packets, "
			"as many as the messages (more \"messages\" would tell)",
			text[0], first, text[1]);
	return proof_add(scene->proof, HELD, "relay",
			 "nobody else carried the payload: with others, %s%s%s packets, too few "
			 "for the messages",
			 text[0], first, text[1]);
}

/* --- blind ---------------------------------------------------------------------- */

enum blind { BLIND_NONE, BLIND_RECEIVED, BLIND_EITHER };

static bool rendezvous_runs_at(const struct scene *scene, size_t node)
{
	const struct run *run;
	const struct program *program;

	for (run = scene->timeline->runs; run < scene->timeline->runs + scene->timeline->run_count;
	     run++) {
		program = &scene->topo->steps[run->step].programs[run->index];
		if (program->node == node && program->agent &&
		    strcmp(program->agent->name, "rendezvous") == 0)
			return true;
	}
	return false;
}

/*
 * Neighbours meet before the internet, yet the blind packet went to the public endpoint:
 * where anything guards their way out, it had to turn round there.
 */
static int expect_blind_among_neighbours(const struct scene *scene, const struct peer *self,
					 struct theory_side *ret_side, enum blind *ret)
{
	struct addr nowhere = {0};
	struct way way;
	int r = way_outward(scene->topo, self->node, &nowhere, &way);

	if (r)
		return r;
	*ret_side = theory_side(scene->topo, &way);
	free(way.routers);
	*ret = ret_side->guarded ? BLIND_EITHER : BLIND_RECEIVED;
	return 0;
}

/* What the declared filtering says about a stranger's packet to the endpoint that @self announced.
 */
static int expect_blind(const struct scene *scene, const struct peer *self,
			const struct peer *other, struct theory_side *ret_side, enum blind *ret)
{
	struct meeting meeting;
	bool public;
	int r = way_meeting(scene->topo, self->node, other->node, &meeting);

	if (r)
		return r;
	public = meeting.network != TOPO_NONE &&
		 scene->topo->networks[meeting.network].type == NETWORK_INTERNET;
	if (public)
		*ret_side = theory_side(scene->topo, &meeting.a);
	meeting_clear(&meeting);
	if (!public)
		return expect_blind_among_neighbours(scene, self, ret_side, ret);
	if (ret_side->unknown || ret_side->mappable)
		*ret = BLIND_EITHER;
	else if (ret_side->blocked)
		*ret = BLIND_NONE;
	else if (ret_side->filtering == ENDPOINT_INDEPENDENT)
		*ret = BLIND_RECEIVED;
	else if (ret_side->filtering == ADDRESS_DEPENDENT &&
		 rendezvous_runs_at(scene, way_owner(scene->topo, &self->met.addr)))
		*ret = BLIND_EITHER; /* the peer's address is no stranger's */
	else
		*ret = BLIND_NONE;
	return 0;
}

/*
 * "late" came after the receiver's own first punch. That still shows an open filter,
 * and says nothing against an address-dependent one, which that punch had opened; an
 * address-and-port-dependent one must not have let it in at any time.
 */
static bool blind_agrees(const char *blind, enum blind expected, enum nat_dependence filtering)
{
	if (expected == BLIND_RECEIVED)
		return strcmp(blind, "none") != 0;
	if (strcmp(blind, "late") == 0)
		return filtering != ADDRESS_AND_PORT_DEPENDENT;
	return strcmp(blind, "none") == 0;
}

static int prove_blind(const struct scene *scene, const struct peer *self, const struct peer *other)
{
	struct theory_side side;
	enum blind expected;
	const char *why, *what;
	bool agrees;
	int r = expect_blind(scene, self, other, &side, &expected);

	if (r)
		return r;
	if (!self->blind[0] || expected == BLIND_EITHER)
		return proof_add(
			scene->proof, HELD, "blind", "no negative control at %s: %s", self->name,
			!self->blind[0] ? "the agent has none"
			: side.unknown  ? "what the router's own rules admit is not declared"
			: side.mappable ? "its router may have been asked to let anyone in"
					: "the peer is no stranger from outside");
	agrees = blind_agrees(self->blind, expected, side.filtering);
	why = side.guarded ? nat_dependence_name(side.filtering) : "no";
	what = strcmp(self->blind, "none") == 0   ? "did not get in"
	       : strcmp(self->blind, "late") == 0 ? "got in late"
						  : "got in";
	return proof_add(scene->proof, agrees ? HELD : BROKEN, "blind",
			 "negative control: %s's packet from a fresh socket %s at %s, %s with %s "
			 "filtering",
			 other->name, what, self->name, agrees ? "right" : "wrong", why);
}

int proof_direct(const struct topo *topo, const struct timeline *timeline, const struct run *run,
		 struct proof *proof)
{
	struct scene scene = {.topo = topo,
			      .timeline = timeline,
			      .pair = pair_of(topo, timeline, run),
			      .proof = proof};
	const struct peer *a = &scene.pair.a, *b = &scene.pair.b;
	bool reported;
	int r = prove_report(&scene, &reported);

	if (r || !reported)
		return r;
	pair_tables(timeline, &scene.pair, &scene.views, &scene.view_count);
	r = prove_side(&scene, a, b);
	if (!r)
		r = prove_side(&scene, b, a);
	if (!r)
		r = prove_relay(&scene);
	if (!r)
		r = prove_blind(&scene, a, b);
	if (!r)
		r = prove_blind(&scene, b, a);
	return r;
}
