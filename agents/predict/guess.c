/* SPDX-License-Identifier: MIT */
/*
 * How this works
 *
 * E is a peer whose mapping is endpoint-independent: its port is known. D is one whose
 * mapping depends on the destination: it has a port towards us that nobody has seen yet.
 *
 *     E - E   nothing to guess
 *     E - D   D's ports follow a pattern: E sends to the next few of them, D to E's one
 *             endpoint. If strangers took all of these, D's port is farther on, but stays
 *             where it is: E goes on, one port after the other. Else the birthday attack: D sends
 * to it from many sockets, which opens many ports, and E tries many of D's ports. One of E's
 * meeting one of D's is a path D - D   both must follow a pattern, and each packet to another port
 * of the other moves the own port on, below
 *
 * Two moving targets. Let a(i) and b(i) be the ports that A's and B's NATs give out next,
 * and let A's i-th packet go to b(i): it leaves from a(i), if nobody else took a port
 * in between. When B does the same, they meet with their first packets (the "N+1"
 * technique, RFC 5128 section 3.5). But a single port that a stranger took shifts one of
 * the rows: A sends a(i + 1) -> b(i), B expects a(i) -> b(i), and they never meet, however many
 * packets they send, because both go on in step. So one of them goes on faster: its
 * i-th packet goes to a(2 i). With s ports taken at A and t at B the packets
 *
 *     A's k-th:  a(k + s) -> b(k)           B's l-th:  b(l + t) -> a(2 l)
 *
 * meet where k = l + t and 2 l = k + s, that is k = s + 2 t and l = s + t: always, if both
 * send enough packets. (Where the own mapping depends on the address only, it does not
 * move, and nobody hurries.)
 */
#include "agents/predict/guess.h"

#include <stdio.h>

#include "agents/net/clock.h"
#include "agents/predict/odds.h"

/* Neither more ports of a pattern nor more of a birthday attack are tried than make it this
 * likely; the attack is made certain where all ports can be tried. */
#define WANTED 0.999
enum { WINDOW_MIN = 8 }; /* a quiet NAT may not stay so */

static bool is_dependent(const struct outlook *outlook)
{
	return outlook->mapping == BEHAVIOUR_ADDRESS_DEPENDENT ||
	       outlook->mapping == BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT;
}

static bool is_predictable(const struct outlook *outlook)
{
	return outlook->pattern.next == PATTERN_SEQUENTIAL ||
	       outlook->pattern.next == PATTERN_PRESERVING;
}

static bool moves(const struct outlook *outlook)
{
	return outlook->mapping == BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT;
}

static unsigned int at_most(unsigned int value, unsigned int limit)
{
	return value < limit ? value : limit;
}

/* How many ports of @moving are tried by who would try up to @limit. */
static unsigned int window_for(const struct outlook *moving, unsigned int limit)
{
	unsigned int window = at_most(WINDOW_MIN, limit);

	while (window < limit && odds_window(1, moving->busy, window) < WANTED)
		window++;
	return window;
}

/* How many of each other's ports two peers try. */
static unsigned int window_for_both(const struct outlook *first, const struct outlook *second)
{
	unsigned int limit = at_most(at_most(first->window, second->window), GUESS_PORTS_MAX);
	unsigned int window = at_most(WINDOW_MIN, limit);

	while (window < limit && odds_both(1, first->busy, 1, second->busy, window) < WANTED)
		window++;
	return window;
}

static uint64_t range_of(const struct outlook *outlook)
{
	return (uint64_t)outlook->high - outlook->low + 1;
}

/* The next ports of @peer, or every second of them. */
static void aim(struct guess *guess, const struct outlook *peer, unsigned int window, bool hurry)
{
	uint16_t ports[2 * GUESS_PORTS_MAX];
	size_t count, i;

	count = pattern_predict(&peer->pattern, 0, ports, hurry ? 2 * (size_t)window : window);
	for (i = 0; i < count; i += hurry ? 2 : 1)
		guess->ports[guess->port_count++] = ports[i];
}

