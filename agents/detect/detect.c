/* SPDX-License-Identifier: MIT */
/*
 * How this works
 *
 * The server speaks from four endpoints, A1:P1 (the one we were given), A1:P2,
 * A2:P1 and A2:P2. Test I asks A1:P1 and learns our mapped endpoint, the round trip
 * and, from OTHER-ADDRESS, A2:P2. Then both filtering tests run at once, because
 * each has a socket, hence a mapping, of its own; and then the mapping tests at once:
 *
 *     change-both      -> A1:P1 "answer from A2:P2" does it come in?
 *     change-port      -> A1:P1 "answer from A1:P2" does it come in?
 *     mapping socket   -> A2:P1, A2:P2, A1:P2       which mapped endpoint do they see?
 *
 * Filtering comes first, for some filters remember a remote address for the whole
 * host: once anything was sent to A2, its answers would come in everywhere (RFC 5780
 * section 4.5 warns of such prior state).
 *
 * Questions that must be answered are simply repeated until they are. The two filtering
 * tests may rightly meet silence, and silence has many causes: the filter, a lost packet,
 * a slow path, a dead server. The obvious design waits some seconds and assumes the
 * filter; it is slow where the path is fast and wrong where the path is bad. Instead
 * a silence is proven, in rounds:
 *
 *     -- request (change both) --> A1:P1 ==> A2:P2 - - answer - - > X filter?
 *     -- control (change nothing) -> A1:P1 ------- answer ----------> us
 *
 * The control follows the request on the same path, so its answer shows that the
 * path, the mapping and the server lived right behind the request; when it is here
 * and the request's answer is not, that answer was lost or filtered. After enough
 * such rounds (silence_needed(): more where losses are seen) it was filtered, if the
 * endpoint that should have answered speaks at all. The mapping tests show that: A2:P2
 * and A1:P2 must answer there, which they do, however far they are, after what they had to
 * say before. Without these proofs the verdict is "unknown", with the reason.
 *
 * In a lab this takes about ten milliseconds, over 300 ms of round trip with losses
 * a few seconds, and is right in both.
 *
 * The price: RFC 5780 section 5 wants at most ten new transactions a second, so rounds
 * repeat one transaction (same id) instead of making new ones; a detection makes eight.
 */
#include "agents/detect/detect.h"

#include "agents/net/clock.h"

static struct silence_path path_of(const struct detect *detect, uint64_t now)
{
	unsigned int trials = 0, lost = 0;

	detect_losses(detect, now, &trials, &lost);
	return rtt_path(&detect->rtt, silence_needed(trials, lost));
}

static size_t socket_of(enum detect_probe which)
{
	switch (which) {
	case PROBE_CHANGE_BOTH:
	case PROBE_CONTROL_BOTH:
		return SOCKET_CHANGE_BOTH;
	case PROBE_CHANGE_PORT:
	case PROBE_CONTROL_PORT:
		return SOCKET_CHANGE_PORT;
	case PROBE_PRIMARY:
	case PROBE_ADDRESS:
	case PROBE_BOTH:
	case PROBE_PORT:
	case PROBE_COUNT:
		break;
	}
	return SOCKET_MAPPING;
}

static void ask(struct detect *detect, enum detect_probe which, const struct endpoint *to,
		uint64_t first, uint64_t now)
{
	probe_make(&detect->probes[which], socket_of(which), to, &detect->config.random);
	probe_repeat(&detect->probes[which], first, detect->config.timeout, now);
}

static void ask_in_rounds(struct detect *detect, enum detect_probe which, uint32_t change,
			  struct silence *silence, uint64_t now)
{
	const struct endpoint *server = &detect->config.server;
	enum detect_probe control = which + 1;

	probe_make(&detect->probes[which], socket_of(which), server, &detect->config.random);
	probe_make(&detect->probes[control], socket_of(control), server, &detect->config.random);
	detect->probes[which].extras.change = change;
	silence_start(silence, now);
}

