/* SPDX-License-Identifier: MIT */
/*
 * How this works
 *
 * Socket X makes a mapping and is then silent. After a while socket Y asks the server for
 * an answer to X's external port (RESPONSE-PORT), which comes from where X has sent to, so
 * that no filter minds: it arrives at X while the mapping lives.
 *
 *     X  -- request ------------------> server      mapping Pa:Pp
 *        ... idle ...
 *     Y  -- request, RESPONSE-PORT Pp -> server
 *     X  <- - - - - - - - answer to Pa:Pp - - -     alive, or else gone
 *     Y  -- control ------------------> server      and it was not the path
 *
 * RFC 5780 halves the interval again and again, which takes five to ten lifetimes of
 * waiting. Here eight mappings, each idle for another while, are a ladder that is climbed
 * once until the first is gone:
 *
 *     first pass   longest / 128, / 64, ... longest       the lifetime is between two rungs
 *     then         seven rungs evenly between those two   eight times as exact each time
 *
 * which takes three to five lifetimes to within a few per cent (the first pass ends at the next
 * rung, which may be twice the lifetime), and the refresh tests one more. What is told are the idle
 * times themselves, not those intended: at least `low` passed without a packet and the mapping was
 * alive, at most `high` and it was gone; a machine that pauses widens them and does not falsify
 * them. The mapping is also gone for us when only its permission for the server is (a filter with a
 * shorter life): the shorter of both is what counts.
 *
 * Then two more mappings, one reminded half-way by an answer from outside, one by
 * indications from inside (which nobody answers), tell what refreshes.
 */
#include "agents/detect/lifetime.h"

#include <assert.h>

enum {
	PASSES_MAX = 4,
	TRIES_MAX = 4,
	EXACT_PERCENT = 3,
	INDICATIONS = 3,
	INBOUND = 0,
	OUTBOUND = 1
};

static const char *const names[] = {
	[REFRESH_UNKNOWN] = "unknown", [REFRESH_OUTBOUND] = "outbound",
	[REFRESH_INBOUND] = "inbound", [REFRESH_BOTH] = "both",
	[REFRESH_NEITHER] = "neither",
};
static_assert(sizeof(names) / sizeof(*names) == REFRESH_COUNT, "every refresh has a name");

const char *refresh_name(enum refresh refresh)
{
	return names[refresh];
}

static size_t socket_y(const struct lifetime *lifetime)
{
	return lifetime->first + LIFETIME_RUNGS;
}

static void rung_start(struct lifetime *lifetime, struct site *site, uint64_t idle, uint64_t half,
		       uint64_t now)
{
	struct rung *rung = &lifetime->rungs[lifetime->count];

	*rung = (struct rung){.idle = idle, .half = half};
	probe_make(&rung->prime, lifetime->first + lifetime->count++, &site->server, &site->random);
	probe_repeat(&rung->prime, rtt_timeout(&site->rtt), site->timeout, now);
}

static void pass_start(struct lifetime *lifetime, struct site *site, uint64_t now)
{
	size_t i;

	lifetime->count = 0;
	lifetime->passes++;
	if (lifetime->high == 0) {
		for (i = 0; i < LIFETIME_RUNGS; i++)
			rung_start(lifetime, site, site->longest >> (LIFETIME_RUNGS - 1 - i), 0,
				   now);
		return;
	}
	for (i = 1; i < LIFETIME_RUNGS; i++)
		rung_start(lifetime, site,
			   lifetime->low + (lifetime->high - lifetime->low) * i / LIFETIME_RUNGS, 0,
			   now);
}

static void refresh_start(struct lifetime *lifetime, struct site *site, uint64_t now)
{
	uint64_t half = lifetime->low / 10 * 7, idle = lifetime->high / 10 * 11;

	if (idle - half > lifetime->low / 10 * 9) {
		notes_reason(&site->notes, "the lifetime is too short to see what refreshes");
		lifetime->stage = LIFETIME_OVER;
		return;
	}
	lifetime->stage = LIFETIME_REFRESH;
	lifetime->tries++;
	lifetime->count = 0;
	rung_start(lifetime, site, idle, half, now);
	rung_start(lifetime, site, idle, half, now);
}