static void put_pattern(const struct port_pattern *pattern, char text[40])
{
	if (pattern->next == PATTERN_SEQUENTIAL)
		snprintf(text, 40, "sequential by %+d", pattern->step);
	else
		snprintf(text, 40, "%s", port_choice_name(pattern->next));
}

/* @count ports of a @pattern behind the next @skipped. At no rate it is the other who does it. */
static void sweep(struct guess *guess, const struct port_pattern *pattern, unsigned int skipped,
		  unsigned int count, uint64_t rate)
{
	if (rate == 0 || pattern_predict(pattern, skipped, &guess->first, 1) == 0)
		return;
	guess->step = pattern->step;
	guess->low = pattern->low;
	guess->high = pattern->high;
	guess->probes = count;
	guess->rate = rate;
}

static void predict_one(struct guess *guess, const struct outlook *own, const struct outlook *peer)
{
	bool ours = is_dependent(own);
	const struct outlook *moving = ours ? own : peer, *aiming = ours ? peer : own;
	unsigned int limit = at_most(aiming->window, GUESS_WINDOW_MAX);
	unsigned int window = window_for(moving, at_most(limit, GUESS_PORTS_MAX));
	bool sweeps = moving->pattern.next == PATTERN_SEQUENTIAL && aiming->rate && limit > window;
	char pattern[40];

	guess->kind = GUESS_PREDICTION;
	if (!ours)
		aim(guess, peer, window, false);
	if (sweeps) {
		sweep(guess, &moving->pattern, window, limit - window, ours ? 0 : own->rate);
		guess->duration = (limit - window) * SEC / aiming->rate;
		window = limit;
	}
	guess->probability = odds_window(moving->pattern.next_confidence, moving->busy, window);
	put_pattern(&moving->pattern, pattern);
	snprintf(guess->reason, sizeof(guess->reason),
		 "%s ports are %s: %u of them tried, chance %.1f %%", ours ? "our" : "the peer's",
		 pattern, window, guess->probability * 100);
}

static void predict_both(struct guess *guess, const struct outlook *own, const struct outlook *peer,
			 bool controlling)
{
	const struct outlook *first = controlling ? own : peer, *second = controlling ? peer : own;
	unsigned int window = window_for_both(first, second);
	char ours[40], theirs[40];
	bool race = moves(own) && moves(peer);

	guess->kind = GUESS_PREDICTION;
	if (race)
		guess->probability =
			odds_both(first->pattern.next_confidence, first->busy,
				  second->pattern.next_confidence, second->busy, window);
	else
		guess->probability = odds_window(own->pattern.next_confidence, own->busy, window) *
				     odds_window(peer->pattern.next_confidence, peer->busy, window);
	aim(guess, peer, window, race && !controlling);
	put_pattern(&own->pattern, ours);
	put_pattern(&peer->pattern, theirs);
	snprintf(guess->reason, sizeof(guess->reason),
		 "our ports are %s, the peer's %s: %u of them tried, chance %.1f %%", ours, theirs,
		 window, guess->probability * 100);
}

static void birthday_one(struct guess *guess, const struct outlook *own, const struct outlook *peer)
{
	bool ours = is_dependent(own);
	const struct outlook *moving = ours ? own : peer, *aiming = ours ? peer : own;
	double wanted = aiming->probes < range_of(moving) ? WANTED : 1;
	struct odds_plan plan = odds_plan(range_of(moving), moving->sockets, wanted, aiming->rate,
					  UINT64_MAX, aiming->probes);

	guess->kind = GUESS_BIRTHDAY;
	guess->probability = plan.probability;
	guess->sockets = ours ? own->sockets : 1;
	guess->rate = own->rate;
	guess->duration = plan.duration;
	if (!ours) {
		guess->low = peer->low;
		guess->high = peer->high;
		guess->probes = (uint32_t)plan.probes;
	}
	snprintf(guess->reason, sizeof(guess->reason),
		 "%u sockets opened behind the one NAT, %u of its %u ports tried: chance %.2f %%",
		 moving->sockets, (unsigned int)plan.probes, (unsigned int)range_of(moving),
		 plan.probability * 100);
}

