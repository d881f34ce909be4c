/* SPDX-License-Identifier: MIT */
/*
 * How this works
 *
 * Two sockets learn their mapped endpoints, then each sends a request to the mapped
 * endpoint of the other, the second right behind the first, and the control follows:
 *
 *     socket 0 --> mapped 1       opens the filter of mapping 0 for mapped 1
 *     socket 1 --> mapped 0       which lets this one in, under every filtering
 *     socket 0 --> the server     the control
 *
 * RFC 5780 sends one request only, which a filter swallows that has not seen anything go
 * the other way; to whoever wants to talk to a neighbour such a NAT does hairpin. A request
 * that comes in is the answer, and its source tells which kind of hairpinning it is.
 *
 * What it cannot see: a NAT that gives the packet the internal source sends us a packet
 * from our own address, which Linux refuses unless accept_local is set; it then looks like
 * "off", which for this host it is. And from a NAT whose mappings depend on the destination
 * the crossing packets come from endpoints that nobody knows, so that only a filter that
 * lets strangers in shows its hairpinning.
 */
#include "agents/detect/hairpin.h"

#include <assert.h>

static const char *const names[] = {
	[HAIRPINNING_UNKNOWN] = "unknown",
	[HAIRPINNING_NONE] = "none",
	[HAIRPINNING_OFF] = "off",
	[HAIRPINNING_EXTERNAL_SOURCE] = "external-source",
	[HAIRPINNING_INTERNAL_SOURCE] = "internal-source",
};
static_assert(sizeof(names) / sizeof(*names) == HAIRPINNING_COUNT, "every hairpinning has a name");

const char *hairpinning_name(enum hairpinning hairpinning)
{
	return names[hairpinning];
}

static void hairpin_start(void *exam, struct site *site, size_t first, uint64_t now)
{
	struct hairpin *hairpin = exam;
	size_t i;

	*hairpin = (struct hairpin){0};
	if (!site->translated) {
		hairpin->verdict = HAIRPINNING_NONE;
		hairpin->over = true;
		return;
	}
	for (i = 0; i < 2; i++) {
		probe_make(&hairpin->learn[i], first + i, &site->server, &site->random);
		probe_repeat(&hairpin->learn[i], rtt_timeout(&site->rtt), site->timeout, now);
	}
}

static void cross(struct hairpin *hairpin, struct site *site, uint64_t now)
{
	size_t i;

	for (i = 0; i < 2; i++)
		probe_make(&hairpin->across[i], hairpin->learn[i].socket,
			   &hairpin->learn[!i].mapped, &site->random);
	trial_start(&hairpin->trial, site, hairpin->learn[0].socket, now);
}

/* The verdict of a trial that ended without a request coming in. */
static void conclude(struct hairpin *hairpin, struct site *site)
{
	hairpin->over = true;
	if (hairpin->trial.silence.verdict != ANSWER_SILENCE)
		return;
	hairpin->verdict = HAIRPINNING_OFF;
	say(&site->notes.say, "hairpinning: silence, while %u of %u controls were answered",
	    hairpin->trial.silence.proven, hairpin->trial.silence.rounds);
}

static bool hairpin_send(void *exam, struct site *site, uint64_t now, struct datagram *ret)
{
	struct hairpin *hairpin = exam;
	size_t i;

	for (i = 0; i < 2 && !hairpin->over; i++) {
		if (probe_step(&hairpin->learn[i], now)) {
			probe_emit(&hairpin->learn[i], now, ret);
			return true;
		}
		if (hairpin->learn[i].failed) {
			notes_reason(&site->notes, "the server stopped answering");
			hairpin->over = true;
		}
	}
	if (hairpin->over || !hairpin->trial.silence.running)
		return false;
	if (!hairpin->trial.owes_control) {
		if (!trial_step(&hairpin->trial, site, now)) {
			if (hairpin->trial.silence.over)
				conclude(hairpin, site);
			return false;
		}
		hairpin->pending = 2;
	}
	if (hairpin->pending > 0)
		probe_emit(&hairpin->across[2 - hairpin->pending--], now, ret);
	else
		trial_control(&hairpin->trial, now, ret);
	return true;
}

static uint64_t hairpin_due(const void *exam)
{
	const struct hairpin *hairpin = exam;
	uint64_t first = probe_due(&hairpin->learn[0]), second = probe_due(&hairpin->learn[1]);
	uint64_t least = first < second ? first : second;

	return trial_due(&hairpin->trial) < least ? trial_due(&hairpin->trial) : least;
}

static void crossed(struct hairpin *hairpin, struct site *site, size_t sender,
		    const struct endpoint *from, uint64_t now)
{
	bool internal = addr_equal(&from->addr, &site->local[hairpin->learn[sender].socket].addr);
	char text[ENDPOINT_TEXT_MAX];

	hairpin->verdict = internal ? HAIRPINNING_INTERNAL_SOURCE : HAIRPINNING_EXTERNAL_SOURCE;
	hairpin->over = true;
	trial_end(&hairpin->trial, site, ANSWER_CAME, now);
	say(&site->notes.say, "hairpinning: a request came in from %s",
	    endpoint_format(from, text));
}

static void hairpin_receive(void *exam, struct site *site, size_t socket,
			    const struct endpoint *from, const struct stun_message *message,
			    uint64_t now)
{
	struct hairpin *hairpin = exam;
	size_t i;

	for (i = 0; i < 2; i++) {
		struct probe *learn = &hairpin->learn[i];

		if (message->class == STUN_REQUEST && socket == hairpin->learn[!i].socket &&
		    probe_is(&hairpin->across[i], message)) {
			crossed(hairpin, site, i, from, now);
			return;
		}
		if (message->class != STUN_SUCCESS || socket != learn->socket || !learn->running ||
		    !probe_is(learn, message) || !probe_answer(learn, message, now))
			continue;
		if (hairpin->learn[!i].answered)
			cross(hairpin, site, now);
		return;
	}
	if (hairpin->trial.silence.running)
		(void)trial_receive(&hairpin->trial, site, socket, from, message, now);
}

static bool hairpin_over(const void *exam)
{
	return ((const struct hairpin *)exam)->over;
}

const struct exam_kind hairpin_exam = {.name = "hairpinning",
				       .sockets = 2,
				       .start = hairpin_start,
				       .send = hairpin_send,
				       .due = hairpin_due,
				       .receive = hairpin_receive,
				       .over = hairpin_over};
