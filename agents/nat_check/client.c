/* SPDX-License-Identifier: MIT */
/*
 * How this works: three hosts, the client and two others on the internet that know each other.
 *
 *   same        one socket registers with server and assist, and is told how each saw it:
 *               the client's own address                     -> open internet
 *               two different endpoints                      -> symmetric
 *   apart       a second socket registers with the server only, a third one with the assist only
 *   stranger    the server sends to the third: it comes in   -> full cone
 *   other port  the server sends to the second from another port: it comes in -> restricted
 *               it does not                                  -> port restricted
 *
 * The original waits five seconds for what may not come. Here a silence is proven by controls,
 * as in detect.c, and that the other port speaks at all is tried in the end, from a fresh
 * socket. Registers are repeated until both hosts' views are known: whoever loses a packet,
 * nobody has to remember more than the last one.
 *
 * What the method cannot tell: it takes a host with its own address for open, whatever firewall
 * stands before it (RFC 3489 has "symmetric firewall"). Mappings that depend on the address
 * look like those that depend on the port, too, for its two hosts differ in both. A
 * symmetric NAT's filter is not looked at. And where a NAT gives its sockets several external
 * addresses, the views differ for that reason alone.
 */
#include "agents/nat_check/client.h"

#include <string.h>

static void register_start(struct check_client *client, uint64_t now)
{
	const struct transaction_timing timing = {
		.first = client->reached ? rtt_timeout(&client->site.rtt) : 100 * MSEC,
		.longest = 400 * MSEC,
		.limit = client->site.timeout ? client->site.timeout : 1};

	transaction_new_id(&client->site.random, client->id);
	client->server_answered = false;
	transaction_start(&client->to_server, &timing, now);
	transaction_start(&client->to_assist, &timing, now);
}

void check_client_start(struct check_client *client, const struct check_client_config *config,
			uint64_t now)
{
	*client = (struct check_client){
		.site = {.server = config->server,
			 .local = config->local,
			 .timeout = config->timeout,
			 .random = config->random,
			 .notes = {.say = config->say}},
		.assist = config->assist,
		.started = now,
	};
	random_fill(&config->random, client->check, CHECK_SIZE);
	register_start(client, now);
}

static void end(struct check_client *client, enum nat_type type, uint64_t now)
{
	client->type = type;
	client->stage = STAGE_OVER;
	client->ended = now;
}

static uint32_t step_of(const struct check_client *client)
{
	return client->stage == STAGE_SAME ? STEP_SAME : STEP_APART;
}

static void emit(struct check_client *client, size_t socket, const struct endpoint *to,
		 uint16_t method, const uint8_t id[STUN_ID_SIZE], uint32_t step,
		 struct datagram *ret)
{
	struct check_message content = {.step = step};
	struct stun_builder builder;

	memcpy(content.check, client->check, CHECK_SIZE);
	ret->socket = socket;
	ret->to = *to;
	check_begin(&builder, ret, STUN_REQUEST, method, id, &content);
	check_pad(&builder, ret);
}

static void gave_up(struct check_client *client, uint64_t now)
{
	char server[ENDPOINT_TEXT_MAX], assist[ENDPOINT_TEXT_MAX];

	endpoint_format(&client->site.server, server);
	endpoint_format(&client->assist, assist);
	if (client->server_answered || client->reached) {
		notes_reason(&client->site.notes,
			     "the server at %s never heard of us from the assist at %s", server,
			     assist);
		end(client, TYPE_UNKNOWN, now);
		return;
	}
	notes_reason(&client->site.notes, "%s did not answer %u requests in %.1f s", server,
		     client->to_server.sent, to_ms(client->site.timeout) / 1000);
	end(client, TYPE_UDP_BLOCKED, now);
}

/* Both Registers, until the server knows both views. */
static bool send_registers(struct check_client *client, uint64_t now, struct datagram *ret)
{
	bool same = client->stage == STAGE_SAME;

	if (transaction_step(&client->to_assist, now) == TRANSACTION_SEND) {
		emit(client, same ? CLIENT_SAME : CLIENT_ASSIST, &client->assist, METHOD_REGISTER,
		     client->id, step_of(client), ret);
		return true;
	}
	switch (transaction_step(&client->to_server, now)) {
	case TRANSACTION_SEND:
		emit(client, same ? CLIENT_SAME : CLIENT_SERVER, &client->site.server,
		     METHOD_REGISTER, client->id, step_of(client), ret);
		return true;
	case TRANSACTION_FAIL:
		gave_up(client, now);
		return false;
	case TRANSACTION_WAIT:
		return false;
	}
	return false;
}

