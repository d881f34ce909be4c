/* SPDX-License-Identifier: MIT */
/* The STUN codec: RFC 5769's vectors, both dialects, and what is not a message. */
#include <criterion/criterion.h>
#include <nettle/md5.h>
#include <string.h>

#include "agents/stun/integrity.h"
#include "agents/stun/message.h"

/* RFC 5769 sections 2.1 to 2.4. */
static const uint8_t sample_request[] = {
	0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
	0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e,
	0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24,
	0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1,
	0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68,
	0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c,
	0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5,
	0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
};

static const uint8_t sample_ipv4_response[] = {
	0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
	0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74,
	0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01,
	0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99,
	0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b,
	0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
};

static const uint8_t sample_ipv6_response[] = {
	0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
	0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74,
	0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x14, 0x00, 0x02,
	0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
	0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6,
	0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41,
	0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
};

static const uint8_t sample_long_term_request[] = {
	0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72,
	0xc0, 0x29, 0xda, 0x41, 0x2e, 0x00, 0x06, 0x00, 0x12, 0xe3, 0x83, 0x9e, 0xe3, 0x83, 0x88,
	0xe3, 0x83, 0xaa, 0xe3, 0x83, 0x83, 0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9, 0x00, 0x00, 0x00,
	0x15, 0x00, 0x1c, 0x66, 0x2f, 0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36,
	0x4f, 0x4c, 0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46, 0x53, 0x54, 0x76, 0x79, 0x36, 0x34, 0x73,
	0x41, 0x00, 0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72,
	0x67, 0x00, 0x00, 0x08, 0x00, 0x14, 0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6, 0x4a, 0x3e, 0x02,
	0xb8, 0xe0, 0x71, 0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8, 0x96, 0x66,
};

static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt"; /* of the first three */

static const uint8_t modern_id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 1, 2,  3,  4,
						5,    6,    7,    8,    9, 10, 11, 12};
static const uint8_t classic_id[STUN_ID_SIZE] = {0xde, 0xad, 0xbe, 0xef, 1, 2,  3,  4,
						 5,    6,    7,    8,    9, 10, 11, 12};

static struct endpoint endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "the test's own endpoint %s is wrong", text);
	return endpoint;
}

static void expect_endpoint(const struct endpoint *actual, const char *expected)
{
	char text[ENDPOINT_TEXT_MAX];

	cr_expect_str_eq(endpoint_format(actual, text), expected);
}

static struct stun_message parsed(const void *bytes, size_t length)
{
	struct stun_message message;

	cr_assert(stun_parse(bytes, length, &message), "a good message was not recognised");
	return message;
}

Test(rfc5769, the_sample_request_is_read_and_its_seals_hold)
{
	struct stun_message message = parsed(sample_request, sizeof(sample_request));
	struct stun_attribute attribute;
	uint32_t priority;

	cr_expect_eq(message.class, STUN_REQUEST);
	cr_expect_eq(message.method, STUN_BINDING);
	cr_expect_not(message.classic);
	cr_assert(stun_find(&message, STUN_USERNAME, &attribute));
	cr_expect_eq(attribute.length, 9, "padding does not count");
	cr_expect_eq(memcmp(attribute.value, "evtj:h6vY", 9), 0);
	cr_assert(stun_find(&message, STUN_PRIORITY, &attribute));
	cr_expect(stun_read_u32(&attribute, &priority));
	cr_expect_eq(priority, 0x6e0001ff);
	cr_expect(stun_check_integrity(&message, password, strlen(password)));
	cr_expect_eq(stun_check_fingerprint(&message), STUN_FINGERPRINT_RIGHT);
}

Test(rfc5769, the_ipv4_response_tells_the_mapped_address)
{
	struct stun_message message = parsed(sample_ipv4_response, sizeof(sample_ipv4_response));
	struct endpoint mapped;

	cr_expect_eq(message.class, STUN_SUCCESS);
	cr_assert(stun_mapped_address(&message, &mapped));
	expect_endpoint(&mapped, "192.0.2.1:32853");
	cr_expect(stun_check_integrity(&message, password, strlen(password)));
	cr_expect_eq(stun_check_fingerprint(&message), STUN_FINGERPRINT_RIGHT);
}