static uint64_t longer_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* How many of @to's ports @from tries. */
static uint64_t scan_size(const struct outlook *from, const struct outlook *to)
{
	return from->probes < range_of(to) ? from->probes : range_of(to);
}

static uint64_t scan_time(const struct outlook *from, const struct outlook *to)
{
	return from->rate ? scan_size(from, to) * SEC / from->rate : 0;
}

/* Neither moves while it tries the other's ports. */
static void scan_both(struct guess *guess, const struct outlook *own, const struct outlook *peer)
{
	double mine = odds_birthday(range_of(peer), 1, own->probes);
	double theirs = odds_birthday(range_of(own), 1, peer->probes);
	uint64_t probes = scan_size(own, peer);

	guess->kind = GUESS_BIRTHDAY;
	guess->probability = mine * theirs;
	guess->sockets = 1;
	guess->rate = own->rate;
	guess->low = peer->low;
	guess->high = peer->high;
	guess->probes = (uint32_t)probes;
	guess->duration = longer_of(scan_time(own, peer), scan_time(peer, own));
	snprintf(guess->reason, sizeof(guess->reason),
		 "each keeps one port towards the other: %u of the peer's %u tried, chance %.2f %%",
		 (unsigned int)probes, (unsigned int)range_of(peer), guess->probability * 100);
}

static void give_up(struct guess *guess, const char *why, double probability)
{
	guess->kind = GUESS_HOPELESS;
	guess->probability = probability;
	snprintf(guess->reason, sizeof(guess->reason), "%s: the chance is %.2g %%, below 1 %%", why,
		 probability * 100);
}

static void guess_one(struct guess *guess, const struct outlook *own, const struct outlook *peer)
{
	const struct outlook *moving = is_dependent(own) ? own : peer;
	const struct outlook *aiming = is_dependent(own) ? peer : own;

	if (is_predictable(moving) && moving->window && aiming->window)
		predict_one(guess, own, peer);
	else if (moving->sockets && aiming->probes)
		birthday_one(guess, own, peer);
	else
		give_up(guess,
			moving == own ? "our ports cannot be predicted"
				      : "the peer's ports cannot be predicted",
			odds_birthday(range_of(moving), 1, 1));
}

static void guess_both(struct guess *guess, const struct outlook *own, const struct outlook *peer,
		       bool controlling)
{
	uint64_t pairs = range_of(own) * range_of(peer);

	if (is_predictable(own) && is_predictable(peer) && own->window && peer->window)
		predict_both(guess, own, peer, controlling);
	else if (!moves(own) && !moves(peer) && own->probes && peer->probes)
		scan_both(guess, own, peer);
	else if (is_predictable(own) || is_predictable(peer))
		give_up(guess, "the ports of one NAT cannot be predicted while the other's move on",
			odds_birthday(is_predictable(own) ? range_of(peer) : range_of(own), 1, 1));
	else
		give_up(guess, "both NATs draw their ports",
			odds_birthday(pairs, own->probes, peer->probes));
}

struct guess guess_make(const struct outlook *own, const struct outlook *peer, bool controlling)
{
	struct guess guess = {.kind = GUESS_NOTHING, .sockets = 1};

	if (own->mapping == BEHAVIOUR_UNKNOWN || peer->mapping == BEHAVIOUR_UNKNOWN)
		return guess;
	if (is_dependent(own) && is_dependent(peer))
		guess_both(&guess, own, peer, controlling);
	else if (is_dependent(own) || is_dependent(peer))
		guess_one(&guess, own, peer);
	if (guess.kind != GUESS_NOTHING && guess.kind != GUESS_HOPELESS &&
	    !odds_worth(guess.probability)) {
		double probability = guess.probability;

		guess = (struct guess){.sockets = 1};
		give_up(&guess, "too few ports can be tried", probability);
	}
	return guess;
}
