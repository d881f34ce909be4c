/* SPDX-License-Identifier: MIT */
/* What comes back, and what each answer means: the reading half of detect.c. */
#include <errno.h>
#include <string.h>

#include "agents/detect/detect.h"
#include "agents/net/clock.h"

enum { REFUSALS_MAX = 3 }; /* ICMP errors from routers that end Test I */

const char *detect_probe_name(enum detect_probe which)
{
	static const char *const names[PROBE_COUNT] = {
		[PROBE_PRIMARY] = "test I (the server)",
		[PROBE_ADDRESS] = "mapping test II (other address, same port)",
		[PROBE_BOTH] = "mapping test III (other address, other port)",
		[PROBE_PORT] = "voice check (same address, other port)",
		[PROBE_CHANGE_BOTH] = "filtering test II (answer from other address and port)",
		[PROBE_CONTROL_BOTH] = "control of filtering test II",
		[PROBE_CHANGE_PORT] = "filtering test III (answer from other port)",
		[PROBE_CONTROL_PORT] = "control of filtering test III",
	};

	return names[which];
}

/* The probe @message answers, or PROBE_COUNT. */
static enum detect_probe find_probe(const struct detect *detect, size_t socket,
				    const struct stun_message *message)
{
	size_t i;

	for (i = 0; i < PROBE_COUNT; i++) {
		if (detect->probes[i].socket == socket && probe_is(&detect->probes[i], message))
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
		say(&detect->notes.say, "%s: answered by %s", detect_probe_name(which), text);
		silence_end(silence, ANSWER_CAME);
		return;
	}
	notes_reason(&detect->notes, "the server does not honour CHANGE-REQUEST: %s answered",
		     text);
	silence_end(silence, ANSWER_UNDECIDED);
}

static void control_answer(struct detect *detect, struct probe *probe, struct silence *silence,
			   uint64_t now)
{
	if (!probe->answered)
		rtt_measure(&detect->rtt, now - probe->first_sent, probe->sent == 1);
	probe->answered = true;
	silence_proof(silence, now);
}

static void mapping_answer(struct detect *detect, enum detect_probe which,
			   const struct stun_message *message, const struct endpoint *mapped,
			   uint64_t now)
{
	char text[ENDPOINT_TEXT_MAX], us[ENDPOINT_TEXT_MAX];
	struct probe *probe = &detect->probes[which];

	(void)probe_answer(probe, message, now);
	rtt_measure(&detect->rtt, now - probe->first_sent, probe->sent == 1);
	say(&detect->notes.say, "%s: %s sees us as %s (%.3f ms)", detect_probe_name(which),
	    endpoint_format(&probe->to, text), endpoint_format(mapped, us),
	    to_ms(now - probe->first_sent));
	if (which != PROBE_PRIMARY)
		return;
	detect->has_other = stun_other_address(message, &detect->other) &&
			    detect->other.port != detect->config.server.port &&
			    !addr_equal(&detect->other.addr, &detect->config.server.addr);
	if (!detect->config.binding_only)
		detect_start_filtering(detect, now);
}

static void error_answer(struct detect *detect, enum detect_probe which,
			 const struct stun_message *message)
{
	notes_reason(&detect->notes, "the server refused %s with error %u",
		     detect_probe_name(which), probe_error(message));
	if (which == PROBE_CHANGE_BOTH) {
		silence_end(&detect->change_both, ANSWER_UNDECIDED);
	} else if (which == PROBE_CHANGE_PORT) {
		silence_end(&detect->change_port, ANSWER_UNDECIDED);
	} else {
		detect->probes[which].running = false;
		detect->probes[which].failed = true;
	}
}

/*
 * A NAT that looks for addresses in payloads and translates them too: it finds the one
 * in the clear, and not the one that is exclusive-ored against just that.
 */
static void note_alg(struct detect *detect, const struct stun_message *message,
		     const struct endpoint *mapped)
{
	char text[2][ENDPOINT_TEXT_MAX];
	struct stun_attribute attribute;
	struct endpoint plain;

	if (!stun_find(message, STUN_XOR_MAPPED_ADDRESS, &attribute) ||
	    !stun_find(message, STUN_MAPPED_ADDRESS, &attribute) ||
	    !stun_read_address(&attribute, &plain) || endpoint_equal(&plain, mapped))
		return;
	if (!detect->alg)
		say(&detect->notes.say, "a payload was edited: MAPPED-ADDRESS %s, in fact %s",
		    endpoint_format(&plain, text[0]), endpoint_format(mapped, text[1]));
	detect->alg = true;
}

static void success_answer(struct detect *detect, enum detect_probe which,
			   const struct stun_message *message, const struct endpoint *from,
			   uint64_t now)
{
	struct probe *probe = &detect->probes[which];
	struct endpoint mapped;

	if (!stun_mapped_address(message, &mapped))
		return;
	if (mapped.port != detect->config.local[probe->socket].port)
		detect->ports_changed = true;
	note_alg(detect, message, &mapped);
	switch (which) {
	case PROBE_CHANGE_BOTH:
		filtering_answer(detect, which, &detect->change_both, from);
		break;
	case PROBE_CHANGE_PORT:
		filtering_answer(detect, which, &detect->change_port, from);
		break;
	case PROBE_CONTROL_BOTH:
		control_answer(detect, probe, &detect->change_both, now);
		break;
	case PROBE_CONTROL_PORT:
		control_answer(detect, probe, &detect->change_port, now);
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

void detect_receive(struct detect *detect, size_t socket, const struct endpoint *from,
		    const void *bytes, size_t length, uint64_t now)
{
	struct stun_message message;
	enum detect_probe which;
	bool from_changed;

	if (detect->done || !stun_parse(bytes, length, &message) ||
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
	detect_check_done(detect, now);
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
		notes_reason(&detect->notes, "nothing listens on %s", server);
		probe->failed = true;
	} else if (++detect->refusals >= REFUSALS_MAX) {
		notes_reason(&detect->notes, "%s refuses to let UDP pass to %s (ICMP: %s)",
			     addr_format(reporter, who), server, strerror(error));
		detect->blocked = true;
		probe->failed = true;
	}
	probe->running = !probe->failed;
	detect_check_done(detect, now);
}
