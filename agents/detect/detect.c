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

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"

enum { REFUSALS_MAX = 3 }; /* ICMP errors from routers that end Test I */

/* Nothing faster than this is taken for a loss: a busy machine pauses programs that long. */
#define RTO_MIN (20 * MSEC)

static void __attribute__((format(printf, 2, 3)))
say(const struct detect *detect, const char *format, ...)
{
	char line[240];
	va_list arguments;

	if (!detect->config.say)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	detect->config.say(detect->config.say_context, line);
}

static void __attribute__((format(printf, 2, 3)))
give_reason(struct detect *detect, const char *format, ...)
{
	va_list arguments;

	if (detect->reason[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(detect->reason, sizeof(detect->reason), format, arguments);
	va_end(arguments);
	say(detect, "%s", detect->reason);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* RFC 6298 section 2 for `rto`; `slack` is for reordering. */
static struct silence_path path_of(const struct detect *detect, uint64_t now)
{
	struct silence_path path = {
		.rto = clamp(detect->srtt + 4 * detect->rttvar, RTO_MIN, SEC),
		.slack = clamp(2 * detect->rttvar, 5 * MSEC, SEC),
		.pace = clamp(detect->srtt / 8, MSEC, 25 * MSEC),
	};
	unsigned int trials = 0, lost = 0;

	silence_losses(&detect->change_both, path.rto, now, &trials, &lost);
	silence_losses(&detect->change_port, path.rto, now, &trials, &lost);
	path.needed = silence_needed(trials, lost);
	return path;
}

/*
 * Karn's rule: what was sent more than once does not tell the round trip, only a bound
 * of it, of which the least serves until something better is known.
 */
static void measure(struct detect *detect, enum detect_probe which, uint64_t sample)
{
	bool clean = detect->probes[which].sent == 1;
	uint64_t off = sample > detect->srtt ? sample - detect->srtt : detect->srtt - sample;

	if (detect->clean_rtt && clean) { /* RFC 6298 section 2.3 */
		detect->rttvar = (3 * detect->rttvar + off) / 4;
		detect->srtt = (7 * detect->srtt + sample) / 8;
	} else if (clean || detect->srtt == 0 || (!detect->clean_rtt && sample < detect->srtt)) {
		detect->srtt = sample;
		detect->rttvar = sample / 2;
	}
	detect->clean_rtt = detect->clean_rtt || clean;
}

static void ask(struct detect *detect, enum detect_probe which, const struct endpoint *to,
		uint64_t first, uint64_t now)
{
	struct probe *probe = &detect->probes[which];
	struct transaction_timing timing = {.first = first,
					    .longest = 400 * MSEC,
					    .limit = detect->config.timeout ? detect->config.timeout
									    : 1};

	probe_make(probe, to, &detect->config.random);
	probe->running = true;
	transaction_start(&probe->transaction, &timing, now);
}

static void ask_in_rounds(struct detect *detect, enum detect_probe which, struct silence *silence,
			  uint64_t now)
{
	const struct random_source *random = &detect->config.random;

	probe_make(&detect->probes[which], &detect->config.server, random);
	probe_make(&detect->probes[which + 1], &detect->config.server, random);
	silence_start(silence, now);
}

void detect_start(struct detect *detect, const struct detect_config *config, uint64_t now)
{
	*detect = (struct detect){.config = *config, .started = now, .queued = PROBE_COUNT};
	/* RFC 3489 section 9.3 starts at 100 ms and doubles; nothing is known of the path yet. */
	ask(detect, PROBE_PRIMARY, &config->server, 100 * MSEC, now);
}

/* Test I has been answered: the filtering tests may start, if the server can serve them. */
static void start_filtering(struct detect *detect, uint64_t now)
{
	if (!detect->has_other) {
		give_reason(detect, "the server has no second address (no OTHER-ADDRESS), "
				    "so mapping and filtering cannot be tested");
		return;
	}
	ask_in_rounds(detect, PROBE_CHANGE_BOTH, &detect->change_both, now);
	ask_in_rounds(detect, PROBE_CHANGE_PORT, &detect->change_port, now);
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
	uint64_t first = clamp(detect->srtt + 4 * detect->rttvar, RTO_MIN, SEC);

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
	struct probe *probe = &detect->probes[which];

	probe->running = false;
	probe->failed = true;
	endpoint_format(&probe->to, text);
	if (which == PROBE_PRIMARY) {
		detect->blocked = true;
		give_reason(detect, "%s did not answer %u requests in %.1f s", text, probe->sent,
			    to_ms(detect->config.timeout) / 1000);
	} else {
		give_reason(detect, "%s, where the server says it listens too, did not answer",
			    text);
	}
}

/* A question that must be answered: send it again when it is time. */
static bool step_probe(struct detect *detect, enum detect_probe which, uint64_t now,
		       struct detect_packet *ret)
{
	struct probe *probe = &detect->probes[which];

	if (!probe->running)
		return false;
	switch (transaction_step(&probe->transaction, now)) {
	case TRANSACTION_WAIT:
		return false;
	case TRANSACTION_SEND:
		probe_emit(&detect->probes[which], which, now, ret);
		return true;
	case TRANSACTION_FAIL:
		gave_up(detect, which);
		return false;
	}
	return false;
}

/* The rounds of one filtering test; @voice is the probe that shows the answering endpoint speaks.
 */
static bool step_silence(struct detect *detect, struct silence *silence, enum detect_probe which,
			 enum detect_probe voice, uint64_t now, struct detect_packet *ret)
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
		probe_emit(&detect->probes[which], which, now, ret);
		detect->queued = which + 1;
		return true;
	}
	if (!silence->over || was_over || !silence->running)
		return false;
	if (silence->verdict == ANSWER_SILENCE && detect->probes[voice].failed)
		silence->verdict = ANSWER_UNDECIDED; /* gave_up() told the reason */
	if (silence->verdict == ANSWER_SILENCE)
		say(detect, "%s: silence, while %u of %u controls were answered", probe_name(which),
		    silence->proven, silence->rounds);
	else
		give_reason(detect, "the path to the server died: %u of %u controls were answered",
			    silence->proven, silence->rounds);
	return false;
}

/* The verdict is complete as soon as nothing that is still open could change it. */
static void check_done(struct detect *detect, uint64_t now)
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

bool detect_send(struct detect *detect, uint64_t now, struct detect_packet *ret)
{
	size_t i;

	if (detect->done)
		return false;
	if (detect->queued != PROBE_COUNT) {
		probe_emit(&detect->probes[detect->queued], detect->queued, now, ret);
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
	check_done(detect, now);
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
		if (detect->probes[i].running && detect->probes[i].transaction.due < due)
			due = detect->probes[i].transaction.due;
	}
	for (i = 0; i < 2; i++) {
		if (tests[i]->running && !tests[i]->over && tests[i]->due < due)
			due = tests[i]->due;
	}
	return due;
}

/* The probe @message answers, or PROBE_COUNT. */
static enum detect_probe find_probe(const struct detect *detect, enum detect_socket socket,
				    const struct stun_message *message)
{
	size_t i;

	for (i = 0; i < PROBE_COUNT; i++) {
		if (detect->probes[i].sent > 0 && probe_socket((enum detect_probe)i) == socket &&
		    memcmp(detect->probes[i].id, stun_id(message), STUN_ID_SIZE) == 0)
			break;
	}
	return (enum detect_probe)i;
}

/* A filtering test's request was answered: from where it was asked to be? */
static void filtering_answer(struct detect *detect, enum detect_probe which,
			     struct silence *silence, const struct endpoint *from)
{
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint expected = detect->other;

	if (silence->over)
		return;
	if (which == PROBE_CHANGE_PORT)
		expected.addr = detect->config.server.addr;
	endpoint_format(from, text);
	if (endpoint_equal(from, &expected)) {
		say(detect, "%s: answered by %s", probe_name(which), text);
		silence_end(silence, ANSWER_CAME);
		return;
	}
	give_reason(detect, "the server does not honour CHANGE-REQUEST: %s answered", text);
	silence_end(silence, ANSWER_UNDECIDED);
}

static void control_answer(struct detect *detect, struct probe *probe, enum detect_probe which,
			   struct silence *silence, uint64_t now)
{
	if (!probe->answered)
		measure(detect, which, now - probe->first_sent);
	probe->answered = true;
	silence_proof(silence, now);
}

static void mapping_answer(struct detect *detect, enum detect_probe which,
			   const struct stun_message *message, const struct endpoint *mapped,
			   uint64_t now)
{
	char text[ENDPOINT_TEXT_MAX], us[ENDPOINT_TEXT_MAX];
	struct probe *probe = &detect->probes[which];

	probe->running = false;
	probe->answered = true;
	probe->mapped = *mapped;
	measure(detect, which, now - probe->first_sent);
	say(detect, "%s: %s sees us as %s (%.3f ms)", probe_name(which),
	    endpoint_format(&probe->to, text), endpoint_format(mapped, us),
	    to_ms(now - probe->first_sent));
	if (which != PROBE_PRIMARY)
		return;
	detect->has_other = stun_other_address(message, &detect->other) &&
			    detect->other.port != detect->config.server.port &&
			    !addr_equal(&detect->other.addr, &detect->config.server.addr);
	if (!detect->config.binding_only)
		start_filtering(detect, now);
}

static void error_answer(struct detect *detect, enum detect_probe which,
			 const struct stun_message *message)
{
	struct stun_attribute attribute;
	struct stun_error_code error = {0};

	if (stun_find(message, STUN_ERROR_CODE, &attribute))
		(void)stun_read_error(&attribute, &error);
	give_reason(detect, "the server refused %s with error %u", probe_name(which), error.code);
	if (which == PROBE_CHANGE_BOTH) {
		silence_end(&detect->change_both, ANSWER_UNDECIDED);
	} else if (which == PROBE_CHANGE_PORT) {
		silence_end(&detect->change_port, ANSWER_UNDECIDED);
	} else {
		detect->probes[which].running = false;
		detect->probes[which].failed = true;
	}
}

static void success_answer(struct detect *detect, enum detect_probe which,
			   const struct stun_message *message, const struct endpoint *from,
			   uint64_t now)
{
	struct probe *probe = &detect->probes[which];
	struct endpoint mapped;

	if (!stun_mapped_address(message, &mapped))
		return;
	if (mapped.port != detect->config.local[probe_socket(which)].port)
		detect->ports_changed = true;
	switch (which) {
	case PROBE_CHANGE_BOTH:
		filtering_answer(detect, which, &detect->change_both, from);
		break;
	case PROBE_CHANGE_PORT:
		filtering_answer(detect, which, &detect->change_port, from);
		break;
	case PROBE_CONTROL_BOTH:
		control_answer(detect, probe, which, &detect->change_both, now);
		break;
	case PROBE_CONTROL_PORT:
		control_answer(detect, probe, which, &detect->change_port, now);
		break;
	case PROBE_PRIMARY:
	case PROBE_ADDRESS:
	case PROBE_BOTH:
	case PROBE_PORT:
	case PROBE_COUNT:
		if (probe->running)
			mapping_answer(detect, which, message, &mapped, now);
		break;
	}
}

void detect_receive(struct detect *detect, enum detect_socket socket, const struct endpoint *from,
		    const void *datagram, size_t length, uint64_t now)
{
	struct stun_message message;
	enum detect_probe which;
	bool from_changed;

	if (detect->done || !stun_parse(datagram, length, &message) ||
	    message.method != STUN_BINDING ||
	    (message.class != STUN_SUCCESS && message.class != STUN_ERROR))
		return;
	which = find_probe(detect, socket, &message);
	if (which == PROBE_COUNT)
		return;
	/* Only a filtering test expects its answer from elsewhere than it asked. */
	from_changed = which == PROBE_CHANGE_BOTH || which == PROBE_CHANGE_PORT;
	if (!from_changed && !endpoint_equal(from, &detect->probes[which].to))
		return;
	if (message.class == STUN_ERROR)
		error_answer(detect, which, &message);
	else
		success_answer(detect, which, &message, from, now);
	check_done(detect, now);
}

void detect_refused(struct detect *detect, const struct endpoint *to, const struct addr *reporter,
		    int error, uint64_t now)
{
	struct probe *probe = &detect->probes[PROBE_PRIMARY];
	char server[ENDPOINT_TEXT_MAX], who[ADDR_TEXT_MAX];

	if (!probe->running || !endpoint_equal(to, &probe->to))
		return;
	endpoint_format(to, server);
	if (error == ECONNREFUSED && addr_equal(reporter, &to->addr)) {
		/* It came all the way from the server's host: nothing is blocked, nobody listens.
		 */
		give_reason(detect, "nothing listens on %s", server);
		probe->failed = true;
	} else if (++detect->refusals >= REFUSALS_MAX) {
		give_reason(detect, "%s refuses to let UDP pass to %s (ICMP: %s)",
			    addr_format(reporter, who), server, strerror(error));
		detect->blocked = true;
		probe->failed = true;
	}
	probe->running = !probe->failed;
	check_done(detect, now);
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

unsigned int detect_lost(const struct detect *detect)
{
	uint64_t rto = path_of(detect, detect->ended).rto;
	unsigned int trials = 0, lost = 0;

	silence_losses(&detect->change_both, rto, detect->ended, &trials, &lost);
	silence_losses(&detect->change_port, rto, detect->ended, &trials, &lost);
	return lost;
}
