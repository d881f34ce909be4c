/* SPDX-License-Identifier: MIT */
/*
 * How this works
 *
 *     listener                NAT                 internet                NAT          caller
 *        |--- echo, id 0 ------>|---- echo, id 0 ---> (nobody there)       |              |
 *        |                      |                                          |<-- blind ----|
 *        |                      |X<----------------------------------------|<-- UDP ------|
 *        |<-- Time Exceeded ----|<---- Time Exceeded about that echo ------|<-------------|
 *        |--- UDP ------------->|------------------------------------------|------------->|
 *        |<================================ checks, messages =============>|<============>|
 *
 * The listener's NAT holds a mapping for the echo, and an error about it is let in whoever sends
 * it (RFC 5508 REQ-4): its source is the caller's public address, which is all that the listener
 * has to know, since both use the port agreed on. Four things must hold: the listener's NAT keeps
 * the identifier (else the forged quotation matches nothing) and lets the error in; the caller's
 * NAT lets an error out that belongs to no flow of its own, with its own address as the source
 * (RFC 5508 REQ-5 would have it dropped); and both NATs keep the UDP port.
 *
 * A quoted packet proves nothing about who quotes it, so the error carries a tag made of the
 * session's name, and what follows over UDP is sealed with a key made of it. The tag could be
 * replayed by one who saw it; all he wins is that the listener sends him a few sealed checks.
 */
#include "agents/icmp/knock.h"

#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"

bool knock_is_listener(const struct knock *knock)
{
	return addr_bits(&knock->config.peer.addr) == 0;
}

bool knock_over(const struct knock *knock)
{
	return knock->phase >= KNOCK_DONE && knock->path.reply_count == 0;
}

/* Two secrets out of the session's name, so that the tag in the open does not tell the key. */
static void derive(const char *session, const char *purpose, uint8_t ret[16])
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, strlen(purpose), (const uint8_t *)purpose);
	sha256_update(&hash, strlen(session), (const uint8_t *)session);
	sha256_digest(&hash, 16, ret);
}

void knock_start(struct knock *knock, const struct knock_config *config, uint64_t now)
{
	const struct transaction_timing timing = {.first = 20 * MSEC, .longest = 200 * MSEC};
	struct seal seal = {0};

	*knock = (struct knock){.config = *config, .started = now, .next = now};
	_Static_assert(TOKEN_SIZE == 16 && ICMP_TAG_SIZE == 16, "what derive() writes");
	seal.role = knock_is_listener(knock) ? ROLE_CONTROLLED : ROLE_CONTROLLING;
	derive(config->session, "natsim icmp seal ", seal.token);
	derive(config->session, "natsim icmp tag ", knock->tag);
	path_start(&knock->path, &seal, &timing, &config->talk);
	if (knock_is_listener(knock))
		return;
	knock->blind_due = true;
	(void)candidates_add(&knock->path.candidates, CANDIDATE_PUBLIC, &config->peer, now);
}

/* ---- what becomes of it ---- */

static void __attribute__((format(printf, 4, 5)))
finish(struct knock *knock, enum knock_phase phase, uint64_t now, const char *format, ...)
{
	va_list arguments;

	knock->phase = phase;
	knock->ended = now;
	va_start(arguments, format);
	vsnprintf(knock->reason, sizeof(knock->reason), format, arguments);
	va_end(arguments);
	if (phase != KNOCK_DONE)
		say(&knock->config.say, "%s", knock->reason);
}

static void follow_path(struct knock *knock, uint64_t now)
{
	const struct path *path = &knock->path;
	char text[ENDPOINT_TEXT_MAX];

	if (knock->phase == KNOCK_SEEKING && path->state >= PATH_TALKING) {
		knock->phase = KNOCK_TALKING;
		say(&knock->config.say, "connected with %s",
		    endpoint_format(&path->candidates.settled->to, text));
	}
	if (knock->phase != KNOCK_TALKING)
		return;
	if (path->state == PATH_DONE)
		finish(knock, KNOCK_DONE, now, "%s", "");
	else if (path->state == PATH_LOST)
		finish(knock, KNOCK_LOST, now, "the peer vanished after %u of %u messages",
		       path->talk.acknowledged, knock->config.talk.messages);
}