static void test_start(struct check_client *client, enum check_stage stage, uint64_t now)
{
	client->stage = stage;
	transaction_new_id(&client->site.random, client->ask_id);
	trial_start(&client->trial, &client->site, CLIENT_SERVER, now);
}

static void voice_start(struct check_client *client, uint64_t now)
{
	client->stage = STAGE_VOICE;
	probe_make(&client->voice, CLIENT_VOICE, &client->other, &client->site.random);
	probe_repeat(&client->voice, rtt_timeout(&client->site.rtt), client->site.timeout, now);
}

/* A test met silence, or its path died. */
static void tested(struct check_client *client, uint64_t now)
{
	if (client->trial.silence.verdict != ANSWER_SILENCE)
		end(client, TYPE_UNKNOWN, now); /* trial_step() told the reason */
	else if (client->stage == STAGE_STRANGER)
		test_start(client, STAGE_OTHER_PORT, now);
	else
		voice_start(client, now);
}

static bool send_test(struct check_client *client, uint64_t now, struct datagram *ret)
{
	bool stranger = client->stage == STAGE_STRANGER;

	if (client->trial.owes_control) {
		trial_control(&client->trial, now, ret);
		return true;
	}
	if (trial_step(&client->trial, &client->site, now)) {
		emit(client, CLIENT_SERVER, &client->site.server, METHOD_ASK, client->ask_id,
		     stranger ? TEST_STRANGER : TEST_OTHER_PORT, ret);
		return true;
	}
	if (client->trial.silence.over)
		tested(client, now);
	return false;
}

static bool send_voice(struct check_client *client, uint64_t now, struct datagram *ret)
{
	if (probe_step(&client->voice, now)) {
		probe_emit(&client->voice, now, ret);
		return true;
	}
	if (client->voice.failed) {
		notes_reason(&client->site.notes, "the server's other port does not speak at all");
		end(client, TYPE_UNKNOWN, now);
	}
	return false;
}

static bool send_stage(struct check_client *client, uint64_t now, struct datagram *ret)
{
	switch (client->stage) {
	case STAGE_SAME:
	case STAGE_APART:
		return send_registers(client, now, ret);
	case STAGE_STRANGER:
	case STAGE_OTHER_PORT:
		return send_test(client, now, ret);
	case STAGE_VOICE:
		return send_voice(client, now, ret);
	case STAGE_OVER:
		break;
	}
	return false;
}

bool check_client_send(struct check_client *client, uint64_t now, struct datagram *ret)
{
	enum check_stage stage;

	do { /* what ends may begin something else */
		stage = client->stage;
		if (send_stage(client, now, ret)) {
			client->sent++;
			return true;
		}
	} while (client->stage != stage);
	return false;
}

uint64_t check_client_due(const struct check_client *client)
{
	switch (client->stage) {
	case STAGE_SAME:
	case STAGE_APART:
		return client->to_server.due < client->to_assist.due ? client->to_server.due
								     : client->to_assist.due;
	case STAGE_STRANGER:
	case STAGE_OTHER_PORT:
		return trial_due(&client->trial);
	case STAGE_VOICE:
		return probe_due(&client->voice);
	case STAGE_OVER:
		break;
	}
	return UINT64_MAX;
}

/* Both hosts' views of one socket. */
static void compare(struct check_client *client, const struct endpoint *by_assist, uint64_t now)
{
	client->mapped_by_assist = *by_assist;
	client->compared = true;
	if (addr_equal(&client->mapped.addr, &client->site.local[CLIENT_SAME].addr)) {
		end(client, TYPE_OPEN_INTERNET, now);
	} else if (!endpoint_equal(&client->mapped, by_assist)) {
		end(client, TYPE_SYMMETRIC, now);
	} else {
		client->stage = STAGE_APART;
		register_start(client, now);
	}
}