Test(rfc5769, the_ipv6_response_tells_the_mapped_address)
{
	struct stun_message message = parsed(sample_ipv6_response, sizeof(sample_ipv6_response));
	struct endpoint mapped;

	cr_assert(stun_mapped_address(&message, &mapped));
	expect_endpoint(&mapped, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
	cr_expect(stun_check_integrity(&message, password, strlen(password)));
	cr_expect_eq(stun_check_fingerprint(&message), STUN_FINGERPRINT_RIGHT);
}

/* The key is MD5(username ":" realm ":" password) (RFC 8489 section 9.2.2). */
static void long_term_key(uint8_t key[MD5_DIGEST_SIZE])
{
	static const char credentials[] = "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82"
					  "\xaf\xe3\x82\xb9:example.org:TheMatrIX";
	struct md5_ctx context;

	md5_init(&context);
	md5_update(&context, sizeof(credentials) - 1, (const uint8_t *)credentials);
	md5_digest(&context, MD5_DIGEST_SIZE, key);
}

Test(rfc5769, the_long_term_request_is_read_and_its_seal_holds)
{
	struct stun_message message =
		parsed(sample_long_term_request, sizeof(sample_long_term_request));
	uint8_t key[MD5_DIGEST_SIZE];

	long_term_key(key);
	cr_expect(stun_check_integrity(&message, key, sizeof(key)));
	cr_expect_eq(stun_check_fingerprint(&message), STUN_FINGERPRINT_ABSENT);
}

Test(rfc5769, the_long_term_request_is_written_byte_for_byte)
{
	static const char nonce[] = "f//499k954d6OL34oL9FSTvy64sA";
	struct stun_message sample =
		parsed(sample_long_term_request, sizeof(sample_long_term_request));
	uint8_t key[MD5_DIGEST_SIZE], bytes[256];
	struct stun_builder builder;

	long_term_key(key);
	stun_begin(&builder, bytes, sizeof(bytes), STUN_REQUEST, STUN_BINDING, stun_id(&sample));
	stun_put(&builder, STUN_USERNAME,
		 "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9", 18);
	stun_put(&builder, STUN_NONCE, nonce, strlen(nonce));
	stun_put(&builder, STUN_REALM, "example.org", 11);
	stun_put_integrity(&builder, key, sizeof(key));
	cr_assert_eq(stun_end(&builder), sizeof(sample_long_term_request));
	cr_expect_arr_eq(bytes, sample_long_term_request, sizeof(sample_long_term_request));
}

Test(integrity, any_flipped_bit_or_another_key_breaks_the_seals)
{
	uint8_t copy[sizeof(sample_request)];
	struct stun_message message;
	size_t bit, caught = 0, unreadable = 0;

	for (bit = 0; bit < sizeof(copy) * 8; bit++) {
		memcpy(copy, sample_request, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (!stun_parse(copy, sizeof(copy), &message))
			unreadable++;
		else if (stun_check_fingerprint(&message) != STUN_FINGERPRINT_RIGHT)
			caught++;
	}
	cr_expect_eq(caught + unreadable, sizeof(copy) * 8, "%zu flipped bits went unnoticed",
		     sizeof(copy) * 8 - caught - unreadable);
	/* Every bit before MESSAGE-INTEGRITY, apart from those that make it no message at all. */
	for (bit = 0; bit < (sizeof(copy) - 8 - 24) * 8; bit++) {
		memcpy(copy, sample_request, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (stun_parse(copy, sizeof(copy), &message))
			cr_expect_not(stun_check_integrity(&message, password, strlen(password)),
				      "bit %zu is not protected", bit);
	}
	message = parsed(sample_request, sizeof(sample_request));
	cr_expect_not(stun_check_integrity(&message, "VOkJxbRl1RmTxUk/WvJxBT", 22));
}

Test(integrity, what_stands_behind_the_seal_is_passed_over)
{
	uint8_t bytes[128];
	struct stun_attribute attribute;
	struct stun_builder builder;
	struct stun_message message;

	stun_begin(&builder, bytes, sizeof(bytes), STUN_REQUEST, STUN_BINDING, modern_id);
	stun_put_integrity(&builder, "key", 3);
	stun_put_u32(&builder, STUN_CHANGE_REQUEST, STUN_CHANGE_IP); /* smuggled in */
	stun_put_fingerprint(&builder);
	message = parsed(bytes, stun_end(&builder));
	cr_expect_not(stun_find(&message, STUN_CHANGE_REQUEST, &attribute));
	cr_expect(stun_find(&message, STUN_FINGERPRINT, &attribute), "it belongs there");
	cr_expect(stun_check_integrity(&message, "key", 3));
}

Test(codec, type_bits_interleave_as_rfc8489_section_5_draws_them)
{
	static const struct {
		enum stun_class class;
		uint16_t method;
		uint8_t type[2];
	} table[] = {
		{STUN_REQUEST, 0x001, {0x00, 0x01}},    {STUN_SUCCESS, 0x001, {0x01, 0x01}},
		{STUN_ERROR, 0x001, {0x01, 0x11}},      {STUN_INDICATION, 0x001, {0x00, 0x11}},
		{STUN_INDICATION, 0x006, {0x00, 0x16}}, /* TURN's Send indication */
		{STUN_REQUEST, 0xfff, {0x3e, 0xef}},    {STUN_ERROR, 0xfff, {0x3f, 0xff}},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct stun_builder builder;
		struct stun_message message;
		uint8_t bytes[64];

		stun_begin(&builder, bytes, sizeof(bytes), table[i].class, table[i].method,
			   modern_id);
		cr_expect_arr_eq(bytes, table[i].type, 2, "row %zu", i);
		message = parsed(bytes, stun_end(&builder));
		cr_expect_eq(message.class, table[i].class);
		cr_expect_eq(message.method, table[i].method);
	}
}

Test(codec, addresses_survive_writing_and_reading)
{
	static const char *const texts[] = {"1.2.3.4:40000", "[2001:db8::1]:1",
					    "255.255.255.255:65535"};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct endpoint written = endpoint(texts[i]), read;
		struct stun_attribute attribute;
		struct stun_builder builder;
		struct stun_message message;
		uint8_t bytes[128];

		stun_begin(&builder, bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING, modern_id);
		stun_put_address(&builder, STUN_MAPPED_ADDRESS, &written);
		stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, &written);
		stun_put_address(&builder, STUN_OTHER_ADDRESS, &written);
		message = parsed(bytes, stun_end(&builder));
		cr_assert(stun_find(&message, STUN_MAPPED_ADDRESS, &attribute));
		cr_assert(stun_read_address(&attribute, &read));
		expect_endpoint(&read, texts[i]);
		cr_assert(stun_find(&message, STUN_XOR_MAPPED_ADDRESS, &attribute));
		cr_assert(stun_read_xor_address(&message, &attribute, &read));
		expect_endpoint(&read, texts[i]);
		cr_assert(stun_read_address(&attribute, &read));
		cr_expect_not(endpoint_equal(&read, &written), "it must not be plain on the wire");
		cr_assert(stun_other_address(&message, &read));
		expect_endpoint(&read, texts[i]);
	}
}

Test(codec, the_xored_address_is_preferred_and_the_draft_number_is_understood)
{
	struct endpoint meddled = endpoint("10.0.0.1:1"), real = endpoint("1.2.3.4:5"), read;
	struct stun_builder builder;
	struct stun_message message;
	uint8_t bytes[128];

	stun_begin(&builder, bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING, modern_id);
	stun_put_address(&builder, STUN_MAPPED_ADDRESS, &meddled);
	stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS_DRAFT, &real);
	message = parsed(bytes, stun_end(&builder));
	cr_assert(stun_mapped_address(&message, &read));
	expect_endpoint(&read, "1.2.3.4:5");
}

