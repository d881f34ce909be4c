/* SPDX-License-Identifier: MIT */
/* What stun-server answers, to whom, and from which of its four sockets. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "agents/stun/integrity.h"
#include "agents/stun/server.h"

static const uint8_t modern_id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 1, 2,  3,  4,
						5,    6,    7,    8,    9, 10, 11, 12};
static const uint8_t classic_id[STUN_ID_SIZE] = {1, 2,  3,  4,  5,  6,  7,  8,
						 9, 10, 11, 12, 13, 14, 15, 16};

static struct endpoint endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "the test's own endpoint %s is wrong", text);
	return endpoint;
}

static struct stun_server two_addresses(void)
{
	return (struct stun_server){
		.endpoints = {{endpoint("9.9.9.9:3478"), endpoint("9.9.9.9:3479")},
			      {endpoint("9.9.9.10:3478"), endpoint("9.9.9.10:3479")}},
		.alternate = true,
		.software = "natsim",
	};
}

/* One exchange: the request under construction, and what the server made of it. */
struct exchange {
	struct stun_server server;
	struct stun_builder request;
	uint8_t request_bytes[4096];
	struct stun_reply reply;
	uint8_t reply_bytes[4096];
	struct stun_message message; /* the reply, when there is one */
};

static void ask(struct exchange *exchange, const uint8_t id[STUN_ID_SIZE])
{
	exchange->server = two_addresses();
	stun_begin(&exchange->request, exchange->request_bytes, sizeof(exchange->request_bytes),
		   STUN_REQUEST, STUN_BINDING, id);
}

static void answer_at(struct exchange *exchange, unsigned int ip, unsigned int port)
{
	struct endpoint from = endpoint("1.2.3.4:40000");
	struct stun_socket at = {.ip = ip, .port = port};

	exchange->reply = stun_server_answer(&exchange->server, at, &from, exchange->request_bytes,
					     stun_end(&exchange->request), exchange->reply_bytes,
					     sizeof(exchange->reply_bytes));
	if (exchange->reply.length > 0)
		cr_assert(stun_parse(exchange->reply_bytes, exchange->reply.length,
				     &exchange->message),
			  "the server wrote something that is no message");
}

static void answer(struct exchange *exchange)
{
	answer_at(exchange, 0, 0);
}

static bool has(const struct exchange *exchange, uint16_t type)
{
	struct stun_attribute attribute;

	return stun_find(&exchange->message, type, &attribute);
}

static const char *address_in(const struct exchange *exchange, uint16_t type)
{
	static _Thread_local char text[ENDPOINT_TEXT_MAX];
	struct stun_attribute attribute;
	struct endpoint read;

	if (!stun_find(&exchange->message, type, &attribute) ||
	    !stun_read_address(&attribute, &read))
		return "absent";
	return endpoint_format(&read, text);
}

static unsigned int error_in(const struct exchange *exchange)
{
	struct stun_attribute attribute;
	struct stun_error_code error;

	if (exchange->reply.length == 0 || exchange->message.class != STUN_ERROR ||
	    !stun_find(&exchange->message, STUN_ERROR_CODE, &attribute) ||
	    !stun_read_error(&attribute, &error))
		return 0;
	return error.code;
}

Test(dialects, a_modern_client_gets_both_addresses_origin_and_other)
{
	struct exchange exchange;
	struct endpoint mapped;

	ask(&exchange, modern_id);
	answer(&exchange);
	cr_assert_gt(exchange.reply.length, 0);
	cr_expect_eq(exchange.message.class, STUN_SUCCESS);
	cr_expect_arr_eq(stun_id(&exchange.message), modern_id, STUN_ID_SIZE);
	cr_expect(has(&exchange, STUN_XOR_MAPPED_ADDRESS));
	cr_assert(stun_mapped_address(&exchange.message, &mapped));
	cr_expect_eq(mapped.port, 40000);
	cr_expect_str_eq(address_in(&exchange, STUN_MAPPED_ADDRESS), "1.2.3.4:40000");
	cr_expect_str_eq(address_in(&exchange, STUN_RESPONSE_ORIGIN), "9.9.9.9:3478");
	cr_expect_str_eq(address_in(&exchange, STUN_OTHER_ADDRESS), "9.9.9.10:3479");
	cr_expect_not(has(&exchange, STUN_SOURCE_ADDRESS));
	cr_expect_not(has(&exchange, STUN_CHANGED_ADDRESS));
	cr_expect_not(has(&exchange, STUN_FINGERPRINT), "the request had none");
}