void detect_start(struct detect *detect, const struct detect_config *config, uint64_t now)
{
	*detect = (struct detect){.config = *config,
				  .started = now,
				  .queued = PROBE_COUNT,
				  .notes = {.say = config->say}};
	/* RFC 3489 section 9.3 starts at 100 ms and doubles; nothing is known of the path yet. */
	ask(detect, PROBE_PRIMARY, &config->server, 100 * MSEC, now);
}

void detect_start_filtering(struct detect *detect, uint64_t now)
{
	if (!detect->has_other) {
		notes_reason(&detect->notes, "the server has no second address (no OTHER-ADDRESS), "
					     "so mapping and filtering cannot be tested");
		return;
	}
	ask_in_rounds(detect, PROBE_CHANGE_BOTH, STUN_CHANGE_IP | STUN_CHANGE_PORT,
		      &detect->change_both, now);
	ask_in_rounds(detect, PROBE_CHANGE_PORT, STUN_CHANGE_PORT, &detect->change_port, now);
}

/* No datagram of a filtering test is still awaited that our own sending could let in. */
static bool filtering_is_over(const struct detect *detect, uint64_t now)
{
	const struct silence *both = &detect->change_both, *port = &detect->change_port;
	unsigned int needed = path_of(detect, now).needed;

	if (!both->running)
		return false;
	if (both->over && both->verdict == ANSWER_CAME)
		return true;
	return (both->over || both->proven >= needed) && (port->over || port->proven >= needed);
}

/* Returns whether it did. */
static bool start_mapping(struct detect *detect, uint64_t now)
{
	struct endpoint to = detect->other;
	uint64_t first = rtt_timeout(&detect->rtt);

	if (detect->mapping_started || !filtering_is_over(detect, now))
		return false;
	detect->mapping_started = true;
	ask(detect, PROBE_BOTH, &to, first, now);
	to.port = detect->config.server.port;
	ask(detect, PROBE_ADDRESS, &to, first, now);
	to = detect->config.server;
	to.port = detect->other.port;
	ask(detect, PROBE_PORT, &to, first, now);
	return true;
}

static void gave_up(struct detect *detect, enum detect_probe which)
{
	char text[ENDPOINT_TEXT_MAX];
	const struct probe *probe = &detect->probes[which];

	endpoint_format(&probe->to, text);
	if (which == PROBE_PRIMARY) {
		detect->blocked = true;
		notes_reason(&detect->notes, "%s did not answer %u requests in %.1f s", text,
			     probe->sent, to_ms(detect->config.timeout) / 1000);
	} else {
		notes_reason(&detect->notes,
			     "%s, where the server says it listens too, did not answer", text);
	}
}

/* A question that must be answered: send it again when it is time. */
static bool step_probe(struct detect *detect, enum detect_probe which, uint64_t now,
		       struct datagram *ret)
{
	struct probe *probe = &detect->probes[which];
	bool failed = probe->failed;

	if (probe_step(probe, now)) {
		probe_emit(probe, now, ret);
		return true;
	}
	if (probe->failed && !failed)
		gave_up(detect, which);
	return false;
}

/* The rounds of one filtering test; @voice is the probe that shows the answering endpoint speaks.
 */
static bool step_silence(struct detect *detect, struct silence *silence, enum detect_probe which,
			 enum detect_probe voice, uint64_t now, struct datagram *ret)
{
	struct silence_path path = path_of(detect, now);
	bool was_over = silence->over;

	/* A silence means nothing until the other voice was heard: keep the verdict open. */
	if (!silence->over && silence->proven >= path.needed &&
	    (!detect->mapping_started || detect->probes[voice].running)) {
		silence->due = UINT64_MAX;
		return false;
	}
	if (silence_step(silence, &path, 2 * detect->config.timeout, now) == SILENCE_SEND) {
		probe_emit(&detect->probes[which], now, ret);
		detect->queued = which + 1;
		return true;
	}
	if (!silence->over || was_over || !silence->running)
		return false;
	if (silence->verdict == ANSWER_SILENCE && detect->probes[voice].failed)
		silence->verdict = ANSWER_UNDECIDED; /* gave_up() told the reason */
	if (silence->verdict == ANSWER_SILENCE)
		say(&detect->notes.say, "%s: silence, while %u of %u controls were answered",
		    detect_probe_name(which), silence->proven, silence->rounds);
	else
		notes_reason(&detect->notes,
			     "the path to the server died: %u of %u controls were answered",
			     silence->proven, silence->rounds);
	return false;
}