/* Start what follows on a pass in which all is known that could be. */
static void next_stage(struct lifetime *lifetime, struct site *site, uint64_t now)
{
	uint64_t apart = lifetime->high - lifetime->low;

	if (lifetime->high == 0) { /* the longest idle time was survived */
		lifetime->stage = LIFETIME_OVER;
		return;
	}
	if (lifetime->passes < PASSES_MAX && apart > lifetime->high * EXACT_PERCENT / 100 &&
	    apart > 2 * rtt_timeout(&site->rtt))
		pass_start(lifetime, site, now);
	else
		refresh_start(lifetime, site, now);
}

static void give_up(struct lifetime *lifetime)
{
	lifetime->stage = LIFETIME_OVER;
}

/* ---- what a rung's end means ---- */

static void verified(struct lifetime *lifetime, struct site *site, const struct rung *rung,
		     uint64_t now)
{
	if (rung->trial.silence.verdict != ANSWER_CAME) {
		notes_reason(&site->notes, "the server does not answer to another port "
					   "(RESPONSE-PORT), so the lifetime cannot be tested");
		give_up(lifetime);
		return;
	}
	lifetime->stage = LIFETIME_SEARCH;
	lifetime->known = true;
	pass_start(lifetime, site, now);
}

static void searched(struct lifetime *lifetime, struct site *site, const struct rung *rung,
		     uint64_t now)
{
	if (rung->trial.silence.verdict == ANSWER_UNDECIDED) {
		lifetime->known = lifetime->low > 0;
		give_up(lifetime);
		return;
	}
	if (rung->trial.silence.verdict == ANSWER_CAME) {
		if (rung->alive > lifetime->low)
			lifetime->low = rung->alive;
		say(&site->notes.say, "lifetime: alive after %.1f ms", to_ms(rung->alive));
		if (rung == &lifetime->rungs[lifetime->count - 1])
			next_stage(lifetime, site, now);
		return;
	}
	lifetime->high = rung->gone;
	say(&site->notes.say, "lifetime: gone after %.1f ms", to_ms(rung->gone));
	next_stage(lifetime, site, now);
}

/*
 * Silence says that the reminder did not refresh, if it came in time and the question did:
 * a machine that paused between them has shown nothing.
 */
static bool conclusive(const struct lifetime *lifetime, const struct site *site,
		       const struct rung *rung)
{
	if (rung->trial.silence.verdict != ANSWER_SILENCE)
		return rung->trial.silence.verdict == ANSWER_CAME;
	return rung->remind_last > 0 && rung->remind_last - rung->prime.last_sent < lifetime->low &&
	       rung->check.last_sent + site->rtt.smoothed - rung->remind_first < lifetime->low;
}

static void refreshed(struct lifetime *lifetime, struct site *site, uint64_t now)
{
	const struct rung *inbound = &lifetime->rungs[INBOUND];
	const struct rung *outbound = &lifetime->rungs[OUTBOUND];
	bool by_inbound = inbound->trial.silence.verdict == ANSWER_CAME;
	bool by_outbound = outbound->trial.silence.verdict == ANSWER_CAME;

	if (!inbound->trial.silence.over || !outbound->trial.silence.over)
		return;
	if (!conclusive(lifetime, site, inbound) || !conclusive(lifetime, site, outbound)) {
		if (lifetime->tries < TRIES_MAX) {
			refresh_start(lifetime, site, now);
			return;
		}
		notes_reason(&site->notes, "this host is too busy to see what refreshes");
		lifetime->stage = LIFETIME_OVER;
		return;
	}
	lifetime->stage = LIFETIME_OVER;
	if (by_inbound)
		lifetime->refresh = by_outbound ? REFRESH_BOTH : REFRESH_INBOUND;
	else
		lifetime->refresh = by_outbound ? REFRESH_OUTBOUND : REFRESH_NEITHER;
	say(&site->notes.say, "lifetime: refreshed by %s", refresh_name(lifetime->refresh));
}

static void rung_over(struct lifetime *lifetime, struct site *site, const struct rung *rung,
		      uint64_t now)
{
	switch (lifetime->stage) {
	case LIFETIME_VERIFY:
		verified(lifetime, site, rung, now);
		break;
	case LIFETIME_SEARCH:
		searched(lifetime, site, rung, now);
		break;
	case LIFETIME_REFRESH:
		refreshed(lifetime, site, now);
		break;
	case LIFETIME_OVER:
		break;
	}
}