Test(dialects, a_classic_client_gets_what_rfc3489_knows_and_nothing_else)
{
	struct exchange exchange;
	struct stun_attribute attribute = {0};

	ask(&exchange, classic_id);
	answer(&exchange);
	cr_assert_gt(exchange.reply.length, 0);
	cr_expect_arr_eq(stun_id(&exchange.message), classic_id, STUN_ID_SIZE);
	cr_expect_str_eq(address_in(&exchange, STUN_MAPPED_ADDRESS), "1.2.3.4:40000");
	cr_expect_str_eq(address_in(&exchange, STUN_SOURCE_ADDRESS), "9.9.9.9:3478");
	cr_expect_str_eq(address_in(&exchange, STUN_CHANGED_ADDRESS), "9.9.9.10:3479");
	while (stun_next(&exchange.message, &attribute))
		cr_expect_leq(attribute.type, 0x000b, "RFC 3489 has no attribute 0x%04x",
			      attribute.type);
}

Test(dialects, fingerprint_is_answered_with_fingerprint_and_a_wrong_one_with_silence)
{
	struct exchange exchange;

	ask(&exchange, modern_id);
	stun_put_fingerprint(&exchange.request);
	answer(&exchange);
	cr_assert_gt(exchange.reply.length, 0);
	cr_expect_eq(stun_check_fingerprint(&exchange.message), STUN_FINGERPRINT_RIGHT);
	exchange.request_bytes[21 + 4] ^= 1;
	answer(&exchange);
	cr_expect_eq(exchange.reply.length, 0);
}

/* RFC 5780 section 6.1, table 1, for every socket a request may come in on. */
Test(change_request, the_source_and_other_address_follow_table_1)
{
	static const uint32_t flags[] = {0, STUN_CHANGE_IP, STUN_CHANGE_PORT,
					 STUN_CHANGE_IP | STUN_CHANGE_PORT};
	unsigned int ip, port, i, dialect;

	for (i = 0; i < 4 * 4 * 2; i++) {
		struct exchange exchange;
		uint32_t change = flags[i / 2 % 4];
		struct endpoint *source, *other;
		char text[ENDPOINT_TEXT_MAX];

		dialect = i % 2;
		ip = i / 8 % 2;
		port = i / 16;
		ask(&exchange, dialect ? modern_id : classic_id);
		stun_put_u32(&exchange.request, STUN_CHANGE_REQUEST, change);
		answer_at(&exchange, ip, port);
		cr_assert_gt(exchange.reply.length, 0);
		cr_expect_eq(exchange.reply.by.ip, change & STUN_CHANGE_IP ? !ip : ip);
		cr_expect_eq(exchange.reply.by.port, change & STUN_CHANGE_PORT ? !port : port);
		source = &exchange.server.endpoints[exchange.reply.by.ip][exchange.reply.by.port];
		other = &exchange.server.endpoints[!ip][!port];
		cr_expect_str_eq(
			address_in(&exchange, dialect ? STUN_RESPONSE_ORIGIN : STUN_SOURCE_ADDRESS),
			endpoint_format(source, text));
		cr_expect_str_eq(
			address_in(&exchange, dialect ? STUN_OTHER_ADDRESS : STUN_CHANGED_ADDRESS),
			endpoint_format(other, text));
	}
}

Test(change_request, a_server_with_one_address_refuses_it_and_offers_no_other)
{
	struct exchange exchange;

	ask(&exchange, modern_id);
	exchange.server.alternate = false;
	answer(&exchange);
	cr_assert_gt(exchange.reply.length, 0);
	cr_expect_not(has(&exchange, STUN_OTHER_ADDRESS));
	ask(&exchange, modern_id);
	exchange.server.alternate = false;
	stun_put_u32(&exchange.request, STUN_CHANGE_REQUEST, 0);
	answer(&exchange);
	cr_expect_eq(error_in(&exchange), 420);
}

Test(requests, unknown_attributes_are_refused_by_name)
{
	struct exchange exchange;
	struct stun_attribute attribute;

	ask(&exchange, modern_id);
	stun_put_u32(&exchange.request, 0x7abc, 1);
	stun_put_u32(&exchange.request, 0x8abc, 1); /* optional: may be ignored */
	stun_put_u32(&exchange.request, 0x7abc, 2); /* the same again */
	stun_put_u32(&exchange.request, STUN_RESPONSE_ADDRESS, 1);
	answer(&exchange);
	cr_expect_eq(error_in(&exchange), 420);
	cr_assert(stun_find(&exchange.message, STUN_UNKNOWN_ATTRIBUTES, &attribute));
	cr_expect_eq(attribute.length, 4);
	cr_expect_arr_eq(attribute.value, "\x7a\xbc\x00\x02", 4);
}