/*
 * The server lives, and what the assist tells it is on its way: ask again soon, not when a
 * datagram would be taken for lost.
 */
static void hasten(struct check_client *client, uint64_t now)
{
	uint64_t again = client->site.rtt.smoothed > MSEC ? client->site.rtt.smoothed : MSEC;
	struct transaction_timing timing = client->to_server.timing;

	timing.first = again;
	transaction_start(&client->to_server, &timing, now);
	client->to_server.due = now + again;
	timing.first = rtt_timeout(&client->site.rtt);
	transaction_start(&client->to_assist, &timing, now);
	client->to_assist.due = now + timing.first;
}

static void registered(struct check_client *client, const struct stun_message *message,
		       uint64_t now)
{
	struct stun_attribute attribute;
	struct endpoint mapped, by_assist;

	if (!stun_mapped_address(message, &mapped))
		return;
	if (!client->server_answered) {
		rtt_measure(&client->site.rtt, now - client->to_server.started,
			    client->to_server.sent == 1);
		hasten(client, now);
	}
	client->server_answered = true;
	client->reached = true;
	(void)stun_other_address(message, &client->other);
	if (client->stage == STAGE_SAME)
		client->mapped = mapped;
	if (!stun_find(message, ATTRIBUTE_ASSIST_SAW, &attribute) ||
	    !stun_read_xor_address(message, &attribute, &by_assist))
		return;
	if (client->stage == STAGE_SAME)
		compare(client, &by_assist, now);
	else
		test_start(client, STAGE_STRANGER, now);
}

/* A Test came in; each counts only where and whence it was to come. */
static void test_came(struct check_client *client, size_t socket, const struct endpoint *from,
		      const struct check_message *content, uint64_t now)
{
	if (client->stage == STAGE_STRANGER && content->step == TEST_STRANGER &&
	    socket == CLIENT_ASSIST && endpoint_equal(from, &client->site.server))
		end(client, TYPE_FULL_CONE, now);
	else if (client->stage == STAGE_OTHER_PORT && content->step == TEST_OTHER_PORT &&
		 socket == CLIENT_SERVER && endpoint_equal(from, &client->other))
		end(client, TYPE_RESTRICTED_CONE, now);
}

void check_client_receive(struct check_client *client, size_t socket, const struct endpoint *from,
			  const void *bytes, size_t length, uint64_t now)
{
	struct check_message content;
	struct stun_message message;

	if (client->stage == STAGE_OVER || !stun_parse(bytes, length, &message))
		return;
	if (message.method == METHOD_TEST && message.class == STUN_INDICATION) {
		if (check_read(&message, &content) &&
		    memcmp(content.check, client->check, CHECK_SIZE) == 0)
			test_came(client, socket, from, &content, now);
	} else if (message.class != STUN_SUCCESS) {
		return;
	} else if (message.method == METHOD_REGISTER) {
		if ((client->stage == STAGE_SAME || client->stage == STAGE_APART) &&
		    endpoint_equal(from, &client->site.server) &&
		    memcmp(stun_id(&message), client->id, STUN_ID_SIZE) == 0)
			registered(client, &message, now);
	} else if (client->stage == STAGE_VOICE) {
		if (socket == CLIENT_VOICE && endpoint_equal(from, &client->other) &&
		    probe_is(&client->voice, &message))
			end(client, TYPE_PORT_RESTRICTED_CONE, now);
	} else {
		(void)trial_receive(&client->trial, &client->site, socket, from, &message, now);
	}
}

bool check_client_over(const struct check_client *client)
{
	return client->stage == STAGE_OVER;
}

const char *check_word(enum nat_type type)
{
	switch (type) {
	case TYPE_OPEN_INTERNET:
		return "Open Internet";
	case TYPE_FULL_CONE:
		return "Full-Cone NAT";
	case TYPE_RESTRICTED_CONE:
		return "Restricted NAT";
	case TYPE_PORT_RESTRICTED_CONE:
		return "Restricted-Port NAT";
	case TYPE_SYMMETRIC:
		return "Symmetric NAT";
	case TYPE_UNKNOWN:
	case TYPE_UDP_BLOCKED:
	case TYPE_SYMMETRIC_FIREWALL:
	case TYPE_COUNT:
		break;
	}
	return "Unknown";
}