/* ---- one rung ---- */

static uint64_t idle_until(const struct rung *rung)
{
	return rung->prime.answered_at + rung->idle;
}

static bool wants_remind(const struct rung *rung)
{
	return rung->half > 0 && !rung->reminded && rung->prime.answered;
}

/* Half-way: from outside one answer that must come, from inside some indications. */
static bool rung_remind(struct lifetime *lifetime, struct site *site, struct rung *rung,
			uint64_t now, struct datagram *ret)
{
	struct probe *remind = &rung->remind;
	bool inbound = rung == &lifetime->rungs[INBOUND];

	if (now < rung->prime.answered_at + rung->half)
		return false;
	if (!inbound) {
		struct stun_builder builder;

		if (rung->reminds == 0) {
			rung->remind_first = now;
			probe_make(remind, rung->prime.socket, &site->server, &site->random);
		}
		rung->remind_last = now;
		ret->socket = remind->socket;
		ret->to = remind->to;
		stun_begin(&builder, ret->bytes, sizeof(ret->bytes), STUN_INDICATION, STUN_BINDING,
			   remind->id);
		ret->length = stun_end(&builder);
		rung->reminded = ++rung->reminds == INDICATIONS;
		return true;
	}
	if (remind->sent == 0 && !remind->running) {
		probe_make(remind, socket_y(lifetime), &site->server, &site->random);
		remind->extras.response_port = rung->prime.mapped.port;
		probe_repeat(remind, rtt_timeout(&site->rtt), site->timeout, now);
	}
	if (probe_step(remind, now)) {
		probe_emit(remind, now, ret);
		return true;
	}
	if (remind->failed)
		rung->reminded = true; /* but not heard of: see conclusive() */
	return false;
}

static bool rung_check(struct lifetime *lifetime, struct site *site, struct rung *rung,
		       uint64_t now, struct datagram *ret)
{
	struct trial *trial = &rung->trial;

	if (!trial->silence.running) {
		if (now < idle_until(rung))
			return false;
		probe_make(&rung->check, socket_y(lifetime), &site->server, &site->random);
		rung->check.extras.response_port = rung->prime.mapped.port;
		trial_start(trial, site, socket_y(lifetime), now);
	}
	if (trial->silence.over)
		return false;
	if (trial->owes_control) {
		trial_control(trial, now, ret);
		return true;
	}
	if (trial_step(trial, site, now)) {
		probe_emit(&rung->check, now, ret);
		return true;
	}
	if (!trial->silence.over)
		return false;
	rung->gone = rung->check.last_sent + site->rtt.smoothed - rung->prime.last_sent;
	rung_over(lifetime, site, rung, now);
	return false;
}

static bool rung_send(struct lifetime *lifetime, struct site *site, struct rung *rung, uint64_t now,
		      struct datagram *ret)
{
	if (probe_step(&rung->prime, now)) {
		probe_emit(&rung->prime, now, ret);
		return true;
	}
	if (rung->prime.failed) {
		notes_reason(&site->notes, "the server stopped answering");
		lifetime->known = lifetime->low > 0;
		give_up(lifetime);
		return false;
	}
	if (!rung->prime.answered)
		return false;
	if (wants_remind(rung) && rung_remind(lifetime, site, rung, now, ret))
		return true;
	if (wants_remind(rung))
		return false;
	return rung_check(lifetime, site, rung, now, ret);
}

static uint64_t rung_due(const struct rung *rung)
{
	if (!rung->prime.answered)
		return probe_due(&rung->prime);
	if (rung->trial.silence.running)
		return trial_due(&rung->trial);
	if (rung->remind.running)
		return probe_due(&rung->remind);
	return wants_remind(rung) ? rung->prime.answered_at + rung->half : idle_until(rung);
}

/* An answer to a rung's check: at X it is alive; anywhere else it says nothing about X. */
static void check_answer(struct lifetime *lifetime, struct site *site, struct rung *rung,
			 size_t socket, uint64_t now)
{
	if (rung->trial.silence.over || socket != rung->prime.socket)
		return;
	rung->alive = rung->check.first_sent - rung->prime.answered_at;
	trial_end(&rung->trial, site, ANSWER_CAME, now);
	rung_over(lifetime, site, rung, now);
}