Test(requests, a_hundred_unknown_attributes_do_not_make_a_long_answer)
{
	struct exchange exchange;
	uint16_t type;

	ask(&exchange, modern_id);
	for (type = 0x4000; type < 0x4064; type++)
		stun_put(&exchange.request, type, "", 0);
	answer(&exchange);
	cr_expect_eq(error_in(&exchange), 420);
	cr_expect_lt(exchange.reply.length, stun_end(&exchange.request));
}

Test(requests, padding_comes_back_no_longer_than_it_came)
{
	size_t size;

	for (size = 0; size <= 2000; size += 500) {
		struct exchange exchange;
		struct stun_attribute attribute;

		ask(&exchange, modern_id);
		stun_put_zeros(&exchange.request, STUN_PADDING, size);
		answer(&exchange);
		cr_assert_gt(exchange.reply.length, 0);
		cr_assert(stun_find(&exchange.message, STUN_PADDING, &attribute));
		cr_expect_eq(attribute.length, size);
	}
}

Test(requests, response_port_moves_the_port_only)
{
	struct exchange exchange;

	ask(&exchange, modern_id);
	stun_put_u32(&exchange.request, STUN_RESPONSE_PORT, 5000U << 16);
	answer(&exchange);
	cr_assert_gt(exchange.reply.length, 0);
	cr_expect_eq(exchange.reply.to.port, 5000);
	cr_expect_eq(addr_to_ipv4(&exchange.reply.to.addr), inet_addr("1.2.3.4"));
	cr_expect_str_eq(address_in(&exchange, STUN_MAPPED_ADDRESS), "1.2.3.4:40000");
}

Test(requests, contradictions_are_bad_requests)
{
	struct exchange exchange;

	ask(&exchange, modern_id);
	stun_put_u32(&exchange.request, STUN_RESPONSE_PORT, 5000U << 16);
	stun_put_zeros(&exchange.request, STUN_PADDING, 8);
	answer(&exchange);
	cr_expect_eq(error_in(&exchange), 400, "RFC 5780 section 6.1");
	cr_expect_eq(exchange.reply.to.port, 40000, "an error goes where the request came from");
	ask(&exchange, modern_id);
	stun_put_u32(&exchange.request, STUN_RESPONSE_PORT, 0);
	answer(&exchange);
	cr_expect_eq(error_in(&exchange), 400, "port 0 is nobody's");
	ask(&exchange, modern_id);
	stun_put(&exchange.request, STUN_CHANGE_REQUEST, "ab", 2);
	answer(&exchange);
	cr_expect_eq(error_in(&exchange), 400, "CHANGE-REQUEST has 4 bytes");
	cr_expect_eq(exchange.reply.by.ip + exchange.reply.by.port, 0);
}

Test(requests, credentials_nobody_asked_for_do_no_harm)
{
	struct exchange exchange;

	ask(&exchange, modern_id);
	stun_put(&exchange.request, STUN_USERNAME, "me", 2);
	stun_put_integrity(&exchange.request, "secret", 6);
	answer(&exchange);
	cr_expect_eq(error_in(&exchange), 0);
	cr_expect_gt(exchange.reply.length, 0);
}

Test(silence, is_the_answer_to_all_that_is_no_binding_request)
{
	static const enum stun_class classes[] = {STUN_INDICATION, STUN_SUCCESS, STUN_ERROR};
	static const char *const junk[] = {"", "x", "GET / HTTP/1.1\r\n\r\n........."};
	struct exchange exchange;
	struct endpoint from = endpoint("1.2.3.4:40000");
	struct stun_reply reply;
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
		ask(&exchange, modern_id);
		stun_begin(&exchange.request, exchange.request_bytes,
			   sizeof(exchange.request_bytes), classes[i], STUN_BINDING, modern_id);
		answer(&exchange);
		cr_expect_eq(exchange.reply.length, 0,
			     "two servers would answer each other for ever");
	}
	stun_begin(&exchange.request, exchange.request_bytes, sizeof(exchange.request_bytes),
		   STUN_REQUEST, 0x003, modern_id);
	answer(&exchange);
	cr_expect_eq(exchange.reply.length, 0, "Allocate is for a TURN server");
	for (i = 0; i < sizeof(junk) / sizeof(*junk); i++) {
		reply = stun_server_answer(&exchange.server, (struct stun_socket){0}, &from,
					   junk[i], strlen(junk[i]), exchange.reply_bytes,
					   sizeof(exchange.reply_bytes));
		cr_expect_eq(reply.length, 0);
	}
}