Test(codec, the_classic_dialect_is_told_by_the_missing_cookie)
{
	struct endpoint mapped = endpoint("1.2.3.4:5"), read;
	struct stun_attribute attribute;
	struct stun_builder builder;
	struct stun_message message;
	uint8_t bytes[128];

	stun_begin(&builder, bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING, classic_id);
	stun_put_address(&builder, STUN_MAPPED_ADDRESS, &mapped);
	stun_put_address(&builder, STUN_CHANGED_ADDRESS, &mapped);
	stun_put_address(&builder, STUN_XOR_MAPPED_ADDRESS, &mapped);
	message = parsed(bytes, stun_end(&builder));
	cr_expect(message.classic);
	cr_expect_arr_eq(stun_id(&message), classic_id, STUN_ID_SIZE);
	cr_assert(stun_find(&message, STUN_XOR_MAPPED_ADDRESS, &attribute));
	cr_expect_not(stun_read_xor_address(&message, &attribute, &read),
		      "there is no cookie to XOR with");
	cr_assert(stun_mapped_address(&message, &read));
	expect_endpoint(&read, "1.2.3.4:5");
	cr_expect(stun_other_address(&message, &read));
}

Test(codec, unknown_attributes_are_listed_evenly_for_a_classic_client)
{
	static const uint16_t types[] = {0x7777, 0x0030, 0x0031};
	struct stun_attribute attribute;
	struct stun_builder builder;
	struct stun_message message;
	uint8_t bytes[128];

	stun_begin(&builder, bytes, sizeof(bytes), STUN_ERROR, STUN_BINDING, classic_id);
	stun_put_unknown(&builder, types, 3);
	message = parsed(bytes, stun_end(&builder));
	cr_assert(stun_find(&message, STUN_UNKNOWN_ATTRIBUTES, &attribute));
	cr_expect_eq(attribute.length, 8);
	cr_expect_arr_eq(attribute.value, "\x77\x77\x00\x30\x00\x31\x00\x31", 8);
	stun_begin(&builder, bytes, sizeof(bytes), STUN_ERROR, STUN_BINDING, modern_id);
	stun_put_unknown(&builder, types, 3);
	message = parsed(bytes, stun_end(&builder));
	cr_assert(stun_find(&message, STUN_UNKNOWN_ATTRIBUTES, &attribute));
	cr_expect_eq(attribute.length, 6);
}