static void check_refused(struct lifetime *lifetime, struct site *site,
			  const struct stun_message *message)
{
	notes_reason(&site->notes, "the server refused RESPONSE-PORT with error %u",
		     probe_error(message));
	lifetime->known = false;
	give_up(lifetime);
}

static void rung_receive(struct lifetime *lifetime, struct site *site, struct rung *rung,
			 size_t socket, const struct endpoint *from,
			 const struct stun_message *message, uint64_t now)
{
	struct probe *prime = &rung->prime;
	bool success = message->class == STUN_SUCCESS;

	if (probe_is(&rung->check, message)) {
		if (success)
			check_answer(lifetime, site, rung, socket, now);
		else
			check_refused(lifetime, site, message);
	} else if (probe_is(&rung->remind, message)) {
		if (success && socket == prime->socket) {
			rung->remind.running = false;
			rung->reminded = true;
			rung->remind_first = rung->remind.first_sent;
			rung->remind_last = now;
		}
	} else if (success && socket == prime->socket && prime->running &&
		   probe_is(prime, message) && probe_answer(prime, message, now)) {
		rtt_measure(&site->rtt, now - prime->first_sent, prime->sent == 1);
	} else if (rung->trial.silence.running &&
		   trial_receive(&rung->trial, site, socket, from, message, now) &&
		   !addr_equal(&rung->trial.control.mapped.addr, &prime->mapped.addr)) {
		notes_reason(&site->notes, "the NAT gives sockets different external addresses, "
					   "so the lifetime cannot be tested");
		lifetime->known = false;
		give_up(lifetime);
	}
}

/* ---- the exam ---- */

static void lifetime_start(void *exam, struct site *site, size_t first, uint64_t now)
{
	struct lifetime *lifetime = exam;

	*lifetime = (struct lifetime){.first = first, .stage = LIFETIME_VERIFY};
	rung_start(lifetime, site, 0, 0, now);
}

/* Changes whenever other rungs have taken the place of those that were. */
static unsigned int turn_of(const struct lifetime *lifetime)
{
	return (unsigned int)lifetime->stage + lifetime->passes + lifetime->tries;
}

static bool lifetime_send(void *exam, struct site *site, uint64_t now, struct datagram *ret)
{
	struct lifetime *lifetime = exam;
	unsigned int turn;
	size_t i;

	do { /* a rung that ends may begin the next pass, whose rungs are to be looked at */
		turn = turn_of(lifetime);
		for (i = 0; lifetime->stage != LIFETIME_OVER && i < lifetime->count &&
			    turn_of(lifetime) == turn;
		     i++) {
			if (rung_send(lifetime, site, &lifetime->rungs[i], now, ret))
				return true;
		}
	} while (turn_of(lifetime) != turn);
	return false;
}

static uint64_t lifetime_due(const void *exam)
{
	const struct lifetime *lifetime = exam;
	uint64_t due = UINT64_MAX;
	size_t i;

	for (i = 0; i < lifetime->count && lifetime->stage != LIFETIME_OVER; i++) {
		if (rung_due(&lifetime->rungs[i]) < due)
			due = rung_due(&lifetime->rungs[i]);
	}
	return due;
}

static void lifetime_receive(void *exam, struct site *site, size_t socket,
			     const struct endpoint *from, const struct stun_message *message,
			     uint64_t now)
{
	struct lifetime *lifetime = exam;
	unsigned int turn = turn_of(lifetime);
	size_t i;

	if (message->class != STUN_SUCCESS && message->class != STUN_ERROR)
		return;
	for (i = 0; i < lifetime->count && turn_of(lifetime) == turn; i++)
		rung_receive(lifetime, site, &lifetime->rungs[i], socket, from, message, now);
}

static bool lifetime_over(const void *exam)
{
	return ((const struct lifetime *)exam)->stage == LIFETIME_OVER;
}

const struct exam_kind lifetime_exam = {.name = "lifetime",
					.sockets = LIFETIME_RUNGS + 1,
					.start = lifetime_start,
					.send = lifetime_send,
					.due = lifetime_due,
					.receive = lifetime_receive,
					.over = lifetime_over};