Test(silence, is_better_than_half_a_reply)
{
	struct exchange exchange;
	struct endpoint from = endpoint("1.2.3.4:40000");
	size_t capacity;

	ask(&exchange, modern_id);
	answer(&exchange);
	for (capacity = 0; capacity < exchange.reply.length; capacity++) {
		struct stun_reply reply = stun_server_answer(
			&exchange.server, (struct stun_socket){0}, &from, exchange.request_bytes,
			stun_end(&exchange.request), exchange.reply_bytes, capacity);

		cr_expect_eq(reply.length, 0);
	}
}

/* Attributes of every kind that a server reads or refuses, often of a wrong size. */
static void put_something(struct exchange *exchange, uint32_t *dice)
{
	static const uint16_t types[] = {STUN_CHANGE_REQUEST, STUN_PADDING,  STUN_RESPONSE_PORT,
					 STUN_SOFTWARE,       STUN_USERNAME, STUN_RESPONSE_ADDRESS};
	static const uint8_t value[64] = {0, 0, 0, 6};
	unsigned int kind;

	*dice = *dice * 1664525 + 1013904223;
	kind = *dice >> 16 & 7;
	if (kind == 7)
		stun_put(&exchange->request, (uint16_t)(0x4000 + (*dice >> 24)), value, 0);
	else
		stun_put(&exchange->request, types[kind % 6], value,
			 *dice >> 20 & 1 ? 4 : *dice >> 24 & 63);
}

Test(amplification, no_answer_grows_beyond_what_is_documented)
{
	static const char *const sources[] = {"1.2.3.4:40000", "[2001:db8::1]:40000"};
	unsigned int i, k, largest[2] = {0, 0}, answered = 0;
	uint32_t dice = 1;

	for (i = 0; i < 20000; i++) {
		bool six = i & 1;
		struct exchange exchange;
		struct endpoint from = endpoint(sources[six]);
		struct stun_socket at = {.ip = i >> 1 & 1, .port = i >> 2 & 1};
		size_t length, growth;

		ask(&exchange, i & 8 ? modern_id : classic_id);
		for (k = 0; six && k < 4; k++) {
			exchange.server.endpoints[k / 2][k % 2] = endpoint("[2001:db8::2]:3478");
			exchange.server.endpoints[k / 2][k % 2].addr.bytes[15] = (uint8_t)k;
		}
		for (k = 0; k < (i >> 4) % 24; k++)
			put_something(&exchange, &dice);
		if (i & 32)
			stun_put_fingerprint(&exchange.request);
		length = stun_end(&exchange.request);
		exchange.reply = stun_server_answer(
			&exchange.server, at, &from, exchange.request_bytes, length,
			exchange.reply_bytes, sizeof(exchange.reply_bytes));
		growth = exchange.reply.length > length ? exchange.reply.length - length : 0;
		largest[six] = growth > largest[six] ? (unsigned int)growth : largest[six];
		answered += exchange.reply.length > 0;
	}
	cr_expect_gt(answered, 15000, "the requests are not understood: %u", answered);
	cr_expect_eq(largest[0], STUN_ANSWER_GROWTH_IPV4, "%u bytes", largest[0]);
	cr_expect_eq(largest[1], STUN_ANSWER_GROWTH_IPV6, "%u bytes", largest[1]);
}

/* ---- over TCP ---- */

static void answer_over_stream(struct exchange *exchange)
{
	struct endpoint from = endpoint("1.2.3.4:40000");
	struct stun_socket at = {.stream = true};

	exchange->reply = stun_server_answer(&exchange->server, at, &from, exchange->request_bytes,
					     stun_end(&exchange->request), exchange->reply_bytes,
					     sizeof(exchange->reply_bytes));
	cr_assert(stun_parse(exchange->reply_bytes, exchange->reply.length, &exchange->message));
}

Test(streams, what_would_be_answered_elsewhere_is_refused)
{
	struct exchange exchange;

	ask(&exchange, modern_id);
	stun_put_u32(&exchange.request, STUN_CHANGE_REQUEST, STUN_CHANGE_PORT);
	answer_over_stream(&exchange);
	cr_expect_eq(error_in(&exchange), 420);
	ask(&exchange, modern_id);
	stun_put_u32(&exchange.request, STUN_RESPONSE_PORT, 5000U << 16);
	answer_over_stream(&exchange);
	cr_expect_eq(error_in(&exchange), 420);
	cr_expect_eq(exchange.reply.to.port, 40000);
}

Test(streams, a_change_request_that_asks_for_nothing_is_answered)
{
	struct exchange exchange;

	ask(&exchange, modern_id);
	stun_put_u32(&exchange.request, STUN_CHANGE_REQUEST, 0);
	answer_over_stream(&exchange);
	cr_expect_eq(exchange.message.class, STUN_SUCCESS);
	cr_expect_str_eq(address_in(&exchange, STUN_OTHER_ADDRESS), "9.9.9.10:3479");
}