Test(codec, error_codes_survive_and_impossible_ones_are_refused)
{
	struct stun_error_code error;
	struct stun_attribute attribute;
	struct stun_builder builder;
	struct stun_message message;
	uint8_t bytes[128], *value;

	stun_begin(&builder, bytes, sizeof(bytes), STUN_ERROR, STUN_BINDING, modern_id);
	stun_put_error(&builder, 420, "Unknown Attribute");
	message = parsed(bytes, stun_end(&builder));
	cr_assert(stun_find(&message, STUN_ERROR_CODE, &attribute));
	cr_assert(stun_read_error(&attribute, &error));
	cr_expect_eq(error.code, 420);
	cr_expect_eq(error.phrase_length, strlen("Unknown Attribute"));
	cr_expect_eq(memcmp(error.phrase, "Unknown Attribute", error.phrase_length), 0);
	value = bytes + attribute.offset + 4;
	value[2] = 7;
	cr_expect_not(stun_read_error(&attribute, &error), "class 7 does not exist");
	value[2] = 4;
	value[3] = 100;
	cr_expect_not(stun_read_error(&attribute, &error), "the number is below 100");
}

Test(hostile, every_truncation_and_every_wrong_length_is_refused)
{
	uint8_t copy[sizeof(sample_request)];
	struct stun_message message;
	size_t length;

	for (length = 0; length < sizeof(sample_request); length++)
		cr_expect_not(stun_parse(sample_request, length, &message), "%zu bytes", length);
	for (length = 0; length < 256; length++) {
		memcpy(copy, sample_request, sizeof(copy));
		copy[3] = (uint8_t)length;
		if (length != 0x58)
			cr_expect_not(stun_parse(copy, sizeof(copy), &message), "length %zu",
				      length);
	}
}

