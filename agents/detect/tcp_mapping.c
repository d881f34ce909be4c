/* SPDX-License-Identifier: MIT */
#include "agents/detect/tcp_mapping.h"

#include <string.h>

#include "agents/stun/transaction.h"

void tcp_mapping_start(struct tcp_mapping *mapping, const struct endpoint *server,
		       const struct endpoint *local, const struct random_source *random,
		       const struct notes *notes)
{
	size_t i;

	*mapping = (struct tcp_mapping){.local = *local, .notes = *notes};
	for (i = 0; i < TCP_COUNT; i++)
		transaction_new_id(random, mapping->tests[i].id);
	mapping->tests[TCP_PRIMARY].state = TCP_DIALLING;
	mapping->tests[TCP_PRIMARY].to = *server;
}

size_t tcp_mapping_dial(struct tcp_mapping *mapping, struct endpoint *ret)
{
	size_t i;

	for (i = 0; i < TCP_COUNT; i++) {
		if (mapping->tests[i].state != TCP_DIALLING || mapping->tests[i].dialled)
			continue;
		mapping->tests[i].dialled = true;
		*ret = mapping->tests[i].to;
		break;
	}
	return i;
}

size_t tcp_mapping_connected(struct tcp_mapping *mapping, size_t test, void *buffer,
			     size_t capacity)
{
	struct stun_builder builder;

	mapping->tests[test].state = TCP_ASKED;
	stun_begin(&builder, buffer, capacity, STUN_REQUEST, STUN_BINDING, mapping->tests[test].id);
	return stun_end(&builder);
}

/* Test I has been answered, and its answer says where the others go. */
static void follow(struct tcp_mapping *mapping, const struct stun_message *message)
{
	const struct endpoint *server = &mapping->tests[TCP_PRIMARY].to;
	struct endpoint other;

	if (!stun_other_address(message, &other) || other.port == server->port ||
	    addr_equal(&other.addr, &server->addr)) {
		notes_reason(&mapping->notes, "the server names no second address over TCP");
		return;
	}
	mapping->tests[TCP_BOTH].to = other;
	mapping->tests[TCP_BOTH].state = TCP_DIALLING;
	other.port = server->port;
	mapping->tests[TCP_ADDRESS].to = other;
	mapping->tests[TCP_ADDRESS].state = TCP_DIALLING;
}

void tcp_mapping_receive(struct tcp_mapping *mapping, size_t test,
			 const struct stun_message *message)
{
	char text[2][ENDPOINT_TEXT_MAX];

	if (mapping->tests[test].state != TCP_ASKED || message->method != STUN_BINDING ||
	    memcmp(stun_id(message), mapping->tests[test].id, STUN_ID_SIZE) != 0)
		return;
	if (message->class != STUN_SUCCESS ||
	    !stun_mapped_address(message, &mapping->tests[test].mapped)) {
		tcp_mapping_fail(mapping, test, 0);
		return;
	}
	mapping->tests[test].state = TCP_ANSWERED;
	say(&mapping->notes.say, "TCP: %s sees us as %s",
	    endpoint_format(&mapping->tests[test].to, text[0]),
	    endpoint_format(&mapping->tests[test].mapped, text[1]));
	if (test == TCP_PRIMARY)
		follow(mapping, message);
}

void tcp_mapping_fail(struct tcp_mapping *mapping, size_t test, int error)
{
	char text[ENDPOINT_TEXT_MAX];

	if (mapping->tests[test].state != TCP_DIALLING && mapping->tests[test].state != TCP_ASKED)
		return;
	mapping->tests[test].state = TCP_FAILED;
	notes_reason(&mapping->notes, "%s did not answer over TCP (%s)",
		     endpoint_format(&mapping->tests[test].to, text),
		     error ? strerror(error) : "no answer came over the connection");
}

bool tcp_mapping_over(const struct tcp_mapping *mapping)
{
	size_t i;

	for (i = 0; i < TCP_COUNT; i++) {
		if (mapping->tests[i].state == TCP_DIALLING || mapping->tests[i].state == TCP_ASKED)
			return false;
	}
	return true;
}

bool tcp_mapping_mapped(const struct tcp_mapping *mapping, struct endpoint *ret)
{
	if (mapping->tests[TCP_PRIMARY].state != TCP_ANSWERED)
		return false;
	*ret = mapping->tests[TCP_PRIMARY].mapped;
	return true;
}

enum behaviour tcp_mapping_verdict(const struct tcp_mapping *mapping)
{
	const struct observation seen = {
		.reached = mapping->tests[TCP_PRIMARY].state == TCP_ANSWERED,
		.local = mapping->local,
		.primary = mapping->tests[TCP_PRIMARY].mapped,
		.has_address = mapping->tests[TCP_ADDRESS].state == TCP_ANSWERED,
		.address = mapping->tests[TCP_ADDRESS].mapped,
		.has_both = mapping->tests[TCP_BOTH].state == TCP_ANSWERED,
		.both = mapping->tests[TCP_BOTH].mapped,
	};

	return classify(&seen).mapping;
}