/* Why there is no path, from what was seen. */
static void fail_late(struct knock *knock, uint64_t now)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!knock_is_listener(knock))
		finish(knock, KNOCK_FAILED, now,
		       "nothing came from %s, though it was told %u times",
		       endpoint_format(&knock->config.peer, text), knock->errors);
	else if (knock->heard == 0)
		finish(knock, KNOCK_FAILED, now, "no ICMP error of a caller's arrived for %u pings",
		       knock->pings);
	else if (!knock->replied)
		finish(knock, KNOCK_FAILED, now,
		       "a caller's ICMP error arrived from %s, but no UDP from there",
		       addr_format(&knock->heard_from, text));
	else
		finish(knock, KNOCK_FAILED, now,
		       "only one way: the caller's packets arrived, but none of ours was answered");
}

/* ---- sending ---- */

static bool send_blind(struct knock *knock, struct datagram *ret)
{
	uint8_t id[STUN_ID_SIZE];

	knock->blind_due = false;
	transaction_new_id(&knock->config.talk.random, id);
	ret->socket = KNOCK_BLIND;
	ret->to = knock->config.peer;
	ret->length = seal_blind(&knock->path.seal, id, ret->bytes);
	say(&knock->config.say, "blind dial from a fresh socket");
	return true;
}

/* A ping to nobody, or the error about the other's. */
static bool send_icmp(struct knock *knock, uint64_t now, struct datagram *ret)
{
	knock->next = now + knock->config.interval;
	ret->socket = KNOCK_ICMP;
	if (knock_is_listener(knock)) {
		knock->pings++;
		ret->to = (struct endpoint){.addr = knock->config.target};
		ret->length = ICMP_ECHO_SIZE;
		icmp_write_echo(ret->bytes);
	} else {
		knock->errors++;
		ret->to = (struct endpoint){.addr = knock->config.peer.addr};
		ret->length = ICMP_QUOTE_SIZE;
		icmp_write_quote(&knock->config.peer.addr, &knock->config.target, knock->tag,
				 ret->bytes);
	}
	return true;
}

bool knock_send(struct knock *knock, uint64_t now, struct datagram *ret)
{
	bool sent;

	if (knock->phase == KNOCK_SEEKING && now >= knock->started + knock->config.timeout)
		fail_late(knock, now);
	if (knock->phase == KNOCK_FAILED)
		return false;
	if (knock->blind_due)
		return send_blind(knock, ret);
	if (knock->phase == KNOCK_SEEKING && now >= knock->next)
		return send_icmp(knock, now, ret);
	ret->socket = KNOCK_UDP;
	sent = path_send(&knock->path, now, ret);
	follow_path(knock, now);
	return sent;
}

uint64_t knock_due(const struct knock *knock)
{
	uint64_t end = knock->started + knock->config.timeout;
	uint64_t due = path_due(&knock->path);

	if (knock->phase >= KNOCK_DONE)
		return UINT64_MAX;
	if (knock->phase == KNOCK_SEEKING) {
		due = knock->next < due ? knock->next : due;
		due = end < due ? end : due;
	}
	return due;
}

/* ---- receiving ---- */

static void take_error(struct knock *knock, const void *packet, size_t length, uint64_t now)
{
	struct icmp_error error;
	struct endpoint caller = {.port = knock->config.port};
	char text[ADDR_TEXT_MAX];

	if (!knock_is_listener(knock) || knock->phase != KNOCK_SEEKING ||
	    !icmp_read_error(packet, length, &error) || !error.tagged ||
	    !addr_equal(&error.target, &knock->config.target) ||
	    memcmp(error.tag, knock->tag, ICMP_TAG_SIZE) != 0)
		return;
	if (knock->heard++ == 0)
		say(&knock->config.say, "an error about our ping came from %s",
		    addr_format(&error.from, text));
	knock->heard_from = caller.addr = error.from;
	(void)candidates_add(&knock->path.candidates, CANDIDATE_PUBLIC, &caller, now);
}

void knock_receive(struct knock *knock, enum knock_socket socket, const struct endpoint *from,
		   const void *bytes, size_t length, uint64_t now)
{
	struct stun_message message;
	enum sealed_kind kind;

	if (knock->phase == KNOCK_FAILED || socket == KNOCK_BLIND)
		return;
	if (socket == KNOCK_ICMP) {
		take_error(knock, bytes, length, now);
		return;
	}
	if (!stun_parse(bytes, length, &message) || message.classic)
		return;
	kind = path_receive(&knock->path, from, &message, now);
	/* Once we have sent to the caller its blind packet proves nothing. */
	if (kind == SEALED_BLIND && knock->heard == 0)
		knock->blind = true;
	if (kind != SEALED_NONE && kind != SEALED_BLIND)
		knock->replied = true;
	follow_path(knock, now);
}

void knock_refused(struct knock *knock, const struct endpoint *to, uint64_t now)
{
	path_refused(&knock->path, to, now);
	follow_path(knock, now);
}