void detect_check_done(struct detect *detect, uint64_t now)
{
	size_t i;

	if (detect->done)
		return;
	for (i = 0; i <= PROBE_BOTH; i++) {
		if (detect->probes[i].running)
			return;
	}
	if (detect->change_both.running && !detect->mapping_started)
		return;
	if (detect->change_both.running) {
		bool open = detect->change_both.over && detect->change_both.verdict == ANSWER_CAME;

		if (!detect->change_both.over || (!open && !detect->change_port.over))
			return;
	}
	detect->done = true;
	detect->ended = now;
}

bool detect_send(struct detect *detect, uint64_t now, struct datagram *ret)
{
	size_t i;

	if (detect->done)
		return false;
	if (detect->queued != PROBE_COUNT) {
		probe_emit(&detect->probes[detect->queued], now, ret);
		detect->queued = PROBE_COUNT;
		return true;
	}
	do {
		for (i = 0; i <= PROBE_PORT; i++) {
			if (step_probe(detect, (enum detect_probe)i, now, ret))
				return true;
		}
		if (step_silence(detect, &detect->change_both, PROBE_CHANGE_BOTH, PROBE_BOTH, now,
				 ret) ||
		    step_silence(detect, &detect->change_port, PROBE_CHANGE_PORT, PROBE_PORT, now,
				 ret))
			return true;
	} while (start_mapping(detect, now));
	detect_check_done(detect, now);
	return false;
}

uint64_t detect_due(const struct detect *detect)
{
	const struct silence *const tests[2] = {&detect->change_both, &detect->change_port};
	uint64_t due = UINT64_MAX;
	size_t i;

	if (detect->done)
		return due;
	for (i = 0; i <= PROBE_PORT; i++) {
		if (probe_due(&detect->probes[i]) < due)
			due = probe_due(&detect->probes[i]);
	}
	for (i = 0; i < 2; i++) {
		if (tests[i]->running && !tests[i]->over && tests[i]->due < due)
			due = tests[i]->due;
	}
	return due;
}

struct observation detect_observation(const struct detect *detect)
{
	const struct probe *probes = detect->probes;

	return (struct observation){
		.reached = probes[PROBE_PRIMARY].answered,
		.blocked = detect->blocked,
		.local = detect->config.local[SOCKET_MAPPING],
		.primary = probes[PROBE_PRIMARY].mapped,
		.has_address = probes[PROBE_ADDRESS].answered,
		.address = probes[PROBE_ADDRESS].mapped,
		.has_both = probes[PROBE_BOTH].answered,
		.both = probes[PROBE_BOTH].mapped,
		.change_both =
			detect->change_both.over ? detect->change_both.verdict : ANSWER_UNDECIDED,
		.change_port =
			detect->change_port.over ? detect->change_port.verdict : ANSWER_UNDECIDED,
	};
}

unsigned int detect_sent(const struct detect *detect)
{
	unsigned int sent = 0;
	size_t i;

	for (i = 0; i < PROBE_COUNT; i++)
		sent += detect->probes[i].sent;
	return sent;
}

void detect_losses(const struct detect *detect, uint64_t now, unsigned int *trials,
		   unsigned int *lost)
{
	uint64_t timeout = rtt_timeout(&detect->rtt);

	silence_losses(&detect->change_both, timeout, now, trials, lost);
	silence_losses(&detect->change_port, timeout, now, trials, lost);
}

unsigned int detect_lost(const struct detect *detect)
{
	unsigned int trials = 0, lost = 0;

	detect_losses(detect, detect->ended, &trials, &lost);
	return lost;
}