Test(hostile, an_attribute_that_reaches_beyond_the_end_is_refused)
{
	uint8_t bytes[] = {0x00, 0x01, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42, 0, 0,
			   0,    0,    0,    0,    0,    0,    0,    0,    0, 0,
			   0x80, 0x22, 0,    4,    'a',  'b',  'c',  'd'};
	struct stun_message message;
	unsigned int claimed;

	for (claimed = 0; claimed < 65536; claimed++) {
		bytes[22] = (uint8_t)(claimed >> 8);
		bytes[23] = (uint8_t)claimed;
		cr_assert_eq(stun_parse(bytes, sizeof(bytes), &message),
			     claimed >= 1 && claimed <= 4, "%u claimed", claimed);
	}
}

Test(hostile, top_bits_and_a_fingerprint_in_the_middle_are_refused)
{
	struct stun_builder builder;
	struct stun_message message;
	uint8_t bytes[128];
	size_t length;

	stun_begin(&builder, bytes, sizeof(bytes), STUN_REQUEST, STUN_BINDING, modern_id);
	stun_put_fingerprint(&builder);
	length = stun_end(&builder);
	bytes[0] |= 0x40;
	cr_expect_not(stun_parse(bytes, length, &message), "0x40 is a TURN channel's number");
	bytes[0] = 0x80;
	cr_expect_not(stun_parse(bytes, length, &message), "0x80 is RTP");
	stun_begin(&builder, bytes, sizeof(bytes), STUN_REQUEST, STUN_BINDING, modern_id);
	stun_put_fingerprint(&builder);
	stun_put_u32(&builder, STUN_PRIORITY, 1);
	cr_expect_not(stun_parse(bytes, stun_end(&builder), &message));
}

Test(hostile, addresses_of_a_wrong_size_or_family_are_refused)
{
	static const uint8_t values[][9] = {
		{0, 1, 0, 1, 1, 2, 3},       /* 7 bytes below */
		{0, 2, 0, 1, 1, 2, 3, 4},    /* IPv6 in 8 bytes */
		{0, 3, 0, 1, 1, 2, 3, 4},    /* no such family */
		{0, 1, 0, 1, 1, 2, 3, 4, 5}, /* 9 bytes */
		{0, 1, 0},                   /* 3 */
	};
	static const uint16_t lengths[] = {7, 8, 8, 9, 3};
	struct endpoint read;
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		struct stun_attribute attribute = {
			.type = STUN_MAPPED_ADDRESS, .length = lengths[i], .value = values[i]};

		cr_expect_not(stun_read_address(&attribute, &read), "row %zu", i);
	}
}

Test(building, what_does_not_fit_fails_as_a_whole_for_every_size)
{
	struct endpoint mapped = endpoint("[2001:db8::1]:1");
	size_t capacity, needed = 20 + 24 + 24 + 8 + 24 + 8;
	uint8_t bytes[256];

	for (capacity = 0; capacity <= needed; capacity++) {
		struct stun_builder builder;

		memset(bytes, 0xee, sizeof(bytes));
		stun_begin(&builder, bytes, capacity, STUN_SUCCESS, STUN_BINDING, modern_id);
		stun_put_address(&builder, STUN_MAPPED_ADDRESS, &mapped);
		stun_put_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, &mapped);
		stun_put_u32(&builder, STUN_PRIORITY, 7);
		stun_put_integrity(&builder, "k", 1);
		stun_put_fingerprint(&builder);
		cr_assert_eq(stun_end(&builder), capacity == needed ? needed : 0, "%zu bytes",
			     capacity);
		cr_assert_eq(bytes[capacity], 0xee, "wrote beyond %zu bytes", capacity);
	}
}

Test(building, an_address_without_a_family_is_no_attribute)
{
	const struct endpoint nothing = {0};
	struct stun_builder builder;
	uint8_t bytes[64];

	stun_begin(&builder, bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING, modern_id);
	stun_put_address(&builder, STUN_MAPPED_ADDRESS, &nothing);
	cr_expect_eq(stun_end(&builder), 0);
}
